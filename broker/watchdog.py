"""Tells the supervisor that work goes on, and only while it really does."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, wait

from broker.errors import StoreAway
from broker.logs import get
from broker.notify import Notify

#: The dispatcher has been round, and an XML thread has finished something, at least once in so
#: many seconds, else they hang: a batch of large messages with many findings takes minutes.
STALL = 600.0
#: A write of nothing takes no longer than this while the writer goes on (seconds).
PATIENCE = 5.0


class Watchdog:
    """Feeds the watchdog of systemd; where nothing feeds it, systemd starts the broker anew."""

    def __init__(
        self,
        notify: Notify,
        write: Callable[[], Future[None]],
        beat: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what writes nothing, and what says when the dispatcher was last round, if there is
        one in this process.
        """
        self._notify = notify
        self._write = write
        self._beat = beat
        self._clock = clock
        self._written: Future[None] | None = None
        self._stalled = False
        self._log = get()

    def pause(self, usual: float) -> float:
        """Return after how many seconds to look again, at most the usual ones."""
        return min(usual, self._notify.period / 3) if self._notify.watched else usual

    def look(self) -> None:
        """Look whether work goes on, and say so; that it does not is logged once."""
        if not self._notify.watched:
            return
        if self._goes():
            self._notify.alive()
            self._stalled = False
        elif not self._stalled:
            self._stalled = True
            self._log.error("stalled")

    def _goes(self) -> bool:
        if self._beat is not None and self._clock() - self._beat() > STALL:
            return False
        # One that hangs is waited for; more of them would only fill the queue.
        if self._written is None:
            self._written = self._write()
        if not wait([self._written], PATIENCE).done:
            return False
        error, self._written = self._written.exception(), None
        return error is None or isinstance(error, StoreAway)
