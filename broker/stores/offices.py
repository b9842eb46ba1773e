"""Offices: what one process at a time does, whichever process that is."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, or_, select, text

from broker.stores import clock
from broker.stores.tables import offices

#: A day, in microseconds.
_LEFT = 86_400_000_000
_ASK = text("""
    INSERT INTO offices (name, owner, until) VALUES (:name, :owner, :until)
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
    WHERE offices.owner = excluded.owner OR offices.until <= :now
""")


def elect(connection: Connection, names: Sequence[str], owner: str, term: float) -> frozenset[str]:
    """Take the offices that are free, keep one's own; return those that the owner has now."""
    now = clock.stamp(connection)
    # In one order, so that two processes never wait for each other.
    for name in sorted(names):
        values = {"name": name, "owner": owner, "until": now + int(term * 1e6), "now": now}
        connection.execute(_ASK, values)
    mine = select(offices.c.name).where(offices.c.name.in_(list(names)), offices.c.owner == owner)
    return frozenset(connection.execute(mine).scalars())


def resign(connection: Connection, owner: str) -> None:
    """Give all offices of an owner back; what dead processes left long ago goes too."""
    old = clock.stamp(connection) - _LEFT
    connection.execute(delete(offices).where(or_(offices.c.owner == owner, offices.c.until < old)))


def holders(connection: Connection) -> dict[str, str]:
    """Return who holds which office now."""
    held = select(offices.c.name, offices.c.owner).where(offices.c.until > clock.stamp(connection))
    return {row.name: row.owner for row in connection.execute(held)}
