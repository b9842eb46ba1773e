"""A store in a SQL database: the contract over the tables, whatever the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, insert, update
from sqlalchemy.exc import SQLAlchemyError

from broker.errors import StoreError
from broker.stores import clock, leasing, offices, reading, writing
from broker.stores.contract import (
    Accepted,
    Birth,
    Change,
    Counts,
    Entry,
    Figure,
    Filter,
    Form,
    Job,
    Pause,
    Payload,
    Refused,
    Room,
    Row,
    Voided,
)
from broker.stores.faults import FILE, Faults, translated
from broker.stores.keeping import Keeping
from broker.stores.mending import Names
from broker.stores.repairing import Repairing
from broker.stores.sealing import SqlTree
from broker.stores.tables import deliveries, pauses
from broker.stores.watching import Watching
from broker.stores.writer import Batch, Writer

_Record = Callable[[Voided], Entry]
_Return = tuple[Sequence[str], _Record]


class SqlStore(Keeping, Repairing, Watching):
    """One SQL database. `writing` is the engine of the one writer, `reading` that of everybody
    else.
    """

    shared = False

    def __init__(
        self,
        writing_engine: Engine,
        reading_engine: Engine,
        broken: Callable[[StoreError], None],
        faults: Faults = FILE,
    ) -> None:
        """Take two engines, whom to tell when the store can no longer be used, and how it fails."""
        self._faults = faults
        self._writing = writing_engine
        self._reading = reading_engine
        self._kept: Connection | None = None
        self._writer = Writer(self._begin, broken, faults)
        self._accept = Batch("accept", writing.accept)
        self._refuse = Batch("refuse", writing.refuse)
        self._change = Batch("change", writing.change)
        self._note = Batch("note", _note)
        self._learn = Batch("learn", _learn)
        self._lease = Batch("lease", _lease)
        self._pause = Batch("pause", _pause)
        self._resume = Batch("resume", _resume)
        self._recover = Batch("recover", _recover)
        self._renew = Batch("renew", _renew)
        self._release = Batch("release", _release)
        self._elect = Batch("elect", _elect)
        self._resign = Batch("resign", _resign)
        self.tree = SqlTree(self._writer, self._read)

    def accept(self, birth: Birth) -> Future[Accepted]:
        """Take a new message over, or recognise it."""
        return self._writer.submit(self._accept, birth)

    def refuse(self, refused: Refused) -> Future[None]:
        """Keep what was not accepted."""
        return self._writer.submit(self._refuse, refused)

    def take(self, room: Room) -> list[Job]:
        """Lease due deliveries and count the attempt, before any work is done on them."""
        token = self._writer.submit(self._lease, room).result()
        if token is None:
            return []
        return self._jobs(token)

    def change(self, changes: Sequence[Change]) -> Future[list[bool]]:
        """Write what steps did; False where the lease or the expected state was no longer there."""
        return self._writer.submit(self._change, changes)

    def note(self, entries: Sequence[Entry]) -> Future[None]:
        """Write entries that change no state."""
        return self._writer.submit(self._note, entries)

    def learn(self, id: str, number: str, entries: Sequence[Entry] = ()) -> Future[None]:
        """Keep the procedure's file number of a delivery as a second key."""
        return self._writer.submit(self._learn, (id, number, tuple(entries)))

    def recover(self, record: Callable[[Voided], Entry]) -> int:
        """Void the leases of an earlier start, with an entry for each; return how many."""
        return self._writer.submit(self._recover, record).result()

    def renew(self, tokens: Sequence[str], term: float) -> Future[None]:
        """Begin the term of these leases anew."""
        return self._writer.submit(self._renew, (tuple(tokens), term))

    def release(self, tokens: Sequence[str], record: Callable[[Voided], Entry]) -> Future[int]:
        """Give leases back, with an entry for each; return how many."""
        return self._writer.submit(self._release, (tuple(tokens), record))

    def elect(self, offices: Sequence[str], owner: str, term: float) -> Future[frozenset[str]]:
        """Ask for offices that one process at a time holds; return those that `owner` has now."""
        return self._writer.submit(self._elect, (tuple(offices), owner, term))

    def resign(self, owner: str) -> Future[None]:
        """Give all offices of an owner back."""
        return self._writer.submit(self._resign, owner)

    def holders(self) -> Mapping[str, str]:
        """Offices that are held now, each with its owner."""
        with self._read() as connection:
            return offices.holders(connection)

    def overdue(self, seconds: float, limit: int, closed: Names = ()) -> list[tuple[str, str]]:
        """Ids and channels of what could have been taken for so long, oldest first."""
        with self._read() as connection:
            return leasing.overdue(connection, seconds, limit, closed)

    def row(self, id: str) -> Row | None:
        """One message by its id."""
        with self._read() as connection:
            return reading.row(connection, id)

    def rows(self, filter: Filter) -> list[Row]:
        """Messages that pass, newest first."""
        with self._read() as connection:
            return reading.rows(connection, filter)

    def correlate(self, channel: str, reference: str, number: str) -> Row | None:
        """The request that was, or is being, delivered over this channel under a reference or a
        file number.
        """
        with self._read() as connection:
            return reading.correlate(connection, channel, reference, number)

    def payload(self, id: str, form: Form) -> tuple[bytes, Payload] | None:
        """The wrapped key and the sealed bytes, or None where there are none (any more)."""
        with self._read() as connection:
            return reading.payload(connection, id, form)

    def entries(
        self, message: str = "", after: int = 0, events: Sequence[str] = ()
    ) -> Iterator[Entry]:
        """The journal in order, of one message or whole, of all events or these."""
        with self._read() as connection:
            yield from reading.journal(connection, message, after, events)

    def figures(self, filter: Filter) -> Iterator[Figure]:
        """Messages that pass, in numbers, oldest first."""
        with self._read() as connection:
            yield from reading.figures(connection, filter)

    def refusals(self, since: datetime | None, until: datetime | None) -> Mapping[str, int]:
        """How many were not accepted in a period, by reason code."""
        with self._read() as connection:
            return reading.refused(connection, since, until)

    def counts(self) -> Counts:
        """Add up all states."""
        with self._read() as connection:
            return reading.counts(connection)

    def pauses(self) -> list[Pause]:
        """Routes that are stopped."""
        with self._read() as connection:
            return reading.stopped(connection)

    def pause(self, pause: Pause, entry: Entry) -> Future[None]:
        """Stop a route."""
        return self._writer.submit(self._pause, (pause, entry))

    def resume(self, route: str, entry: Entry) -> Future[bool]:
        """Start a stopped route again."""
        return self._writer.submit(self._resume, (route, entry))

    def due(self, closed: Names = ()) -> bool:
        """Whether any waiting delivery is due; cheap, takes nothing."""
        with self._read() as connection:
            return leasing.due(connection, closed)

    @property
    def name(self) -> str:
        """What to call it in a text, without a password."""
        raise NotImplementedError

    def others(self) -> int:
        """How many other processes have it open; 0 where nobody can tell."""
        return 0

    @contextmanager
    def frozen(self) -> Iterator[Connection]:
        """Open a transaction beside which nobody writes."""
        with self._writing.begin() as connection:
            yield connection

    def changed(self) -> bool:
        """Whether another process may have written since the last call."""
        return True

    def close(self) -> None:
        """Finish what was submitted and close."""
        self._writer.close()
        if self._kept is not None:
            self._kept.close()
        self._writing.dispose()
        self._reading.dispose()

    def _jobs(self, token: str) -> list[Job]:
        with self._read() as connection:
            return leasing.jobs(connection, token)

    def _begin(self) -> AbstractContextManager[Connection]:
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Begin on the writer's one connection: taking it from a pool each time costs as much as
        the commit.
        """
        if self._kept is None:
            self._kept = self._writing.connect()
        with self._kept.begin():
            yield self._kept

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        try:
            with self._reading.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise translated(error, self._faults.judge, "the store cannot be read") from error


def _note(connection: Connection, items: Sequence[Sequence[Entry]]) -> list[None]:
    writing.insert_entries(connection, (entry for item in items for entry in item))
    return [None] * len(items)


def _learn(
    connection: Connection, items: Sequence[tuple[str, str, tuple[Entry, ...]]]
) -> list[None]:
    for id, number, entries in items:
        changed = update(deliveries).where(
            deliveries.c.message == id, deliveries.c.number != number
        )
        connection.execute(changed.values(number=number))
        writing.insert_entries(connection, entries)
    return [None] * len(items)


def _lease(connection: Connection, items: Sequence[Room]) -> list[str | None]:
    return [leasing.lease(connection, room) for room in items]


def _recover(connection: Connection, items: Sequence[_Record]) -> list[int]:
    return [_returned(connection, leasing.void(connection), items[0])] * len(items)


def _renew(connection: Connection, items: Sequence[tuple[Sequence[str], float]]) -> list[None]:
    for tokens, term in items:
        leasing.renew(connection, tokens, term)
    return [None] * len(items)


def _release(connection: Connection, items: Sequence[_Return]) -> list[int]:
    return [_returned(connection, leasing.release(connection, tokens), record)
            for tokens, record in items]  # fmt: skip


def _returned(connection: Connection, found: Sequence[Voided], record: _Record) -> int:
    writing.insert_entries(connection, (record(voided) for voided in found))
    return len(found)


def _elect(
    connection: Connection, items: Sequence[tuple[Sequence[str], str, float]]
) -> list[frozenset[str]]:
    return [offices.elect(connection, *item) for item in items]


def _resign(connection: Connection, items: Sequence[str]) -> list[None]:
    for owner in items:
        offices.resign(connection, owner)
    return [None] * len(items)


def _pause(connection: Connection, items: Sequence[tuple[Pause, Entry]]) -> list[None]:
    for pause, entry in items:
        connection.execute(delete(pauses).where(pauses.c.route == pause.route))
        row = {"actor": pause.actor, "reason": pause.reason, "since": clock.micros(pause.since)}
        connection.execute(insert(pauses).values(route=pause.route, **row))
        writing.insert_entries(connection, [entry])
    return [None] * len(items)


def _resume(connection: Connection, items: Sequence[tuple[str, Entry]]) -> list[bool]:
    done = []
    for route, entry in items:
        gone = connection.execute(delete(pauses).where(pauses.c.route == route)).rowcount
        if gone:
            writing.insert_entries(connection, [entry])
        done.append(bool(gone))
    return done
