"""Wakes the main thread: safe to ring from a signal handler, where an Event may deadlock."""

from __future__ import annotations

import os
import select
import signal
import threading
from contextlib import suppress


class Bell:
    """A pipe to oneself; every ring before a wait is remembered."""

    def __init__(self) -> None:
        """Open the pipe."""
        self._ear, self._cord = os.pipe()
        os.set_blocking(self._ear, False)
        os.set_blocking(self._cord, False)

    def ring(self) -> None:
        """End the present or the next wait."""
        with suppress(BlockingIOError):  # full: enough rings are waiting
            os.write(self._cord, b"!")

    def signals(self) -> None:
        """Be rung by every signal as it arrives, before Python's handler runs; main thread only."""
        signal.set_wakeup_fd(self._cord, warn_on_full_buffer=False)

    def wait(self, seconds: float) -> None:
        """Return when it was rung, or after this time."""
        if select.select([self._ear], [], [], seconds)[0]:
            with suppress(BlockingIOError):
                os.read(self._ear, 4096)

    def close(self) -> None:
        """Close the pipe; nobody may ring afterwards."""
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(-1)
        os.close(self._ear)
        os.close(self._cord)
