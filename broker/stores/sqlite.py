"""The default store: one SQLite file that any number of processes of one machine may use."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from broker import logs
from broker.errors import StoreError
from broker.stores.migrations import migrate
from broker.stores.sql import SqlStore

#: A commit of another process may hold the lock this long before ours gives up (milliseconds).
BUSY = 60_000
#: Readers may keep the log from being cut off for so long (seconds).
SCRUB = 5.0
#: A larger file is not written anew by itself: writers would wait too long (bytes).
WHOLE = 1_000_000_000
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "2",  # FULL: NORMAL loses acknowledged messages at a power cut
    "secure_delete": "1",
    "busy_timeout": str(BUSY),
}


class SqliteStore(SqlStore):
    """One file. Accepted means on disk: WAL with `synchronous=FULL`, read back at start."""

    def __init__(self, file: Path, broken: Callable[[StoreError], None]) -> None:
        """Open or create the file and bring it up to date.

        Raises StoreError where the file is no store, is newer than this broker, or cannot be made
        durable.
        """
        self.file = file
        self._version = 0
        self._lock = Lock()
        try:
            _create(file)
            writing, reading = _engine(file, "BEGIN IMMEDIATE"), _engine(file, "BEGIN")
            with writing.begin() as connection:
                migrate(connection)
            self._watch = reading.connect()
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None) or type(error).__name__
            raise StoreError(f"the store {file.name} cannot be opened: {cause}") from error
        super().__init__(writing, reading, broken)
        # One writer at a time, so that entries become visible in their order.
        self.tree.late = False

    @property
    def name(self) -> str:
        """What to call it in a text."""
        return f"the file {self.file}"

    def changed(self) -> bool:
        """Whether another connection has written since the last call."""
        with self._lock:
            version = self._watch.exec_driver_sql("PRAGMA data_version").scalar_one()
            self._watch.rollback()
            changed = bool(version != self._version)
            self._version = version
        return changed

    def scrub(self) -> bool:
        """Write the file anew, and the log back into it: nothing of what was erased is left then.

        False where a reader, or too little room on the disk, kept it from that. A file of more
        than 1 GB is left as it is, with a line in the log; see docs/howto/retention.md.
        """
        try:
            with closing(sqlite3.connect(self.file, timeout=SCRUB)) as connection:
                whole = self._anew(connection)
                (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"the log of the store cannot be written back: {error}") from error
        return whole and not busy

    def _anew(self, connection: sqlite3.Connection) -> bool:
        # Where SQLite splits a page it leaves copies between rows, which no secure_delete sees.
        if self.file.stat().st_size > WHOLE:
            logs.get().warning("stained", error="the file is too large to be written anew")
            return True
        try:
            connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            logs.get().warning("stained", error=str(error))
            return False
        return True

    def slack(self) -> int:
        """Bytes of pages that hold nothing any more: the file does not shrink."""
        with self._read() as connection:
            pages, size = (
                int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
                for name in ("freelist_count", "page_size")
            )
        return pages * size

    def close(self) -> None:
        """Finish what was submitted and close."""
        self._watch.close()
        super().close()


def _create(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _engine(file: Path, begin: str) -> Engine:
    pool: dict[str, Any] = {"pool_size": 8, "max_overflow": 64} if begin == "BEGIN" else {}
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        connect_args={"check_same_thread": False, "timeout": BUSY / 1000},
        **pool,
    )

    @event.listens_for(engine, "connect")
    def settle(connection: Any, _record: object) -> None:
        # The driver's own transactions would begin late and deferred; we begin by ourselves.
        connection.isolation_level = None
        _pragmas(connection)

    @event.listens_for(engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _pragmas(connection: Any) -> None:
    cursor = connection.cursor()
    for name, value in PRAGMAS.items():
        cursor.execute(f"PRAGMA {name} = {value}")
        found = str(cursor.execute(f"PRAGMA {name}").fetchone()[0])
        if found.lower() != value:
            raise StoreError(
                f"the store cannot be made durable: {name} is {found}, must be {value}; "
                "put it on a local disk that supports write-ahead logging"
            )
    cursor.close()
