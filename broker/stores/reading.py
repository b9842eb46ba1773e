"""Reads for people and for correlation; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, union

from broker.message import Direction, State
from broker.stores.clock import micros, moment
from broker.stores.contract import Counts, Entry, Figure, Filter, Pause, Payload, Row
from broker.stores.tables import (
    business_keys,
    deliveries,
    entries,
    messages,
    pauses,
    payloads,
    refusals,
)
from broker.stores.writing import envelope_of

_m, _d = messages.c, deliveries.c
_ROW = select(
    _m.id, _m.direction, _m.envelope, _m.party, _m.received, _m.size, _m.answers, _m.replays,
    _d.state, _d.route, _d.table, _d.adapter, _d.channel, _d.reference, _d.number, _d.attempts,
    _d.due, _d.changed, _d.reason, _d.error, _d.receipt, _d.ready, _d.seq,
).join_from(messages, deliveries, _m.id == _d.message)  # fmt: skip


def row(connection: Connection, id: str) -> Row | None:
    """Return one message with its delivery."""
    found = connection.execute(_ROW.where(_m.id == id)).first()
    return None if found is None else _row(found)


def rows(connection: Connection, filter: Filter) -> list[Row]:
    """Return what passes the filter, newest first unless it says otherwise."""
    order = _d.seq.asc() if filter.oldest else _d.seq.desc()
    query = _filtered(_ROW, filter).order_by(order).limit(filter.limit)
    return [_row(found) for found in connection.execute(query)]


def _filtered(query: Select[Any], filter: Filter) -> Select[Any]:
    conditions = [
        (filter.states, _d.state.in_([state.value for state in filter.states])),
        (filter.direction, _m.direction == str(filter.direction)),
        (filter.route, _d.route == filter.route),
        (filter.party, _m.party == filter.party),
        (filter.case, _m.case == filter.case),
        (filter.answers, _m.answers == filter.answers),
        (filter.since, _m.received >= (micros(filter.since) if filter.since else 0)),
        (filter.until, _m.received < (micros(filter.until) if filter.until else 0)),
        (filter.text, _named(filter.text)),
        (filter.reason, _d.reason == filter.reason),
        (filter.after, _d.seq > filter.after),
        *((True, _keyed(fingerprint)) for fingerprint in filter.keys),
    ]
    return query.where(*[condition for wanted, condition in conditions if wanted])


def _named(text: str) -> Any:
    return or_(
        _m.id == text.lower(),
        _m.uuid == text,
        _d.reference == text.upper(),
        (_d.number == text) & (_d.number != ""),
    )


def _keyed(fingerprint: bytes) -> Any:
    """Whether a message has this business key, or answers one that has it."""
    key, answer = business_keys.c, messages.alias()
    requests = select(key.message).where(key.fingerprint == fingerprint)
    return _m.id.in_(union(requests, select(answer.c.id).where(answer.c.answers.in_(requests))))


def _row(found: Any) -> Row:
    return Row(
        id=found.id,
        direction=Direction(found.direction),
        envelope=envelope_of(found.envelope),
        party=found.party,
        received=moment(found.received),
        size=found.size,
        state=State(found.state),
        route=found.route,
        table=found.table,
        adapter=found.adapter,
        channel=found.channel,
        reference=found.reference,
        number=found.number,
        attempts=found.attempts,
        due=moment(found.due),
        changed=moment(found.changed),
        reason=found.reason,
        error=found.error,
        receipt=found.receipt,
        answers=found.answers,
        replays=found.replays,
        ready=bool(found.ready),
        seq=found.seq,
    )


def correlate(connection: Connection, channel: str, reference: str, number: str) -> Row | None:
    """Find the request of a reply; two requests under one number are as good as none."""
    request = _ROW.where(_d.channel == channel, _m.direction == Direction.REQUEST.value)
    for wanted, column in ((reference, _d.reference), (number, _d.number)):
        if wanted:
            found = connection.execute(request.where(column == wanted).limit(2)).all()
            return _row(found[0]) if len(found) == 1 else None
    return None


def payload(connection: Connection, id: str, form: str) -> tuple[bytes, Payload] | None:
    """Return the wrapped key and one sealed form."""
    query = (
        select(_m.key, payloads.c.form, payloads.c.box, payloads.c.salt, payloads.c.size)
        .join_from(messages, payloads, payloads.c.message == _m.id)
        .where(_m.id == id, payloads.c.form == form)
    )
    found = connection.execute(query).first()
    if found is None or found[0] is None:
        return None
    return found[0], Payload(found[1], found[2], found[3], found[4])


def journal(
    connection: Connection, message: str, after: int, events: Sequence[str] = ()
) -> Iterator[Entry]:
    """Yield entries in order, of one message or whole, of all events or these."""
    query = select(entries.c.message, entries.c.event, entries.c.body, entries.c.seq)
    query = query.where(entries.c.seq > after).order_by(entries.c.seq)
    if message:
        query = query.where(entries.c.message == message)
    if events:
        query = query.where(entries.c.event.in_(events))
    for found in connection.execute(query).yield_per(1000):
        yield Entry(found[0], found[1], bytes(found[2]), found[3])


def figures(connection: Connection, filter: Filter) -> Iterator[Figure]:
    """Yield what passes the filter in numbers, oldest first."""
    columns = (_m.direction, _m.standard, _m.kind, _d.route, _d.state, _d.reason, _m.received,
               _d.changed, _d.attempts)  # fmt: skip
    query = select(*columns).join_from(messages, deliveries, _m.id == _d.message)
    for found in connection.execute(_filtered(query, filter).order_by(_d.seq)).yield_per(1000):
        direction, standard, kind, route, state, reason, received, changed, attempts = found
        took = max(0, changed - received) / 1e6 if state == State.DELIVERED.value else None
        yield Figure(Direction(direction), standard, kind, route, State(state), reason,
                     moment(received), took, attempts)  # fmt: skip


def refused(
    connection: Connection, since: datetime | None, until: datetime | None
) -> Mapping[str, int]:
    """Count what was not accepted, by reason code."""
    column = refusals.c
    query = select(column.reason, func.count()).group_by(column.reason)
    if since:
        query = query.where(column.received >= micros(since))
    if until:
        query = query.where(column.received < micros(until))
    return {str(found[0]): int(found[1]) for found in connection.execute(query)}


def counts(connection: Connection) -> Counts:
    """Add up all states."""
    query = (
        select(_m.direction, _d.state, func.count())
        .join_from(messages, deliveries, _m.id == _d.message)
        .group_by(_m.direction, _d.state)
    )
    states: dict[Direction, dict[State, int]] = {}
    for direction, state, count in connection.execute(query):
        states.setdefault(Direction(direction), {})[State(state)] = count
    refused = connection.execute(select(func.count()).select_from(refusals)).scalar_one()
    return Counts(states, refused, _oldest(connection))


def _oldest(connection: Connection) -> datetime | None:
    # Ids are ordered by time, so that the smallest waiting one is the oldest.
    waiting = select(func.min(_d.message)).where(_d.state == State.WAITING.value)
    received = select(_m.received).where(_m.id == waiting.scalar_subquery())
    found = connection.execute(received).scalar()
    return None if found is None else moment(found)


def stopped(connection: Connection) -> list[Pause]:
    """Return the routes that a person stopped."""
    found = connection.execute(select(pauses).order_by(pauses.c.route))
    return [Pause(line.route, line.actor, line.reason, moment(line.since)) for line in found]
