"""Many rows in one statement: a driver gives up the interpreter's lock at every row, and on a busy
process waits for it again each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.engine.interfaces import Dialect

#: Few sizes, so that the driver's cache of prepared statements knows them all.
SIZES = (64, 16, 4, 1)

Values = Sequence[Any]


def insert(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Values]
) -> None:
    """Insert rows, each with one value per name."""
    quoted = _quoted(connection.dialect, names)
    head = f"INSERT INTO {table.name} ({', '.join(quoted)}) VALUES "  # noqa: S608 - fixed names
    for chunk in _chunks(rows):
        statement = head + _places(connection.dialect, len(names), len(chunk))
        connection.exec_driver_sql(statement, _flat(chunk))


def update(
    connection: Connection, before: str, names: int, after: str, rows: Sequence[Values]
) -> int:
    """Run `before VALUES-list after` for rows of so many values; return how many rows changed."""
    changed = 0
    for chunk in _chunks(rows):
        statement = f"{before} (VALUES {_places(connection.dialect, names, len(chunk))}) {after}"
        changed += connection.exec_driver_sql(statement, _flat(chunk)).rowcount
    return changed


def _chunks(rows: Sequence[Values]) -> Iterator[Sequence[Values]]:
    at = 0
    for size in SIZES:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


def _flat(rows: Sequence[Values]) -> tuple[Any, ...]:
    return tuple(value for row in rows for value in row)


def _places(dialect: Dialect, names: int, rows: int) -> str:
    return _marks("?" if dialect.paramstyle == "qmark" else "%s", names, rows)


@lru_cache
def _marks(mark: str, names: int, rows: int) -> str:
    row = f"({', '.join([mark] * names)})"
    return ", ".join([row] * rows)


def _quoted(dialect: Dialect, names: tuple[str, ...]) -> list[str]:
    return [dialect.identifier_preparer.quote(name) for name in names]
