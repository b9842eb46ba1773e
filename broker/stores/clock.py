"""The one clock of a store: this host's for a file, the database's where hosts share it.

Times are whole microseconds since 1970 in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from broker.message import now

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD = "ahead"
#: Hosts know the clock of a shared store only about so well: what is due in so little is due.
_SLACK = 50_000


def micros(time: datetime) -> int:
    """Return whole microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    """Return the time of whole microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


def stamp(connection: Connection) -> int:
    """Return the time of the store."""
    return micros(now()) + ahead(connection)


def soon(connection: Connection) -> int:
    """Return the time up to which something is due now."""
    return stamp(connection) + (_SLACK if shared(connection) else 0)


def ahead(connection: Connection) -> int:
    """Return how far the clock of the store is ahead of this host's; 0 for a file."""
    found: int = connection.info.get(_AHEAD, 0)
    return found


def tell(connection: Connection, microseconds: int) -> None:
    """Remember how far the clock of the store is ahead."""
    connection.info[_AHEAD] = microseconds


def shared(connection: Connection) -> bool:
    """Whether processes of other hosts may write at the same time."""
    return connection.dialect.name == "postgresql"
