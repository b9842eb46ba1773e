"""The store of several hosts: one PostgreSQL database that any number of processes share."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from threading import Event
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import InvalidatePoolError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from broker.errors import ConfigError, StoreAway, StoreError
from broker.stores import clock, scrubbing
from broker.stores.commit import PAUSE, Commits
from broker.stores.contract import Job
from broker.stores.faults import PATIENCE, SERVER, Unfit, translated
from broker.stores.migrations import migrate
from broker.stores.sql import SqlStore
from broker.stores.tables import metadata

SCHEMES = ("postgresql://", "postgresql+psycopg://")
#: Of libpq; what the URL says wins. Together they notice a silent network within half a minute.
PARAMETERS = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "target_session_attrs": "read-write",
    "client_encoding": "utf8",
}
#: A server that said nothing for so long is asked whether it still works (seconds).
SILENCE = 30.0
#: Connections for reading: kept, and at most more for a while.
KEPT, MORE = 4, 28
#: One process at a time brings the tables up to date.
_UPDATE = 0x786F6576
#: A host that died in a transaction holds its locks no longer than this (milliseconds).
_IDLE = 60_000
_OTHERS = text("""
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND starts_with(application_name, 'xoev-broker ') AND application_name <> :name
""")


class PostgresStore(SqlStore):
    """One database. Accepted means on the server's disk: what makes it so is read at the start and
    with every group.

    Of one case, a message whose acceptance another process has not committed yet counts as sent at
    the same time as those after it: they are in no order.
    """

    shared = True

    def __init__(
        self, url: str, broken: Callable[[StoreError], None], silence: float = SILENCE
    ) -> None:
        """Connect and bring the tables up to date.

        A server that said nothing for `silence` seconds, and does not say that it still works, is
        left. Raises ConfigError where the URL cannot be read, StoreAway where nobody answers,
        StoreError where the database is newer than this broker or cannot be made durable.
        """
        parameters = read(url)
        id = uuid4().hex
        name = f"xoev-broker {id[:12]}"
        link = partial(_connect, silence=silence)
        writing = _engine(
            partial(link, {**parameters, "application_name": name}), poolclass=NullPool
        )
        reading = _engine(
            partial(link, {"application_name": "xoev-broker", **parameters}),
            pool_size=KEPT, max_overflow=MORE,
        )  # fmt: skip
        self._commits = Commits(writing, id, name)
        self._again = Event()
        self._parameters, self._silence = parameters, silence
        try:
            _prepare(writing)
            with self._commits.begin():
                pass
        except SQLAlchemyError as error:
            where = f"{_place(parameters)} cannot be opened"
            raise translated(error, SERVER.judge, where) from error
        except Unfit as error:
            raise StoreError(str(error)) from error
        super().__init__(writing, reading, broken, SERVER)

    def close(self) -> None:
        """Finish what was submitted and close."""
        self._writer.close()
        self._commits.close()
        super().close()

    @property
    def name(self) -> str:
        """What to call it in a text."""
        return _place(self._parameters)

    def others(self) -> int:
        """How many other processes have it open."""
        with self._read() as connection:
            found: int = connection.execute(_OTHERS, {"name": self._commits.name}).scalar_one()
            return found

    @contextmanager
    def frozen(self) -> Iterator[Connection]:
        """Open a transaction beside which nobody writes; who reads goes on."""
        with super().frozen() as connection:
            names = ", ".join(sorted(metadata.tables))
            connection.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")
            yield connection

    def scrub(self) -> bool:
        """Leave nothing of what was erased in any file of the server; False where that must be
        tried again.

        The tables in question are locked meanwhile.
        """
        import psycopg

        from broker.stores.silence import connect

        try:
            with closing(connect(self._parameters, self._silence, autocommit=True)) as connection:
                return scrubbing.scrub(connection)
        except psycopg.Error as error:
            raise StoreAway(f"the store cannot be scrubbed: {type(error).__name__}") from error

    def _begin(self) -> AbstractContextManager[Connection]:
        return self._commits.begin()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with super()._read() as connection:
            clock.tell(connection, self._commits.ahead)
            yield connection

    def _jobs(self, token: str) -> list[Job]:
        """Read what was leased, also where the connection is lost in between: else it would lie
        there until its term is over.
        """
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return super()._jobs(token)
            except StoreAway:
                if time.monotonic() > end:
                    raise
            self._again.wait(PAUSE)


def read(url: str) -> dict[str, Any]:
    """Return the parameters of libpq that a URL stands for. Raises ConfigError, without the URL."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    for scheme in SCHEMES:
        if url.startswith(scheme):
            try:
                found = conninfo_to_dict("postgresql://" + url.removeprefix(scheme))
            except ProgrammingError as error:
                raise _unreadable() from error.with_traceback(None)
            return {**PARAMETERS, **found}
    raise _unreadable()


def _unreadable() -> ConfigError:
    return ConfigError(
        "the database URL cannot be read: it must be postgresql://user:password@host:port/database;"
        " in a password write @ as %40, : as %3A, / as %2F, % as %25"
    )


def _place(parameters: dict[str, Any]) -> str:
    host, name = parameters.get("host", "on this machine"), parameters.get("dbname", "")
    return f'the database "{name}" at {host}'


def _engine(creator: Callable[[], Any], **pool: Any) -> Engine:
    engine = create_engine("postgresql+psycopg://", creator=creator, hide_parameters=True, **pool)

    @event.listens_for(engine, "checkout")
    def alive(connection: Any, _record: object, _proxy: object) -> None:
        # Between two statements a server says something only to hang up.
        if connection.closed or select.select([connection.fileno()], [], [], 0)[0]:
            raise InvalidatePoolError

    return engine


def _connect(parameters: dict[str, Any], silence: float) -> Any:
    from psycopg.types.numeric import Int8BinaryDumper

    from broker.stores.silence import connect

    connection = connect(parameters, silence)
    # One type for all whole numbers, or every mixture of small and large ones is a new statement.
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    connection.execute(f"SET idle_in_transaction_session_timeout = {_IDLE}")
    connection.commit()
    return connection


def _prepare(engine: Engine) -> None:
    with engine.begin() as connection:
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise Unfit(
                f"the database has the encoding {encoding}; make a new one with ENCODING 'UTF8'"
            )
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPDATE})")
        migrate(connection)
