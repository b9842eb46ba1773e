"""Looking: how many messages there are, and which ones."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from broker.cli import alerts, query
from broker.cli.desk import Desk, opened
from broker.cli.query import moment_of
from broker.cli.repair import Actor, acting
from broker.cli.terminal import complain, moment, say, show, table
from broker.message import Direction, State, now

if TYPE_CHECKING:
    from broker.stores.contract import Counts, Row

__all__ = ["ORDER", "messages", "moment_of", "running", "status"]

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
    from broker.journal.standing import standing
    from broker.offices import processes
    from broker.pressure import outside

    counts = desk.store.counts()
    oldest = counts.oldest
    return {
        "running": running(desk.settings.state),
        "processes": processes(desk.store.holders()) if desk.store.shared else [],
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
        "encryption": desk.settings.encryption,
        "journal": standing(desk.store).record(),
        "paused": [
            {"route": pause.route, "actor": pause.actor, "reason": pause.reason,
             "since": stamp(pause.since)}
            for pause in desk.store.pauses()
        ],
        "windows": [
            {"route": one.route, "actor": one.actor, "reason": one.reason,
             "start": stamp(one.start), "until": stamp(one.until), "open": one.open(now())}
            for one in desk.store.windows()
        ],
        "pressure": outside(desk.store, desk.settings).record(),
        "late": [
            {"route": one.route, "kind": one.kind, "count": one.count, "since": stamp(one.since)}
            for one in desk.store.lateness()
        ],
        "alerts": [alerts.record(alarm) for alarm in desk.store.alarms() if not alarm.over],
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
    if found["processes"]:
        say(f"broker      running: {', '.join(found['processes'])}")
    else:
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
    _journal(found)
    _paused(found)
    _watched(found)
    _hint(counts)


def _journal(found: dict[str, Any]) -> None:
    told = found["journal"]
    until = f" until {told['sealed_until']}" if told["sealed_until"] else ""
    say(f"journal  {told['sealed']} entries sealed{until}, last checkpoint over "
        f"{told['checkpoint'] or 0}")  # fmt: skip
    if told["unsealed"]:
        say(f"         {told['unsealed']} entries wait for their seal since "
            f"{told['unsealed_since']}")  # fmt: skip
    if told["time_stamp"]:
        say(f"         last time stamp of {told['time_stamp']}")
    if found["encryption"] == "off":
        say("warning: payloads are stored in the clear (XOEV_BROKER_ENCRYPTION=off)")


def _paused(found: dict[str, Any]) -> None:
    for pause in found["paused"]:
        say(f"paused   {pause['route']} by {pause['actor']} since {pause['since']}: "
            f"{pause['reason']}")  # fmt: skip
    for one in found["windows"]:
        since = "" if one["open"] else f"from {one['start']} "
        say(f"{'paused ' if one['open'] else 'planned'}  {one['route']} by {one['actor']} {since}"
            f"until {one['until']}: {one['reason']}")  # fmt: skip


def _watched(found: dict[str, Any]) -> None:
    pressure = found["pressure"]
    if pressure["closed"]:
        say(f"closed   nothing is taken in ({', '.join(pressure['closed'])}); delivery goes on")
    for one in found["late"]:
        what = "delivered" if one["kind"] == "delivery" else "answered"
        say(f"late     {one['count']} of {one['route']} not {what} in time, the first since "
            f"{one['since']}: xoev-broker messages --late")  # fmt: skip
    for one in found["alerts"]:
        say(f"alert    {one['text']} {one['next']}")


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
        say("grouped by cause: xoev-broker dead list")


def messages(  # noqa: PLR0913, PLR0917 - one argument for each option
    text: Annotated[
        str, Argument(metavar="TEXT", help="id, nachrichtenUUID, reference or file number")
    ] = "",
    state: query.States = None,
    direction: query.Way = None,
    route: query.Route = "",
    party: query.Party = "",
    case: query.Case = "",
    key: query.Keys = None,
    code: query.Code = "",
    since: query.Since = "",
    until: query.Until = "",
    late: Annotated[
        bool, Option("--late", help="not delivered or answered in time; with --route only")
    ] = False,
    limit: Annotated[int, Option(min=1, max=100_000, help="at most so many")] = 50,
    actor: Actor = None,
    json: Json = False,
) -> None:
    """List messages, newest first, without any content.

    `--key` finds them by what stands in them, as the standard declares it; several must all fit.
    The journal keeps who searched for what; values are kept as fingerprints.
    """
    from broker.access import Access
    from broker.trace import record

    asked = query.Query(state, direction, route, party, text, case, key, code, since, until)
    with opened() as desk:
        if late:
            rows = _late(desk, route, limit + 1)
        else:
            rows = desk.store.rows(asked.filter(desk, limit + 1))
        more, rows = len(rows) > limit, rows[:limit]
        access = Access(desk.store, desk.vault, acting(actor))
        access.searched("messages", asked.asked(), len(rows))
        if json:
            show({"messages": [record(row) for row in rows], "more": more})
            return
        _listed(rows)
        if more:
            complain(f"there are more than {limit}; use --limit, --since or other filters")


def _late(desk: Desk, route: str, limit: int) -> list[Row]:
    ids = dict.fromkeys(one.message for one in desk.store.late(route, limit))
    return [row for id in ids if (row := desk.store.row(id))]


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
