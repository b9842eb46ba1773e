"""Group commit: one thread writes what gathered while the last commit ran."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, NestedTransaction
from sqlalchemy.exc import IntegrityError

from broker.errors import OlderCopy, StoreError
from broker.stores.faults import FILE, HOPELESS, Fallen, Faults, cause, translated

Item = TypeVar("Item")
Result = TypeVar("Result")

#: More than this in one transaction gains nothing and makes the first waiter wait longer.
GROUP = 400
#: Before the next attempt to reach a database: the first, and the longest (seconds).
PAUSES = (0.05, 1.0)
#: So often an item is written that another process may have written in between.
RACES = 3


@dataclass(frozen=True, eq=False)
class Batch(Generic[Item, Result]):
    """A kind of write: `write(connection, items)` returns one result per item, in order."""

    name: str
    write: Callable[[Connection, Sequence[Item]], Sequence[Result]]


@dataclass(frozen=True, slots=True)
class _Waiter:
    batch: Batch[Any, Any]
    item: Any
    future: Future[Any]


class Writer:
    """Runs writes in one transaction per group; waiters are released after COMMIT returned.

    If one fails, each kind gets a savepoint and its items are tried one by one, so that one
    caller's failure is not another's. Where the database is away, the group is written again once
    it is back, or fails when the patience is over. An error of the database itself fails the whole
    group and every later one.
    """

    def __init__(
        self,
        begin: Callable[[], AbstractContextManager[Connection]],
        broken: Callable[[StoreError], None],
        faults: Faults = FILE,
    ) -> None:
        """Take what opens a transaction, whom to tell when the store can no longer be used, and how
        it fails.
        """
        self._begin = begin
        self._faults = faults
        self._away: float | None = None
        self._pause = PAUSES[0]
        self._closing = Event()
        self._broken = broken
        self._gate = Lock()
        self._failure: StoreError | None = None
        self._broke: StoreError | None = None
        self._queue: SimpleQueue[_Waiter | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch[Item, Result], item: Item) -> Future[Result]:
        """Hand in one write; the Future is done after the commit."""
        future: Future[Result] = Future()
        # What was handed in will be written: a waiter that goes away cannot take it back.
        future.set_running_or_notify_cancel()
        with self._gate:
            if self._failure is None:
                self._queue.put(_Waiter(batch, item, future))
                return future
        future.set_exception(self._failure)
        return future

    def close(self) -> None:
        """Write what was handed in, then stop; whatever comes later fails at once."""
        with self._gate:
            self._failure = self._failure or StoreError("the store is closed")
            self._queue.put(None)
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            group, last = self._gather()
            if group:
                self._write(group)
            # While nothing comes, the bytes of the last group must not stay in memory.
            group.clear()

    def _gather(self) -> tuple[list[_Waiter], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        group = [first]
        try:
            while len(group) < GROUP:
                waiter = self._queue.get_nowait()
                if waiter is None:
                    return group, True
                group.append(waiter)
        except Empty:
            pass
        return group, False

    def _write(self, group: list[_Waiter]) -> None:
        if self._broke is not None:
            return self._fail(group, self._broke)
        try:
            with HOPELESS.judged():  # nobody must wait for a thread that is gone
                outcomes = self._settled(group)
        except Fallen as fallen:
            return self._break(group, fallen.error)
        for waiter, outcome in outcomes:
            if isinstance(outcome, Exception):
                waiter.future.set_exception(outcome)
            else:
                waiter.future.set_result(outcome)

    def _settled(self, group: list[_Waiter]) -> list[tuple[_Waiter, Any]]:
        """Write the group, again and again while the database is away."""
        while True:
            begun = time.monotonic()
            try:
                outcomes = self._together(group) or self._apart(group)
            except Fallen as fallen:
                if fallen.fault == "broken":
                    raise
                if fallen.fault == "unknown" or not self._worth(begun):
                    away = translated(
                        fallen.error, self._faults.judge, "the store cannot be reached"
                    )
                    return [(waiter, away) for waiter in group]
            else:
                self._away, self._pause = None, PAUSES[0]
                return outcomes

    def _worth(self, begun: float) -> bool:
        """Whether another attempt is, after a pause that grows; `begun` is when the last one was.

        The first failure is worth one, however long it took: there may be another host.
        """
        first, self._away = self._away is None, self._away or begun
        spent = time.monotonic() - self._away
        closed = self._closing.wait(self._pause)
        self._pause = min(2 * self._pause, PAUSES[1])
        return not closed and (
            spent < self._faults.patience or (first and self._faults.patience > 0)
        )

    def _together(self, group: list[_Waiter]) -> list[tuple[_Waiter, Any]]:
        """Write all without savepoints, the usual case; return nothing where an item failed."""
        try:
            with self._faults.judged(), self._begin() as connection:
                return [pair for part in _kinds(group) for pair in _written(connection, part)]
        except Fallen as fallen:
            if fallen.fault != "item":
                raise
            return []

    def _apart(self, group: list[_Waiter]) -> list[tuple[_Waiter, Any]]:
        with self._faults.judged(), self._begin() as connection:
            return [pair for part in _kinds(group) for pair in self._attempt(connection, part)]

    def _attempt(self, connection: Connection, part: list[_Waiter]) -> list[tuple[_Waiter, Any]]:
        if len(part) == 1:
            return [(part[0], self._single(connection, part[0]))]
        try:
            with self._faults.judged():
                return self._saved(connection, part)
        except Fallen as fallen:
            if fallen.fault != "item":
                raise
        return [(waiter, self._single(connection, waiter)) for waiter in part]

    def _single(self, connection: Connection, waiter: _Waiter) -> Any:
        """Write one item; return its result or its failure."""
        tries = RACES
        while True:
            try:
                with self._faults.judged():
                    return self._saved(connection, [waiter])[0][1]
            except Fallen as fallen:
                if fallen.fault != "item":
                    raise
                tries -= 1
                # Another process may have written the same in between: looking again finds it.
                if not tries or not isinstance(fallen.error, IntegrityError):
                    return _failed(fallen.error, waiter.batch.name)

    def _saved(self, connection: Connection, part: list[_Waiter]) -> list[tuple[_Waiter, Any]]:
        savepoint = connection.begin_nested()
        try:
            with self._faults.judged():
                pairs = _written(connection, part)
        except Fallen as fallen:
            # Else the database may have undone the transaction, and the savepoint with it.
            if fallen.fault == "item":
                _undo(connection, savepoint)
            raise
        savepoint.commit()
        return pairs

    def _break(self, group: list[_Waiter], error: Exception) -> None:
        failure = error if isinstance(error, OlderCopy) else _broke(error)
        self._failure = self._broke = failure
        self._fail(group, failure)
        self._broken(failure)

    def _fail(self, group: list[_Waiter], failure: StoreError) -> None:
        for waiter in group:
            waiter.future.set_exception(failure)


def _kinds(group: list[_Waiter]) -> list[list[_Waiter]]:
    kinds: dict[int, list[_Waiter]] = {}
    for waiter in group:
        kinds.setdefault(id(waiter.batch), []).append(waiter)
    return list(kinds.values())


def _written(connection: Connection, part: list[_Waiter]) -> list[tuple[_Waiter, Any]]:
    results = part[0].batch.write(connection, [waiter.item for waiter in part])
    return list(zip(part, results, strict=True))


def _undo(connection: Connection, savepoint: NestedTransaction) -> None:
    while (inner := connection.get_nested_transaction()) is not None and inner is not savepoint:
        inner.rollback()
    savepoint.rollback()


def _broke(error: Exception) -> StoreError:
    failure = StoreError(f"the store failed in a commit: {cause(error)}")
    failure.__cause__ = error
    return failure


def _failed(error: Exception, name: str) -> Exception:
    if isinstance(error, StoreError):
        return error
    failure = StoreError(f"the store refused to write ({name}): {cause(error)}")
    failure.__cause__ = error
    return failure
