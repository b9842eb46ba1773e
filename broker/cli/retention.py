"""Erasing what is due, or one person, and protecting what a court may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, BadParameter, Exit, Option

from broker.cli.desk import Desk, opened
from broker.cli.repair import Actor, Id, Reason, acting
from broker.cli.terminal import complain, moment, say, show, table

if TYPE_CHECKING:
    from broker.retention import Keeper, Policy, Report
    from broker.stores.contract import Row

Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]
_DAY = 86400
_PARTS = {"payload": "payloads", "metadata": "metadata", "refusal": "refused bytes"}
_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def shown(json: Json = False) -> None:
    """Show how long what is kept, what was erased so far, and what is protected.

    Periods count from the end of a message. They are set by XOEV_BROKER_RETENTION_PAYLOAD and
    XOEV_BROKER_RETENTION_METADATA, and by `keep:`
    of a route. The technical log is not here: journald or logrotate keep it.
    """
    from broker.retention import NAME
    from broker.retention import shown as rules

    with opened() as desk:
        periods = rules(_policy(desk))
        holds, last = desk.store.holds(), desk.store.last(NAME)
        erased = desk.store.erasures()
    if json:
        show(
            {
                "rules": {name: asdict(one) for name, one in periods.items()},
                "erased": {rule: {"count": one[0], "size": one[1]} for rule, one in erased.items()},
                "holds": [asdict(hold) | {"since": moment(hold.since)} for hold in holds],
                "last": moment(last) if last else None,
            }
        )
        return
    rows = [(name, _days(one.payload), _days(one.metadata)) for name, one in periods.items()]
    table(("rule", "payload", "metadata"), rows)
    say(f"\nlast run: {moment(last) if last else 'never'}")
    for rule, (count, size) in erased.items():
        say(f"erased so far, {rule}: {count} payload(s), {_bytes(size)}")
    for hold in holds:
        say(f"held: {hold.message} since {moment(hold.since)} by {hold.actor}: {hold.reason}")


def planned(json: Json = False) -> None:
    """Show what `retention run` would erase now; nothing is changed."""
    from broker.message import now
    from broker.retention import plan

    with opened() as desk:
        _print(plan(desk.store, _policy(desk), now()), json, "would be erased")


def ran(
    yes: Annotated[
        bool, Option("--yes", help="the clock is right, though it has jumped since the last run")
    ] = False,
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Erase what is due now; a running broker does this once a day by itself.

    With the payload go its key, its salt and the names in the message head; with the metadata ids,
    file numbers and business keys. Journal entries stay: they hold no personal value, and the proof
    rests on them. Repeats of an erased message are still recognised. Each erasure is a journal
    entry with the rule that asked for it. The file does not shrink, its pages are used again.
    """
    from broker.retention import run

    with opened() as desk:
        report = run(desk.store, _policy(desk), acting(actor), yes)
    _print(report, json, "erased")


def erase(
    id: Annotated[
        str | None, Argument(metavar="[ID]", help="id, nachrichtenUUID, reference or file number")
    ] = None,
    reason: Reason = "",
    case: Annotated[str | None, Option(help="all messages of this case")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="only show what would be erased")] = False,
    actor: Actor = None,
) -> None:
    """Erase the payloads of one message or case for ever.

    Their answers and replays go with them. Nothing is erased where one of them is in use or
    protected. That they existed, how they were processed and when they were erased can be proved
    all the same.
    """
    from broker.errors import BrokerError

    if (id is None) == (case is None):
        raise BadParameter("needed is either an ID or --case", param_hint="ID")
    with opened() as desk:
        keeper = _keeper(desk, actor)
        rows = keeper.case(case) if case is not None else keeper.message(id or "")
        if dry_run:
            return _list(rows)
        done = keeper.erase(rows, _given(reason))
    say(f"erased {done.count} payload(s), {_bytes(done.size)}")
    if done.before:
        say(f"{done.before} were erased before; xoev-broker trace says when and why")
    if not done.clean:
        raise BrokerError(
            "it is erased, but its bytes are still in files of the store: a long read, or a "
            "setting of the server (docs/howto/postgresql.md), keeps them; run xoev-broker "
            "retention run to clean up"
        )


def hold(id: Id, reason: Reason, actor: Actor = None) -> None:
    """Protect a message from erasure (legal hold).

    Its answers and replays are protected too. Neither a period nor a person erases it until the
    hold is released.
    """
    with opened() as desk:
        keeper = _keeper(desk, actor)
        count = keeper.hold(keeper.message(id), _given(reason))
    say(f"{count} message(s) are protected now")


def release(id: Id, reason: Reason, actor: Actor = None) -> None:
    """Release a legal hold: what is due is erased by the next run."""
    with opened() as desk:
        keeper = _keeper(desk, actor)
        count = keeper.unhold(keeper.message(id), _given(reason))
    if not count:
        complain("nothing of it is protected; xoev-broker retention show lists what is")
        raise Exit(1)
    say(f"{count} message(s) are not protected any more")


def _policy(desk: Desk) -> Policy:
    from broker.retention import Policy

    return Policy(desk.settings, desk.site.table.table.routes)


def _keeper(desk: Desk, actor: str | None) -> Keeper:
    from broker.retention import Keeper

    return Keeper(desk.store, desk.vault, acting(actor))


def _given(reason: str) -> str:
    if not reason.strip():
        raise BadParameter("a reason is needed, it stays in the journal", param_hint="--reason")
    return reason.strip()


def _list(rows: Sequence[Row]) -> None:
    for row in rows:
        say(f"{row.id} {row.direction.value}, {row.state.value}, {_bytes(row.size)}")


def _print(report: Report, json: bool, done: str) -> None:
    if json:
        show(_document(report))
        return
    rows = [
        (_PARTS[share.part], share.rule, str(share.count), _bytes(share.size))
        for share in report.shares
    ]
    if rows:
        table(("what", "rule", "count", "size"), rows)
    say(f"{report.count} {done}, {_bytes(report.size)} freed, {report.held} protected by a hold")
    if not report.clean:
        complain(
            "what was erased is still in files of the store: a long read, or a setting of the "
            "server (docs/howto/postgresql.md), keeps it; run this again"
        )


def _document(report: Report) -> dict[str, Any]:
    return asdict(report) | {"count": report.count, "size": report.size}


def _days(seconds: float) -> str:
    return f"{seconds / _DAY:g} days" if seconds else "for ever"


def _bytes(size: float) -> str:
    at = 0
    while size >= 1024 and at < len(_UNITS) - 1:
        size, at = size / 1024, at + 1
    return f"{size:.3g} {_UNITS[at]}" if at else f"{int(size)} bytes"
