"""How the routes do, live: what waits, what is stuck, what comes and goes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from broker.cli.desk import Desk, opened
from broker.cli.look import running
from broker.cli.terminal import safe, say, show, table
from broker.message import State, now

if TYPE_CHECKING:
    from rich.console import RenderableType

    from broker.journal.standing import Standing
    from broker.pulse import Beat

_COLUMNS = ("route", "wait", "oldest", "work", "held", "unclear", "dead", "in/min", "out/min",
            "notes")  # fmt: skip
_STUCK = (State.HELD, State.UNCLEAR, State.DEAD)
#: Looking takes at most one part in so many of the time.
_SHARE = 10
_LINES = 8
#: A regular window that begins in less is told.
_SOON = timedelta(hours=1)


def top(
    every: Annotated[str, Option(metavar="TIME", help="between two looks")] = "2s",
    json: Annotated[bool, Option("--json", help="one look, for machines")] = False,
) -> None:
    """Show live how each route does, until q or Ctrl-C.

    Per route: what waits and since when, what is worked on, what is stuck, and how many messages
    came and were delivered in the last minute. Where standard output is no terminal, one look is
    printed.
    """
    from broker.values import seconds

    with opened() as desk:
        if json:
            show(_record(desk))
        elif sys.stdout.isatty() and sys.stdin.isatty():
            _live(desk, max(0.2, seconds(every)))
        else:
            look = Look(desk)
            say(look.headline())
            table(_COLUMNS, [[text for text, _ in row] for row in look.rows()])


class Look:
    """One look at everything."""

    def __init__(self, desk: Desk) -> None:
        """Read the store."""
        from broker.journal.standing import standing
        from broker.pulse import beats

        self.at = now()
        self.beats: Sequence[Beat] = beats(desk.store, desk.maintenance, self.at)
        self.seal: Standing = standing(desk.store)
        self.process = running(desk.settings.state) if not desk.store.shared else None
        self.shared = desk.store.shared

    def headline(self) -> str:
        """Return one line about the whole."""
        alive = "shared store" if self.shared else _alive(self.process)
        sealed = f"{self.seal.size} entries sealed"
        if self.seal.since:
            sealed += f", {self.seal.waiting} wait for {age(self.seal.since, self.at)}"
        stuck = sum(beat.count(state) for beat in self.beats for state in _STUCK)
        need = f"{stuck} wait for a person" if stuck else "nothing is stuck"
        return f"{self.at:%H:%M:%SZ}  {alive}  ·  {sealed}  ·  {need}"

    def rows(self) -> Iterator[list[tuple[str, str]]]:
        """Yield the cells of each route, each with its style."""
        for beat in sorted(self.beats, key=_urgency):
            yield self._row(beat)

    def _row(self, beat: Beat) -> list[tuple[str, str]]:
        count = beat.count
        oldest = age(beat.lane.oldest, self.at) if beat.lane.oldest else ""
        return [
            (beat.lane.route or "(no route)", "bold"),
            (_number(count(State.WAITING)), ""),
            (oldest, ""),
            (_number(count(State.WORKING)), "cyan"),
            (_number(count(State.HELD)), "yellow"),
            (_number(count(State.UNCLEAR)), "magenta"),
            (_number(count(State.DEAD)), "red"),
            (_number(beat.came), ""),
            (_number(beat.went), "green"),
            _notes(beat, self.at),
        ]


def _alive(process: int | None) -> str:
    if process is None:
        return "broker not running"
    return f"broker running{f' ({process})' if process else ''}"


def _urgency(beat: Beat) -> tuple[int, str]:
    return -sum(map(beat.count, _STUCK)) - beat.lane.failing, beat.lane.route


def _notes(beat: Beat, at: datetime) -> tuple[str, str]:
    if beat.paused:
        return f"paused{f', {age(at, beat.until)} left' if beat.until else ''}", "yellow"
    if beat.lane.failing:
        return f"disturbed: {beat.lane.failing}", "red"
    if beat.next and beat.next - at < _SOON:
        return f"window in {age(at, beat.next)}", ""
    return "", ""


def _number(count: int) -> str:
    return str(count) if count else "·"


def age(since: datetime, at: datetime) -> str:
    """Return how long ago a time is, in one or two units."""
    seconds = max(0, int((at - since).total_seconds()))
    for unit, size, lesser in (("d", 86400, ("h", 3600)), ("h", 3600, ("min", 60))):
        if seconds >= size:
            return f"{seconds // size}{unit} {seconds % size // lesser[1]}{lesser[0]}"
    return f"{seconds // 60}min {seconds % 60}s" if seconds >= 60 else f"{seconds}s"


def _record(desk: Desk) -> dict[str, Any]:
    from broker.journal.entry import stamp

    look = Look(desk)
    return {
        "time": stamp(look.at),
        "running": look.process,
        "journal": look.seal.record(),
        "routes": [beat.record() for beat in look.beats],
    }


def _live(desk: Desk, every: float) -> None:
    from rich.live import Live

    with _keys() as pressed, Live(screen=True, auto_refresh=False) as live:
        while True:
            began = time.monotonic()
            look = Look(desk)
            live.update(_page(look, live.console.height), refresh=True)
            took = time.monotonic() - began
            if pressed(max(every, _SHARE * took)):
                return


def _page(look: Look, height: int) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold reverse", padding=(0, 1, 0, 0))
    for number, name in enumerate(_COLUMNS):
        right = 0 < number < len(_COLUMNS) - 1
        made.add_column(name, justify="right" if right else "left", no_wrap=True)
    rows = list(look.rows())
    for row in rows[: max(1, height - _LINES)]:
        made.add_row(*[Text(safe(text), style if text != "·" else "dim") for text, style in row])
    more = len(rows) - max(1, height - _LINES)
    foot = f"{more} more routes  ·  " if more > 0 else ""
    if not rows:
        foot = "no route has unfinished messages or traffic  ·  "
    return Group(Text(look.headline(), "bold"), Text(), made, Text(),
                 Text(f"{foot}q ends  ·  causes: xoev-broker dead list", "dim"))  # fmt: skip


@contextmanager
def _keys() -> Iterator[Any]:
    """Read single keys; yield what waits so many seconds for q (or Ctrl-C) and says whether."""
    import select
    import termios
    import tty

    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)

    def pressed(seconds: float) -> bool:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([file], [], [], left)[0]:
                keys = os.read(file, 64)
                if not keys or b"q" in keys.lower():
                    return True
        return False

    tty.setcbreak(file)
    try:
        yield pressed
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
