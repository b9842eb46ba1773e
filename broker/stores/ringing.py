"""Ringing: ids on their way into the queues, in batches, each confirmed or rung again."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol

from broker import logs
from broker.stores import wire

#: Messages that may be unconfirmed at a time. One by one would be a twentieth as fast.
WINDOW = 300
#: Of one queue: the others go on while it confirms nothing.
_LANE = 100
#: Ids of one queue that wait at most; more are forgotten, the sweeper of the store rings again.
MOST = 20_000
#: Seconds a queue rests after it took nothing (it is full, or was deleted).
_REST = 1.0
#: Seconds without a confirm after which the queues count as unusable.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Flight:
    """One message that was sent and is not confirmed yet; without ids a probe."""

    queue: int
    ids: Sequence[str]
    sent: float


class House(Protocol):
    """Where the bell hangs; everything happens on the thread of the link."""

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something after a while."""

    def changed(self) -> None:
        """`stalled` is another than before."""

    def renew(self) -> None:
        """A queue confirms nothing; `lost` and `open` with another channel may help."""

    def missing(self, queue: int) -> None:
        """A queue is not there any more."""

    def alive(self, queue: int) -> None:
        """A queue has answered a probe."""

    def emptied(self) -> None:
        """All that was rung is confirmed."""


class Ringing:
    """What waits to be rung and what was, but is not confirmed. `add` is for any thread, the rest
    for the thread of the link.
    """

    def __init__(self, names: Sequence[str], house: House, batch: int = wire.BATCH) -> None:
        """Take the names of the queues, who is told, and how many ids a message carries."""
        self.stalled = ""  # the name of a queue that confirms nothing
        self._names = names
        self._house = house
        self._batch = batch
        self._lock = threading.Lock()
        self._waiting: tuple[OrderedDict[str, None], ...] = tuple(OrderedDict() for _ in names)
        self._count = 0
        self._full: set[int] = set()
        self._turn = 0
        self._channel: Any = None
        self._properties: Any = None
        self._passing: Any = None
        self._tag = 0
        self._flying: dict[int, Flight] = {}
        self._lanes = [0] * len(names)
        self._resting: set[int] = set()
        self._gone: set[int] = set()
        self._asked: dict[int, float] = {}
        self._watched = False

    @property
    def idle(self) -> bool:
        """Whether everything was rung and confirmed."""
        return not self._flying and not self._count

    def add(self, due: Iterable[tuple[str, str]]) -> None:
        """Remember ids to ring for; beyond a limit they are forgotten, which the log says once."""
        full: set[int] = set()
        with self._lock:
            for channel, id in due:
                queue = wire.place(channel)
                waiting = self._waiting[queue]
                if len(waiting) >= MOST:
                    full.add(queue)
                elif id not in waiting:
                    waiting[id] = None
                    self._count += 1
            new = full - self._full
            self._full |= full
        for queue in new:
            logs.get().warning("forgotten", queue=self._names[queue])

    def open(self, channel: Any) -> None:
        """Use a channel from now on; it confirms what it gets."""
        import pika

        self._channel = channel
        self._tag = 0
        self._lanes = [0] * len(self._names)
        self._resting = set(range(len(self._names)))
        self._properties = pika.BasicProperties(content_type="text/plain", delivery_mode=2)
        # Where nobody listens, probes must not pile up.
        self._passing = pika.BasicProperties(content_type="text/plain", expiration="10000")
        channel.add_on_return_callback(self._returned)

    def confirming(self, channel: Any, ready: Callable[[Any], None]) -> None:
        """Ask a channel for confirms; `ready` is called when it gives them."""
        channel.confirm_delivery(partial(self._confirmed, channel), callback=ready)

    def lost(self) -> None:
        """Take back what was not confirmed: it is rung again over the next connection."""
        self._channel = None
        flying, self._flying = self._flying, {}
        for flight in flying.values():
            self._back(flight.queue, flight.ids)
        self._gone.clear()
        self._asked.clear()
        self.stalled = ""

    def pump(self) -> None:
        """Send what waits, as far as the window goes."""
        if self._channel is None or not self._count:
            return
        now = time.monotonic()
        while len(self._flying) < WINDOW and (batch := self._next()):
            self._fly(Flight(*batch, now), wire.encode(batch[1]), self._properties)
        self._watch()

    def probe(self, queue: int) -> None:
        """Ask a queue whether it works; a broken one neither confirms nor refuses."""
        now = time.monotonic()
        self._asked.setdefault(queue, now)
        self._fly(Flight(queue, (), now), wire.PROBE, self._passing)
        self._watch()

    def _fly(self, flight: Flight, body: bytes, properties: Any) -> None:
        self._tag += 1
        self._flying[self._tag] = flight
        self._lanes[flight.queue] += 1
        name = self._names[flight.queue]
        self._channel.basic_publish("", name, body, properties, mandatory=True)

    def awake(self, queue: int) -> None:
        """Let a queue that rested take calls again."""
        self._resting.discard(queue)
        self.pump()

    def _next(self) -> tuple[int, list[str]] | None:
        """Take the next batch: the queues have their turns, so that none waits for a full one."""
        with self._lock:
            order = (
                at % len(self._names) for at in range(self._turn, self._turn + len(self._names))
            )
            queue = next((one for one in order if self._able(one)), None)
            if queue is None:
                return None
            self._turn = queue + 1
            waiting = self._waiting[queue]
            size = min(self._batch, len(waiting))
            ids = [waiting.popitem(last=False)[0] for _ in range(size)]
            self._count -= size
            if len(waiting) < MOST // 2:
                self._full.discard(queue)
            return queue, ids

    def _able(self, queue: int) -> bool:
        waits = bool(self._waiting[queue]) and queue not in self._resting
        return waits and self._lanes[queue] < _LANE

    def _back(self, queue: int, ids: Iterable[str]) -> None:
        with self._lock:
            waiting = self._waiting[queue]
            for id in ids:
                if id not in waiting:
                    waiting[id] = None
                    self._count += 1

    def _confirmed(self, channel: Any, frame: Any) -> None:
        if channel is not self._channel:
            return
        method = frame.method
        for flight in self._landed(method.delivery_tag, method.multiple):
            self._lanes[flight.queue] -= 1
            self._land(flight, method.NAME == "Basic.Ack")
        if self.stalled:
            self._judge()
        self.pump()
        if self.idle:
            self._house.emptied()

    def _land(self, flight: Flight, taken: bool) -> None:
        queue = flight.queue
        if not taken:
            self._refused(queue, flight.ids)
        elif flight.ids:
            return
        elif queue in self._gone:
            self._gone.discard(queue)
        else:
            self._asked.pop(queue, None)
            self._house.alive(queue)

    def _landed(self, tag: int, multiple: bool) -> list[Flight]:
        if not multiple:
            found = self._flying.pop(tag, None)
            return [found] if found else []
        landed = []
        while self._flying and (first := next(iter(self._flying))) <= tag:
            landed.append(self._flying.pop(first))
        return landed

    def _returned(self, channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        """A queue is not there: its confirm follows, but nobody has the ids."""
        if channel is self._channel and method.routing_key in self._names:
            queue = self._names.index(method.routing_key)
            if body == wire.PROBE:
                self._gone.add(queue)
            self._back(queue, wire.decode(body))
            self._resting.add(queue)
            self._house.missing(queue)

    def _refused(self, queue: int, ids: Iterable[str]) -> None:
        """Try again after a while, with the calls or with the probe that it refused."""
        self._back(queue, ids)
        channel = self._channel
        self._resting.add(queue)

        def again() -> None:
            if channel is self._channel:
                (self.awake if ids else self.probe)(queue)

        self._house.later(_REST, again)

    def _watch(self) -> None:
        """Look after a while whether confirms still come; nothing turns while nothing flies."""
        if (self._flying or self._asked) and not self._watched:
            self._watched = True
            self._house.later(_PATIENCE, self._look)

    def _look(self) -> None:
        self._watched = False
        self._judge()
        self._watch()

    def _judge(self) -> None:
        """Find a queue that confirms nothing, or has refused every probe; flights are in order."""
        since = [(asked, queue) for queue, asked in self._asked.items()]
        since += [(flight.sent, flight.queue) for flight in islice(self._flying.values(), 1)]
        oldest, queue = min(since, default=(math.inf, 0))
        stalled = self._names[queue] if time.monotonic() - oldest >= _PATIENCE else ""
        if stalled != self.stalled:
            self.stalled = stalled
            self._house.changed()
        if stalled:
            self._house.renew()
