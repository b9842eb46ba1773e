"""Salzgitter's stand-in: staging tables in a database."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

from broker.standins.desk import Answer, Kind
from broker.standins.script import Script
from broker.standins.standin import Found, Office

FILES = """CREATE TABLE IF NOT EXISTS AKTE (
    LFD_NR INTEGER NOT NULL PRIMARY KEY, REFERENZ VARCHAR(13) NOT NULL)"""
KINDS = {
    Kind.RECEIVED: "EINGANG",
    Kind.FILED: "AKTENZEICHEN",
    Kind.GRANTED: "GENEHMIGUNG",
    Kind.DENIED: "ABLEHNUNG",
    Kind.REFUSED: "RUECKWEISUNG",
}


class Staging(Office):
    """Polls ANTRAG_EINGANG, deletes the rows it took, writes ANTRAG_AUSGANG."""

    def __init__(
        self,
        folder: Path,
        tables: Path,
        script: Script | None = None,
        *,
        pause: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the folder of the database, the file with its tables, and what an Office takes."""
        super().__init__(folder, script, pause=pause, clock=clock)
        self._tables = tables
        self.database = folder / "verfahren.sqlite"

    def prepare(self) -> None:
        """Make the database."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.database.exists():
            return
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("PRAGMA journal_mode=wal")
            connection.executescript(self._tables.read_text("utf-8"))
            connection.execute(FILES)
            connection.commit()

    def effects(self) -> Mapping[str, int]:
        """Return how many files each reference has."""
        if not self.database.exists():
            return {}
        with self._open() as connection:
            rows = connection.execute("SELECT REFERENZ, COUNT(*) FROM AKTE GROUP BY REFERENZ")
            return dict(rows.fetchall())

    def waiting(self) -> Sequence[Found]:
        """Return the applications that were not taken yet."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT REFERENZ, VORHABEN FROM ANTRAG_EINGANG ORDER BY ROWID"
            ).fetchall()
        return [Found(reference, reference, project) for reference, project in rows]

    def file(self, found: Found) -> str:
        """Open a file and delete the rows, in one transaction."""
        with self._open() as connection:
            made = connection.execute("INSERT INTO AKTE (REFERENZ) VALUES (?)", (found.reference,))
            for table in ("ANTRAG_EINGANG", "ANTRAG_PERSON", "ANTRAG_ANLAGE"):
                connection.execute(
                    f"DELETE FROM {table} WHERE REFERENZ = ?",  # noqa: S608 - fixed names
                    (found.reference,),
                )
            return f"{date.today().year}-SZ-{made.lastrowid:04}"

    def answer(self, answers: Sequence[Answer]) -> None:
        """Write a row for each answer."""
        rows = [
            (answer.reference, answer.number or None, KINDS[answer.kind], answer.day.isoformat(),
             answer.text)
            for answer in answers
        ]  # fmt: skip
        with self._open() as connection:
            connection.executemany(
                "INSERT INTO ANTRAG_AUSGANG (REFERENZ, AKTENZEICHEN, ART, DATUM, TEXT)"
                " VALUES (?, ?, ?, ?, ?)",
                rows,
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one transaction."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            yield connection
