"""What keeps watch: alarms, deadlines, and how much waits."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select, text, update

from broker.message import Direction, State
from broker.stores import writing
from broker.stores.clock import micros, moment
from broker.stores.contract import Entry
from broker.stores.lookout import Alarm, Due, Late, Lateness, Turn
from broker.stores.tables import alarms, deliveries, late, messages
from broker.stores.writer import Batch, Writer

_m, _d, _a, _l = messages.c, deliveries.c, alarms.c, late.c
#: Ids are made a moment before or after the time of acceptance, by clocks of several hosts.
_MARGIN = timedelta(minutes=5)
#: So many routes stand in one query.
_SOME = 5_000
_answer = messages.alias("answer")
_ANSWERED = exists().where(_answer.c.answers == _d.message)
_UNWATCHED = (State.REJECTED.value, State.CLOSED.value)
_ENDED = (State.DELIVERED.value, *_UNWATCHED)
#: Literal conditions, so that the partial indexes fit.
_DEPTHS = text("""
    SELECT route, count(*) FROM deliveries WHERE state = 'waiting' AND suspect = 0 GROUP BY route
    UNION ALL
    SELECT route, count(*) FROM deliveries WHERE state = 'waiting' AND suspect > 0 GROUP BY route
    UNION ALL SELECT route, count(*) FROM deliveries WHERE state = 'working' GROUP BY route
""")


class Watching:
    """The part of a SQL store that helps to keep watch."""

    _writer: Writer

    def _read(self) -> AbstractContextManager[Connection]:
        raise NotImplementedError

    def alarms(self) -> list[Alarm]:
        """All causes, open ones and those that are over and not gone yet, oldest first."""
        with self._read() as connection:
            found = connection.execute(select(alarms).order_by(_a.since, _a.cause))
            return [_alarm(row) for row in found]

    def turn(self, turn: Turn[Entry]) -> Future[None]:
        """Write what one look changes."""
        return self._writer.submit(_TURN, turn)

    def crossed(
        self, kind: Due, routes: Collection[str], since: datetime, until: datetime
    ) -> list[tuple[str, str, datetime]]:
        """Requests accepted in a time, about, that are late and not known as late."""
        names, found = sorted(routes), []
        with self._read() as connection:
            for at in range(0, len(names), _SOME):
                query = _crossed(kind, names[at : at + _SOME], since, until)
                found += [(row[0], row[1], moment(row[2])) for row in connection.execute(query)]
        return found

    def caught_up(self) -> Future[int]:
        """Forget what is late no more; return how many."""
        return self._writer.submit(_CAUGHT_UP, None)

    def late(self, route: str = "", limit: int = 100) -> list[Late]:
        """Requests that are late, the longest first, of one route or all."""
        query = select(late).order_by(_l.due, _l.message).limit(limit)
        if route:
            query = query.where(_l.route == route)
        with self._read() as connection:
            return [
                Late(row.message, row.kind, row.route, moment(row.due))
                for row in connection.execute(query)
            ]

    def lateness(self) -> list[Lateness]:
        """How many requests are late, by route."""
        query = select(_l.route, _l.kind, func.count(), func.min(_l.due))
        query = query.group_by(_l.route, _l.kind).order_by(_l.route, _l.kind)
        with self._read() as connection:
            found = connection.execute(query)
            return [Lateness(row[0], row[1], row[2], moment(row[3])) for row in found]

    def slack(self) -> int:
        """Bytes that the store can use again; a server keeps to itself how many these are."""
        return 0

    def depths(self) -> Mapping[str, int]:
        """How many messages wait or are worked on, by route."""
        counts: dict[str, int] = {}
        with self._read() as connection:
            for route, count in connection.execute(_DEPTHS):
                counts[route] = counts.get(route, 0) + int(count)
        return counts


def _alarm(row: Any) -> Alarm:
    over = None if row.ended is None else moment(row.ended)
    facts, told = json.loads(row.facts), json.loads(row.told)
    return Alarm(row.cause, moment(row.since), facts, row.process, over, told)


def _crossed(kind: Due, routes: Sequence[str], since: datetime, until: datetime) -> Any:
    return (
        select(_d.message, _d.route, _m.received)
        .join_from(deliveries, messages, _m.id == _d.message)
        .where(
            _d.message >= _id(since - _MARGIN),
            _d.message < _id(until + _MARGIN),
            _m.received < micros(until),
            _m.direction == Direction.REQUEST.value,
            _d.route.in_(routes),
            _open(kind),
            ~exists().where(_l.message == _d.message, _l.kind == kind),
        )
        .order_by(_d.message)
    )


def _open(kind: Due) -> ColumnElement[bool]:
    if kind == "delivery":
        return _d.state.not_in(_ENDED)
    return _d.state.not_in(_UNWATCHED) & ~_ANSWERED


def _id(at: datetime) -> str:
    """Return what stands before every id (UUIDv7) of this time and after all earlier ones."""
    digits = f"{max(0, micros(at) // 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _turn(connection: Connection, items: Sequence[Turn[Entry]]) -> list[None]:
    for item in items:
        for alarm in item.raised:
            _raise(connection, alarm)
        for cause, at in item.calmed:
            calm = update(alarms).where(_a.cause == cause, _a.ended.is_(None))
            connection.execute(calm.values(ended=micros(at)))
        for cause, told in item.told:
            known = update(alarms).where(_a.cause == cause)
            connection.execute(known.values(told=json.dumps(dict(told))))
        if item.gone:
            over = delete(alarms).where(_a.cause.in_(item.gone), _a.ended.is_not(None))
            connection.execute(over)
        _late(connection, item)
    return [None] * len(items)


def _raise(connection: Connection, alarm: Alarm) -> None:
    values = {"facts": json.dumps(dict(alarm.facts)), "process": alarm.process}
    again = update(alarms).where(_a.cause == alarm.cause).values(ended=None, **values)
    if not connection.execute(again).rowcount:
        told, since = json.dumps(dict(alarm.told)), micros(alarm.since)
        new = insert(alarms).values(cause=alarm.cause, since=since, told=told, **values)
        connection.execute(new)


def _late(connection: Connection, item: Turn[Entry]) -> None:
    known = set()
    for one in item.late:
        there = select(_l.message).where(_l.message == one.message, _l.kind == one.kind)
        if connection.execute(there).first():
            known.add(one.message)
            continue
        row = {"message": one.message, "kind": one.kind, "route": one.route}
        connection.execute(insert(late).values(due=micros(one.due), **row))
    fresh = [entry for entry in item.entries if entry.message not in known]
    writing.insert_entries(connection, fresh)


def _caught_up(connection: Connection, items: Sequence[None]) -> list[int]:
    count = 0
    for kind in ("delivery", "answer"):
        open = exists().where(_d.message == _l.message, _open(kind))
        gone = delete(late).where(_l.kind == kind, ~open)
        count += connection.execute(gone).rowcount
    return [count] * len(items)


_TURN = Batch("turn", _turn)
_CAUGHT_UP = Batch("caught up", _caught_up)
