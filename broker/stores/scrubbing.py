"""Leaves nothing of what was erased in the files of a PostgreSQL server.

A deleted row stays in its page until that is written anew, and in the log until that is cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import text

from broker import logs
from broker.stores import clock

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.errors import Diagnostic

#: Names of runs that say in which tables something was erased and is not yet scrubbed.
_STAIN = "stain:"
#: Others wait for a table as long as it waits for them: rather try again later.
_PATIENCE = "5s"
_MARK = text("""
    INSERT INTO runs (name, at) VALUES (:name, :at)
    ON CONFLICT (name) DO UPDATE SET at = excluded.at
""")


def stain(connection: SqlConnection, *tables: str) -> None:
    """Remember that rows of these tables are still in files; a SQLite file needs no reminder."""
    if clock.shared(connection):
        for name in sorted(tables):
            connection.execute(_MARK, {"name": _STAIN + name, "at": clock.stamp(connection)})


def scrub(connection: Connection[Any]) -> bool:
    """Write the tables anew and let the log be cut off; False where that must be tried again.

    Takes a connection in autocommit mode that is used for nothing else.
    """
    from psycopg import errors

    stains = connection.execute(
        "SELECT name, at FROM runs WHERE starts_with(name, %s) ORDER BY name", [_STAIN]
    ).fetchall()
    if not stains:
        return True
    try:
        left = _tables(connection, [name.removeprefix(_STAIN) for name, _ in stains])
        reason = "a reader still sees what was erased" if left else _log(connection)
    except (errors.LockNotAvailable, errors.InsufficientPrivilege, errors.QueryCanceled) as error:
        reason = error.diag.message_primary or type(error).__name__
    if reason:
        logs.get().warning("stained", error=reason)
        return False
    for name, at in stains:
        connection.execute("DELETE FROM runs WHERE name = %s AND at = %s", (name, at))
    return True


def _tables(connection: Connection[Any], tables: Iterable[str]) -> int:
    """Write tables anew; return how many erased rows a reader keeps alive."""
    from psycopg.sql import SQL, Identifier

    said: list[str] = []

    def listen(diagnosis: Diagnostic) -> None:
        said.append(diagnosis.message_detail or "")

    connection.add_notice_handler(listen)
    connection.execute(f"SET lock_timeout = '{_PATIENCE}'")
    for name in tables:
        connection.execute(SQL("VACUUM (FULL, VERBOSE, ANALYZE) {}").format(Identifier(name)))
    connection.remove_notice_handler(listen)
    return sum(_first(detail) for detail in said)


def _first(detail: str) -> int:
    # "3 dead row versions cannot be removed yet.", in the language of the server.
    found = re.match(r"(\d+) ", detail)
    return int(found[1]) if found else 0


def _log(connection: Connection[Any]) -> str:
    """Begin a new file of the log and let the old ones go; return why that cannot be, or nothing.

    Two turns: the first checkpoint may end in the file that it began in.
    """
    recycle = connection.execute("SHOW wal_recycle").fetchone()
    if recycle != ("off",):
        return "old files of the log are used again: set wal_recycle = off in postgresql.conf"
    for _ in range(2):
        connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")
    kept = connection.execute(
        "SELECT count(*) FROM pg_replication_slots WHERE restart_lsn < pg_current_wal_lsn()"
    ).fetchone()
    return "a replication slot keeps old files of the log" if kept != (0,) else ""
