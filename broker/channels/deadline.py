"""One total deadline over all steps of a call."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


class Deadline:
    """Counts down from the start of a call; every step asks how much is left."""

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        """Start counting now."""
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Return the seconds left, more than zero; raise TimeoutError when there are none."""
        seconds = self._end - self._clock()
        if seconds <= 0:
            raise TimeoutError
        return seconds
