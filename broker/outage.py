"""Times in which the store is away: said once, and waited out."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock
from typing import TypeVar

from broker.errors import StoreAway
from broker.logs import get

Result = TypeVar("Result")

#: Pauses between two tries grow from the first to the second (seconds).
FIRST, LONGEST = 0.05, 1.0


class Outage:
    """Whether the store is away, as all threads of a process see it. Thread-safe.

    It is logged once when it begins and once when it is over, whoever meets it.
    """

    def __init__(self) -> None:
        """Begin with a store that is there."""
        self._since: float | None = None
        self._lock = Lock()
        self._ended = Event()
        self._log = get()

    @property
    def away(self) -> bool:
        """Whether the store was away when it was last asked."""
        return self._since is not None

    def begun(self, error: StoreAway) -> None:
        """Note that the store is away."""
        with self._lock:
            if self._since is not None:
                return
            self._since = time.monotonic()
        self._log.warning("away", error=str(error))

    def over(self) -> None:
        """Note that the store has answered."""
        if self._since is None:
            return
        with self._lock:
            if self._since is None:
                return
            seconds, self._since = time.monotonic() - self._since, None
        self._log.warning("back", milliseconds=round(1000 * seconds))

    def end(self) -> None:
        """Wait no more: whoever insists gets the error now."""
        self._ended.set()

    def insist(self, act: Callable[[], Result], seconds: float) -> Result:
        """Return what `act` returns, again and again while the store is away.

        Raises StoreAway where it has been away for longer than `seconds`.
        """
        pause = FIRST
        while True:
            try:
                result = act()
            except StoreAway as error:
                self.begun(error)
                if self._ended.is_set() or self._longer(seconds):
                    raise
            else:
                self.over()
                return result
            self._ended.wait(pause)
            pause = min(2 * pause, LONGEST)

    def _longer(self, seconds: float) -> bool:
        since = self._since
        return since is not None and time.monotonic() - since > seconds
