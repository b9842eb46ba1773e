"""What a SOAP procedure remembers: every call, and the file that an application got."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

TABLES = """
CREATE TABLE IF NOT EXISTS AUFRUF (LFD_NR INTEGER PRIMARY KEY, REFERENZ TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS AKTE (
    LFD_NR INTEGER PRIMARY KEY, REFERENZ TEXT NOT NULL, SCHLUESSEL TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS AKTE_REFERENZ ON AKTE (REFERENZ);
"""


class Book:
    """One SQLite file; a connection per act, so that threads and processes may share it."""

    def __init__(self, file: Path) -> None:
        """Take the file."""
        self._file = file

    def prepare(self) -> None:
        """Make folder and tables."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._file)) as connection:
            connection.execute("PRAGMA journal_mode=wal")
            connection.executescript(TABLES)

    def call(self, reference: str) -> None:
        """Count a call."""
        with self._open() as connection:
            connection.execute("INSERT INTO AUFRUF (REFERENZ) VALUES (?)", (reference,))

    def file(self, reference: str, key: str, recognises: bool) -> int:
        """Return the number of the file; an application that is recognised keeps its own."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            if recognises and (number := _known(connection, reference, key)):
                return number
            made = connection.execute(
                "INSERT INTO AKTE (REFERENZ, SCHLUESSEL) VALUES (?, ?)", (reference, key)
            )
            return int(made.lastrowid or 0)

    def knows(self, key: str) -> bool:
        """Whether a file was made for this key."""
        with self._open() as connection:
            return _known(connection, "", key) > 0

    def calls(self) -> Mapping[str, int]:
        """Return how often each reference was sent."""
        return self._count("SELECT REFERENZ, COUNT(*) FROM AUFRUF GROUP BY REFERENZ")

    def effects(self) -> Mapping[str, int]:
        """Return how many files each reference has."""
        return self._count("SELECT REFERENZ, COUNT(*) FROM AKTE GROUP BY REFERENZ")

    def _count(self, query: str) -> Mapping[str, int]:
        if not self._file.exists():
            return {}
        with self._open() as connection:
            return dict(connection.execute(query).fetchall())

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=30)) as connection:
            connection.execute("PRAGMA synchronous=normal")
            with connection:
                yield connection


def _known(connection: sqlite3.Connection, reference: str, key: str) -> int:
    row = connection.execute(
        "SELECT LFD_NR FROM AKTE WHERE REFERENZ = ? OR (SCHLUESSEL <> '' AND SCHLUESSEL = ?)",
        (reference, key),
    ).fetchone()
    return int(row[0]) if row else 0
