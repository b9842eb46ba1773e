"""What people repair with: selections, proposals, windows, and how the routes do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import (
    Connection,
    case,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from broker.message import State
from broker.stores import writing
from broker.stores.clock import micros, moment
from broker.stores.contract import Birth, Change, Entry
from broker.stores.mending import Decision, Lane, Progress, Proposal, Selected, Selection, Window
from broker.stores.tables import (
    deliveries,
    entries,
    messages,
    proposals,
    selected,
    selections,
    windows,
)
from broker.stores.writer import Batch, Writer

Step = Change | Birth
_s, _d, _p = selected.c, deliveries.c, proposals.c
_COUNTS = select(_s.selection, _s.progress, func.count()).group_by(_s.selection, _s.progress)
#: Literal conditions, so that the partial indexes fit; the last one has an index of its own.
_OPEN = (
    "d.state = 'waiting' AND d.suspect = 0",
    "d.state = 'waiting' AND d.suspect > 0",
    "d.state = 'working'",
    "d.state IN ('held', 'unclear', 'dead')",
)
_FAILING = "CASE WHEN d.state = 'waiting' AND d.attempts > 0 AND d.error <> '' THEN 1 ELSE 0 END"
_LANE = f"""
    SELECT d.route, d.state, count(*) AS number, sum({_FAILING}) AS failing,
    min(CASE WHEN d.state = 'waiting' THEN d.message END) AS oldest
    FROM deliveries d WHERE %s GROUP BY d.route, d.state
"""  # noqa: S608
_LANES = text(" UNION ALL ".join(_LANE % condition for condition in _OPEN))


class Repairing:
    """The part of a SQL store that helps people repair."""

    _writer: Writer

    def _read(self) -> AbstractContextManager[Connection]:
        raise NotImplementedError

    def freeze(self, selection: Selection, ids: Sequence[str], line: Entry) -> Future[bool]:
        """Keep a selection; False where its name is taken."""
        return self._writer.submit(_FREEZE, (selection, tuple(ids), line))

    def selections(self) -> list[Selection]:
        """All selections, newest first."""
        query = select(selections).order_by(selections.c.made.desc(), selections.c.name)
        with self._read() as connection:
            counts: dict[str, dict[Progress, int]] = {}
            for name, progress, count in connection.execute(_COUNTS):
                counts.setdefault(name, {})[progress] = count
            return [_selection(row, counts.get(row.name, {})) for row in connection.execute(query)]

    def selected(
        self, name: str, progress: Progress | None = None, after: int = 0, limit: int = 1000
    ) -> list[Selected]:
        """Messages of a selection by number, of one kind of progress or all."""
        query = select(_s.number, _s.message, _s.progress, _s.note)
        query = query.where(_s.selection == name, _s.number > after)
        if progress is not None:
            query = query.where(_s.progress == progress)
        with self._read() as connection:
            found = connection.execute(query.order_by(_s.number).limit(limit))
            return [Selected(*row) for row in found]

    def carry(self, name: str, number: int, step: Step) -> Future[bool]:
        """Do a step for one message of a selection and mark it as done, in one commit."""
        return self._writer.submit(_CARRY, (name, number, step))

    def pass_over(self, name: str, number: int, note: str) -> Future[bool]:
        """Mark one message of a selection as refused; False where it is not pending any more."""
        return self._writer.submit(_PASS, (name, number, note))

    def cancel(self, name: str, line: Entry) -> Future[int]:
        """Cancel what is still pending; return how many."""
        return self._writer.submit(_CANCEL, (name, line))

    def propose(self, proposal: Proposal, line: Entry) -> Future[None]:
        """Keep a proposal."""
        return self._writer.submit(_PROPOSE, (proposal, line))

    def proposals(self, message: str = "", decision: Decision | None = None) -> list[Proposal]:
        """Proposals, newest first, of one message or all."""
        query = select(proposals).order_by(_p.made.desc(), _p.id)
        if message:
            query = query.where(_p.message == message)
        if decision is not None:
            query = query.where(_p.decision == decision)
        with self._read() as connection:
            return [_proposal(row) for row in connection.execute(query)]

    def confirm(self, id: str, decider: str, step: Step) -> Future[bool]:
        """Do the step of an open proposal and drop its box, in one commit."""
        return self._writer.submit(_CONFIRM, (id, decider, step))

    def decline(self, id: str, decider: str, line: Entry) -> Future[bool]:
        """End an open proposal without effect; False where it is not open any more."""
        return self._writer.submit(_DECLINE, (id, decider, line))

    def plan(self, window: Window, line: Entry) -> Future[None]:
        """Stop a route for a time."""
        return self._writer.submit(_PLAN, (window, line))

    def windows(self, route: str = "") -> list[Window]:
        """Windows that are planned or open, and those over that nobody has ended yet, by start."""
        query = select(windows).order_by(windows.c.start, windows.c.route)
        if route:
            query = query.where(windows.c.route == route)
        with self._read() as connection:
            return [
                Window(row.id, row.route, moment(row.start), moment(row.until), row.actor,
                       row.reason)
                for row in connection.execute(query)
            ]  # fmt: skip

    def unplan(self, id: str, line: Entry) -> Future[bool]:
        """End a window, or take a planned one back; False where it is gone."""
        return self._writer.submit(_UNPLAN, (id, line))

    def lanes(self) -> list[Lane]:
        """Routes with unfinished messages."""
        with self._read() as connection:
            rows = connection.execute(_LANES).all()
            ids = [row.oldest for row in rows if row.oldest]
            known = select(messages.c.id, messages.c.received).where(messages.c.id.in_(ids))
            received = {row.id: row.received for row in connection.execute(known)} if ids else {}
        return [
            _lane(route, [row for row in rows if row.route == route], received)
            for route in sorted({row.route for row in rows})
        ]

    def moved(self, after: int) -> Mapping[str, tuple[int, int]]:
        """How many messages of each route came and were delivered after an entry."""
        column = entries.c.event
        query = (
            select(_d.route, *(func.sum(case((column == event, 1), else_=0))
                               for event in ("accepted", "delivered")))
            .join_from(entries, deliveries, entries.c.message == _d.message)
            .where(entries.c.seq > after, column.in_(("accepted", "delivered")))
            .group_by(_d.route)
        )  # fmt: skip
        with self._read() as connection:
            return {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(query)}


def _selection(row: Any, counts: Mapping[Progress, int]) -> Selection:
    return Selection(row.name, row.act, row.actor, row.reason, moment(row.made), bool(row.again),
                     bool(row.reroute), counts)  # fmt: skip


def _proposal(row: Any) -> Proposal:
    return Proposal(
        id=row.id, message=row.message, became=row.became, actor=row.actor, account=row.account,
        reason=row.reason, made=moment(row.made), route=row.route, size=row.size, salt=row.salt,
        box=row.box, decision=row.decision, decider=row.decider,
    )  # fmt: skip


def _lane(route: str, rows: Sequence[Any], received: Mapping[str, int]) -> Lane:
    states: dict[State, int] = {}
    for row in rows:
        state = State(row.state)
        states[state] = states.get(state, 0) + row.number
    # Ids are ordered by time, so that the smallest waiting one is the oldest.
    oldest = min((str(row.oldest) for row in rows if row.oldest), default="")
    since = moment(received[oldest]) if oldest in received else None
    return Lane(route, states, since, sum(int(row.failing) for row in rows))


def _freeze(
    connection: Connection, items: Sequence[tuple[Selection, Sequence[str], Entry]]
) -> list[bool]:
    return [_freeze_one(connection, *item) for item in items]


def _freeze_one(
    connection: Connection, selection: Selection, ids: Sequence[str], line: Entry
) -> bool:
    known = select(selections.c.name).where(selections.c.name == selection.name)
    if connection.execute(known).first():
        return False
    row = {
        "name": selection.name, "act": selection.act, "actor": selection.actor,
        "reason": selection.reason, "made": micros(selection.made),
        "again": int(selection.again), "reroute": int(selection.reroute),
    }  # fmt: skip
    connection.execute(insert(selections), row)
    rows = [
        {"selection": selection.name, "number": number, "message": id, "progress": "pending",
         "note": ""}
        for number, id in enumerate(ids, 1)
    ]  # fmt: skip
    if rows:
        connection.execute(insert(selected), rows)
    writing.insert_entries(connection, [line])
    return True


def _carry(connection: Connection, items: Sequence[tuple[str, int, Step]]) -> list[bool]:
    return [_carry_one(connection, *item) for item in items]


def _carry_one(connection: Connection, name: str, number: int, step: Step) -> bool:
    line = (_s.selection == name) & (_s.number == number) & (_s.progress == "pending")
    # Whoever marks it first has it; another process waits here and then finds it done.
    marked = update(selected).where(line).values(progress="done", note=_became(step))
    if not connection.execute(marked).rowcount:
        return False
    if _stepped(connection, step):
        return True
    back = update(selected).where(_s.selection == name, _s.number == number)
    connection.execute(back.values(progress="pending", note=""))
    return False


def _became(step: Step) -> str:
    return step.message.id if isinstance(step, Birth) else ""


def _stepped(connection: Connection, step: Step) -> bool:
    if isinstance(step, Birth):
        return writing.accept(connection, [step])[0].verdict == "new"
    return writing.change(connection, [[step]])[0][0]


def _pass(connection: Connection, items: Sequence[tuple[str, int, str]]) -> list[bool]:
    done = []
    for name, number, note in items:
        line = (_s.selection == name) & (_s.number == number) & (_s.progress == "pending")
        change = update(selected).where(line).values(progress="refused", note=note)
        done.append(bool(connection.execute(change).rowcount))
    return done


def _cancel(connection: Connection, items: Sequence[tuple[str, Entry]]) -> list[int]:
    done = []
    for name, line in items:
        left = update(selected).where(_s.selection == name, _s.progress == "pending")
        count = connection.execute(left.values(progress="cancelled")).rowcount
        if count:
            writing.insert_entries(connection, [line])
        done.append(count)
    return done


def _propose(connection: Connection, items: Sequence[tuple[Proposal, Entry]]) -> list[None]:
    for proposal, line in items:
        values = {
            one.name: getattr(proposal, one.name) for one in proposals.c if one is not _p.made
        }
        connection.execute(insert(proposals).values(made=micros(proposal.made), **values))
        writing.insert_entries(connection, [line])
    return [None] * len(items)


def _confirm(connection: Connection, items: Sequence[tuple[str, str, Step]]) -> list[bool]:
    return [
        _open(connection, id)
        and _stepped(connection, step)
        and _decided(connection, id, decider, "confirmed")
        for id, decider, step in items
    ]


def _decline(connection: Connection, items: Sequence[tuple[str, str, Entry]]) -> list[bool]:
    done = []
    for id, decider, line in items:
        ended = _open(connection, id) and _decided(connection, id, decider, "declined")
        if ended:
            writing.insert_entries(connection, [line])
        done.append(ended)
    return done


def _open(connection: Connection, id: str) -> bool:
    """Whether a proposal is open; nobody else decides it until this commit."""
    found = select(_p.id).where(_p.id == id, _p.decision == "open").with_for_update()
    return connection.execute(found).first() is not None


def _decided(connection: Connection, id: str, decider: str, decision: Decision) -> bool:
    values = {"decision": decision, "decider": decider, "box": None}
    return bool(connection.execute(update(proposals).where(_p.id == id).values(**values)).rowcount)


def _plan(connection: Connection, items: Sequence[tuple[Window, Entry]]) -> list[None]:
    for window, line in items:
        row = {"id": window.id, "route": window.route, "start": micros(window.start),
               "until": micros(window.until), "actor": window.actor,
               "reason": window.reason}  # fmt: skip
        connection.execute(insert(windows), row)
        writing.insert_entries(connection, [line])
    return [None] * len(items)


def _unplan(connection: Connection, items: Sequence[tuple[str, Entry]]) -> list[bool]:
    done = []
    for id, line in items:
        gone = connection.execute(delete(windows).where(windows.c.id == id)).rowcount
        if gone:
            writing.insert_entries(connection, [line])
        done.append(bool(gone))
    return done


_FREEZE = Batch("freeze", _freeze)
_CARRY = Batch("carry", _carry)
_PASS = Batch("pass", _pass)
_CANCEL = Batch("cancel", _cancel)
_PROPOSE = Batch("propose", _propose)
_CONFIRM = Batch("confirm", _confirm)
_DECLINE = Batch("decline", _decline)
_PLAN = Batch("plan", _plan)
_UNPLAN = Batch("unplan", _unplan)
