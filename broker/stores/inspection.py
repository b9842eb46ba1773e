"""Looks at a store without changing it: its format, its clock, and whether it is whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from broker.errors import StoreAway, StoreError
from broker.stores.migrations import MIGRATIONS

#: A larger file is not read as a whole (bytes).
QUICK = 2 << 30
_FORMAT = "SELECT coalesce(max(number), 0) FROM migrations"


@dataclass(frozen=True, slots=True)
class Inspection:
    """Format found (0: no tables yet) and format that this broker writes, what is damaged, and the
    clock of a server.
    """

    found: int
    known: int
    damage: str = ""
    clock: datetime | None = None


def file(path: Path) -> Inspection | None:
    """Return what a file says, None where there is none. Raises StoreError where it is no store."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as one:
            found = one.execute(_FORMAT).fetchone()[0]
            large = path.stat().st_size > QUICK
            damage = "ok" if large else one.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path.name} cannot be read: {error}") from error
    return Inspection(int(found), MIGRATIONS[-1].number, "" if damage == "ok" else str(damage))


def database(url: str) -> Inspection:
    """Return what a PostgreSQL database says. Raises ConfigError, StoreAway, without the URL."""
    import psycopg

    from broker.stores.postgres import SILENCE, read
    from broker.stores.silence import connect

    try:
        with connect(read(url), SILENCE) as one:
            there = one.execute("SELECT to_regclass('migrations'), clock_timestamp()").fetchone()
            assert there is not None
            row = one.execute(_FORMAT).fetchone() if there[0] else (0,)
    except psycopg.Error as error:
        state = error.sqlstate or type(error).__name__
        raise StoreAway(f"the database cannot be reached or read ({state})") from None
    assert row is not None
    return Inspection(int(row[0]), MIGRATIONS[-1].number, clock=there[1])
