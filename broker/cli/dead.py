"""Cases for a person (Klärfälle), by cause: what happened, how often, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, BadParameter, Option

from broker.cli import query
from broker.cli.bulk import Choice, frozen, run, told
from broker.cli.desk import Desk, opened
from broker.cli.repair import Actor, Reason, acting, given
from broker.cli.terminal import language, moment, say, show, table
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.causes import Cause

Which = Annotated[str, Argument(metavar="CAUSE|ID", help="a cause, or a message by any of its ids")]
Lang = Annotated[str | None, Option(help="en or de; else as LANG says")]
Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]
_FIRST = 10
_WORDS = {
    "en": {"state": "state", "reason": "reason code", "route": "route", "adapter": "adapter",
           "channel": "channel", "place": "what happened", "count": "messages",
           "since": "first", "until": "last", "next": "what to do", "none": "nothing is stuck"},
    "de": {"state": "Zustand", "reason": "Grundcode", "route": "Weg", "adapter": "Adapter",
           "channel": "Anbindung", "place": "was geschah", "count": "Nachrichten",
           "since": "zuerst", "until": "zuletzt", "next": "was zu tun ist",
           "none": "kein Klärfall"},
}  # fmt: skip


def listed(  # noqa: PLR0913, PLR0917 - one argument for each option
    state: query.States = None,
    route: query.Route = "",
    party: query.Party = "",
    since: query.Since = "",
    until: query.Until = "",
    lang: Lang = None,
    json: Json = False,
) -> None:
    """List what waits for a person, by cause.

    The most frequent comes first. A cause is the same state, reason, route, adapter and place. By
    default dead, unclear and held messages are meant; --state rejected groups rejections in the
    same way.
    """
    with opened() as desk:
        found = _causes(desk, query.Query(state, None, route, party, since=since, until=until))
    if json:
        show({"causes": [one.record() for one in found]})
        return
    words = _WORDS[_language(lang)]
    if not found:
        say(words["none"])
        return
    columns = ("cause", words["count"], words["state"], words["route"], words["until"],
               words["place"])  # fmt: skip
    table(
        columns,
        [
            (one.key, str(one.count), one.state.value, one.route, moment(one.until),
             ": ".join(filter(None, (one.reason, one.place))))
            for one in found
        ],
    )  # fmt: skip
    say()
    say(f"xoev-broker dead show {found[0].key}")


def _causes(desk: Desk, asked: query.Query) -> list[Cause]:
    from broker.causes import STUCK, causes

    filter = asked.filter(desk, 1000)
    return causes(desk.store, replace(filter, states=filter.states or STUCK))


def shown(which: Which, lang: Lang = None, json: Json = False) -> None:
    """Show what happened, to which messages, and what to do."""
    from broker.causes import advice

    with opened() as desk:
        found, ids = _meant(desk, which)
    tongue = _language(lang)
    if json:
        show(found.record() | {"advice": advice(found, tongue), "messages": ids})
        return
    words = _WORDS[tongue]
    told = found.record() | {"since": moment(found.since), "until": moment(found.until)}
    say(f"cause {found.key}")
    for name in ("count", "state", "reason", "place", "route", "adapter", "channel", "since",
                 "until"):  # fmt: skip
        if told[name]:
            say(f"  {words[name]:<14} {told[name]}")
    say(f"  {words['next']:<14} {advice(found, tongue)}")
    say()
    for id in ids[:_FIRST]:
        say(f"  {id}")
    if len(ids) > _FIRST:
        say(f"  … {len(ids) - _FIRST} (--json)")
    say()
    say(f"xoev-broker trace {found.example}")
    for line in proposed(found):
        say(line)


def proposed(one: Cause) -> Iterator[str]:
    """Yield what can be done about a cause, as it is typed, without what would change nothing."""
    from broker.message import State

    replay = f"xoev-broker replay --cause {one.key}"
    if one.state is State.UNCLEAR:
        yield f'xoev-broker settle {one.example} --delivered --reason "…"'
        yield f"{replay} --again"
    elif one.state is State.HELD:
        yield "xoev-broker schemas install BUNDLE"
    elif one.place.startswith("no return channel"):
        yield f"{replay} --reroute"
    elif one.place.startswith("the reply matches no delivery"):
        yield f'xoev-broker replay {one.example} --edited FILE --reason "…"'
    elif one.state is State.DEAD:
        yield replay
    if one.state is not State.REJECTED:
        yield f'xoev-broker dead close {one.key} --reason "…"'


def _meant(desk: Desk, which: str) -> tuple[Cause, list[str]]:
    """Return a cause with the ids of its messages, by its name or by one of its messages."""
    from broker.causes import STUCK, cause, every
    from broker.stores.contract import Filter
    from broker.trace import NotFound, single

    every_stuck = Filter(states=STUCK)
    rows = list(every(desk.store, every_stuck, which.lower())) if len(which) == 8 else []
    if not rows:
        try:
            rows = [single(desk.store, which)]
        except NotFound:
            text = "no cause and no message has this name; see: xoev-broker dead list"
            raise BrokerError(text) from None
    ones = [cause(row) for row in rows]
    whole = replace(ones[0], count=len(ones), since=min(one.since for one in ones),
                    until=max(one.until for one in ones))  # fmt: skip
    return whole, [row.id for row in rows]


def closed(
    which: Which,
    reason: Reason,
    yes: Annotated[bool, Option("--yes", help="do it for a whole cause")] = False,
    actor: Actor = None,
) -> None:
    """End one message, or all of one cause.

    A person has taken care of them otherwise. For a cause it first shows what would be closed, and
    does it with --yes. Interrupted, it goes on with `selection run`.
    """
    from broker.batch import Batch, selection
    from broker.repair import Act, Repair

    given(reason)
    with opened() as desk:
        found, ids = _meant(desk, which)
        if which.lower() != found.key:
            row = desk.store.row(ids[0])
            if row is not None:
                Repair(desk, acting(actor)).close(row, given(reason))
            say(f"{ids[0]} is closed")
            return
        act, batch = Act(given(reason)), Batch(desk, acting(actor))
        choice = Choice(query.Query(), found.key)
        prospects = list(batch.preview(choice.rows(desk), "close", act))
        told(prospects, "closed")
        if not yes:
            say("nothing was done; do it with --yes")
            return
        made = selection(_name(found.key), "close", acting(actor), act)
        frozen(desk, batch, choice, prospects, made)
    run(made.name, actor=actor)


def _name(key: str) -> str:
    from broker.message import now

    return f"close-{key}-{now():%Y%m%d-%H%M%S}"


def _language(chosen: str | None) -> Literal["en", "de"]:
    if chosen not in (None, "en", "de"):
        raise BadParameter("needed is en or de", param_hint="--lang")
    return language(chosen)
