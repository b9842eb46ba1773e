"""Writes what steps did, also where the store goes away meanwhile, and says what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from broker.errors import StoreAway, StoreError
from broker.journal.trail import entry
from broker.logs import get
from broker.message import State, now
from broker.outage import Outage
from broker.stores.contract import Birth, Change, Job, Store

#: Rings for deliveries that are due, (channel, id) each.
Ring = Callable[[Iterable[tuple[str, str]]], None]

_EVENTS = {
    State.WAITING: "postponed",
    State.WORKING: "converted",
    State.HELD: "held",
    State.UNCLEAR: "doubted",
    State.DEAD: "buried",
    State.DELIVERED: "delivered",
    State.REJECTED: "rejected",
}
#: Steps on the way are for whoever looks closely; what a person must look at stands out.
_LEVELS = {
    State.WAITING: "debug",
    State.WORKING: "debug",
    State.DELIVERED: "info",
    State.REJECTED: "info",
}


def silent(_due: Iterable[tuple[str, str]]) -> None:
    """Ring for nobody."""


class Scribe:
    """Writes changes of leased deliveries. Thread-safe.

    A change that the store did not answer for is written again, unless the journal shows that it
    was written: an outcome is lost only where the store is away for longer than a lease holds.
    """

    def __init__(self, store: Store, outage: Outage, patience: float, ring: Ring = silent) -> None:
        """Take the seconds after which an outcome is given up, and who rings for what is born."""
        self._store = store
        self._outage = outage
        self._patience = patience
        self._ring = ring
        self._numbers: deque[tuple[str, str]] = deque()
        self._log = get()

    def write(self, changes: Sequence[Change]) -> list[bool]:
        """Write changes in one commit; see `finish`."""
        return self.finish(changes, self._store.change(changes))

    def finish(self, changes: Sequence[Change], future: Future[list[bool]]) -> list[bool]:
        """Return which changes were written; the others came after their lease was lost.

        Raises StoreAway where the store stayed away, StoreError where it failed.
        """
        try:
            done = future.result()
            self._outage.over()
        except StoreAway as error:
            self._outage.begun(error)
            done = self._outage.insist(partial(self._again, changes), self._patience)
        self._number()
        self._ring(due for change, kept in zip(changes, done, strict=True) if kept
                   for due in map(_due, change.births) if due)  # fmt: skip
        return done

    def learn(self, id: str, number: str) -> None:
        """Keep the procedure's file number of a delivery, without waiting for it."""
        future = self._store.learn(id, number)
        future.add_done_callback(partial(self._learned, (id, number)))

    def say(self, ends: Sequence[tuple[Job, Change, bool]]) -> None:
        """Log what came of changes, one line where a message is done with or waits for a person;
        what came too late goes into the journal.
        """
        for job, change, kept in ends:
            if kept:
                self._tell(job, change)
        late = [change for _, change, kept in ends if not kept]
        if late:
            self._note(late)

    def _tell(self, job: Job, change: Change) -> None:
        log = getattr(self._log, _LEVELS.get(change.state, "warning"))
        took = now() - job.received
        log(
            _EVENTS[change.state],
            message_id=change.id,
            answers=job.answers,
            party=job.party,
            kind=job.envelope.kind or None,
            route=job.route or None,
            channel=job.channel or None,
            attempt=job.attempts,
            size=job.size,
            milliseconds=round(1000 * took.total_seconds()),
            reason=change.reason or None,
            error=change.error or None,
            receipt=change.receipt or None,
        )

    def _note(self, late: Sequence[Change]) -> None:
        for change in late:
            self._log.warning("late", message_id=change.id, state=change.state.value)
        lines = [
            entry(change.id, "late", outcome=change.state.value, reason=change.reason,
                  error=change.error, receipt=change.receipt)
            for change in late
        ]  # fmt: skip
        # It changes nothing; where the store is gone, the log has said it.
        with suppress(StoreError):
            self._outage.insist(lambda: self._store.note(lines).result(), self._patience)

    def _again(self, changes: Sequence[Change]) -> list[bool]:
        written = [self._written(change) for change in changes]
        missing = [change for change, there in zip(changes, written, strict=True) if not there]
        done = iter(self._store.change(missing).result() if missing else ())
        return [there or next(done) for there in written]

    def _written(self, change: Change) -> bool:
        """Whether a commit that nobody answered for was made: entries hold their microsecond."""
        last = change.entries[-1].body if change.entries else None
        return last is not None and any(
            line.body == last for line in self._store.entries(change.id)
        )

    def _learned(self, pair: tuple[str, str], future: Future[None]) -> None:
        if isinstance(future.exception(), StoreAway):
            self._numbers.append(pair)

    def _number(self) -> None:
        while self._numbers:
            id, number = self._numbers.popleft()
            self._outage.insist(
                lambda id=id, number=number: self._store.learn(id, number).result(),  # type: ignore[misc]
                self._patience,
            )


def _due(birth: Birth) -> tuple[str, str] | None:
    waits = birth.way.state is State.WAITING
    return (birth.way.channel, birth.message.id) if waits else None
