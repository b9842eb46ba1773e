"""How the routes do at this moment: what is unfinished, and how much came and went lately."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from broker.journal.entry import decode, stamp
from broker.message import State
from broker.stores.contract import Store
from broker.stores.mending import Lane

#: What is called lately (seconds).
SPAN = 60.0
_STATES = (State.WAITING, State.WORKING, State.HELD, State.UNCLEAR, State.DEAD)


@dataclass(frozen=True, slots=True)
class Beat:
    """One route: its unfinished messages, and how many came and were delivered in `SPAN`.

    `paused` says that it is stopped now.
    """

    lane: Lane
    came: int
    went: int
    paused: bool

    def count(self, state: State) -> int:
        """How many are in this state."""
        return self.lane.states.get(state, 0)

    def record(self) -> dict[str, Any]:
        """Return it for a machine."""
        return {
            "route": self.lane.route,
            "states": {state.value: self.count(state) for state in _STATES},
            "oldest_waiting": stamp(self.lane.oldest) if self.lane.oldest else None,
            "failing": self.lane.failing,
            "came": self.came,
            "went": self.went,
            "paused": self.paused,
        }


def beats(store: Store, at: datetime, routes: Iterable[str] = ()) -> list[Beat]:
    """Return all routes with unfinished messages or traffic, and these routes, by name."""
    lanes = {lane.route: lane for lane in store.lanes()}
    moved = store.moved(before(store, at - timedelta(seconds=SPAN)))
    paused = stopped(store, at)
    names = sorted({*lanes, *moved, *paused, *routes})
    return [
        Beat(lanes.get(name, Lane(name, {}, None, 0)), *moved.get(name, (0, 0)), name in paused)
        for name in names
    ]


def stopped(store: Store, at: datetime) -> set[str]:
    """Return the routes that are stopped at a time, until resumed or for a while."""
    windows = {window.route for window in store.windows() if window.open(at)}
    return windows | {pause.route for pause in store.pauses()}


def before(store: Store, at: datetime) -> int:
    """Return the number of the last journal entry before a time, about: clocks may differ."""
    newest = store.newest()
    low, high = 0, newest.seq if newest else 0
    while low < high:
        middle = (low + high) // 2
        found = next(iter(store.entries(after=middle)), None)
        if found is None or decode(found).time >= at:
            high = middle
        else:
            low = found.seq
    return low
