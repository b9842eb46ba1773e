"""Moves deliveries: leases them in batches, prepares them on XML threads, hands them to the
senders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from threading import Event, Thread

from broker.carrier import Carrier, LeaseLost
from broker.errors import Exhausted, StoreAway, StoreError
from broker.hand import BUDGET, Hand
from broker.logs import get
from broker.message import now
from broker.outage import FIRST, LONGEST, Outage
from broker.pipeline import Broker, about, born
from broker.preparer import Made, Preparer
from broker.scribe import Scribe, silent
from broker.senders import Senders
from broker.stores.contract import Change, Job, Room
from broker.stores.doorbell import Doorbell
from broker.upkeep import recovered

__all__ = ("LeaseLost", "Pace", "Worker")

#: Where a doorbell works, a worker looks by itself only once in so many polls.
SELDOM = 10
#: Where other processes write to the same file, it is asked so often whether they have (seconds).
WATCH = 0.05
#: Leases are renewed so many times in their term.
THIRDS = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker works: XML threads, deliveries a lease, sender threads, seconds a look.

    `term` is how many seconds a lease holds without being renewed; with `watch` it notices at once
    what other processes of this machine write.
    """

    threads: int = 2
    batch: int = 100
    senders: int = 64
    poll: float = 1.0
    term: float = 30.0
    watch: bool = False


class Worker:
    """Works on what is due until it is stopped."""

    def __init__(
        self,
        broker: Broker,
        pace: Pace,
        broken: Callable[[BaseException], None],
        outage: Outage | None = None,
        doorbell: Doorbell | None = None,
    ) -> None:
        """Take the broker, and whom to tell when the worker cannot go on; nothing starts yet."""
        self._broker = broker
        self._store = broker.store
        self._broken = broken
        self._pace = pace
        self._outage = outage or Outage()
        self._doorbell = doorbell
        self._hand = Hand(pace.batch, 4 * pace.batch, pace.term)
        ring = doorbell.ring if doorbell else silent
        self._scribe = Scribe(self._store, self._outage, pace.term, ring)
        self._preparer = Preparer(broker)
        self._carrier = Carrier(broker, self._scribe, self._outage, self._strength)
        self._senders = Senders(self._carrier.deliver, self._commit, pace.senders)
        self._pool = ThreadPoolExecutor(pace.threads, thread_name_prefix="xml")
        # What follows a commit must not keep the store's writer from the next one.
        self._after = ThreadPoolExecutor(1, thread_name_prefix="after")
        self._wake = Event()
        self._more = self._look = True
        self._called = self._crowded = False
        self._looked = 0.0
        self._beat = time.monotonic()
        self._stopping, self._ended = Event(), Event()
        self._thread = Thread(target=self._run, name="dispatcher", daemon=True)
        self._keeper = Thread(target=self._keep, name="leases", daemon=True)
        self._log = get()

    def start(self) -> None:
        """Begin to work."""
        if self._doorbell is not None:
            self._doorbell.listen(self._heard)
        if self._store.shared:
            self._keeper.start()
        self._thread.start()

    def wake(self) -> None:
        """Say that something may be due now."""
        self._look = True
        self._wake.set()

    def stop(self, seconds: float) -> bool:
        """Take nothing new and finish what is in hand; False where some of it is still in hand
        then.

        What is left is given back and due at once, unless it may arrive at any moment: that is
        taken up with the next start, or when its lease is over, and asked for.
        """
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        empty = self._hand.wait(lambda _xml, total: total == 0, seconds)
        self._outage.end()
        self._give_back()
        self._ended.set()
        self._senders.stop()
        self._pool.shutdown(wait=empty, cancel_futures=True)
        self._after.shutdown(wait=empty)
        return empty

    def beat(self) -> float:
        """Return since when nothing moves (monotonic): the dispatcher was round, and something
        left the XML threads where they have work.
        """
        return min(self._beat, self._hand.moved())

    def weak(self) -> frozenset[str]:
        """Return the channels over which nothing can be delivered now."""
        return self._hand.weak()

    def idle(self, timeout: float) -> bool:
        """Wait until nothing is in hand."""
        return self._hand.wait(lambda _xml, total: total == 0, timeout)

    def _give_back(self) -> None:
        going = self._carrier.going()
        tokens = [token for token in self._hand.tokens() if token not in going]
        if not tokens:
            return
        # Where the store cannot be used, the leases run out, or end with the next start.
        with suppress(StoreError):
            count = self._store.release(tokens, recovered).result()
            self._log.warning("recovered", count=count)

    def _run(self) -> None:
        pause = FIRST
        while not self._stopping.is_set():
            self._beat = time.monotonic()
            try:
                if not self._round():
                    self._rest()
                pause = FIRST
            except StoreAway as error:
                self._outage.begun(error)
                self._look = True
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST)
            except StoreError as error:
                self._broken(error)
                return

    def _rest(self) -> None:
        """Wait until something may be due, for one poll at most."""
        end = time.monotonic() + self._pace.poll
        while self._pace.watch and (left := end - time.monotonic()) > 0:
            if self._wake.wait(min(left, WATCH)) or self._store.changed():
                return
        self._wake.wait(max(0.0, end - time.monotonic()))

    def _round(self) -> bool:
        self._wake.clear()
        self._senders.relieve(self._inflight)
        if not self._expected():
            return False
        # While the XML threads are busy, what comes gathers into one larger lease; only a backlog
        # is leased ahead.
        ahead = self._pace.batch if self._more else 0
        if not self._hand.wait(lambda xml, _total: xml <= ahead, self._pace.poll):
            return True
        jobs = self._taken(self._hand.room())
        self._outage.over()
        if not jobs:
            return self._called
        self._share(jobs)
        if jobs[0].alone:
            self._look = True
            # Nothing else is prepared beside a message that was in hand when the process died.
            while not self._hand.wait(lambda xml, _total: xml == 0, self._pace.poll):
                if self._stopping.is_set():
                    break
        return True

    def _expected(self) -> bool:
        """Whether anything may be due; a doorbell that works spares the question."""
        if self._more:
            return True
        if self._doorbell is None or not self._doorbell.connected:
            return self._store.due(self._closed())
        seldom = time.monotonic() - self._looked > SELDOM * self._pace.poll
        return self._called or self._look or seldom

    def _taken(self, room: Room) -> list[Job]:
        """Lease what a doorbell called for, else whatever is due; it is in hand then."""
        calls = self._doorbell.calls(room.limit) if self._doorbell and self._called else ()
        ids = tuple(dict.fromkeys(id for call in calls for id in call.ids))
        self._called = bool(calls)
        if not ids:
            self._look, self._looked = False, time.monotonic()
        try:
            jobs = self._store.take(replace(room, ids=ids, closed=self._closed()))
        finally:
            if self._doorbell and calls:
                # Also where the store is away: what was called for is found by the next look.
                self._doorbell.taken(calls)
        self._hand.take(jobs)
        if ids:
            self._crowded = self._crowded or (len(jobs) < len(ids) and _narrow(room, len(ids)))
        else:
            # A full lease leaves more behind; asking first would cost as much as taking.
            self._more = len(jobs) >= room.limit > 0
        return jobs

    def _closed(self) -> frozenset[str]:
        """Return the channels in their maintenance window."""
        return self._broker.site.maintenance.closed(now())

    def _heard(self) -> None:
        self._called = True
        self._wake.set()

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
        made = [found for job in jobs if (found := self._made(job)) is not None]
        self._senders.put(self._written(made), self._inflight)
        self._hand.sent_on(len(jobs))

    def _made(self, job: Job) -> Made | None:
        try:
            return self._outage.insist(partial(self._preparer.prepare, job), self._pace.term)
        except StoreAway:
            self._hand.leave([job])
        except Exhausted as error:
            self._hand.leave([job])
            self._broken(error)
        return None

    def _written(self, made: Sequence[Made]) -> list[tuple[Job, bytes]]:
        """Write what was made; return what goes on to the senders."""
        ready = [(one.job, one.body) for one in made if not one.change and one.body is not None]
        changed = [(one, one.change) for one in made if one.change]
        if not changed:
            return ready
        changes = [change for _one, change in changed]
        try:
            done = self._scribe.write(changes)
        except StoreAway:
            self._hand.leave([one.job for one, _change in changed])
            return ready
        gone: list[tuple[Job, Change, bool]] = []
        for (one, change), kept in zip(changed, done, strict=True):
            if kept and one.body is not None:
                # the head of an answer is known only now
                named = replace(one.job, envelope=change.envelope or one.job.envelope)
                ready.append((named, one.body))
            else:
                gone.append((one.job, change, kept))
        self._end(gone)
        return ready

    def _inflight(self, name: str) -> int:
        channel = self._broker.site.channels.get(name)
        return channel.inflight if channel else 1

    def _strength(self, channel: str, strong: bool) -> None:
        if self._hand.strength(channel, strong):
            self._crowded = True

    def _commit(self, jobs: Sequence[Job], changes: Sequence[Change]) -> None:
        future = self._store.change(changes)
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
        try:
            done = self._scribe.finish(changes, future)
        except StoreAway:
            self._hand.leave(jobs)
        except StoreError as error:
            # They would stay in hand for ever; after the end, the next start takes them up anyway.
            if not self._stopping.is_set():
                self._broken(error)
        else:
            self._end(list(zip(jobs, changes, done, strict=True)))

    def _end(self, ends: Sequence[tuple[Job, Change, bool]]) -> None:
        """Put what has its outcome out of hand, and see to what may be due because of it."""
        if not ends:
            return
        self._scribe.say(ends)
        self._trace(ends)
        self._hand.drop(job for job, _, _ in ends)
        # Successors of a case, and what a channel had no room for; what was born here was rung for.
        if self._crowded or any(job.ordered for job, _, _ in ends):
            self._crowded, self._look = False, True
        self._wake.set()

    def _trace(self, ends: Sequence[tuple[Job, Change, bool]]) -> None:
        tracer = self._broker.meter.tracer
        if tracer is None:
            return
        for job, change, _kept in (end for end in ends if end[2]):
            tracer.step("outcome", about(job, change.state), 0.0)
            for birth in change.births:
                tracer.step("accept", born(birth), 0.0)

    def _keep(self) -> None:
        """Renew the leases in hand, until nothing of them is left."""
        while not self._ended.wait(self._pace.term / THIRDS):
            tokens = self._hand.leased()
            if not tokens:
                continue
            try:
                self._store.renew(tokens, self._pace.term).result()
            except StoreAway as error:
                self._outage.begun(error)
            except StoreError:
                return  # who writes outcomes meets it too, and says so


def _narrow(room: Room, wanted: int) -> bool:
    """Whether the room may be why not all of these were taken."""
    free = min((room.default, room.limit, *room.channels.values()))
    return free < wanted or room.budget < BUDGET // 2 or not room.suspects
