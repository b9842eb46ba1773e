"""What is kept and what goes: erasure, legal holds, and keys that are wrapped anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from broker.message import Envelope, State
from broker.stores import clock, scrubbing
from broker.stores.clock import micros, moment
from broker.stores.contract import Entry, Erasure
from broker.stores.custody import Erased, Hold, Leftover, Part, Wrapped
from broker.stores.tables import (
    business_keys,
    deliveries,
    entries,
    erasures,
    holds,
    messages,
    payloads,
    proposals,
    refusals,
    runs,
)
from broker.stores.writer import Batch, Writer
from broker.stores.writing import envelope_of, envelope_text, insert_entries

#: In `deliveries.sending`: a state of the store that is lost may have sent it.
COPIED = 2
_m, _d = messages.c, deliveries.c
_ENDED = [state.value for state in State if state.terminal]
#: An answer is protected with its request, also one that came after the hold.
_HELD = exists().where(or_(holds.c.message == _m.id, holds.c.message == _m.answers))
_SIZE = (
    select(func.coalesce(func.sum(func.length(payloads.c.box)), 0))
    .where(payloads.c.message == _m.id)
    .scalar_subquery()
)
_answer, _delivery = messages.alias("answer"), deliveries.alias("delivery")
#: An answer that is still on its way may need the bytes of its request.
_OPEN = exists(
    select(_answer.c.id)
    .join_from(_answer, _delivery, _answer.c.id == _delivery.c.message)
    .where(_answer.c.answers == _m.id, _delivery.c.state.not_in(_ENDED))
)
_LEFT = (
    select(_m.id, _m.standard, _d.route, _d.changed.label("ended"), _SIZE.label("size"), _HELD)
    .join_from(messages, deliveries, _m.id == _d.message)
    .where(_d.state.in_(_ENDED))
)
_REFUSED = select(
    refusals.c.id,
    bindparam("standard", "").label("standard"),
    bindparam("route", "").label("route"),
    refusals.c.received.label("ended"),
    func.coalesce(func.length(refusals.c.box), 0).label("size"),
    bindparam("held", 0).label("held"),
).where(refusals.c.key.is_not(None))
_NOT_FORGOTTEN = exists().where(erasures.c.message == _m.id, erasures.c.forgotten.is_(None))
_WHOLE = _m.key.is_not(None) & ~_OPEN


class Keeping:
    """The part of a SQL store that erases, holds and wraps anew."""

    _writer: Writer

    def _read(self) -> AbstractContextManager[Connection]:
        raise NotImplementedError

    def leftovers(self, part: Part, before: datetime, after: str, limit: int) -> list[Leftover]:
        """What ended at or before a time and still has this part, in the order of ids."""
        with self._read() as connection:
            found = connection.execute(_leftovers(part, micros(before), after).limit(limit))
            return [_leftover(part, row) for row in found]

    def erase(self, items: Sequence[Erasure]) -> Future[bool]:
        """Erase all of these, or none and False."""
        return self._writer.submit(_ERASE, items)

    def erased(self, id: str) -> Erased | None:
        """What is known of an erasure."""
        with self._read() as connection:
            found = connection.execute(select(erasures).where(erasures.c.message == id)).first()
            return _erased(found) if found else None

    def erasures(self) -> Mapping[str, tuple[int, int]]:
        """How many payloads and bytes were erased so far, by rule."""
        query = select(erasures.c.rule, func.count(), func.sum(erasures.c.size))
        with self._read() as connection:
            found = connection.execute(query.group_by(erasures.c.rule).order_by(erasures.c.rule))
            # A sum is a Decimal on PostgreSQL.
            return {rule: (count, int(size)) for rule, count, size in found}

    def scrub(self) -> bool:
        """Leave nothing of what was erased in any file; False where that must be tried again."""
        return True

    def hold(self, hold: Hold, entry: Entry) -> Future[bool]:
        """Protect a message from erasure; False where it is protected already."""
        return self._writer.submit(_HOLD, (hold, entry))

    def unhold(self, message: str, entry: Entry) -> Future[bool]:
        """End the protection; False where there was none."""
        return self._writer.submit(_UNHOLD, (message, entry))

    def holds(self) -> list[Hold]:
        """All messages that are protected, oldest hold first."""
        with self._read() as connection:
            found = connection.execute(select(holds).order_by(holds.c.since, holds.c.message))
            return [Hold(row.message, row.actor, row.reason, moment(row.since)) for row in found]

    def ran(self, name: str, at: datetime) -> Future[None]:
        """Remember when something was done last."""
        return self._writer.submit(_RAN, (name, micros(at)))

    def last(self, name: str) -> datetime | None:
        """When something was done last."""
        with self._read() as connection:
            found = connection.execute(select(runs.c.at).where(runs.c.name == name)).scalar()
            return None if found is None else moment(found)

    def newest(self) -> Entry | None:
        """The newest entry of the journal."""
        query = select(entries.c.message, entries.c.event, entries.c.body, entries.c.seq)
        with self._read() as connection:
            found = connection.execute(query.order_by(entries.c.seq.desc()).limit(1)).first()
            return Entry(found[0], found[1], bytes(found[2]), found[3]) if found else None

    def keys(self, after: str, limit: int, refused: bool) -> list[Wrapped]:
        """Wrapped keys of messages (or of what was refused) in the order of ids."""
        table = refusals if refused else messages
        query = select(table.c.id, table.c.key).where(table.c.key.is_not(None), table.c.id > after)
        with self._read() as connection:
            found = connection.execute(query.order_by(table.c.id).limit(limit))
            return [Wrapped(row[0], bytes(row[1]), refused=refused) for row in found]

    def distrust(self) -> Future[int]:
        """Let every delivery that has not ended be asked for before it is sent."""
        return self._writer.submit(_DISTRUST, None)

    def rewrap(self, items: Sequence[Wrapped]) -> Future[None]:
        """Replace wrapped keys where they are still what they were."""
        return self._writer.submit(_REWRAP, items)


def _leftovers(part: Part, before: int, after: str) -> Select[Any]:
    if part == "refusal":
        query = _REFUSED.where(refusals.c.received <= before, refusals.c.id > after)
        return query.order_by(refusals.c.id)
    wanted = _WHOLE if part == "payload" else _NOT_FORGOTTEN
    return _LEFT.where(wanted, _d.changed <= before, _m.id > after).order_by(_m.id)


def _leftover(part: Part, row: Any) -> Leftover:
    id, standard, route, ended, size, held = row
    return Leftover(id, part, standard, route, moment(ended), size, bool(held))


def _erased(row: Any) -> Erased:
    forgotten = None if row.forgotten is None else moment(row.forgotten)
    return Erased(row.message, moment(row.at), row.rule, row.size, forgotten)


def _erase(connection: Connection, groups: Sequence[Sequence[Erasure]]) -> list[bool]:
    return [_erase_group(connection, group) for group in groups]


def _erase_group(connection: Connection, group: Sequence[Erasure]) -> bool:
    by_part = {one.part: [other for other in group if other.part == one.part] for one in group}
    if not all(_free(connection, part, some) for part, some in by_part.items()):
        return False
    for part, some in by_part.items():
        _ACTS[part](connection, some)
    insert_entries(connection, (entry for one in group for entry in one.entries))
    return True


def _free(connection: Connection, part: Part, group: Sequence[Erasure]) -> bool:
    """Whether every one of these has ended, is not held, and still has what is to go."""
    ids = [one.id for one in group]
    if part == "refusal":
        query = select(refusals.c.id).with_for_update(of=refusals)
        query = query.where(refusals.c.id.in_(ids), refusals.c.key.is_not(None))
    else:
        wanted = _WHOLE if part == "payload" else _NOT_FORGOTTEN
        query = select(_m.id).join_from(messages, deliveries, _m.id == _d.message)
        query = query.where(_m.id.in_(ids), _d.state.in_(_ENDED), ~_HELD, wanted)
        query = query.with_for_update(of=messages)
    return len(connection.execute(query).all()) == len(set(ids)) == len(ids)


_BLANK = (
    update(messages)
    .where(_m.id == bindparam("b_id"))
    .values(key=None, envelope=bindparam("b_envelope"))
)
_FORGET = (
    update(messages)
    .where(_m.id == bindparam("b_id"))
    .values(uuid="", case=None, envelope=bindparam("b_envelope"))
)


def _payloads(connection: Connection, group: Sequence[Erasure]) -> None:
    ids = [one.id for one in group]
    stamp = clock.stamp(connection)
    found = connection.execute(select(_m.id, _SIZE).where(_m.id.in_(ids)))
    sizes = {row[0]: row[1] for row in found}
    connection.execute(delete(payloads).where(payloads.c.message.in_(ids)))
    connection.execute(update(proposals).where(proposals.c.message.in_(ids)).values(box=None))
    connection.execute(_BLANK, _envelopes(connection, ids, _nameless))
    rows = [
        {"message": one.id, "at": stamp, "rule": one.rule, "size": sizes[one.id], "forgotten": None}
        for one in group
    ]
    connection.execute(insert(erasures), rows)
    scrubbing.stain(connection, "messages", "payloads")


def _metadata(connection: Connection, group: Sequence[Erasure]) -> None:
    ids = [one.id for one in group]
    connection.execute(_FORGET, _envelopes(connection, ids, _anonymous))
    blank = {"number": "", "receipt": "", "error": ""}
    connection.execute(update(deliveries).where(_d.message.in_(ids)).values(**blank))
    connection.execute(delete(business_keys).where(business_keys.c.message.in_(ids)))
    done = update(erasures).where(erasures.c.message.in_(ids))
    connection.execute(done.values(forgotten=clock.stamp(connection)))
    scrubbing.stain(connection, "messages", "deliveries", "business_keys")


def _refusals(connection: Connection, group: Sequence[Erasure]) -> None:
    gone = update(refusals).where(refusals.c.id.in_([one.id for one in group]))
    connection.execute(gone.values(key=None, salt=None, box=None))
    scrubbing.stain(connection, "refusals")


_ACTS: Mapping[Part, Callable[[Connection, Sequence[Erasure]], None]] = {
    "payload": _payloads,
    "metadata": _metadata,
    "refusal": _refusals,
}


def _envelopes(
    connection: Connection, ids: Sequence[str], blank: Callable[[Envelope], Envelope]
) -> list[dict[str, str]]:
    found = connection.execute(select(_m.id, _m.envelope).where(_m.id.in_(ids)))
    return [
        {"b_id": id, "b_envelope": envelope_text(blank(envelope_of(text)))} for id, text in found
    ]


def _nameless(envelope: Envelope) -> Envelope:
    """Leave the keys of the offices: their names, and the key of the case, can name a person."""
    sender, recipient = (replace(who, name="") for who in (envelope.sender, envelope.recipient))
    return replace(envelope, sender=sender, recipient=recipient, case="")


def _anonymous(envelope: Envelope) -> Envelope:
    return replace(_nameless(envelope), uuid="", created="")


def _hold(connection: Connection, items: Sequence[tuple[Hold, Entry]]) -> list[bool]:
    return [_hold_one(connection, hold, entry) for hold, entry in items]


def _hold_one(connection: Connection, hold: Hold, entry: Entry) -> bool:
    known = select(holds.c.message).where(holds.c.message == hold.message)
    if connection.execute(known).first():
        return False
    row = {"actor": hold.actor, "reason": hold.reason, "since": micros(hold.since)}
    connection.execute(insert(holds).values(message=hold.message, **row))
    insert_entries(connection, [entry])
    return True


def _unhold(connection: Connection, items: Sequence[tuple[str, Entry]]) -> list[bool]:
    done = []
    for message, entry in items:
        gone = connection.execute(delete(holds).where(holds.c.message == message)).rowcount
        if gone:
            insert_entries(connection, [entry])
        done.append(bool(gone))
    return done


def _ran(connection: Connection, items: Sequence[tuple[str, int]]) -> list[None]:
    for name, at in items:
        if not connection.execute(update(runs).where(runs.c.name == name).values(at=at)).rowcount:
            connection.execute(insert(runs).values(name=name, at=at))
    return [None] * len(items)


def _rewrap(connection: Connection, items: Sequence[Sequence[Wrapped]]) -> list[None]:
    for table in (messages, refusals):
        rows = [
            {"b_id": one.id, "b_old": one.key, "b_new": one.anew}
            for group in items
            for one in group
            if one.refused is (table is refusals)
        ]
        change = update(table).where(table.c.id == bindparam("b_id"))
        if rows:
            change = change.where(table.c.key == bindparam("b_old"))
            connection.execute(change.values(key=bindparam("b_new")), rows)
            scrubbing.stain(connection, table.name)
    return [None] * len(items)


def _distrust(connection: Connection, items: Sequence[None]) -> list[int]:
    doubted = update(deliveries).where(_d.state.not_in(_ENDED)).values(sending=COPIED)
    return [connection.execute(doubted).rowcount] * len(items)


_ERASE = Batch("erase", _erase)
_HOLD = Batch("hold", _hold)
_UNHOLD = Batch("unhold", _unhold)
_RAN = Batch("ran", _ran)
_DISTRUST = Batch("distrust", _distrust)
_REWRAP = Batch("rewrap", _rewrap)
