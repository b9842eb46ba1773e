"""What every doorbell promises: it says which deliveries are due, and nothing is lost with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Call:
    """Ids of deliveries that somebody rang for; `handle` is the doorbell's own."""

    ids: tuple[str, ...]
    handle: Any = None


@dataclass(frozen=True, slots=True)
class Line:
    """One queue of a doorbell: how many calls wait, how many listen, and what is wrong with it."""

    name: str
    waiting: int = 0
    listeners: int = 0
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a look from outside found: node (host:port), whether TLS is spoken, and the queues."""

    node: str = ""
    tls: bool = False
    lines: tuple[Line, ...] = ()
    finding: str = ""

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.finding and not any(line.finding for line in self.lines)


class Doorbell(Protocol):
    """Carries ids of due deliveries to whichever worker is free. Thread-safe, never blocks long.

    A call may be lost, come twice or come late: the store is the only truth, and a sweeper rings
    again for what is due and was not taken.
    """

    @property
    def connected(self) -> bool:
        """Whether calls come and go at the moment; while not, workers look for themselves."""

    def ring(self, due: Iterable[tuple[str, str]]) -> None:
        """Say that these deliveries (channel, id) are due; returns at once."""

    def listen(self, heard: Callable[[], None]) -> None:
        """Take calls from now on; `heard` is called, on any thread, when there is one, and when
        `connected` changes. It must return at once.
        """

    def calls(self, limit: int) -> Sequence[Call]:
        """Return calls with about so many ids that wait here; empty where there are none."""

    def taken(self, calls: Sequence[Call]) -> None:
        """Say that the store has what became of these calls: they are not offered again."""

    def close(self) -> None:
        """Ring what still waits, take nothing more, and hang up; returns within seconds."""
