"""Many rows in one statement: a driver gives up the interpreter's lock at every row, and on a busy
process waits for it again each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import Connection, Table
from sqlalchemy.engine.interfaces import Dialect

from broker.stores import clock

#: Few sizes, so that the driver's cache of prepared statements knows them all.
SIZES = (64, 32, 16, 8, 4, 2, 1)

Values = Sequence[Any]
Kind = Literal["text", "int"]
_CASTS: dict[Kind, str] = {"text": "::text", "int": "::bigint"}


def insert(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    rows: Sequence[Values],
    more: str = "",
) -> None:
    """Insert rows, each with one value per name; `more` comes before their list."""
    quoted = _quoted(connection.dialect, names)
    head = f"INSERT INTO {table.name} ({', '.join(quoted)}){more} VALUES "  # noqa: S608 - fixed names
    numbered = clock.shared(connection)
    for chunk in _chunks(rows):
        _execute(connection, head + _marks(numbered, len(names), len(chunk)), chunk)


def update(
    connection: Connection, before: str, kinds: tuple[Kind, ...], after: str, rows: Sequence[Values]
) -> int:
    """Run `before VALUES-list after` for rows of values of these kinds; return how many rows
    changed.
    """
    changed = 0
    numbered = clock.shared(connection)
    for chunk in _chunks(rows):
        places = _marks(numbered, len(kinds), len(chunk), kinds)
        changed += _execute(connection, f"{before} (VALUES {places}) {after}", chunk)
    return changed


@contextmanager
def binary(connection: Connection) -> Iterator[None]:
    """Let the statements inside return values as bytes: sealed ones would else travel as twice as
    much text.
    """
    if not clock.shared(connection):
        yield
        return
    from psycopg import Cursor

    driver: Any = connection.connection.dbapi_connection
    driver.cursor_factory = _binary
    try:
        yield
    finally:
        driver.cursor_factory = Cursor


def _binary(connection: Any, **options: Any) -> Any:
    from psycopg import Cursor
    from psycopg.pq import Format

    cursor = Cursor(connection, **options)
    cursor.format = Format.BINARY
    return cursor


def _execute(connection: Connection, statement: str, rows: Sequence[Values]) -> int:
    values = tuple(value for row in rows for value in row)
    if not clock.shared(connection):
        return connection.exec_driver_sql(statement, values).rowcount
    from psycopg import Cursor, RawCursor

    # The usual cursor looks for its marks in every statement anew: half the cost of a group.
    driver: Any = connection.connection.dbapi_connection
    driver.cursor_factory = RawCursor
    try:
        return connection.exec_driver_sql(statement, values).rowcount
    finally:
        driver.cursor_factory = Cursor


def _chunks(rows: Sequence[Values]) -> Iterator[Sequence[Values]]:
    at = 0
    for size in SIZES:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


@lru_cache(1024)
def _marks(numbered: bool, names: int, rows: int, kinds: tuple[Kind, ...] = ()) -> str:
    """Return the places of a list; PostgreSQL takes their types from the first row, and cannot
    guess them from NULLs.
    """
    if not numbered:
        return ", ".join([f"({', '.join(['?'] * names)})"] * rows)
    casts = [_CASTS[kind] for kind in kinds] or [""] * names
    first = ", ".join(f"${at + 1}{cast}" for at, cast in enumerate(casts))
    rest = [", ".join(f"${row * names + at + 1}" for at in range(names)) for row in range(1, rows)]
    return ", ".join(f"({row})" for row in (first, *rest))


@lru_cache(1024)
def _quoted(dialect: Dialect, names: tuple[str, ...]) -> list[str]:
    return [dialect.identifier_preparer.quote(name) for name in names]
