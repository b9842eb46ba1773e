"""Leases: which deliveries may be worked on now, and what a crash left behind."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, TextClause, bindparam, text

from broker.message import Direction
from broker.stores import bulk, clock
from broker.stores.clock import moment
from broker.stores.contract import Job, Payload, Room, Voided
from broker.stores.keeping import COPIED
from broker.stores.mending import Names
from broker.stores.writing import envelope_of

#: A message that three times was the only one in hand when the process died is poison.
CRASHES = 3

_NAMES: BindParameter[Any] = bindparam("names", expanding=True)
#: No channel is called so: engines differ in what they say of an empty list.
_NONE = "/"
_OPEN = "('waiting', 'working', 'held', 'unclear', 'dead')"
_FREE = f"""
    NOT EXISTS (SELECT 1 FROM pauses p WHERE p.route = d.route)
    AND NOT EXISTS (
        SELECT 1 FROM windows w WHERE w.route = d.route AND w.start <= :now AND w.until > :now)
    AND (d.lane IS NULL OR NOT EXISTS (
        SELECT 1 FROM deliveries b WHERE b.route = d.route AND b.lane = d.lane
        AND b.seq < d.seq AND b.lane IS NOT NULL AND b.state IN {_OPEN}))
"""  # noqa: S608


def _locking(statement: TextClause) -> TextClause:
    """Return the statement for an engine with many writers."""
    locking = text(f"{statement.text} FOR UPDATE OF d SKIP LOCKED")
    return locking.bindparams(_NAMES) if ":names" in statement.text else locking


_CHANNELS = text("""
    WITH RECURSIVE found(channel) AS (
        SELECT min(channel) FROM deliveries WHERE state = 'waiting' AND suspect = 0
        UNION ALL
        SELECT (SELECT min(channel) FROM deliveries
                WHERE state = 'waiting' AND suspect = 0 AND channel > found.channel)
        FROM found WHERE found.channel IS NOT NULL)
    SELECT found.channel FROM found WHERE found.channel IS NOT NULL
""")
_CANDIDATES = text(f"""
    SELECT d.message, m.size, d.channel, d.suspect, d.due
    FROM deliveries d JOIN messages m ON m.id = d.message
    WHERE d.state = 'waiting' AND d.suspect = 0 AND d.channel = :channel AND d.due <= :now
    AND {_FREE} ORDER BY d.due, d.seq LIMIT :room
""")  # noqa: S608
_SUSPECT = text(f"""
    SELECT d.message, 0, d.channel, d.suspect, d.due FROM deliveries d
    WHERE d.state = 'waiting' AND d.suspect > 0 AND d.channel NOT IN :names AND d.due <= :now
    AND {_FREE} ORDER BY d.due, d.seq LIMIT :room
""").bindparams(_NAMES)  # noqa: S608
_SUSPECTED = text("SELECT DISTINCT channel FROM deliveries WHERE state = 'waiting' AND suspect > 0")
_NAMED = text(f"""
    SELECT d.message, m.size, d.channel, d.suspect, d.due
    FROM deliveries d JOIN messages m ON m.id = d.message
    WHERE d.message IN :names AND d.state = 'waiting' AND d.due <= :now
    AND {_FREE} ORDER BY d.due, d.seq
""").bindparams(_NAMES)  # noqa: S608
_LEASE = """
    UPDATE deliveries SET state = 'working', token = v.column2, attempts = deliveries.attempts + 1,
    changed = v.column3, lease = v.column4,
    suspect = CASE WHEN deliveries.suspect > 0 THEN 2 ELSE 0 END FROM
"""
_JOBS = text("""
    SELECT m.id, d.token, m.direction, m.envelope, m.party, m.received, m.key, m.size,
    p.form, p.box, p.salt, p.size AS plain, d.ready, d.route, d.adapter,
    d.channel, d.reference, d.attempts,
    d.sending, d.suspect, d.lane IS NOT NULL AS ordered, d.reason, d.error, m.answers
    FROM deliveries d JOIN messages m ON m.id = d.message
    JOIN payloads p ON p.message = m.id
    AND p.form = CASE WHEN d.ready = 1 AND EXISTS (
        SELECT 1 FROM payloads c WHERE c.message = m.id AND c.form = 'converted')
        THEN 'converted' ELSE 'original' END
    WHERE d.token = :token AND d.state = 'working' ORDER BY d.seq
""")
_VOID = f"""
    UPDATE deliveries SET
    crashes = crashes + CASE WHEN suspect = 2 THEN 1 ELSE 0 END,
    state = CASE WHEN suspect = 2 AND crashes + 1 >= {CRASHES} THEN 'dead' ELSE 'waiting' END,
    reason = CASE WHEN suspect = 2 AND crashes + 1 >= {CRASHES} THEN 'S999' ELSE reason END,
    error = CASE WHEN suspect = 2 AND crashes + 1 >= {CRASHES}
        THEN 'poison: the process died {CRASHES} times while only this message was in hand'
        ELSE error END,
    suspect = 1, token = NULL, due = v.column2, changed = v.column2 FROM
"""  # noqa: S608
_THESE = "AS v WHERE deliveries.message = v.column1"
_WORKING = text("""
    SELECT d.message, CASE WHEN d.suspect = 2 AND d.crashes + 1 >= :crashes THEN 1 ELSE 0 END,
    d.attempts FROM deliveries d WHERE d.state = 'working' AND coalesce(d.lease, 0) <= :until
    ORDER BY d.seq
""")
_HELD = text("""
    SELECT d.message, d.attempts FROM deliveries d
    WHERE d.state = 'working' AND d.token IN :names ORDER BY d.seq
""").bindparams(_NAMES)
_RELEASE = """
    UPDATE deliveries SET state = 'waiting', token = NULL, due = v.column2, changed = v.column2 FROM
"""
_RENEW = "UPDATE deliveries SET lease = v.column2 FROM"
_LEASED = "AS v WHERE deliveries.state = 'working' AND deliveries.token = v.column1"
#: A lease without an end, of before there were any, is over too.
_ALWAYS = 2**62
_SIZES = (1, 4, 16, 64)
#: What another process is working on at the moment is passed over.
_LOCKING = {one: _locking(one) for one in (_CANDIDATES, _SUSPECT, _NAMED, _WORKING, _HELD)}


def due(connection: Connection, closed: Names) -> bool:
    """Whether anything waiting is due, over other channels than the closed ones."""
    return any(True for _ in _takeable(connection, clock.soon(connection), 1, closed))


def overdue(
    connection: Connection, seconds: float, limit: int, closed: Names
) -> list[tuple[str, str]]:
    """Return ids and channels of what could have been taken for so long, oldest first."""
    before = clock.stamp(connection) - int(seconds * 1e6)
    found = sorted(_takeable(connection, before, limit, closed), key=lambda row: row.due)
    return [(row.message, row.channel) for row in found[:limit]]


def _takeable(connection: Connection, stamp: int, room: int, closed: Names) -> Iterator[Row[Any]]:
    values = {"now": stamp, "room": room}
    suspects = {"names": _shut(connection, closed), **values}
    yield from connection.execute(_SUSPECT, suspects).all()
    for channel in _open_channels(connection, closed):
        yield from connection.execute(_CANDIDATES, {"channel": channel, **values}).all()


def _open_channels(connection: Connection, closed: Names) -> list[str]:
    return [name for name in connection.execute(_CHANNELS).scalars().all() if name not in closed]


def _shut(connection: Connection, closed: Names) -> tuple[str, ...]:
    """Return the closed channels among those of suspects: a few, whatever stands in routes.yaml."""
    found = connection.execute(_SUSPECTED).scalars().all() if closed else ()
    return _padded([name for name in found if name in closed] or [_NONE])


def lease(connection: Connection, room: Room) -> str | None:
    """Lease what fits into the room; return the token, or None where nothing was due."""
    stamp = clock.stamp(connection)
    soon = clock.soon(connection)
    chosen = _named(connection, room, soon) if room.ids else _any(connection, room, soon)
    if not chosen:
        return None
    token, end = secrets.token_hex(16), stamp + int(room.term * 1e6)
    rows = [(message, token, stamp, end) for message in chosen]
    bulk.update(connection, _LEASE, ("text", "text", "int", "int"), _THESE, rows)
    return token


def _any(connection: Connection, room: Room, stamp: int) -> list[str]:
    if room.suspects:
        values = {"names": _shut(connection, room.closed), "now": stamp, "room": 1}
        if row := connection.execute(_own(connection, _SUSPECT), values).first():
            return [row.message]
    return _choose(connection, room, stamp)


def _named(connection: Connection, room: Room, stamp: int) -> list[str]:
    """Choose among those that a doorbell named."""
    rows = _rung(connection, room, stamp)
    if room.suspects and (suspects := [row.message for row in rows if row.suspect]):
        return suspects[:1]
    chosen: list[str] = []
    open_: dict[str, int] = {}
    budget = room.budget
    for row in rows:
        left = open_.setdefault(row.channel, room.channels.get(row.channel, room.default))
        if row.suspect or left <= 0 or len(chosen) >= room.limit or (budget <= 0 and chosen):
            continue
        before = len(chosen)
        budget = _fill(chosen, [row], budget)
        open_[row.channel] -= len(chosen) - before
    return chosen


def _rung(connection: Connection, room: Room, stamp: int) -> list[Row[Any]]:
    values = {"names": _padded(room.ids), "now": stamp}
    found = connection.execute(_own(connection, _NAMED), values).all()
    return [row for row in found if row.channel not in room.closed]


def _own(connection: Connection, statement: TextClause) -> TextClause:
    """Pass over what another process is taking; a file has one writer at a time."""
    return _LOCKING[statement] if clock.shared(connection) else statement


def _padded(names: Sequence[str]) -> tuple[str, ...]:
    """Repeat the last one up to one of a few lengths: each length is a statement to prepare."""
    size = next((size for size in _SIZES if size >= len(names)), len(names))
    return (*names, *[names[-1]] * (size - len(names)))


def _choose(connection: Connection, room: Room, stamp: int) -> list[str]:
    channels = _open_channels(connection, room.closed)
    start = secrets.randbelow(len(channels)) if channels else 0
    chosen: list[str] = []
    budget = room.budget
    # The channels share a lease, so that a backlog of one leaves room for the others.
    share = max(1, -(-room.limit // max(1, len(channels))))
    for channel in channels[start:] + channels[:start]:
        open_ = min(room.channels.get(channel, room.default), share)
        free = min(open_, room.limit - len(chosen))
        if free <= 0 or (budget <= 0 and chosen):
            continue
        values = {"channel": channel, "now": stamp, "room": free}
        rows = connection.execute(_own(connection, _CANDIDATES), values).all()
        budget = _fill(chosen, rows, budget)
    return chosen


def _fill(chosen: list[str], rows: Sequence[Any], budget: int) -> int:
    for row in rows:
        if budget < row[1] and chosen:
            return 0
        chosen.append(row[0])
        budget -= row[1]
    return budget


def jobs(connection: Connection, token: str) -> list[Job]:
    """Read what was leased under a token, oldest first."""
    with bulk.binary(connection):
        return [_job(row) for row in connection.execute(_JOBS, {"token": token})]


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        token=row.token,
        direction=Direction(row.direction),
        envelope=envelope_of(row.envelope),
        party=row.party,
        received=moment(row.received),
        key=row.key,
        size=row.size,
        payload=Payload(row.form, row.box, row.salt, row.plain),
        ready=bool(row.ready),
        route=row.route,
        adapter=row.adapter,
        channel=row.channel,
        reference=row.reference,
        attempts=row.attempts,
        doubt=bool(row.sending),
        copied=row.sending == COPIED,
        alone=row.suspect > 0,
        ordered=bool(row.ordered),
        reason=row.reason,
        error=row.error,
        answers=row.answers,
    )


def void(connection: Connection) -> list[Voided]:
    """End the leases of an earlier start, or those whose term is over where hosts share the store;
    a message that was alone in hand too often is dead.
    """
    stamp = clock.stamp(connection)
    until = stamp if clock.shared(connection) else _ALWAYS
    values = {"crashes": CRASHES, "until": until}
    found = connection.execute(_own(connection, _WORKING), values).all()
    rows = [(message, stamp) for message, _, _ in found]
    bulk.update(connection, _VOID, ("text", "int"), _THESE, rows)
    return [Voided(message, bool(poison), attempts) for message, poison, attempts in found]


def release(connection: Connection, tokens: Sequence[str]) -> list[Voided]:
    """Give leases back; nobody is suspected."""
    if not tokens:
        return []
    stamp = clock.stamp(connection)
    found = connection.execute(_own(connection, _HELD), {"names": _padded(tokens)}).all()
    rows = [(message, stamp) for message, _ in found]
    bulk.update(connection, _RELEASE, ("text", "int"), _THESE, rows)
    return [Voided(message, False, attempts) for message, attempts in found]


def renew(connection: Connection, tokens: Sequence[str], term: float) -> None:
    """Begin the term of leases anew."""
    end = clock.stamp(connection) + int(term * 1e6)
    rows = [(token, end) for token in tokens]
    bulk.update(connection, _RENEW, ("text", "int"), _LEASED, rows)
