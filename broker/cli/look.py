"""Looking: how many messages there are, and which ones."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from broker.cli import alerts, query
from broker.cli.desk import Desk, opened
from broker.cli.query import moment_of
from broker.cli.repair import Actor, acting
from broker.cli.terminal import complain, moment, say, show, table
from broker.errors import ConfigError
from broker.message import Direction, State, now

if TYPE_CHECKING:
    from broker.maintenance import Maintenance
    from broker.stores.contract import Counts, Row

__all__ = ["ORDER", "messages", "moment_of", "running", "status"]

Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]

_MOST = 100_000
#: So many next windows are shown; a table may have thousands.
_NEXT = 5

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
        counts = desk.store.counts()
        found = _status(desk, counts)
        if json:
            show(found)
            return
        _totals(desk, counts, found)


def _status(desk: Desk, counts: Counts) -> dict[str, Any]:
    from broker.journal.entry import stamp
    from broker.journal.standing import standing
    from broker.offices import processes
    from broker.pressure import outside
    from broker.pulse import pauses

    oldest, shared = counts.oldest, desk.store.shared
    return {
        "running": running(desk.settings.state),
        "processes": processes(desk.store.holders()) if shared else here(desk.settings.state),
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
        "older_copy": _older(desk),
        "encryption": desk.settings.encryption,
        "journal": standing(desk.store).record(),
        **pauses(desk.store, desk.maintenance, now()),
        "pressure": outside(desk.store, desk.settings).record(),
        "late": [
            {"route": one.route, "kind": one.kind, "count": one.count, "since": stamp(one.since)}
            for one in desk.store.lateness()
        ],
        "alerts": [alerts.record(alarm) for alarm in desk.store.alarms() if not alarm.over],
    }  # fmt: skip


def _older(desk: Desk) -> str | None:
    """Return why the store counts as an older copy, where anything says so."""
    from broker.journal.restore import look

    try:
        found = look(desk.settings, desk.store)
    except ConfigError:
        return None  # without the key nobody can tell; `doctor` says what is wrong with it
    return found.text if found else None


def here(state: Path) -> list[str]:
    """Return which processes work on a store of this machine, as `role:host:pid`."""
    works, takes = running(state), running(state, "intake.lock")
    found = {"all": works} if works == takes else {"intake": takes, "worker": works}
    host = socket.gethostname()
    return [f"{role}:{host}:{pid}" for role, pid in found.items() if pid is not None]


def running(state: Path, lock: str = "run.lock") -> int | None:
    """Return the process id of the daemon on this state folder (0 if unknown), or None.

    `intake.lock` is the one of a process that takes messages in, where another works on them.
    """
    try:
        file = os.open(state / lock, os.O_RDONLY)
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


def _totals(desk: Desk, counts: Counts, found: dict[str, Any]) -> None:
    say(f"broker      {_alive(found)}")
    if found["older_copy"]:
        say(f"warning: the store is an older copy: {found['older_copy']}; xoev-broker restore show")
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
    _standing(desk.maintenance)
    _watched(found)
    _hint(counts)


def _alive(found: dict[str, Any]) -> str:
    process, every = found["running"], found["processes"]
    if process and any(one.startswith("all:") for one in every):
        return f"running (process {process})"
    if every:
        return f"running: {', '.join(every)}"
    return "running" if process is not None else "not running"


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


def _standing(maintenance: Maintenance) -> None:
    """Say which channels are in their regular window, and which windows are the next."""
    at = now()
    stops = maintenance.stops(at)
    running = [one for one in stops if one.open(at)]
    coming = [one for one in stops if not one.open(at)]
    for one in (*running, *coming[:_NEXT]):
        since = "" if one in running else f"from {maintenance.local(one.span.start)} "
        say(f"{'paused ' if one in running else 'planned'}  channel {one.channel} {since}"
            f"until {maintenance.local(one.span.until)}: {one.span.text}")  # fmt: skip
    if len(coming) > _NEXT:
        say(f"planned  windows of {len(coming) - _NEXT} more channels: xoev-broker check")


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
    limit: Annotated[
        int | None, Option(min=1, max=100_000, help="at most so many: 50, with --ids all")
    ] = None,
    ids: Annotated[
        bool, Option("--ids", help="only the ids, one a line, oldest first, for replay --ids")
    ] = False,
    actor: Actor = None,
    json: Json = False,
) -> None:
    """List messages, newest first, without any content.

    `--key` finds them by what stands in them, as the standard declares it; several must all fit.
    The journal keeps who searched for what; values are kept as fingerprints.
    """
    from broker.access import Access
    from broker.records import record

    asked = query.Query(state, direction, route, party, text, case, key, code, since, until)
    with opened() as desk:
        rows, more = _found(desk, asked, late, limit or (None if ids else 50))
        access = Access(desk.store, desk.vault, acting(actor))
        access.searched("messages", asked.asked(), len(rows))
        if json:
            show({"messages": [record(row) for row in rows], "more": more})
            return
        if ids:
            for id in sorted(row.id for row in rows):
                say(id)
        else:
            _listed(rows)
        if more:
            complain(f"there are more than {len(rows)}; use --limit, --since or other filters")


def _found(desk: Desk, asked: query.Query, late: bool, limit: int | None) -> tuple[list[Row], bool]:
    """Return the newest that were asked for, and whether there are more; without a limit all."""
    from broker.causes import every

    if late:
        rows = _late(desk, asked.route, (limit or _MOST) + 1)
    elif limit is None:
        return [*every(desk.store, asked.filter(desk, 1))][::-1], False
    else:
        rows = desk.store.rows(asked.filter(desk, limit + 1))
    return rows[:limit], limit is not None and len(rows) > limit


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
