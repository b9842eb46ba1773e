"""Any procedure with folders or staging tables, as an adapter sees it: with answers from files."""

from __future__ import annotations

import os
import sqlite3
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from broker.errors import ConfigError
from broker.standins.desk import STRANGER, Answer, Kind
from broker.standins.script import Fault, Script
from broker.standins.service import ENDS, silent
from broker.standins.standin import Found, Office
from broker.standins.template import Template, fields, referred

_FILES = """CREATE TABLE IF NOT EXISTS STANDIN_AKTE (
    LFD_NR INTEGER NOT NULL PRIMARY KEY, REFERENZ VARCHAR(100) NOT NULL)"""


class Clerk(Office):
    """Takes what lies there, files it, and gives an answer for each template, in order."""

    answers: Sequence[Template] = ()
    refusal: Template | None = None
    field = "Referenz"
    tell: Callable[[str], None] = staticmethod(silent)

    @abstractmethod
    def sent(self, found: Found) -> Mapping[str, str]:
        """Return the fields of an application."""

    def _take(self, found: Found, fault: Fault) -> None:
        if fault in (Fault.ERROR, Fault.BUSY, Fault.RESET):
            self.tell(f"{found.reference}: {fault}, left lying")
        if fault is Fault.LOST:
            self.tell(f"{found.reference}: filed, {ENDS[fault]}")
        super()._take(found, fault)

    def _answers(self, found: Found, fault: Fault) -> list[Answer]:
        sent = dict(self.sent(found))
        number = self.file(found)
        refused = fault is Fault.REFUSE
        templates = [one for one in (self.refusal,) if one] if refused else self.answers
        told = ENDS.get(fault, fault) if templates else "no answer"
        self.tell(f"{found.reference}: filed as {number}, {told}")
        made = [_answer(one, found.reference, number, sent) for one in templates]
        if fault is Fault.STRANGER and templates:
            made.append(_answer(templates[-1], STRANGER, f"{number}-X", sent))
        return made


class Folder(Clerk):
    """Reads files from one folder and writes its answers into another; keeps files in `akten/`."""

    incoming = "eingang"
    outgoing = "ausgang"

    def prepare(self) -> None:
        """Make the folders."""
        for name in (self.incoming, self.outgoing, "akten"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def effects(self) -> Mapping[str, int]:
        """Return how many files each reference has."""
        return Counter(path.name.partition("_")[0] for path in (self.folder / "akten").glob("*"))

    def waiting(self) -> Sequence[Found]:
        """Return the files, by name."""
        with os.scandir(self.folder / self.incoming) as entries:
            names = sorted(one.name for one in entries if one.name[0] != "." and one.is_file())
        return [self._found(name) for name in names if not name.endswith(".part")]

    def sent(self, found: Found) -> Mapping[str, str]:
        """Return the fields of a file that is XML or JSON."""
        return fields((self.folder / self.incoming / found.name).read_bytes())

    def file(self, found: Found) -> str:
        """Move the file away; the start of its new name is the reference."""
        archive = self.folder / "akten"
        count = len(list(archive.glob("*"))) + 1
        name = f"{found.reference}_{count:05}{Path(found.name).suffix}"
        os.rename(self.folder / self.incoming / found.name, archive / name)
        return f"FV-{count:05}"

    def answer(self, answers: Sequence[Answer]) -> None:
        """Write a file for each answer, complete from the moment it has its name."""
        for answer in answers:
            count = self._run_number()
            name = f"{answer.reference}-{count:05}{self.answers[0].suffix if self.answers else ''}"
            part = self.folder / self.outgoing / f".{name}.part"
            part.write_text(answer.text, "utf-8")
            os.rename(part, self.folder / self.outgoing / name)

    def _found(self, name: str) -> Found:
        sent = fields((self.folder / self.incoming / name).read_bytes())
        stem = name.partition(".")[0]
        return Found(name, referred(sent, self.field, stem) or stem, "")

    def _run_number(self) -> int:
        file = self.folder / "lauf"
        run = int(file.read_text("ascii")) + 1 if file.exists() else 1
        file.write_text(str(run), "ascii")
        return run


class Rows(Clerk):
    """Polls a table of an SQLite database, deletes the rows it took, writes rows as answers."""

    def __init__(self, folder: Path, ddl: Path, script: Script | None = None) -> None:
        """Take the folder of the database, the file with its tables, and the script."""
        super().__init__(folder, script)
        self.field = "REFERENZ"
        self.table = ""
        self.replies = ""
        self.database = folder / "verfahren.sqlite"
        self._ddl = ddl

    def prepare(self) -> None:
        """Make the database, and find the tables; ConfigError says what does not fit."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._open() as connection:
                if not _tables(connection):
                    connection.execute("PRAGMA journal_mode=wal")
                    connection.executescript(self._ddl.read_text("utf-8"))
                connection.execute(_FILES)
                self._fit(_tables(connection))
        except (OSError, UnicodeDecodeError, sqlite3.Error) as error:
            raise ConfigError(f"{self._ddl}: cannot be used: {error}") from error

    def effects(self) -> Mapping[str, int]:
        """Return how many files each reference has."""
        if not self.database.exists():
            return {}
        with self._open() as connection:
            rows = connection.execute("SELECT REFERENZ, COUNT(*) FROM STANDIN_AKTE GROUP BY 1")
            return dict(rows.fetchall())

    def waiting(self) -> Sequence[Found]:
        """Return the rows that were not taken yet."""
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT {_quoted(self.field)} FROM {_quoted(self.table)} ORDER BY ROWID"  # noqa: S608
            ).fetchall()
        return [Found(str(row[0]), str(row[0]), "") for row in rows]

    def sent(self, found: Found) -> Mapping[str, str]:
        """Return the columns of a row."""
        with self._open() as connection:
            cursor = connection.execute(
                f"SELECT * FROM {_quoted(self.table)} WHERE {_quoted(self.field)} = ?",  # noqa: S608
                (found.reference,),
            )
            row = cursor.fetchone()
            names = [column[0] for column in cursor.description]
        return {
            name: "" if value is None else str(value)
            for name, value in zip(names, row, strict=True)
        }

    def file(self, found: Found) -> str:
        """Open a file and delete the rows of this reference, in one transaction."""
        with self._open() as connection:
            made = connection.execute(
                "INSERT INTO STANDIN_AKTE (REFERENZ) VALUES (?)", (found.reference,)
            )
            for table, columns in _tables(connection).items():
                if self.field in columns and table not in (self.replies, "STANDIN_AKTE"):
                    connection.execute(
                        f"DELETE FROM {_quoted(table)} WHERE {_quoted(self.field)} = ?",  # noqa: S608
                        (found.reference,),
                    )
            return f"FV-{made.lastrowid:05}"

    def answer(self, answers: Sequence[Answer]) -> None:
        """Write a row for each answer: its template has lines `COLUMN=value`."""
        with self._open() as connection:
            for answer in answers:
                row = _row(answer.text)
                names, gaps = ", ".join(map(_quoted, row)), ", ".join("?" * len(row))
                connection.execute(
                    f"INSERT INTO {_quoted(self.replies)} ({names}) VALUES ({gaps})",  # noqa: S608
                    list(row.values()),
                )

    def _fit(self, tables: Mapping[str, Sequence[str]]) -> None:
        """Find the table of applications, and check that answers fit the one of replies."""
        own = [name for name, columns in tables.items() if self.field in columns]
        self.table = self.table or next((name for name in own if name != self.replies), "")
        if self.field not in tables.get(self.table, ()):
            raise ConfigError(f'{self._ddl}: no table "{self.table}" with a column {self.field}')
        if self.answers and self.replies not in tables:
            raise ConfigError(f'{self._ddl}: no table "{self.replies}" for answers')
        for template in self.answers:
            unknown = _row(template.fill({})).keys() - set(tables[self.replies])
            if unknown:
                raise ConfigError(f'table "{self.replies}" has no column {min(unknown)}')

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one transaction."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            yield connection


def _answer(template: Template, reference: str, number: str, sent: Mapping[str, str]) -> Answer:
    now = datetime.now().astimezone()
    fixed = {"reference": reference, "number": number, "key": "", "date": now.date().isoformat(),
             "time": now.isoformat(timespec="seconds")}  # fmt: skip
    return Answer(reference, number, Kind.RECEIVED, now.date(), template.fill({**sent, **fixed}))


def _tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY ROWID")
    return {
        str(name): [
            str(row[1]) for row in connection.execute(f"PRAGMA table_info({_quoted(name)})")
        ]
        for (name,) in names.fetchall()
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _row(text: str) -> dict[str, str]:
    """Read lines `COLUMN=value`; empty ones and those with # in front do not count."""
    row: dict[str, str] = {}
    for line in _lines(text):
        name, _, value = line.partition("=")
        row[name.strip()] = value.strip()
    return row


def _lines(text: str) -> Iterable[str]:
    return (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
