"""Staging tables: hands messages over as rows of a database, and takes replies from rows.

All rows of a message and one row of our ledger are one transaction, so that a repeat is recognised
even after the procedure has deleted its rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from broker.channels.channel import (
    Channel,
    Declared,
    Found,
    Incoming,
    Mark,
    Prepared,
    Sent,
    Verdict,
)
from broker.channels.rows import Line, Unfit, document, lines, python, values
from broker.channels.secret import Secret
from broker.errors import BrokerError, Busy, ChannelError, Refused, Unreachable
from broker.fields import Field
from broker.message import now

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy import Table as SqlTable
    from sqlalchemy.exc import DBAPIError

BATCH = 100
LEDGER = "XOEV_BROKER_LEDGER"


class Table(Channel):
    """Tables of a database (SQLite, PostgreSQL and whatever else SQLAlchemy has a driver for)."""

    kind: ClassVar[str] = "table"
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "url_file",
            "secret_file",
            "file with the database URL: postgresql+psycopg://user:password@host/name",
        ),
        Field("url", "text", "the database URL itself, where it holds no password"),
        Field("out", "list", "tables that messages may be written to, the main one first"),
        Field("replies", "text", "table in which the procedure leaves its answers"),
        Field(
            "reply_key", "text", "column of that table that identifies a row and counts up", "ID"
        ),
        Field(
            "reply_done",
            "text",
            "column of that table that is NULL until the row is taken",
            "ABGEHOLT_AM",
        ),
        Field(
            "ledger",
            "text",
            "our own table there, one row per message; made if it is missing",
            LEDGER,
        ),
    )
    repeats = True

    def __init__(self, declared: Declared) -> None:
        """Take the checked values; the database is opened at the first use."""
        super().__init__(declared)
        out = self.values.get("out") or ()
        self._out = (out,) if isinstance(out, str) else tuple(out)
        self._replies = str(self.values.get("replies") or "")
        self._key = str(self.values.get("reply_key") or "ID")
        self._done = str(self.values.get("reply_done") or "ABGEHOLT_AM")
        self._ledger = str(self.values.get("ledger") or LEDGER)
        file: Path | None = self.values.get("url_file")
        self._secret = Secret(file) if file else None
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._known: tuple[str, Engine] | None = None
        self._tables: dict[str, SqlTable] = {}

    def send(self, prepared: Prepared, mark: Mark) -> Sent:
        """Insert the rows, unless the ledger has the key already; both are a success."""
        rows = self._rows(prepared)
        mark()
        try:
            with self._database() as connection:
                self._write(connection, prepared, rows)
        except Refused:
            if self.find(prepared.key) is not Found.THERE:
                raise
            return Sent("the ledger had it before")
        return Sent(f"{len(rows)} row(s), the first in {rows[0][0].name}")

    def find(self, key: str) -> Found:
        """Ask the ledger."""
        from sqlalchemy import select

        try:
            ledger = self._table(self._ledger)
            with self._database() as connection:
                there = connection.execute(select(ledger).where(ledger.c[0] == key)).first()
        except ChannelError:
            return Found.UNKNOWN
        return Found.THERE if there else Found.NOT_THERE

    @property
    def asks(self) -> bool:
        """The ledger knows every key."""
        return True

    @property
    def receives(self) -> bool:
        """Whether a table of replies is polled."""
        return bool(self._replies)

    def receive(self) -> Iterable[Incoming]:
        """Return at most 100 replies that are not marked yet, in the order of their key."""
        from sqlalchemy import select

        if not self._replies:
            return ()
        table = self._table(self._replies)
        key, done = self._column(table, self._key), self._column(table, self._done)
        query = select(table).where(done.is_(None)).order_by(key).limit(BATCH)
        with self._database() as connection:
            found = connection.execute(query).all()
        return [
            Incoming(
                "reply",
                str(row._mapping[key]),
                document(table.name.upper(), row, done.name),
                row._mapping[key],
            )
            for row in found
        ]

    def settle(self, incoming: Incoming, verdict: Verdict) -> None:
        """Mark the row as taken, whatever became of it: the broker has it now."""
        from sqlalchemy import update

        table = self._table(self._replies)
        key, done = self._column(table, self._key), self._column(table, self._done)
        change = (
            update(table).where(key == incoming.handle, done.is_(None)).values({done: _stamp(done)})
        )
        with self._database() as connection:
            connection.execute(change)

    def probe(self) -> str:
        """Connect and look for every table, and for the columns that mark replies."""
        names = [*self._out, *([self._replies] if self._replies else []), self._ledger]
        tables = [self._table(name) for name in names]
        if self._replies:
            self._column(self._table(self._replies), self._key)
            self._column(self._table(self._replies), self._done)
        return f"{len(tables)} table(s) there: {', '.join(table.name for table in tables)}"

    def close(self) -> None:
        """Give back the connections."""
        with self._lock:
            known, self._known = self._known, None
            self._tables.clear()
        if known is not None:
            known[1].dispose()

    def _rows(self, prepared: Prepared) -> list[tuple[SqlTable, Mapping[str, Any]]]:
        try:
            written = lines(prepared.body)
            try:
                return [self._row(line) for line in written]
            except Unfit:
                self._tables.clear()  # the table may have changed since it was looked at
                return [self._row(line) for line in written]
        except Unfit as error:
            raise Refused(f"{self.name}: {error}") from None

    def _row(self, line: Line) -> tuple[SqlTable, Mapping[str, Any]]:
        allowed = {name.rpartition(".")[2].upper(): name for name in self._out}
        if line.table not in allowed:
            raise Unfit(f"table {line.table} is not named in `out`")
        table = self._table(allowed[line.table])
        return table, values(table, line)

    def _write(
        self,
        connection: Connection,
        prepared: Prepared,
        rows: Sequence[tuple[SqlTable, Mapping[str, Any]]],
    ) -> None:
        ledger = self._table(self._ledger)
        # first, because its unique key holds back a second sender of the same message
        entry = (prepared.key, prepared.reference, now())
        connection.execute(ledger.insert(), dict(zip(ledger.c.keys(), entry, strict=True)))
        for table, row in rows:
            connection.execute(table.insert(), dict(row))

    def _table(self, name: str) -> SqlTable:
        found = self._tables.get(name)
        if found is not None:
            return found
        with self._looking:  # two threads would both make the ledger
            found = self._tables.get(name)
            if found is None:
                found = self._make_ledger() if name == self._ledger else self._reflect(name)
                self._tables[name] = found
            return found

    def _reflect(self, name: str) -> SqlTable:
        from sqlalchemy import MetaData, Table, inspect

        schema, _, short = name.rpartition(".")
        with self._database() as connection:
            inspector = inspect(connection)
            there = (
                *inspector.get_table_names(schema or None),
                *inspector.get_view_names(schema or None),
            )
            match = next((each for each in there if each.upper() == short.upper()), None)
            if match is None:
                raise Unreachable(
                    f"{self.name}: the database has no table {name}; create it or grant it"
                )
            return Table(match, MetaData(), schema=schema or None, autoload_with=connection)

    def _make_ledger(self) -> SqlTable:
        from sqlalchemy import Column, DateTime, MetaData, String, Table

        schema, _, short = self._ledger.rpartition(".")
        ledger = Table(
            short,
            MetaData(),
            Column("MESSAGE_KEY", String(64), primary_key=True),
            Column("REFERENCE", String(13), nullable=False),
            Column("WRITTEN_AT", DateTime(timezone=True), nullable=False),
            schema=schema or None,
        )
        with self._database() as connection:
            ledger.create(connection, checkfirst=True)
        return ledger

    def _column(self, table: SqlTable, name: str) -> Any:
        for column in table.columns:
            if column.name.upper() == name.upper():
                return column
        raise Unreachable(
            f"{self.name}: table {table.name} has no column {name}; name it in routes.yaml"
        )

    @contextmanager
    def _database(self) -> Iterator[Connection]:
        """Open a transaction; what the driver reports becomes an error of ours, without values."""
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        try:
            with self._engine().begin() as connection:
                yield connection
        except DBAPIError as error:
            raise self._error(error) from None
        except SQLAlchemyError as error:
            raise Unreachable(
                f"{self.name}: the database cannot be used ({type(error).__name__})"
            ) from None

    def _error(self, error: DBAPIError) -> BrokerError:
        from sqlalchemy.exc import DataError, IntegrityError

        if isinstance(error, (DataError, IntegrityError)):
            return Refused(f"{self.name}: the database does not take it ({_kind(error)})")
        if "locked" in str(error.orig):
            return Busy(f"{self.name}: the database is locked by somebody else")
        return Unreachable(
            f"{self.name}: the database failed ({_kind(error)}); check server, user and rights"
        )

    def _engine(self) -> Engine:
        url = self._secret.read() if self._secret else str(self.values.get("url") or "")
        with self._lock:
            if self._known is None or self._known[0] != url:
                if self._known is not None:
                    self._known[1].dispose()
                self._tables.clear()
                self._known = url, self._create(url)
            return self._known[1]

    def _create(self, url: str) -> Engine:
        from sqlalchemy import create_engine, make_url
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError

        try:
            parsed = make_url(url)
            self._look(parsed)
            return create_engine(
                parsed,
                hide_parameters=True,
                pool_size=self.inflight,
                pool_timeout=self.deadline,
                pool_pre_ping=parsed.get_backend_name() != "sqlite",
                connect_args=self._limits(parsed),
            )
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise Unreachable(
                f"{self.name}: url or url_file holds no database URL that can be used here"
                f" ({type(error).__name__}); is its driver installed?"
            ) from None

    def _look(self, url: URL) -> None:
        # SQLite would make an empty database where there is none
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_file():
            raise Unreachable(f"{self.name}: {url.database} is not there; check url or url_file")

    def _limits(self, url: URL) -> dict[str, Any]:
        if url.get_backend_name() == "sqlite":
            return {"timeout": self.deadline}
        if url.get_driver_name() in ("psycopg", "psycopg2"):
            seconds = max(1, round(self.deadline))
            return {"connect_timeout": seconds, "options": f"-c statement_timeout={seconds}s"}
        return {}


def _kind(error: DBAPIError) -> str:
    """Return the class of the driver's error; its text may hold values."""
    return type(error.orig).__name__


def _stamp(column: Any) -> Any:
    """Return the present time as the column takes it."""
    kinds: Mapping[type, Callable[[datetime], Any]] = {
        datetime: lambda at: at if column.type.timezone else at.replace(tzinfo=None),
        date: lambda at: at.date(),
        int: lambda at: 1,
        bool: lambda at: True,
    }
    return kinds.get(python(column), datetime.isoformat)(now())
