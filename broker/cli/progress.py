"""How far the demo is: bars on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from broker.cli.terminal import say


class Progress(Protocol):
    """Is told how far it is."""

    def sent(self, count: int) -> None:
        """So many messages were sent."""

    def ended(self, count: int, answers: int) -> None:
        """So many messages ended, so many answers came back."""


class Lines:
    """A line where something is complete."""

    def __init__(self, total: int) -> None:
        """Take how many messages there are."""
        self._total = total
        self._ended = -1

    def sent(self, count: int) -> None:
        if count == self._total:
            say(f"sent {count} messages")

    def ended(self, count: int, answers: int) -> None:
        if count - self._ended >= self._total // 4 or (count == self._total != self._ended):
            self._ended = count
            say(f"ended {count} of {self._total}, {answers} answers came back")


class Bars:
    """Two bars that move."""

    def __init__(self, total: int) -> None:
        """Take how many messages there are."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Rich

        self.rich = Rich(
            TextColumn("{task.description:<8}"), BarColumn(40), MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"), transient=True,
        )  # fmt: skip
        self._sent = self.rich.add_task("sent", total=total, note="")
        self._ended = self.rich.add_task("ended", total=total, note="")

    def sent(self, count: int) -> None:
        self.rich.update(self._sent, completed=count)

    def ended(self, count: int, answers: int) -> None:
        self.rich.update(self._ended, completed=count, note=f"{answers} answers came back")


@contextmanager
def progress(total: int) -> Iterator[Progress]:
    """Show how far it is while the block runs."""
    if not sys.stdout.isatty():
        yield Lines(total)
        return
    bars = Bars(total)
    with bars.rich:
        yield bars
