"""Commits over a connection that may be lost: each is in effect once, whatever becomes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Event

from sqlalchemy import Connection, Engine, RootTransaction, text
from sqlalchemy.exc import SQLAlchemyError

from broker.errors import OlderCopy
from broker.message import now
from broker.stores import clock
from broker.stores.custody import COPY
from broker.stores.faults import PATIENCE, Unfit, Unknown, of_server

#: Between two attempts to reach a database (seconds).
PAUSE = 0.2
_MINUTE, _JUMP = 60_000_000, 100_000
_CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_KEPT = ("fsync", "full_page_writes", "synchronous_commit")
_MARK = text(f"""
    INSERT INTO writers (id, number, at) VALUES (:id, :number, {_CLOCK})
    ON CONFLICT (id) DO UPDATE SET number = excluded.number, at = excluded.at
    RETURNING {_CLOCK}, (SELECT coalesce(max(at), 0) FROM runs WHERE name = '{COPY}'),
    {", ".join(f"current_setting('{name}')" for name in _KEPT)}
""")  # noqa: S608
_NUMBER = text("SELECT number FROM writers WHERE id = :id FOR UPDATE")
_END = text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = :name AND pid <> pg_backend_pid()
""")
_LAST = text("SELECT number FROM writers WHERE id = :id")
_COPY = text(f"""
    INSERT INTO runs (name, at) VALUES ('{COPY}', {_CLOCK})
    ON CONFLICT (name) DO UPDATE SET at = excluded.at
""")  # noqa: S608
_FORGET = text(f"""
    DELETE FROM writers WHERE id = :id OR at < {_CLOCK} - 30 * 86400 * CAST(1000000 AS bigint)
""")  # noqa: S608


class Commits:
    """The one connection of a writer. Every transaction carries a number, so that a commit whose
    answer was lost can be asked for.
    """

    def __init__(self, engine: Engine, id: str, name: str) -> None:
        """Take the writer's engine, its id and the name its connections carry."""
        self.ahead = 0
        self._engine = engine
        self._id = id
        self.name = name
        self._number = 0
        #: The last number that is committed for certain; and when the store was called a copy.
        self._certain = -1
        self._copied: int | None = None
        self._took = self._compared = 0
        self._kept: Connection | None = None
        self._pause = Event()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction that is committed at the end, once.

        Raises Unknown where nobody could say what became of it, OlderCopy where what this writer
        has committed is gone; all other errors mean that nothing was written.
        """
        connection = self._connection()
        self._number += 1
        transaction = self._begun(connection)
        with ExitStack() as undo:
            undo.callback(self._undo, transaction)
            self._mark(connection)
            yield connection
            undo.pop_all()
        try:
            transaction.commit()
        except SQLAlchemyError as error:
            self.drop()
            if of_server(error) != "away" or not self._happened(error):
                raise
        self._certain = self._number

    def drop(self) -> None:
        """Forget the connection; the next transaction makes a new one."""
        kept, self._kept = self._kept, None
        if kept is not None:
            with suppress(SQLAlchemyError):
                kept.invalidate()
                kept.close()

    def close(self) -> None:
        """Leave no trace of this writer, if the database can be asked, and hang up."""
        if self._kept is not None:
            with suppress(SQLAlchemyError), self._kept.begin():
                self._kept.execute(_FORGET, {"id": self._id})
        self.drop()

    def _connection(self) -> Connection:
        if self._kept is None:
            self._kept = self._connected()
        return self._kept

    def _connected(self) -> Connection:
        connection = self._engine.connect()
        with ExitStack() as undo:
            undo.callback(connection.close)
            with connection.begin():
                # A server may not have noticed yet that the old connection is gone: what it still
                # holds, and what may still arrive there, must not come after what follows.
                connection.execute(_END, {"name": self.name})
            self._look(connection.execute(_LAST, {"id": self._id}).scalar())
            connection.rollback()
            # There must be a row to ask for before the first commit can be lost.
            with connection.begin():
                self._mark(connection)
            self._certain = self._number
            undo.pop_all()
        return connection

    def _begun(self, connection: Connection) -> RootTransaction:
        try:
            return connection.begin()
        except SQLAlchemyError:
            self.drop()
            raise

    def _mark(self, connection: Connection) -> None:
        """Write the number, look at the clock, and see that what is committed will be kept."""
        before = clock.micros(now())
        values = {"id": self._id, "number": self._number}
        stamp, copied, *kept = connection.execute(_MARK, values).one()
        self._compare(before, stamp, clock.micros(now()))
        clock.tell(connection, self.ahead)
        check(dict(zip(_KEPT, kept, strict=True)))
        if self._copied is None:
            self._copied = copied
        elif copied > self._copied:
            raise _older("another process, or a person, has found that out.")

    def _compare(self, before: int, stamp: int, after: int) -> None:
        """Compare the clocks: the quickest answer of a minute tells most, unless one was set."""
        took, ahead = after - before, stamp - (before + after) // 2
        jumped = abs(ahead - self.ahead) > took + _JUMP
        if took <= self._took or after > self._compared + _MINUTE or jumped:
            self.ahead, self._took, self._compared = ahead, took, after

    def _undo(self, transaction: RootTransaction) -> None:
        try:
            transaction.rollback()
        except SQLAlchemyError:
            self.drop()
            return
        if transaction.connection.invalidated:
            self.drop()

    def _happened(self, error: SQLAlchemyError) -> bool:
        """Ask over a new connection whether the last commit is in effect."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._found()
            except SQLAlchemyError as failure:
                if of_server(failure) not in ("again", "away"):
                    raise
            if time.monotonic() > end:
                text = "the connection was lost in a commit, and the database cannot be asked"
                raise Unknown(text) from error
            self._pause.wait(PAUSE)

    def _found(self) -> bool:
        with self._engine.connect() as connection:
            # A server may not have noticed yet that the old connection is gone.
            connection.execute(_END, {"name": self.name})
            # Waits until the old transaction has come to its end.
            found = connection.execute(_NUMBER, {"id": self._id}).scalar()
            connection.rollback()
            self._look(found)
            return bool(found == self._number)

    def _look(self, found: int | None) -> None:
        """Raise OlderCopy, and tell all others, where a commit that is certain is gone."""
        last = -1 if found is None else found
        if last >= self._certain:
            return
        with suppress(SQLAlchemyError), self._engine.begin() as connection:
            connection.execute(_COPY)
        raise _older("it does not know what this process has committed; was there a failover?")


def _older(why: str) -> OlderCopy:
    return OlderCopy(
        f"the store is an older copy: {why} What was done since then could be done twice, so the "
        "broker stops. If the newer store is lost: xoev-broker restore show, then xoev-broker "
        "restore confirm"
    )


def check(settings: dict[str, str]) -> None:
    """Raise Unfit where the server could lose what it committed."""
    for name, value in settings.items():
        if value == "off":
            remedy = (
                f"ALTER ROLE … RESET {name} (or ALTER DATABASE, ALTER SYSTEM)"
                if name == "synchronous_commit"
                else f"set {name} = on in postgresql.conf"
            )
            raise Unfit(f"the database cannot be made durable: {name} is off; {remedy}")
