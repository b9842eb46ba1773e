"""Bounded senders: every channel has a line of its own, so that a slow one delays nobody else."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Thread

from broker.stores.contract import Change, Job

#: A sender without work ends after this many seconds.
IDLE = 5.0
#: Outcomes are handed in together when more work is waiting: at most so many, or after so many
#: seconds.
TOGETHER = 25
LINGER = 0.01

Work = Callable[[Job, bytes], Change]
Commit = Callable[[Sequence[Job], Sequence[Change]], None]


class Line:
    """What waits for one channel, and how many senders are on it."""

    def __init__(self) -> None:
        """Start empty."""
        self.waiting: deque[tuple[Job, bytes]] = deque()
        self.senders = 0
        self.idle = 0


class Senders:
    """Sends what is handed in, per channel, with at most as many senders as the channel allows.

    Each channel always gets one; more only while fewer than `limit` threads are at work in all.
    """

    def __init__(self, work: Work, commit: Commit, limit: int, idle: float = IDLE) -> None:
        """Take what sends one delivery, what commits outcomes, the number of threads, and how long
        a sender without work stays.
        """
        self._work = work
        self._commit = commit
        self._limit = limit
        self._idle = idle
        self._lines: dict[str, Line] = {}
        self._total = 0
        self._changed = Condition()
        self._stopping = False

    def put(self, deliveries: Sequence[tuple[Job, bytes]], inflight: Callable[[str], int]) -> None:
        """Hand in prepared deliveries; `inflight` says how many senders a channel may have."""
        with self._changed:
            for job, body in deliveries:
                line = self._lines.setdefault(job.channel, Line())
                line.waiting.append((job, body))
                self._employ(job.channel, line, inflight(job.channel))
            self._changed.notify_all()

    def stop(self) -> None:
        """Let the senders end once nothing waits."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _employ(self, channel: str, line: Line, inflight: int) -> None:
        wanted = len(line.waiting) > line.idle and line.senders < inflight
        if wanted and (not line.senders or self._total < self._limit):
            line.senders += 1
            self._total += 1
            name = f"sender-{channel}"
            Thread(target=self._run, args=(channel, line), name=name, daemon=True).start()

    def _run(self, channel: str, line: Line) -> None:
        while (first := self._next(channel, line)) is not None:
            self._send(line, first)

    def _next(self, channel: str, line: Line) -> tuple[Job, bytes] | None:
        with self._changed:
            line.idle += 1
            self._changed.wait_for(lambda: bool(line.waiting) or self._stopping, self._idle)
            line.idle -= 1
            if line.waiting:
                return line.waiting.popleft()
            # Under the same lock as the look: a delivery that comes now finds one sender less.
            line.senders -= 1
            self._total -= 1
            if not line.senders:
                self._lines.pop(channel, None)
            return None

    def _send(self, line: Line, first: tuple[Job, bytes]) -> None:
        jobs: list[Job] = []
        changes: list[Change] = []
        start = time.monotonic()
        current: tuple[Job, bytes] | None = first
        while current is not None:
            jobs.append(current[0])
            changes.append(self._work(*current))
            late = len(jobs) >= TOGETHER or time.monotonic() - start > LINGER
            current = None if late else self._pop(line)
        self._commit(jobs, changes)

    def _pop(self, line: Line) -> tuple[Job, bytes] | None:
        with self._changed:
            return line.waiting.popleft() if line.waiting else None
