"""A consistent copy of a SQLite store while others write to it, and a look into such a copy."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from broker.errors import StoreError
from broker.stores.clock import micros
from broker.stores.contract import Counts
from broker.stores.faults import FILE, translated
from broker.stores.migrations import MIGRATIONS
from broker.stores.reading import counts
from broker.stores.sealing import SqlTree
from broker.stores.writer import Writer

_CHECK = "PRAGMA quick_check(1)"
_MARK = "INSERT OR REPLACE INTO runs (name, at) VALUES (?, ?)"


def copy(source: Path, target: Path, mark: str, at: datetime) -> None:
    """Write a copy of one moment into a new file, and `mark` it with its time.

    Nobody has to stop meanwhile. The copy is on disk, and was read once, when this returns.
    Raises StoreError; then no file is left.
    """
    part = target.with_name(f".{target.name}.part")
    os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(part)) as new,
        ):
            # In one step: in several, the copy would begin anew at every commit of the broker.
            old.backup(new)
            new.execute("PRAGMA journal_mode = delete").fetchone()
            with new:
                new.execute(_MARK, (mark, micros(at)))
            _sound(new.execute(_CHECK).fetchone()[0], target)
        os.rename(part, target)
        _sync(target.parent)
    except sqlite3.Error as error:
        raise StoreError(f"the store cannot be copied to {target}: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _sound(said: str, file: Path) -> None:
    if said != "ok":
        raise StoreError(f"{file.name} is damaged: {said}; run xoev-broker doctor")


class Copy:
    """A copy that is looked at; nothing can be written to it."""

    def __init__(self, file: Path) -> None:
        """Take the file; raises StoreError where it is no store, damaged, or of a newer broker."""
        self.file = file
        # Immutable: else a look would leave files beside it.
        place = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
        self._engine = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(place, uri=True, check_same_thread=False),
            poolclass=NullPool,
        )
        self._writer = Writer(self._none, lambda _error: None, FILE)
        self.tree = SqlTree(self._writer, self._read)
        self.tree.late = False
        with self._read() as connection:
            found = connection.exec_driver_sql("SELECT max(number) FROM migrations").scalar_one()
            _sound(connection.exec_driver_sql(_CHECK).scalar_one(), file)
        if found > MIGRATIONS[-1].number:
            raise StoreError(f"{file.name} was written by a newer broker (format {found})")

    def counts(self) -> Counts:
        """Add up all states."""
        with self._read() as connection:
            return counts(connection)

    def wrapped(self) -> list[bytes]:
        """Return one wrapped message key, the newest, or none."""
        query = "SELECT key FROM messages WHERE key IS NOT NULL ORDER BY id DESC LIMIT 1"
        with self._read() as connection:
            return [bytes(key) for key in connection.exec_driver_sql(query).scalars()]

    def close(self) -> None:
        """Close it."""
        self._writer.close()
        self._engine.dispose()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            text = f"{self.file.name} cannot be read"
            raise translated(error, FILE.judge, text) from error

    @contextmanager
    def _none(self) -> Iterator[Connection]:
        raise StoreError("nothing is written to a copy")
        yield


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
