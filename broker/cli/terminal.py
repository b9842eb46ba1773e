"""What a command says: results on standard output, errors and progress on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from broker.errors import BrokerError

Item = TypeVar("Item")

#: Wide enough that nothing is folded where the output goes into a file or another program.
_WIDE = 10_000


def safe(text: str) -> str:
    """Return text in which nothing can act on a terminal: ids and keys come from messages."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def say(text: str = "") -> None:
    """Print lines of a result."""
    for line in text.split("\n"):
        print(safe(line))


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its word: `1 route`, `2 routes`, `3 parties` (where `many` is given)."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def complain(text: str) -> None:
    """Print lines to standard error."""
    for line in text.split("\n"):
        print(safe(line), file=sys.stderr)


def detail(error: BrokerError) -> list[str]:
    """Return the lines of an error for people: its text, then what its text does not say yet."""
    text = str(error)
    return [text, *[f"  {one}" for one in map(str, error.findings) if one not in text]]


def show(value: Any) -> None:
    """Print a result for a machine."""
    print(json.dumps(value, indent=2))


def line(value: Any) -> None:
    """Print one result of many for a machine: one JSON document a line, as soon as it is there."""
    print(json.dumps(value), flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; on a terminal it is fitted to the width, else nothing is folded."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = None if sys.stdout.isatty() else _WIDE
    made = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        made.add_column(name, no_wrap=number == 0, overflow="fold")
    for row in rows:
        made.add_row(*[Text(safe(cell)) for cell in row])
    console = Console(width=width, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(made)
    for text in captured.get().splitlines():
        print(text.rstrip())


def progress(items: Sequence[Item], label: str) -> Iterator[Item]:
    """Yield the items; long work shows on a terminal how far it is."""
    if len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, label, console=Console(stderr=True), transient=True)


def language(chosen: str | None) -> Literal["en", "de"]:
    """Return the language of a text for people: as chosen, else as the environment says."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    found = chosen or next((name for name in names if name), "")
    return "de" if found.lower().startswith("de") else "en"


def moment(time: datetime) -> str:
    """Return a time for people: UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
