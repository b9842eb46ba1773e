"""Whether more can be taken in: room on the disk, messages that wait, rates of the parties.

What is measured is measured beside the work, at most once a second; asking costs nothing. Where
nothing is taken, delivery goes on, so that it passes by itself.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from broker.config.model import Table
from broker.errors import Overloaded, TooFast
from broker.logs import get
from broker.settings import Settings
from broker.stores.contract import Store

#: Seconds after which a sender should come back: a disk is freed by a person, a queue by work.
DISK, DEPTH = 60, 10
#: So much of the room must be on the disk itself; the rest may be free in the file of the store.
REAL = 0.25
#: Measuring takes at most one part in so many of the time.
SHARE = 50
#: What was closed opens again with so much more room than closed it, or so much less that waits.
MORE, LESS = 1.1, 0.9

Room = tuple[int, int]


def free(folder: Path) -> Room | None:
    """Return free bytes and size of the file system of a folder, None where it is not there."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def needed(room: float, size: int) -> int:
    """Return the bytes that a setting means: bytes where it is a whole number, else a share."""
    return room if isinstance(room, int) else int(room * size)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far it may go: folders whose disks are watched, room (bytes, or a share) from which
    nothing is taken and from which people are told, and undelivered messages (0 is no limit).
    """

    folders: tuple[Path, ...] = ()
    stop: float = 0
    warn: float = 0
    depth: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """Return what the settings say; the file of an SQLite store may lie on another disk."""
        kind, _, path = settings.database().partition(":///")
        folders = [settings.state, *([Path(path).parent] if kind == "sqlite" else [])]
        return cls(tuple(dict.fromkeys(folders)), settings.disk_stop, settings.disk_warn,
                   settings.depth)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured last: free bytes on the fullest disk, whether that is little and whether it
    is too little, and how much waits; `closed` says why nothing is taken (`disk`, `depth`).
    """

    free: int | None = None
    little: bool = False
    closed: tuple[str, ...] = ()
    depth: int = 0
    full: frozenset[str] = frozenset()

    def record(self) -> dict[str, Any]:
        """Return it for a machine."""
        return {
            "disk_free": self.free,
            "disk_low": self.little,
            "depth": self.depth,
            "closed": list(self.closed),
            "closed_routes": sorted(self.full),
        }


class Bucket:
    """What is left of a rate, up to a second's worth and at least one."""

    def __init__(self, rate: float, at: float) -> None:
        """Begin full."""
        self.rate = rate
        self._most = max(1.0, rate)
        self._left, self._at = self._most, at

    def take(self, at: float) -> float:
        """Take one; return 0, or the seconds after which there is one."""
        self._left = min(self._most, self._left + max(0.0, at - self._at) * self.rate)
        self._at = at
        if self._left < 1:
            return (1 - self._left) / self.rate
        self._left -= 1
        return 0.0


class Pressure:
    """Says whether more can be taken in. Thread-safe."""

    def __init__(
        self,
        store: Store,
        table: Callable[[], Table],
        bounds: Bounds,
        clock: Callable[[], float] = time.monotonic,
        look: Callable[[Path], Room | None] = free,
    ) -> None:
        """Take what is measured, and the table in force; `clock` is in seconds."""
        self._store = store
        self._table = table
        self._bounds = bounds
        self._clock = clock
        self._look = look
        self._lock = threading.Lock()
        self._buckets: dict[str, Bucket] = {}
        self._counts: dict[str, int] = {}
        self._depth = 0
        self._next = -math.inf
        self._known: Table | None = None
        self._limits: Mapping[str, int] = {}
        self._shut = False
        self._log = get()
        self.reading = Reading()

    def measure(self) -> Reading:
        """Look at disks and queue, where it is time to; return what holds now. Raises StoreError.

        Call it once a second; counting what waits is done less often where it takes long.
        """
        disks = self._disks()
        try:
            self._count()
        finally:
            # What is known of the disks holds also while the store is away.
            self._read(*disks)
        return self.reading

    def _read(self, least: int | None, little: bool, low: bool) -> None:
        closed = tuple(name for name, so in (("disk", low), ("depth", self._deep())) if so)
        self.reading = Reading(least, little, closed, self._depth, self._full())
        self._say(closed)

    def _say(self, closed: tuple[str, ...]) -> None:
        if closed and not self._shut:
            self._log.warning("shut", error=", ".join(closed))
        elif self._shut and not closed:
            self._log.warning("reopened")
        self._shut = bool(closed)

    def check(self) -> None:
        """Raise Overloaded while nothing new is taken in."""
        closed = self.reading.closed
        if "disk" in closed:
            self.spare()
        if "depth" in closed:
            raise Overloaded("too many messages wait for delivery; send it again later", DEPTH)

    def spare(self) -> None:
        """Raise Overloaded where the disk has no room even for what belongs to messages here."""
        if "disk" in self.reading.closed:
            raise Overloaded("the disk of the broker is nearly full; send it again later", DISK)

    def admit(self, party: str) -> None:
        """Count a message of a party against its rate; raises TooFast, Overloaded."""
        self.check()
        known = self._table().parties.get(party)
        if known is None or not known.rate:
            return
        at = self._clock()
        with self._lock:
            bucket = self._buckets.get(party)
            if bucket is None or bucket.rate != known.rate:
                bucket = self._buckets[party] = Bucket(known.rate, at)
            wait = bucket.take(at)
        if wait:
            raise TooFast(f"more messages than the {_shown(known.rate)} agreed with this party; "
                          "send it again later", math.ceil(wait))  # fmt: skip

    def enter(self, route: str) -> None:
        """Count a message for a route; raises Overloaded where too many wait for it already."""
        if route in self.reading.full:
            text = "too many messages wait for the recipient's procedure; send it again later"
            raise Overloaded(text, DEPTH)
        if not self._counted():
            return
        with self._lock:
            self._depth += 1
            self._counts[route] = self._counts.get(route, 0) + 1
            self._close(route)

    def _close(self, route: str) -> None:
        """Close as soon as a bound is reached: until the next count, much could come in."""
        found, bound, most = self.reading, self._bounds.depth, self._limits.get(route, 0)
        deep = 0 < bound <= self._depth and "depth" not in found.closed
        full = 0 < most <= self._counts[route]
        if deep or full:
            closed = (*found.closed, "depth") if deep else found.closed
            routes = found.full | {route} if full else found.full
            self.reading = replace(found, closed=closed, full=routes, depth=self._depth)

    def _counted(self) -> bool:
        """Whether anybody limits how much waits."""
        table = self._table()
        if table is not self._known:
            self._limits = {one.name: one.depth for one in table.routes if one.depth}
            self._known = table
        return self._bounds.depth > 0 or bool(self._limits)

    def _count(self) -> None:
        """Count what waits, unless nobody limits it, or it took long not long ago."""
        began = self._clock()
        if not self._counted() or began < self._next:
            return
        counts = dict(self._store.depths())
        with self._lock:
            self._counts, self._depth = counts, sum(counts.values())
        self._next = began + SHARE * (self._clock() - began)

    def _disks(self) -> tuple[int | None, bool, bool]:
        """Return the least that is free, whether it is little, and whether it is too little."""
        folders = self._bounds.folders
        found = [(folder, room) for folder in folders if (room := self._look(folder))]
        if not found:
            return None, False, False
        low = any(self._low(folder, *room) for folder, room in found)
        little = any(left < needed(self._bounds.warn, size) for _, (left, size) in found)
        return min(left for _, (left, _) in found), little or low, low

    def _low(self, folder: Path, left: int, size: int) -> bool:
        # A closed intake opens with a little more room, so that it does not open and close.
        more = MORE if "disk" in self.reading.closed else 1.0
        bound = more * needed(self._bounds.stop, size)
        if left >= bound or left < bound * REAL or folder != self._bounds.folders[-1]:
            return left < bound
        # What was erased is room again, though the file of the store does not shrink.
        return left + self._store.slack() < bound

    def _deep(self) -> bool:
        less = LESS if "depth" in self.reading.closed else 1.0
        return 0 < self._bounds.depth * less <= self._depth

    def _full(self) -> frozenset[str]:
        was, counts = self.reading.full, self._counts
        return frozenset(
            name
            for name, most in self._limits.items()
            if counts.get(name, 0) >= most * (LESS if name in was else 1.0)
        )


def outside(store: Store, settings: Settings) -> Reading:
    """Return what a command sees that measures once; single routes it does not look at."""
    nothing = Table({}, {}, (), "", Path())
    return Pressure(store, lambda: nothing, Bounds.of(settings)).measure()


def _shown(rate: float) -> str:
    for seconds, unit in ((1, "a second"), (60, "a minute"), (3600, "an hour")):
        if rate * seconds >= 1:
            return f"{rate * seconds:g} {unit}"
    return f"{rate * 3600:g} an hour"
