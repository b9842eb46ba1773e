"""Looking: how many messages there are, and which ones."""

from __future__ import annotations

import fcntl
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, BadParameter, Option

from broker.cli.desk import Desk, opened
from broker.cli.terminal import complain, moment, say, show, table
from broker.message import Direction, State

if TYPE_CHECKING:
    from broker.stores.contract import Counts, Row

Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]

#: States in the order in which people ask for them.
ORDER = (
    State.DELIVERED, State.REJECTED, State.CLOSED, State.DEAD, State.UNCLEAR, State.HELD,
    State.WORKING, State.WAITING,
)  # fmt: skip


def status(json: Json = False) -> None:
    """Add up all messages, and say what needs a person.

    The sum of all states is what was ever accepted; what was refused is counted apart.
    """
    with opened() as desk:
        found = _status(desk)
        if json:
            show(found)
            return
        _totals(desk.store.counts(), found)


def _status(desk: Desk) -> dict[str, Any]:
    from broker.journal.entry import stamp

    counts = desk.store.counts()
    oldest = counts.oldest
    return {
        "running": running(desk.settings.state),
        "store": str(desk.settings.state),
        "accepted": counts.accepted,
        "states": {
            direction.value: {
                state.value: counts.states.get(direction, {}).get(state, 0) for state in State
            }
            for direction in Direction
        },
        "refused": counts.refused,
        "oldest_waiting": stamp(oldest) if oldest else None,
        "paused": [
            {"route": pause.route, "actor": pause.actor, "reason": pause.reason,
             "since": stamp(pause.since)}
            for pause in desk.store.pauses()
        ],
    }  # fmt: skip


def running(state: Path) -> int | None:
    """Return the process id of the daemon on this state folder (0 if unknown), or None."""
    try:
        file = os.open(state / "run.lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(file, 20).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(file)
    return None


def _totals(counts: Counts, found: dict[str, Any]) -> None:
    process = found["running"]
    known = f" (process {process})" if process else ""
    say(f"broker      {f'running{known}' if process is not None else 'not running'}")
    say(f"state       {found['store']}")
    say()
    rows = [_direction(direction, counts) for direction in Direction]
    sums = [str(sum(int(row[at]) for row in rows)) for at in range(1, len(ORDER) + 2)]
    table(["", *(state.value for state in ORDER), "accepted"], [*rows, ["sum", *sums]])
    say()
    parts = [f"{count} {name.value}" for name, count in zip(ORDER, sums, strict=False)
             if count != "0"]  # fmt: skip
    say(f"accepted {counts.accepted} = {' + '.join(parts) or '0'}")
    say(f"refused  {counts.refused} (not accepted, counted apart)")
    if found["oldest_waiting"]:
        say(f"oldest waiting message was received {found['oldest_waiting']}")
    for pause in found["paused"]:
        say(f"paused   {pause['route']} by {pause['actor']} since {pause['since']}: "
            f"{pause['reason']}")  # fmt: skip
    _hint(counts)


def _direction(direction: Direction, counts: Counts) -> list[str]:
    states = counts.states.get(direction, {})
    numbers = [states.get(state, 0) for state in ORDER]
    return [f"{direction.value}s", *map(str, numbers), str(sum(states.values()))]


def _hint(counts: Counts) -> None:
    stuck = (State.DEAD, State.UNCLEAR, State.HELD)
    count = sum(states.get(state, 0) for states in counts.states.values() for state in stuck)
    if count:
        options = " ".join(f"--state {state.value}" for state in stuck)
        say(f"{count} wait for a person: xoev-broker messages {options}")


def messages(  # noqa: PLR0913, PLR0917 - one argument for each option
    text: Annotated[
        str, Argument(metavar="TEXT", help="id, nachrichtenUUID, reference or file number")
    ] = "",
    state: Annotated[list[State] | None, Option(help="only this state; may be repeated")] = None,
    direction: Annotated[Direction | None, Option(help="only this direction")] = None,
    route: Annotated[str, Option(help="only this route")] = "",
    party: Annotated[str, Option(help="only from this party")] = "",
    case: Annotated[str, Option(help="only this case, by its key in the message")] = "",
    since: Annotated[
        str, Option(metavar="TIME", help="only since 2d, 12h, 2026-03-02 or 2026-03-02T08:30")
    ] = "",
    limit: Annotated[int, Option(min=1, max=100_000, help="at most so many")] = 50,
    json: Json = False,
) -> None:
    """List messages, newest first, without any content."""
    from broker.journal.birth import case_key
    from broker.stores.contract import Filter
    from broker.trace import record

    with opened() as desk:
        key = case_key(desk.vault, case) if case else None
        begin = moment_of(since) if since else None
        states = tuple(state or ())
        rows = desk.store.rows(
            Filter(states, direction, route, party, text, key, since=begin, limit=limit + 1)
        )
        if json:
            show({"messages": [record(row) for row in rows[:limit]], "more": len(rows) > limit})
            return
        _listed(rows[:limit])
        if len(rows) > limit:
            complain(f"there are more than {limit}; use --limit, --since or other filters")


def moment_of(text: str) -> datetime:
    from broker.errors import ConfigError
    from broker.message import now
    from broker.values import seconds

    try:
        return now() - timedelta(seconds=seconds(text))
    except ConfigError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        wanted = "needed is a duration such as 2d or 12h, or a date such as 2026-03-02"
        raise BadParameter(wanted, param_hint="--since") from error


def _listed(rows: list[Row]) -> None:
    columns = ("id", "received", "direction", "state", "kind", "route", "party", "file number",
               "reason")  # fmt: skip
    table(
        columns,
        [
            (row.id, moment(row.received), row.direction.value, row.state.value,
             row.envelope.kind, row.route, row.party, row.number, row.reason)
            for row in rows
        ],
    )  # fmt: skip
