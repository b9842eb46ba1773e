"""What a worker has in hand, so that it takes no more than it can work on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from threading import Condition

from broker.stores.contract import Job, Room

#: Bytes in hand beyond which each channel gets one delivery at a time.
BUDGET = 64_000_000


class Hand:
    """Counts deliveries in hand, by channel and stage. Thread-safe."""

    def __init__(self, batch: int, depth: int) -> None:
        """Take how many deliveries one lease takes, and how many of one channel may be in hand."""
        self._batch = batch
        self._depth = depth
        self._changed = Condition()
        self._count: Counter[str] = Counter()
        self._bytes = 0
        self._suspects = 0
        self._xml = 0
        self._weak: set[str] = set()

    def take(self, jobs: Iterable[Job]) -> None:
        """Count what was leased; it starts on the XML threads."""
        with self._changed:
            for job in jobs:
                self._count[job.channel] += 1
                self._bytes += job.size
                self._suspects += job.alone
                self._xml += 1

    def sent_on(self, jobs: int) -> None:
        """Note that so many left the XML threads."""
        with self._changed:
            self._xml -= jobs
            self._changed.notify_all()

    def drop(self, jobs: Iterable[Job]) -> None:
        """Note that these are out of hand: their outcome is committed, or their lease was lost."""
        with self._changed:
            for job in jobs:
                self._count[job.channel] -= 1
                if not self._count[job.channel]:
                    del self._count[job.channel]
                self._bytes -= job.size
                self._suspects -= job.alone
            self._changed.notify_all()

    def strength(self, channel: str, strong: bool) -> None:
        """Note whether a channel works: a weak one is tried with one delivery at a time."""
        with self._changed:
            (self._weak.discard if strong else self._weak.add)(channel)

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
            )

    def wait(self, ready: Callable[[int, int], bool], timeout: float) -> bool:
        """Wait until `ready(on XML threads, in hand)` holds; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: ready(self._xml, self._count.total()), timeout)
