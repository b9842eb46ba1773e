"""Evidence: one file about a message, a case or a period, for somebody who trusts nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from broker.cli.desk import Desk, opened
from broker.cli.query import moment_of
from broker.cli.repair import Actor, acting
from broker.cli.terminal import complain, progress, say
from broker.errors import BrokerError

if TYPE_CHECKING:
    from datetime import datetime

    from broker.evidence.bundle import Request
    from broker.journal.checkpoint import Signer
    from broker.stores.contract import Row

#: So many messages are read, and so many entries written, at a time.
_BATCH = 500
#: Another process may be sealing at the same moment.
_TRIES = 10


def evidence(  # noqa: PLR0913, PLR0917 - one argument for each option
    output: Annotated[Path, Option("--output", "-o", metavar="FILE", help="the ZIP to write")],
    reason: Annotated[str, Option(help="why, without personal data: it stays in the journal")],
    text: Annotated[
        str, Argument(metavar="ID", help="id, nachrichtenUUID, reference or file number")
    ] = "",
    case: Annotated[str, Option(help="a whole case, by its key in the message")] = "",
    since: Annotated[str, Option(metavar="TIME", help="a period from 2d or 2026-03-02")] = "",
    until: Annotated[str, Option(metavar="TIME", help="to 12h or 2026-03-03T08:30")] = "",
    actor: Actor = None,
) -> None:
    """Write the evidence of a message into one file.

    It holds the bytes in the clear, every step with its proof, and a report to read. Anyone can
    check it with tools/verify_evidence.py. That it was made, by whom and why, stays in the journal.
    """
    from broker.evidence.bundle import Request

    _check(text, case, since or until, reason)
    if output.exists():
        raise BrokerError(f"{output} is there already; name another file")
    with opened() as desk:
        if text or case:
            rows, scope = _story(desk, text or case, bool(case))
        else:
            rows, scope = _period(desk, _moment(since, "--since"), _moment(until, "--until"))
        made = Request(text or scope, scope, acting(actor), reason.strip())
        count, key = _written(desk, rows, output, made)
    say(f"{output} holds the evidence of {count} message{'s' if count != 1 else ''}")
    say("It holds personal data. Check it, on any computer, with:")
    say(f"  python3 verify_evidence.py {output.name} --key '{key}'")


def _check(text: str, case: str, period: str, reason: str) -> None:
    if sum(map(bool, (text, case, period))) != 1:
        raise BadParameter("needed is one of: ID, --case, or --since and --until")
    if not reason.strip():
        raise BadParameter("a reason is needed, it stays in the journal", param_hint="--reason")


def _story(desk: Desk, asked: str, is_case: bool) -> tuple[list[Row], str]:
    from broker.trace import story

    found = story(desk.store, desk.vault, asked)
    if found.cut:
        raise BrokerError("this is more than one bundle takes; take a period, or one message")
    rows = [chapter.row for chapter in found.chapters]
    # The key of a case is somebody's; its messages stand for it.
    return rows, f"{'case of' if is_case else 'message'} {rows[0].id}"


def _period(desk: Desk, since: datetime | None, until: datetime | None) -> tuple[list[Row], str]:
    from broker.journal.entry import stamp
    from broker.stores.contract import Filter

    found: list[Row] = []
    page = Filter(since=since, until=until, oldest=True, limit=_BATCH)
    while rows := desk.store.rows(page):
        found += rows
        page = replace(page, after=rows[-1].seq)
    if not found:
        raise BrokerError("no message was received in this period")
    return found, f"period {stamp(since) if since else '-'} {stamp(until) if until else '-'}"


def _moment(text: str, option: str) -> datetime | None:
    return moment_of(text, option) if text else None


def _written(desk: Desk, rows: Sequence[Row], output: Path, made: Request) -> tuple[int, str]:
    """Note it, seal it, write it; return how many messages and the public key."""
    from broker.evidence.bundle import Bundle, Seal
    from broker.journal.checkpoint import Signer
    from broker.journal.sealer import Ledger
    from broker.journal.trail import entry

    ids = iter(rows)
    while batch := list(islice(ids, _BATCH)):
        desk.store.note(
            [entry(row.id, "opened", made.actor, form="evidence", reason=made.reason)
             for row in batch]
        ).result()  # fmt: skip
    fresh = not desk.store.tree.notes(last=True)
    signer = Signer.open(desk.settings.journal_key, desk.settings.origin, fresh)
    _seal(desk, signer)
    bundle = Bundle(desk.store, desk.vault, Ledger(desk.store))
    steps = progress(rows, "evidence")
    count = bundle.write(steps, output, made, Seal(signer.public, signer.attest))
    if bundle.locked:
        file = desk.settings.site_key
        wrong = "is not the one that sealed them" if file.exists() else "is missing"
        complain(
            f"{bundle.locked} payloads are not in it: the site key {file} {wrong}, restore it from "
            "a backup; all else is proven"
        )
    return count, signer.public


def _seal(desk: Desk, signer: Signer) -> None:
    """Give the newest entries their place, as the daemon would in a moment."""
    from broker.evidence.bundle import NotSealed
    from broker.journal.places import FilePlace
    from broker.journal.sealer import Sealer

    for _ in range(_TRIES):
        sealer = Sealer(desk.store, signer, [FilePlace(desk.settings.checkpoint_file)])
        if sealer.seal(final=True):
            return
    raise NotSealed
