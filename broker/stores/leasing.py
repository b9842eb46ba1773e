"""Leases: which deliveries may be worked on now, and what a crash left behind."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from broker.message import Direction, now
from broker.stores import bulk
from broker.stores.contract import Job, Payload, Room, Voided
from broker.stores.writing import envelope_of, micros, moment

#: A message that three times was the only one in hand when the process died is poison.
CRASHES = 3

_OPEN = "('waiting', 'working', 'held', 'unclear', 'dead')"
_FREE = f"""
    NOT EXISTS (SELECT 1 FROM pauses p WHERE p.route = d.route)
    AND (d.lane IS NULL OR NOT EXISTS (
        SELECT 1 FROM deliveries b WHERE b.route = d.route AND b.lane = d.lane
        AND b.seq < d.seq AND b.lane IS NOT NULL AND b.state IN {_OPEN}))
"""  # noqa: S608
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
    SELECT d.message, m.size FROM deliveries d JOIN messages m ON m.id = d.message
    WHERE d.state = 'waiting' AND d.suspect = 0 AND d.channel = :channel AND d.due <= :now
    AND {_FREE} ORDER BY d.due, d.seq LIMIT :room
""")  # noqa: S608
_SUSPECT = text(f"""
    SELECT d.message, 0 FROM deliveries d
    WHERE d.state = 'waiting' AND d.suspect > 0 AND d.due <= :now AND {_FREE}
    ORDER BY d.due, d.seq LIMIT 1
""")  # noqa: S608
_LEASE = """
    UPDATE deliveries SET state = 'working', token = v.column2, attempts = deliveries.attempts + 1,
    changed = v.column3, suspect = CASE WHEN deliveries.suspect > 0 THEN 2 ELSE 0 END FROM
"""
_LEASED = "AS v WHERE deliveries.message = v.column1"
_JOBS = text("""
    SELECT m.id, d.token, m.direction, m.envelope, m.party, m.received, m.key, m.size,
    p.form, p.box, p.salt, p.size AS plain, d.ready, d.route, d.adapter,
    d.channel, d.reference, d.attempts,
    d.sending, d.suspect, d.reason, d.error, m.answers
    FROM deliveries d JOIN messages m ON m.id = d.message
    JOIN payloads p ON p.message = m.id
    AND p.form = CASE WHEN d.ready = 1 AND EXISTS (
        SELECT 1 FROM payloads c WHERE c.message = m.id AND c.form = 'converted')
        THEN 'converted' ELSE 'original' END
    WHERE d.token = :token AND d.state = 'working' ORDER BY d.seq
""")
_VOID = text(f"""
    UPDATE deliveries SET
    crashes = crashes + CASE WHEN suspect = 2 THEN 1 ELSE 0 END,
    state = CASE WHEN suspect = 2 AND crashes + 1 >= {CRASHES} THEN 'dead' ELSE 'waiting' END,
    reason = CASE WHEN suspect = 2 AND crashes + 1 >= {CRASHES} THEN 'S999' ELSE reason END,
    error = CASE WHEN suspect = 2 AND crashes + 1 >= {CRASHES}
        THEN 'poison: the process died {CRASHES} times while only this message was in hand'
        ELSE error END,
    suspect = 1, token = NULL, due = :now, changed = :now WHERE state = 'working'
""")  # noqa: S608
_WORKING = text("""
    SELECT message, CASE WHEN suspect = 2 AND crashes + 1 >= :crashes THEN 1 ELSE 0 END, attempts
    FROM deliveries WHERE state = 'working' ORDER BY seq
""")


def due(connection: Connection) -> bool:
    """Whether anything waiting is due."""
    stamp = micros(now())
    if _choose_suspect(connection, stamp):
        return True
    return any(
        connection.execute(_CANDIDATES, {"channel": channel, "now": stamp, "room": 1}).first()
        for channel in connection.execute(_CHANNELS).scalars().all()
    )


def lease(connection: Connection, room: Room) -> str | None:
    """Lease what fits into the room; return the token, or None where nothing was due."""
    stamp = micros(now())
    chosen = _choose_suspect(connection, stamp) if room.suspects else []
    if not chosen:
        chosen = _choose(connection, room, stamp)
    if not chosen:
        return None
    token = secrets.token_hex(16)
    rows = [(message, token, stamp) for message in chosen]
    bulk.update(connection, _LEASE, 3, _LEASED, rows)
    return token


def _choose_suspect(connection: Connection, stamp: int) -> list[str]:
    row = connection.execute(_SUSPECT, {"now": stamp}).first()
    return [row[0]] if row else []


def _choose(connection: Connection, room: Room, stamp: int) -> list[str]:
    channels = list(connection.execute(_CHANNELS).scalars())
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
        rows = connection.execute(_CANDIDATES, {"channel": channel, "now": stamp, "room": free})
        budget = _fill(chosen, rows.all(), budget)
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
        alone=row.suspect > 0,
        reason=row.reason,
        error=row.error,
        answers=row.answers,
    )


def void(connection: Connection) -> list[Voided]:
    """End all leases; a message that was alone in hand too often is dead."""
    found = connection.execute(_WORKING, {"crashes": CRASHES}).all()
    if found:
        connection.execute(_VOID, {"now": micros(now())})
    return [Voided(message, bool(poison), attempts) for message, poison, attempts in found]
