"""New content for a message: who proposes it, how it differs, and who confirms it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from broker.cli.desk import Desk, opened
from broker.cli.repair import Actor, Reason, account, acting, given
from broker.cli.terminal import moment, say, show, table
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.stores.mending import Proposal

Id = Annotated[str, Argument(metavar="PROPOSAL", help="as proposals list names it")]
Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]


def listed(
    all: Annotated[bool, Option("--all", help="also those that were decided")] = False,
    json: Json = False,
) -> None:
    """List proposals that wait for a second person."""
    with opened() as desk:
        found = desk.store.proposals("", None if all else "open")
    if json:
        show({"proposals": [_record(one) for one in found]})
        return
    columns = ("proposal", "message", "made", "by", "bytes", "route", "decision", "reason")
    table(columns, [(one.id, one.message, moment(one.made), one.actor, str(one.size), one.route,
                     f"{one.decision} {one.decider}".strip(), one.reason)
                    for one in found])  # fmt: skip


def shown(id: Id, actor: Actor = None) -> None:
    """Show how proposed content differs from the original.

    It shows content; the journal keeps who looked. Only who has looked can confirm.
    """
    from broker.difference import between
    from broker.proposals import Person, Proposals

    with opened() as desk:
        found = _found(desk, id)
        mine = Proposals(desk, Person(acting(actor), account()))
        held, made = mine.contents(found)
    say(f"proposal {found.id} by {found.actor} at {moment(found.made)}: {found.reason}")
    say(f"for {found.message}, over route {found.route or 'none'}")
    lines = between("content", held, made).splitlines()
    say("\n".join(["--- original", "+++ proposed", *lines[2:]]) if lines else "the same content")


def confirm(id: Id, reason: Reason, actor: Actor = None) -> None:
    """Let proposed content go on, as the second person.

    It becomes a new message that is linked to the original; the original is never changed. Whoever
    proposed it cannot confirm it, under another name neither: the account of the operating system
    counts too.
    """
    from broker.proposals import Person, Proposals

    with opened() as desk:
        found = _found(desk, id)
        went = Proposals(desk, Person(acting(actor), account())).confirm(found, given(reason))
    say(f"{went} is waiting, a replay of {found.message} with new content; follow it with: "
        f"xoev-broker trace {went}")  # fmt: skip


def declined(id: Id, reason: Reason, actor: Actor = None) -> None:
    """End a proposal without effect; its content is dropped."""
    from broker.proposals import Person, Proposals

    with opened() as desk:
        found = _found(desk, id)
        Proposals(desk, Person(acting(actor), account())).decline(found, given(reason))
    say(f"proposal {found.id} is declined")


def _found(desk: Desk, id: str) -> Proposal:
    for one in desk.store.proposals():
        if one.id == id.strip().upper():
            return one
    raise BrokerError("no proposal has this id; see: xoev-broker proposals list --all")


def _record(one: Proposal) -> dict[str, Any]:
    from broker.journal.entry import stamp

    return {
        "id": one.id,
        "message": one.message,
        "became": one.became if one.decision == "confirmed" else None,
        "actor": one.actor,
        "reason": one.reason,
        "made": stamp(one.made),
        "route": one.route,
        "size": one.size,
        "decision": one.decision,
        "decider": one.decider or None,
    }
