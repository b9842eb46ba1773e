"""Moves deliveries: leases them in batches, prepares them on XML threads, hands them to the
senders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from threading import Event, Thread

from broker.errors import (
    BrokerError,
    ChannelError,
    DeliveryUnclear,
    Exhausted,
    ReplyError,
    StoreError,
    Unreachable,
)
from broker.hand import Hand
from broker.journal.trail import Trail
from broker.logs import get
from broker.message import Direction, State
from broker.outcome import Step, delivered, failed, unexpected
from broker.pipeline import Broker, answer, deliver, prepare
from broker.senders import Senders
from broker.stores.contract import Change, Job


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker works: XML threads, deliveries a lease, sender threads, seconds a look."""

    threads: int = 2
    batch: int = 100
    senders: int = 64
    poll: float = 1.0


_EVENTS = {
    State.WAITING: "postponed",
    State.WORKING: "converted",
    State.HELD: "held",
    State.UNCLEAR: "doubted",
    State.DEAD: "buried",
    State.DELIVERED: "delivered",
    State.REJECTED: "rejected",
}


class LeaseLost(Exception):
    """Somebody else has the delivery now; what was done with it is theirs to decide."""


class Worker:
    """Works on what is due until it is stopped."""

    def __init__(self, broker: Broker, pace: Pace, broken: Callable[[BaseException], None]) -> None:
        """Take the broker, and whom to tell when the worker cannot go on; nothing starts yet."""
        self._broker = broker
        self._broken = broken
        self._pace = pace
        self._hand = Hand(pace.batch, 4 * pace.batch)
        self._senders = Senders(self._deliver, self._commit, pace.senders)
        self._pool = ThreadPoolExecutor(pace.threads, thread_name_prefix="xml")
        # What follows a commit must not keep the store's writer from the next one.
        self._after = ThreadPoolExecutor(1, thread_name_prefix="after")
        self._wake = Event()
        self._more = False
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="dispatcher", daemon=True)
        self._log = get()

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def wake(self) -> None:
        """Say that something may be due now."""
        self._wake.set()

    def stop(self, seconds: float) -> bool:
        """Take nothing new and finish what is in hand; False where some of it is still in hand
        then.

        What is left is taken up again at the next start.
        """
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        empty = self._hand.wait(lambda _xml, total: total == 0, seconds)
        self._senders.stop()
        self._pool.shutdown(wait=empty, cancel_futures=True)
        self._after.shutdown(wait=empty)
        return empty

    def idle(self, timeout: float) -> bool:
        """Wait until nothing is in hand."""
        return self._hand.wait(lambda _xml, total: total == 0, timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                busy = self._round()
            except StoreError as error:
                self._broken(error)
                return
            if not busy:
                self._wake.wait(self._pace.poll)

    def _round(self) -> bool:
        self._wake.clear()
        self._senders.relieve(self._inflight)
        if not self._more and not self._broker.store.due():
            return False
        # While the XML threads are busy, what comes gathers into one larger lease; only a backlog
        # is leased ahead.
        ahead = self._pace.batch if self._more else 0
        if not self._hand.wait(lambda xml, _total: xml <= ahead, self._pace.poll):
            return True
        room = self._hand.room()
        jobs = self._broker.store.take(room)
        # A full lease leaves more behind; asking first would cost as much as taking.
        self._more = len(jobs) >= room.limit > 0
        if not jobs:
            return False
        self._hand.take(jobs)
        self._share(jobs)
        if jobs[0].alone:
            # Nothing else is prepared beside a message that was in hand when the process died.
            while not self._hand.wait(lambda xml, _total: xml == 0, self._pace.poll):
                if self._stopping.is_set():
                    break
        return True

    def _share(self, jobs: Sequence[Job]) -> None:
        size = max(1, min(len(jobs) // self._pace.threads, self._pace.batch // 4))
        for at in range(0, len(jobs), size):
            self._pool.submit(self._prepare, jobs[at : at + size]).add_done_callback(self._guard)

    def _guard(self, task: Future[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Deliveries would stay in hand for ever: end the process, the next start takes them up.
            self._broken(error)

    def _prepare(self, jobs: Sequence[Job]) -> None:
        ready: list[tuple[Job, bytes]] = []
        changes: list[tuple[Job, Change, bytes | None]] = []
        for job in jobs:
            step = self._opened(job)
            if isinstance(step, Change):
                changes.append((job, step, None))
            elif job.ready:
                ready.append((job, step.body))
            else:
                changes.append((job, *self._prepared(step)))
        ready += self._written(changes)
        self._senders.put(ready, self._inflight)
        self._hand.sent_on(len(jobs))

    def _opened(self, job: Job) -> Step | Change:
        try:
            key = self._broker.vault.key(job.key)
            body = self._broker.vault.unseal(key, job.id, job.payload)
        except StoreError as error:
            return failed(Step(job, b"", Trail(job.id), self._broker), ReplyError(str(error)))
        return Step(job, body, Trail(job.id), self._broker, key)

    def _prepared(self, step: Step) -> tuple[Change, bytes | None]:
        try:
            if step.job.direction is Direction.ANSWER:
                return self._answered(step)
            made = prepare(step.job, step.body, self._broker, step.trail)
        except Exhausted:
            raise  # the next start of this process takes it up again
        except BrokerError as error:
            return failed(step, error), None
        except Exception as error:  # noqa: BLE001 - an adapter may raise anything
            return failed(step, ReplyError(unexpected(error))), None
        return self._kept(step, made), made

    def _answered(self, step: Step) -> tuple[Change, bytes]:
        job = step.job
        request = self._broker.store.row(job.answers or "")
        if request is None:
            raise ReplyError("the request of this answer is not in the store any more")
        made, envelope = answer(job, step.body, request, self._broker, step.trail)
        change = self._kept(step, made)
        return replace(change, envelope=replace(envelope, case=request.envelope.case)), made

    def _kept(self, step: Step, made: bytes) -> Change:
        job, vault = step.job, self._broker.vault
        payload = vault.seal(step.key or vault.key(job.key), job.id, "converted", made)
        kept = replace(payload, salt=step.trail.salt)
        return Change(job.id, job.token, State.WORKING, step.trail.taken(), kept)

    def _written(
        self, changes: Sequence[tuple[Job, Change, bytes | None]]
    ) -> list[tuple[Job, bytes]]:
        if not changes:
            return []
        done = self._broker.store.change([change for _job, change, _made in changes]).result()
        ready, gone = [], []
        for (job, change, made), kept in zip(changes, done, strict=True):
            if kept and made is not None:
                ready.append((job, made))
            else:
                gone.append(job)
                self._say(change, kept)
        self._hand.drop(gone)
        if gone:
            self._wake.set()  # rejections are born in the same commit and due at once
        return ready

    def _inflight(self, name: str) -> int:
        channel = self._broker.site.channels.get(name)
        return channel.inflight if channel else 1

    def _deliver(self, job: Job, body: bytes) -> Change:
        trail = Trail(job.id)
        step = Step(job, body, trail, self._broker)
        marked: list[bool] = []
        try:
            sent = deliver(job, body, self._broker, trail, partial(self._mark, job, marked))
        except BrokerError as error:
            self._hand.strength(job.channel, not isinstance(error, ChannelError))
            return failed(replace(step, marked=bool(marked)), error)
        except Exception as error:  # noqa: BLE001 - a library below a channel may raise anything
            step = replace(step, marked=bool(marked))
            return failed(step, self._doubtful(job, error, step.marked))
        self._hand.strength(job.channel, True)
        change, number = delivered(step, sent)
        if number:
            self._broker.store.learn(job.id, number)
        return change

    def _doubtful(self, job: Job, error: Exception, marked: bool) -> BrokerError:
        channel = self._broker.site.channels.get(job.channel)
        if marked and channel is not None and not channel.repeats:
            return DeliveryUnclear(unexpected(error))
        return Unreachable(unexpected(error))

    def _mark(self, job: Job, marked: list[bool]) -> None:
        if self._broker.site.channels[job.channel].repeats:
            # The other side recognises a repeat: nothing has to be remembered before it.
            return
        trail = Trail(job.id)
        trail.note("sending", channel=job.channel, attempt=job.attempts)
        change = Change(job.id, job.token, State.WORKING, trail.taken(), sending=True)
        if not self._broker.store.change([change]).result()[0]:
            raise LeaseLost
        marked.append(True)

    def _commit(self, jobs: Sequence[Job], changes: Sequence[Change]) -> None:
        future = self._broker.store.change(changes)
        future.add_done_callback(partial(self._settle, jobs, changes))

    def _settle(
        self, jobs: Sequence[Job], changes: Sequence[Change], future: Future[list[bool]]
    ) -> None:
        with suppress(RuntimeError):  # after the stop nobody is interested any more
            task = self._after.submit(self._committed, jobs, changes, future)
            task.add_done_callback(self._guard)

    def _committed(
        self, jobs: Sequence[Job], changes: Sequence[Change], future: Future[list[bool]]
    ) -> None:
        error = future.exception()
        if error is not None:
            # They would stay in hand for ever; after the end, the next start takes them up anyway.
            if not self._stopping.is_set():
                self._broken(error)
            return
        for change, kept in zip(changes, future.result(), strict=True):
            self._say(change, kept)
        self._hand.drop(jobs)
        # Successors of a case, answers born here and retries of a recovered channel may be due now.
        self._wake.set()

    def _say(self, change: Change, kept: bool) -> None:
        if not kept:
            self._log.warning("late", message_id=change.id, state=change.state.value)
            return
        self._log.info(
            _EVENTS[change.state],
            message_id=change.id,
            reason=change.reason or None,
            error=change.error or None,
            receipt=change.receipt or None,
        )
