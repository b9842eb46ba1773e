"""Bounded senders: every channel has a line of its own, so that a slow one delays nobody else."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Lock, Thread

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

    def __init__(self, lock: Lock) -> None:
        """Start empty; `lock` is that of all lines."""
        self.waiting: deque[tuple[Job, bytes]] = deque()
        self.senders = 0
        self.idle = 0
        #: Senders that were started and have not looked yet.
        self.coming = 0
        #: When a sender last took something, to see that they are stuck.
        self.taken = time.monotonic()
        # A condition of its own, so that a delivery wakes one sender of this line and nobody else.
        self.changed = Condition(lock)


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
        self._lock = Lock()
        self._stopping = False

    def put(self, deliveries: Sequence[tuple[Job, bytes]], inflight: Callable[[str], int]) -> None:
        """Hand in prepared deliveries; `inflight` says how many senders a channel may have."""
        with self._lock:
            for job, body in deliveries:
                line = self._lines.get(job.channel)
                if line is None:
                    line = self._lines[job.channel] = Line(self._lock)
                line.waiting.append((job, body))
                self._employ(job.channel, line, inflight(job.channel))

    def relieve(self, inflight: Callable[[str], int]) -> None:
        """Employ more senders where those that are there have been stuck; call it now and then."""
        with self._lock:
            for channel, line in self._lines.items():
                allowed = inflight(channel)
                while self._employ(channel, line, allowed):
                    pass

    def stop(self) -> None:
        """Let the senders end once nothing waits."""
        with self._lock:
            self._stopping = True
            for line in self._lines.values():
                line.changed.notify_all()

    def _employ(self, channel: str, line: Line, inflight: int) -> bool:
        """Wake or start a sender if one is wanted; whether one was started."""
        if len(line.waiting) <= line.coming:
            return False
        if line.idle:
            line.changed.notify()
            return False
        room = line.senders < inflight and self._total < self._limit
        if not line.senders or (room and self._busy(line)):
            line.senders += 1
            self._total += 1
            name = f"sender-{channel}"
            line.coming += 1
            Thread(target=self._run, args=(channel, line), name=name, daemon=True).start()
            return True
        return False

    @staticmethod
    def _busy(line: Line) -> bool:
        """Whether one sender more would help: where the procedure is quick, each costs more than
        it brings.
        """
        crowded = len(line.waiting) > TOGETHER * line.senders
        return crowded or time.monotonic() - line.taken > LINGER

    def _run(self, channel: str, line: Line) -> None:
        with self._lock:
            line.coming -= 1
        while (first := self._next(channel, line)) is not None:
            self._send(line, first)

    def _next(self, channel: str, line: Line) -> tuple[Job, bytes] | None:
        with self._lock:
            if not line.waiting:
                line.idle += 1
                line.changed.wait_for(lambda: bool(line.waiting) or self._stopping, self._idle)
                line.idle -= 1
            if line.waiting:
                return self._taken(line)
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
        with self._lock:
            return self._taken(line) if line.waiting else None

    @staticmethod
    def _taken(line: Line) -> tuple[Job, bytes]:
        line.taken = time.monotonic()
        return line.waiting.popleft()
