"""What a worker has in hand, so that it takes no more than it can work on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from threading import Condition

from broker.stores.contract import Job, Room

#: Bytes in hand beyond which each channel gets one delivery at a time.
BUDGET = 64_000_000


class Hand:
    """Counts deliveries in hand, by channel and stage. Thread-safe."""

    def __init__(self, batch: int, depth: int, term: float = 30.0) -> None:
        """Take how many deliveries one lease takes, how many of one channel may be in hand, and the
        seconds that a lease holds without being renewed.
        """
        self._batch = batch
        self._depth = depth
        self._term = term
        self._changed = Condition()
        self._count: Counter[str] = Counter()
        self._bytes = 0
        self._suspects = 0
        self._xml = 0
        self._moved = time.monotonic()
        self._weak: set[str] = set()
        self._tokens: Counter[str] = Counter()
        self._left: set[str] = set()

    def take(self, jobs: Iterable[Job]) -> None:
        """Count what was leased; it starts on the XML threads."""
        with self._changed:
            if self._xml == 0:
                self._moved = time.monotonic()
            for job in jobs:
                self._count[job.channel] += 1
                self._tokens[job.token] += 1
                self._bytes += job.size
                self._suspects += job.alone
                self._xml += 1

    def sent_on(self, jobs: int) -> None:
        """Note that so many left the XML threads."""
        with self._changed:
            self._xml -= jobs
            self._moved = time.monotonic()
            self._changed.notify_all()

    def moved(self) -> float:
        """Return when something last left the XML threads (monotonic); now, where none is there."""
        with self._changed:
            return self._moved if self._xml else time.monotonic()

    def drop(self, jobs: Iterable[Job]) -> None:
        """Note that these are out of hand: their outcome is committed, or their lease was lost."""
        with self._changed:
            for job in jobs:
                _less(self._count, job.channel)
                _less(self._tokens, job.token)
                self._bytes -= job.size
                self._suspects -= job.alone
            self._changed.notify_all()

    def leave(self, jobs: Iterable[Job]) -> None:
        """Note that these are given up without an outcome: their leases are not renewed any more,
        so that somebody takes them over.
        """
        given = list(jobs)
        with self._changed:
            self._left.update(job.token for job in given)
        self.drop(given)

    def leased(self) -> list[str]:
        """Return the tokens to renew."""
        with self._changed:
            return [token for token in self._tokens if token not in self._left]

    def tokens(self) -> list[str]:
        """Return the tokens of all that has no outcome, whether in hand or given up."""
        with self._changed:
            return list(self._left | set(self._tokens))

    def strength(self, channel: str, strong: bool) -> bool:
        """Note whether a channel works: a weak one is tried with one delivery at a time. Return
        whether it has recovered.
        """
        with self._changed:
            was = channel in self._weak
            (self._weak.discard if strong else self._weak.add)(channel)
            return was and strong

    def weak(self) -> frozenset[str]:
        """Return the channels that do not work now."""
        with self._changed:
            return frozenset(self._weak)

    def room(self) -> Room:
        """Return how much more may be taken now."""
        with self._changed:
            full = self._bytes > BUDGET
            depth = 1 if full else self._depth
            channels = {name: max(0, depth - count) for name, count in self._count.items()}
            channels |= {name: max(0, 1 - self._count[name]) for name in self._weak}
            return Room(
                default=depth,
                channels=channels,
                limit=max(0, 2 * self._batch - self._xml),
                budget=max(0, BUDGET - self._bytes),
                suspects=self._suspects == 0,
                term=self._term,
            )

    def wait(self, ready: Callable[[int, int], bool], timeout: float) -> bool:
        """Wait until `ready(on XML threads, in hand)` holds; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: ready(self._xml, self._count.total()), timeout)


def _less(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
