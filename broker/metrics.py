"""Counts how long the steps of messages take in this process, and has them traced if wanted."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

#: Upper bounds of the classes, in seconds: a commit takes milliseconds, a slow procedure minutes.
BOUNDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """How often a step was done: `counts` by class (the last one is beyond all bounds), and the
    seconds it took in all.
    """

    counts: tuple[int, ...]
    seconds: float


class About(NamedTuple):
    """For which message a step was done: ids, and names of the configuration and the standards.

    `attempt` is the number of the attempt to deliver, `answers` the id of the request that an
    answer belongs to.
    """

    message: str
    route: str = ""
    channel: str = ""
    kind: str = ""
    state: str = ""
    attempt: int = 0
    answers: str = ""


class Tracer(Protocol):
    """Takes every step with its message; it neither blocks nor raises."""

    def step(self, name: str, about: About, seconds: float, error: str = "") -> None:
        """Take a step that ended now; `error` is the type of what went wrong."""

    def stop(self, seconds: float) -> None:
        """Pass on what was taken, for so long at most."""


class Meter:
    """Measures steps by name. Thread-safe; costs about a microsecond a step.

    `tracer` gets the same steps, where one is set before the work begins.
    """

    def __init__(self) -> None:
        """Start with nothing measured."""
        self.tracer: Tracer | None = None
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def step(self, name: str, about: About | None = None) -> AbstractContextManager[None]:
        """Measure what is done inside, also where it fails."""
        return _Watch(self, name, about)

    def took(self, name: str, seconds: float, about: About | None = None, error: str = "") -> None:
        """Count a step that took so long and ended now."""
        if self.tracer and about:
            self.tracer.step(name, about, seconds, error)
        place = bisect_left(BOUNDS, seconds)
        with self._lock:
            counts = self._counts.get(name)
            if counts is None:
                counts = self._counts[name] = [0] * (len(BOUNDS) + 1)
                self._seconds[name] = 0.0
            counts[place] += 1
            self._seconds[name] += seconds

    def measured(self) -> Mapping[str, Measured]:
        """Return what was measured so far, by step."""
        with self._lock:
            return {
                name: Measured(tuple(counts), self._seconds[name])
                for name, counts in sorted(self._counts.items())
            }


class _Watch(AbstractContextManager[None]):
    """Runs from the moment it is entered."""

    def __init__(self, meter: Meter, name: str, about: About | None) -> None:
        self._meter = meter
        self._name = name
        self._about = about
        self._begun = 0.0

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        seconds = time.perf_counter() - self._begun
        self._meter.took(self._name, seconds, self._about, kind.__name__ if kind else "")
