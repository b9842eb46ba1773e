"""Group commit: what one caller's failure does, and what the database's failure does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from broker.errors import StoreError
from broker.stores.writer import GROUP, Batch, Writer

Write = Batch[Any, Any]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")

    @event.listens_for(engine, "connect")
    def settle(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER UNIQUE)"))
    yield engine
    engine.dispose()


class House:
    """A writer whose next group can be gathered while the one before is held up."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.told: list[StoreError] = []
        self.groups: list[int] = []
        self.gate, self.begun = Event(), Event()
        self.writer = Writer(engine.begin, self.told.append)
        self.insert: Write = Batch("insert", self._insert)
        self.hold: Write = Batch("hold", self._wait)

    def _wait(self, _connection: Connection, items: Sequence[object]) -> Sequence[bool]:
        self.begun.set()
        return [self.gate.wait(30)] * len(items)

    def _insert(self, connection: Connection, items: Sequence[int]) -> Sequence[int]:
        self.groups.append(len(items))
        for item in items:
            connection.execute(text("INSERT INTO t VALUES (:x)"), {"x": item})
        return items

    def together(self, *writes: tuple[Write, object]) -> list[Future[Any]]:
        """Hand in writes that end up in one group; return their Futures, all done."""
        held = self.writer.submit(self.hold, None)
        self.begun.wait(30)
        futures = [self.writer.submit(batch, item) for batch, item in writes]
        self.gate.set()
        held.result()
        for future in futures:
            future.exception(timeout=30)
        return futures

    @property
    def rows(self) -> list[int]:
        with self.engine.connect() as connection:
            return list(connection.execute(text("SELECT x FROM t ORDER BY x")).scalars())


@pytest.fixture
def house(engine: Engine) -> Iterator[House]:
    house = House(engine)
    yield house
    house.gate.set()
    house.writer.close()


def raising(error: Exception) -> Write:
    """Return a kind of write that fails for everyone."""

    def write(_connection: Connection, _items: Sequence[object]) -> Sequence[object]:
        raise error

    return Batch("broken", write)


def driver(kind: Callable[..., Exception], words: str) -> Exception:
    return kind("INSERT of Erika Planck", {}, Exception(words))


def test_what_gathers_during_a_commit_is_written_together(house: House) -> None:
    futures = house.together(*((house.insert, number) for number in range(50)))

    assert [future.result() for future in futures] == list(range(50))
    assert house.groups == [50]


def test_a_group_has_a_limit(house: House) -> None:
    house.together(*((house.insert, number) for number in range(GROUP + 50)))

    assert max(house.groups) <= GROUP
    assert sum(house.groups) == GROUP + 50


def test_a_failing_item_is_its_own_callers_failure(house: House) -> None:
    futures = house.together(*((house.insert, number) for number in (1, 2, 2, 3)))

    failed = [isinstance(future.exception(), StoreError) for future in futures]
    assert failed == [False, False, True, False]
    assert (house.rows, house.told) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    "error",
    [
        driver(IntegrityError, "UNIQUE"),
        StoreError("no"),
        UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
        OverflowError("int too large"),
        TypeError("not supported"),
        KeyError("missing"),
    ],
)
def test_a_kind_of_write_that_fails_does_not_fail_the_others(
    house: House, error: Exception
) -> None:
    bad = raising(error)

    futures = house.together((house.insert, 1), (bad, 0), (house.insert, 2), (bad, 0))

    assert [future.exception() is None for future in futures] == [True, False, True, False]
    assert all(isinstance(futures[at].exception(), StoreError) for at in (1, 3))
    assert (house.rows, house.told) == ([1, 2], [])


def test_half_of_a_failing_item_is_undone(house: House) -> None:
    def write(connection: Connection, items: Sequence[int]) -> Sequence[int]:
        for item in items:
            connection.execute(text("INSERT INTO t VALUES (:x)"), {"x": item})
        if 7 in items:
            raise StoreError("no sevens")
        return items

    batch: Write = Batch("picky", write)
    futures = house.together((batch, 6), (batch, 7), (batch, 8))

    assert [future.exception() is None for future in futures] == [True, False, True]
    assert house.rows == [6, 8]


@pytest.mark.parametrize(
    "error",
    [
        driver(OperationalError, "disk I/O error"),
        driver(OperationalError, "database or disk is full"),
        driver(DatabaseError, "database disk image is malformed"),
        MemoryError(),
    ],
)
def test_a_failing_database_fails_the_whole_group_and_all_that_comes_later(
    house: House, error: Exception
) -> None:
    futures = house.together((house.insert, 1), (raising(error), 0), (house.insert, 2))
    later = house.writer.submit(house.insert, 3)

    failures = [future.exception(timeout=0) for future in [*futures, later]]

    assert all(isinstance(failure, StoreError) for failure in failures)
    assert (house.rows, len(house.told)) == ([], 1)


def test_a_failing_commit_fails_its_whole_group(house: House) -> None:
    def fail(_connection: Connection) -> None:
        raise driver(OperationalError, "disk I/O error")

    house.writer.submit(house.insert, 0).result()
    event.listen(house.engine, "commit", fail)
    futures = [house.writer.submit(house.insert, number) for number in (1, 2)]

    for future in futures:
        with pytest.raises(StoreError, match="failed in a commit: disk I/O error"):
            future.result(timeout=30)
    assert house.rows == [0]


def test_a_transaction_that_cannot_begin_fails_those_who_wait(engine: Engine) -> None:
    told: list[StoreError] = []

    def begin() -> Any:
        raise driver(OperationalError, "unable to open database file")

    writer = Writer(begin, told.append)
    future = writer.submit(raising(StoreError("never reached")), 1)

    with pytest.raises(StoreError, match="unable to open"):
        future.result(timeout=30)
    writer.close()
    assert len(told) == 1


def test_the_text_of_a_failure_repeats_no_statement(house: House) -> None:
    bad = raising(driver(OperationalError, "disk I/O error"))

    (future,) = house.together((bad, 0))

    assert str(future.exception()) == "the store failed in a commit: disk I/O error"


def test_a_future_is_not_done_before_its_commit(house: House) -> None:
    seen: list[bool] = []
    for number in range(20):
        future = house.writer.submit(house.insert, number)
        future.add_done_callback(lambda done: seen.append(done.result() in house.rows))
        future.result()
    house.writer.close()

    assert seen == [True] * 20


def test_a_cancelled_waiter_does_not_stop_the_writer(house: House) -> None:
    held = house.writer.submit(house.hold, None)
    gone = house.writer.submit(house.insert, 1)

    assert not gone.cancel()
    house.gate.set()
    held.result()

    assert house.writer.submit(house.insert, 2).result(timeout=30) == 2
    assert house.rows == [1, 2]


def test_a_closed_writer_has_written_everything_and_takes_nothing_more(house: House) -> None:
    futures = [house.writer.submit(house.insert, number) for number in range(30)]

    house.writer.close()

    assert [future.result(timeout=0) for future in futures] == list(range(30))
    with pytest.raises(StoreError, match="closed"):
        house.writer.submit(house.insert, 99).result(timeout=0)
