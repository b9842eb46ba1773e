"""Offices: what one process at a time does, of all that work on a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread

from broker.errors import (
    BrokerError,
    StoreAway,
    StoreError,
    guarded,
    original,
)
from broker.outage import Outage
from broker.stores.contract import Store

#: Seals the journal.
SEAL = "seal"
#: Takes up what a dead process had in hand, buries what was held too long, erases what is due.
UPKEEP = "upkeep"
#: Watches deadlines and causes for alerts, and tells people.
ALERTS = "alerts"
#: Rings again for what is due and was not taken.
SWEEP = "sweep"
_PROCESS = "process:"
#: While the store is away, it is asked again after so many seconds.
AGAIN = 1.0

Broken = Callable[[BaseException], None]


def process(role: str, host: str, pid: int) -> str:
    """Return the office that every process has for itself: it says that the process lives."""
    return f"{_PROCESS}{role}:{host}:{pid}"


def processes(held: Iterable[str]) -> list[str]:
    """Return which processes live, as `role:host:pid`, of all offices that are held."""
    return sorted(name.removeprefix(_PROCESS) for name in held if name.startswith(_PROCESS))


def receiving(channel: str) -> str:
    """Return the office of whoever looks for what a channel brings in."""
    return f"receive:{channel}"


class Offices:
    """Asks for offices and keeps them until it is stopped; a dead holder loses them with the term.

    An office spares work twice done. What is right must not depend on it: a process that hangs may
    go on with an office that it has lost.
    """

    def __init__(
        self,
        store: Store,
        owner: str,
        wanted: Callable[[], Sequence[str]],
        term: float,
        outage: Outage,
    ) -> None:
        """Take the name of this process, the offices it can fill, and their term in seconds."""
        self._store = store
        self._owner = owner
        self._wanted = wanted
        self._term = term
        self._outage = outage
        self._held: frozenset[str] = frozenset()
        self._until = 0.0
        self._stopping = Event()
        self._soon = Event()
        self._thread: Thread | None = None

    def start(self, broken: Broken) -> None:
        """Ask once, then again in each third of the term; `broken` is told of a failing store."""
        if not self._store.shared:
            # On one machine a name has one holder: what an earlier one left is free.
            self._store.resign(self._owner).result()
        self.ask()
        self._thread = Thread(target=self._run, args=(broken,), name="offices", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give all offices back, so that others need not wait for the end of the term."""
        self._stopping.set()
        self._soon.set()
        if self._thread is not None:
            self._thread.join()
            self._held = frozenset()
            with suppress(StoreError):
                self._store.resign(self._owner).result()

    def soon(self) -> None:
        """Ask now: other offices are wanted."""
        self._soon.set()

    def has(self, name: str) -> bool:
        """Whether this process holds an office now."""
        return name in self._held and time.monotonic() < self._until

    def ask(self) -> None:
        """Ask for all that is wanted; keep what is held where the store is away."""
        asked = time.monotonic()
        try:
            held = self._store.elect(self._wanted(), self._owner, self._term).result()
        except StoreAway as error:
            self._outage.begun(error)
            return
        self._outage.over()
        # Counted from before the question: the store's term began later.
        self._held, self._until = held, asked + self._term

    def _run(self, broken: Broken) -> None:
        while not self._stopping.is_set():
            self._soon.wait(AGAIN if self._outage.away else self._term / 3)
            self._soon.clear()
            if self._stopping.is_set():
                return
            try:
                self.ask()
            except StoreError as error:
                broken(error)
                return


@dataclass(frozen=True, slots=True)
class Chore:
    """What is done every so many seconds, by whoever holds the office; everybody where it is
    empty.
    """

    office: str
    seconds: float
    act: Callable[[], object]


class Rota:
    """Does chores, each on a thread of its own, so that a long one delays no other."""

    def __init__(self, has: Callable[[str], bool], chores: Sequence[Chore], outage: Outage) -> None:
        """Take what says whether an office is held."""
        self._has = has
        self._chores = chores
        self._outage = outage
        self._stopping = Event()
        self._threads: list[Thread] = []

    def start(self, broken: Broken) -> None:
        """Begin, with a pause first; `broken` is told where a chore fails."""
        for chore in self._chores:
            name = f"chore-{chore.office}"
            thread = Thread(target=self._run, args=(chore, broken), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, seconds: float) -> None:
        """Begin nothing more and wait for what is being done, so long at most for each."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(seconds)

    def _run(self, chore: Chore, broken: Broken) -> None:
        while not self._stopping.wait(chore.seconds):
            if chore.office and not self._has(chore.office):
                continue
            try:
                with guarded():
                    chore.act()
            except StoreAway as error:
                self._outage.begun(error)
            except BrokerError as error:
                if not self._stopping.is_set():
                    broken(original(error))
                return
