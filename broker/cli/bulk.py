"""Sending on: one message, or many: chosen, looked at, frozen, done at a pace that one chooses."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, BadParameter, Exit, Option

from broker.cli import query
from broker.cli.desk import Desk, opened
from broker.cli.repair import Actor, Reason, account, acting, given
from broker.cli.terminal import complain, moment, say, show, table
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.batch import Prospect
    from broker.repair import Act
    from broker.stores.contract import Row
    from broker.stores.mending import Act as Kind
    from broker.stores.mending import Progress, Selection

Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]
Name = Annotated[str, Argument(metavar="NAME", help="the name of a selection")]
Size = Annotated[int, Option(min=1, max=1000, help="so many at once")]
Rate = Annotated[str, Option(metavar="N/s", help="at most so many: 10/s, 300/min or 5000/h")]
Edited = Annotated[
    Path | None,
    Option(metavar="FILE", help="propose this content instead; another person confirms it"),
]
PROGRESS: tuple[Progress, ...] = ("pending", "done", "refused", "cancelled")
#: So many ids are shown.
_FIRST = 10
_UNITS = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}


def replay(  # noqa: PLR0913, PLR0917 - one argument for each option
    id: Annotated[
        str, Argument(metavar="ID", help="id, nachrichtenUUID, reference or file number")
    ] = "",
    reason: Reason = "",
    again: Annotated[
        bool, Option("--again", help="send once more what was, or may have been, delivered")
    ] = False,
    reroute: Annotated[bool, Option("--reroute", help="decide the route anew first")] = False,
    edited: Edited = None,
    cause: Annotated[str, Option(help="only this cause, as dead list names it")] = "",
    state: query.States = None,
    direction: query.Way = None,
    route: query.Route = "",
    party: query.Party = "",
    code: query.Code = "",
    since: query.Since = "",
    until: query.Until = "",
    ids: Annotated[
        str, Option(metavar="FILE", help="only these ids, one a line; `-` is stdin")
    ] = "",
    freeze: Annotated[str, Option(metavar="NAME", help="keep what was chosen under a name")] = "",
    selection: Annotated[
        str, Option(metavar="NAME", help="do what was kept under a name; may be repeated")
    ] = "",
    batch: Size = 50,
    rate: Rate = "",
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Let messages go on that are stuck: one by its id, or many.

    A message keeps its key, so that the procedure recognises a repeat; what was delivered is sent
    only with --again, as a new, linked message. Filters only show what would happen, --freeze NAME
    keeps exactly this list, --selection NAME does it: each message once, also after a crash.
    """
    from broker.repair import Act

    act = Act(reason.strip(), again, reroute)
    asked = query.Query(state, direction, route, party, "", "", None, code, since, until)
    others = any((cause, direction, route, party, code, since, until))
    chosen = any((others, state, ids))
    if sum((bool(id), bool(selection), chosen)) != 1:
        raise BadParameter("needed is an ID, or filters such as --cause, or --selection NAME")
    if ids and others:
        raise BadParameter("a list of ids needs no other filter than --state", param_hint="--ids")
    if selection:
        per_second(rate)
        _meant(selection, "replay")
        run(selection, batch, rate, actor, json)
    elif id and edited:
        _propose(id, edited, act, actor)
    elif id:
        _one(id, act, actor)
    else:
        _many(Choice(asked, cause, ids), act, freeze, actor, json)


class Choice:
    """Which messages a person chose."""

    def __init__(self, asked: query.Query, cause: str = "", file: str = "") -> None:
        """Take filters, a cause, and a file with ids; by default what is stuck is meant."""
        self._asked = asked
        self._cause = cause
        self._file = file

    def rows(self, desk: Desk) -> Iterator[Row]:
        """Yield them, oldest first."""
        from broker.causes import STUCK, every

        filter = self._asked.filter(desk, 1000)
        if self._file:
            wanted = _ids(self._file)
            found = (row for row in map(desk.store.row, wanted) if row is not None)
            yield from (row for row in found if not filter.states or row.state in filter.states)
            return
        yield from every(desk.store, replace(filter, states=filter.states or STUCK), self._cause)

    def described(self, desk: Desk, count: int) -> str:
        """Return what was asked for, as the journal keeps it."""
        from broker.access import described

        asked = [*self._asked.asked(), ("cause", self._cause)]
        return described(desk.vault, asked, count)


def _ids(file: str) -> list[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokerError(f"{file} cannot be read as a list of ids") from error
    return list(dict.fromkeys(text.split()))


def _one(id: str, act: Act, actor: str | None) -> None:
    from broker.repair import Repair
    from broker.trace import single

    given(act.reason)
    with opened() as desk:
        row = single(desk.store, id)
        went = Repair(desk, acting(actor)).replay(row, act.reason, act.again, act.reroute)
    linked = f", a replay of {row.id}" if went != row.id else ""
    say(f"{went} is waiting{linked}; follow it with: xoev-broker trace {went}")


def _propose(id: str, file: Path, act: Act, actor: str | None) -> None:
    from broker.proposals import Person, Proposals
    from broker.trace import single

    given(act.reason)
    try:
        body = file.read_bytes()
    except OSError as error:
        raise BrokerError(f"{file} cannot be read: {error.strerror}") from error
    with opened() as desk:
        row = single(desk.store, id)
        mine = Proposals(desk, Person(acting(actor), account()))
        made = mine.propose(row, body, act.reason, act.again)
    say(f"proposal {made.id}: {made.size} bytes for {row.id}, over route {made.route or 'none'}")
    say("nothing goes on until another person has looked at it and confirms it:")
    say(f"  xoev-broker proposals show {made.id}")
    say(f'  xoev-broker confirm {made.id} --reason "…"')


def _many(choice: Choice, act: Act, name: str, actor: str | None, json: bool) -> None:
    from broker.batch import Batch

    if name:
        given(act.reason)
    with opened() as desk:
        batch = Batch(desk, acting(actor))
        prospects = list(batch.preview(choice.rows(desk), "replay", act))
        if json:
            show(_record(prospects, name))
        else:
            told(prospects, "replayed", act.reroute)
        if name:
            frozen(desk, batch, choice, prospects, _selection(name, "replay", actor, act))
        elif not json and any(not one.refused for one in prospects):
            say('nothing was done; keep this list with: --freeze NAME --reason "…"')
    if name and not json:
        say(f"kept as {name}; do it with: xoev-broker replay --selection {name}")


def _selection(name: str, kind: Kind, actor: str | None, act: Act) -> Selection:
    from broker.batch import selection

    if not name.isprintable() or len(name) > 100 or name != name.strip():
        raise BadParameter("a name is a word of at most 100 characters", param_hint="--freeze")
    return selection(name, kind, acting(actor), act)


def frozen(
    desk: Desk, batch: Any, choice: Choice, prospects: Sequence[Prospect], made: Selection
) -> None:
    """Keep what can be done under a name."""
    possible = [one.row.id for one in prospects if not one.refused]
    batch.freeze(made, possible, choice.described(desk, len(possible)))


def told(prospects: Sequence[Prospect], verb: str, reroute: bool = False) -> None:
    """Say what would happen: counts by route and cause, what is left out and why, first ids."""
    possible = [one for one in prospects if not one.refused]
    say(f"{len(possible)} would be {verb}, {len(prospects) - len(possible)} left out")
    if possible:
        _grouped(possible, reroute)
        _first(possible, reroute)
    refused = Counter(one.refused.replace(one.row.id, "ID") for one in prospects if one.refused)
    for text, count in refused.most_common(_FIRST):
        complain(f"left out: {count}: {text}")


def _grouped(possible: Sequence[Prospect], reroute: bool) -> None:
    from broker.causes import cause

    groups = Counter((one.row.route, cause(one.row).key, one.row.state.value, one.route)
                     for one in possible)  # fmt: skip
    columns = ("route", "cause", "state", *(["new route"] if reroute else []), "messages")
    say()
    table(columns, [(route or "none", key, state, *([new] if reroute else []), str(count))
                    for (route, key, state, new), count in groups.most_common()])  # fmt: skip
    say()


def _first(possible: Sequence[Prospect], reroute: bool) -> None:
    for one in possible[:_FIRST]:
        way = f"  {one.row.route or 'none'} → {one.route}" if reroute else ""
        say(f"  {one.row.id}{way}")
    if len(possible) > _FIRST:
        say(f"  … and {len(possible) - _FIRST} more (--json shows all)")


def _record(prospects: Sequence[Prospect], name: str) -> dict[str, Any]:
    from broker.causes import cause

    return {
        "selection": name or None,
        "messages": [
            {"id": one.row.id, "state": one.row.state.value, "cause": cause(one.row).key,
             "route": one.row.route, "new_route": one.route, "refused": one.refused or None}
            for one in prospects
        ],
    }  # fmt: skip


def run(name: Name, batch: Size = 50, rate: Rate = "", actor: Actor = None,
        json: Json = False) -> None:  # fmt: skip
    """Do what a selection says, each message once.

    Ctrl-C stops it after the batch in hand; calling it again goes on where it stopped, also after
    a crash. Exit code 1 where something was refused, or is still pending.
    """
    from broker.batch import Batch, Pace, chosen

    pace = Pace(batch, per_second(rate))
    with opened() as desk, _interruptible() as stop:
        before = chosen(desk, name)
        with _progress(before.open, json) as looked:
            ended = Batch(desk, acting(actor)).run(name, pace, stop, looked)
    if json:
        show(record(ended))
    else:
        _ended(ended, before)
    if ended.open or ended.counts.get("refused", 0):
        raise Exit(1)


def _meant(name: str, kind: Kind) -> None:
    """Refuse a selection for something else: its name may have been mistaken."""
    from broker.batch import chosen

    with opened() as desk:
        act = chosen(desk, name).act
    if act != kind:
        raise BrokerError(f"{name} is a selection to {act}; xoev-broker selection run {name}")


def per_second(text: str) -> float:
    """Return a rate such as `10/s` as messages a second, 0 for none."""
    number, _, unit = text.partition("/")
    if not text:
        return 0.0
    if unit not in _UNITS or not number.isdecimal() or not int(number):
        raise BadParameter("needed is a rate such as 10/s, 300/min or 5000/h", param_hint="--rate")
    return int(number) / _UNITS[unit]


def _ended(ended: Selection, before: Selection) -> None:
    done, refused = (ended.counts.get(one, 0) for one in ("done", "refused"))
    now = done - before.counts.get("done", 0)
    say(f"{ended.name}: {done} done ({now} now), {refused} refused, "
        f"{ended.counts.get('cancelled', 0)} cancelled, {ended.open} pending")  # fmt: skip
    if refused:
        say(f"why they were refused: xoev-broker selection show {ended.name}")
    if ended.open:
        say(f"it goes on with: xoev-broker selection run {ended.name}")
        say(f'or not: xoev-broker selection cancel {ended.name} --reason "…"')


@contextmanager
def _interruptible() -> Iterator[Event]:
    """Let Ctrl-C end the block after what is in hand."""
    stop = Event()
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how far it is: a bar on a terminal, else nothing."""
    if quiet or not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("messages", total=total)
        yield lambda count: bar.advance(task, count)


def listed(json: Json = False) -> None:
    """List selections and what is done of them, newest first."""
    with opened() as desk:
        found = desk.store.selections()
    if json:
        show({"selections": [record(one) for one in found]})
        return
    columns = ("name", "act", "made", "by", *PROGRESS, "reason")
    table(columns, [(one.name, one.act, moment(one.made), one.actor,
                     *(str(one.counts.get(name, 0)) for name in PROGRESS), one.reason)
                    for one in found])  # fmt: skip


def shown(name: Name, json: Json = False) -> None:
    """Show one selection: what is pending, and why what was refused."""
    from broker.batch import chosen

    with opened() as desk:
        found = chosen(desk, name)
        items = _items(desk, name)
    if json:
        messages = [{"id": one.message, "progress": one.progress, "note": one.note or None}
                    for one in items]  # fmt: skip
        show(record(found) | {"messages": messages})
        return
    say(f"{found.name}: {found.act} by {found.actor} at {moment(found.made)}: {found.reason}")
    say(", ".join(f"{count} {progress}" for progress, count in sorted(found.counts.items())))
    rows = [one for one in items if one.progress in ("refused", "pending")]
    for one in rows[: 5 * _FIRST]:
        say(f"  {one.message}  {one.progress}{f': {one.note}' if one.note else ''}")
    if len(rows) > 5 * _FIRST:
        say(f"  … and {len(rows) - 5 * _FIRST} more (--json shows all)")


def _items(desk: Desk, name: str) -> list[Any]:
    found: list[Any] = []
    while page := desk.store.selected(name, after=found[-1].number if found else 0):
        found += page
    return found


def record(one: Selection) -> dict[str, Any]:
    """Return a selection for a machine."""
    from broker.journal.entry import stamp

    return {
        "name": one.name,
        "act": one.act,
        "actor": one.actor,
        "reason": one.reason,
        "made": stamp(one.made),
        "again": one.again,
        "reroute": one.reroute,
        "counts": {name: one.counts.get(name, 0) for name in PROGRESS},
    }


def cancelled(name: Name, reason: Reason, actor: Actor = None) -> None:
    """Cancel what is pending in a selection; what was done stays done."""
    from broker.batch import Batch

    with opened() as desk:
        count = Batch(desk, acting(actor)).cancel(name, given(reason))
    say(f"{name}: {count} cancelled")
