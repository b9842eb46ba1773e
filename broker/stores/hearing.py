"""Hearing: calls that came out of the queues, handed to workers, acknowledged when taken."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from broker import logs
from broker.stores import wire
from broker.stores.doorbell import Call

#: Seconds between two lines of the log about bodies that are none of ours.
_QUIET = 60.0


class Hearing:
    """Calls that wait here, and those in somebody's hands. `calls` and `taken` are for any thread,
    the rest for the thread of the link.
    """

    def __init__(self, names: Sequence[str], prefetch: int) -> None:
        """Take the names of the queues and how many messages of each may wait here."""
        self.heard: Callable[[], None] | None = None
        self._names = names
        self._prefetch = prefetch
        self._channel: Any = None
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque()
        self._taken: list[tuple[Any, int]] = []
        self._open: dict[int, None] = {}
        self._ignored = 0
        self._told = -_QUIET

    def calls(self, limit: int) -> list[Call]:
        """Return calls until there are so many ids, at least one where any waits."""
        found: list[Call] = []
        while limit > 0:
            try:
                found.append(self._calls.popleft())
            except IndexError:
                break
            limit -= len(found[-1].ids)
        return found

    def taken(self, calls: Sequence[Call]) -> None:
        """Remember calls to acknowledge at the next `flush`."""
        with self._lock:
            self._taken += [call.handle for call in calls]

    def open(self, channel: Any) -> None:
        """Use a channel from now on."""
        self._channel = channel
        channel.basic_qos(prefetch_count=self._prefetch)

    def consume(self, queue: int) -> None:
        """Take what comes out of a queue."""
        self._channel.basic_consume(
            self._names[queue],
            partial(self._message, queue),
            consumer_tag=self._names[queue],
        )

    def lost(self) -> None:
        """Forget everything: the queues offer again what was not acknowledged."""
        self._channel = None
        self._calls.clear()
        self._open.clear()

    def flush(self) -> None:
        """Acknowledge what was taken, with as few frames as possible."""
        with self._lock:
            taken, self._taken = self._taken, []
        # A call of an earlier connection comes again by itself; its tag means nothing here.
        ours = [tag for channel, tag in taken if channel is self._channel]
        tags = [tag for tag in ours if self._open.pop(tag, self) is None]
        if not tags:
            return
        lowest = next(iter(self._open), max(tags) + 1)
        below = [tag for tag in tags if tag < lowest]
        if below:
            self._channel.basic_ack(max(below), multiple=True)
        for tag in tags:
            if tag > lowest:
                self._channel.basic_ack(tag)

    def _message(self, queue: int, channel: Any, method: Any, _head: Any, body: bytes) -> None:
        if channel is not self._channel:
            return
        self._open[method.delivery_tag] = None
        handle = (channel, method.delivery_tag)
        ids = wire.decode(body)
        if not ids:
            self.taken([Call((), handle)])
            self.flush()
            if body != wire.PROBE:
                self._ignore(queue, len(body))
            return
        self._calls.append(Call(ids, handle))
        if self.heard:
            self.heard()

    def _ignore(self, queue: int, size: int) -> None:
        """Say that something strange came, once in a while: a flood must not fill the log."""
        self._ignored += 1
        if time.monotonic() - self._told >= _QUIET:
            name = self._names[queue]
            logs.get().warning("ignored", queue=name, size=size, count=self._ignored)
            self._ignored, self._told = 0, time.monotonic()
