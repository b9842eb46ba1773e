"""Carries everything from one database into another, row by row, with the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from broker.errors import StoreError
from broker.stores import bulk, clock
from broker.stores.faults import of_server, translated
from broker.stores.sql import SqlStore
from broker.stores.tables import metadata

#: Is told a table, how many of its rows are carried over, and how many it has.
Told = Callable[[str, int, int], None]

#: These belong to the processes that work on a database now.
_OWN = ("offices", "writers")
_COUNTED = ("deliveries", "entries")
#: So many rows, or so many bytes of sealed payloads, go over at once.
_ROWS, _BYTES = 512, 8_000_000
#: Payloads are large: only so many are fetched at once.
_FEW, _MANY = 4, 1000


def move(source: SqlStore, target: SqlStore, told: Told) -> dict[str, int]:
    """Carry all rows over in one transaction; return how many, by table.

    Nobody else can write to either database meanwhile. Raises StoreError where the target is not
    empty or another process works on one of them; then nothing was written.
    """
    for store in (source, target):
        if others := store.others():
            raise StoreError(f"{others} other process(es) work on {store.name}; stop them first")
    try:
        with source.frozen() as old, target.frozen() as new:
            _empty(new, target.name)
            return {table.name: _copy(old, new, table, told) for table in _tables()}
    except SQLAlchemyError as error:
        raise translated(error, of_server, "the store could not be moved") from error


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table.name not in _OWN]


def _empty(connection: Connection, name: str) -> None:
    full = [table.name for table in _tables() if _count(connection, table)]
    if full:
        raise StoreError(
            f"{name} is not empty: there are rows in {', '.join(full)}; make a new database"
        )


def _count(connection: Connection, table: Table) -> int:
    found: int = connection.execute(select(func.count()).select_from(table)).scalar_one()
    return found


def _copy(old: Connection, new: Connection, table: Table, told: Told) -> int:
    total, done = _count(old, table), 0
    names = tuple(column.name for column in table.columns)
    # What a database counts by itself it lets nobody else write, unless told so.
    more = " OVERRIDING SYSTEM VALUE" if clock.shared(new) else ""
    for rows in _groups(old, table):
        bulk.insert(new, table, names, rows, more)
        done += len(rows)
        told(table.name, done, total)
    if not total == done == _count(new, table):
        raise StoreError(f"of {total} rows of {table.name}, {done} were carried over")
    if table.name in _COUNTED:
        _go_on(new, table.name, _last(old, table.name))
    return done


def _groups(connection: Connection, table: Table) -> Iterator[Sequence[Sequence[Any]]]:
    large = [at for at, column in enumerate(table.columns) if column.name == "box"]
    query = select(table).order_by(*table.primary_key.columns)
    group: list[Sequence[Any]] = []
    size = 0
    for row in connection.execute(query).yield_per(_FEW if large else _MANY):
        group.append(tuple(row))
        size += sum(len(row[at] or b"") for at in large)
        if len(group) >= _ROWS or size >= _BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _last(connection: Connection, name: str) -> int:
    """Return the last number that was given, also where its row is gone."""
    if clock.shared(connection):
        query = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}_seq_seq"  # noqa: S608
    else:
        query = f"SELECT max(seq) FROM sqlite_sequence WHERE name = '{name}'"  # noqa: S608
    return connection.execute(text(query)).scalar() or 0


def _go_on(connection: Connection, name: str, last: int) -> None:
    """Let the next number be the one after the last."""
    values = {"name": name, "last": last}
    if not last:
        return
    if clock.shared(connection):
        query = "SELECT setval(pg_get_serial_sequence(:name, 'seq'), :last)"
        connection.execute(text(query), values)
        return
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
    connection.execute(
        text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), values
    )
