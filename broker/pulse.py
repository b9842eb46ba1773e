"""How the routes do at this moment: what is unfinished, and how much came and went lately."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from broker.journal.entry import decode, stamp
from broker.maintenance import Maintenance, Stop
from broker.message import State
from broker.stores.contract import Store
from broker.stores.mending import Lane

#: What is called lately (seconds).
SPAN = 60.0
_STATES = (State.WAITING, State.WORKING, State.HELD, State.UNCLEAR, State.DEAD)


@dataclass(frozen=True, slots=True)
class Beat:
    """One route: its unfinished messages, and how many came and were delivered in `SPAN`.

    `paused` says that it is stopped now, `until` when that ends by itself, and `next` when the next
    regular window of its channel begins.
    """

    lane: Lane
    came: int
    went: int
    paused: bool
    until: datetime | None = None
    next: datetime | None = None

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
            "until": stamp(self.until) if self.until else None,
            "next": stamp(self.next) if self.next else None,
        }


def beats(
    store: Store, maintenance: Maintenance, at: datetime, routes: Iterable[str] = ()
) -> list[Beat]:
    """Return all routes that are stopped, have unfinished messages or traffic, and these routes, by
    name.
    """
    lanes = {lane.route: lane for lane in store.lanes()}
    moved = store.moved(before(store, at - timedelta(seconds=SPAN)))
    paused, coming = stopped(store, maintenance, at), maintenance.coming(at)
    names = sorted({*lanes, *moved, *paused, *routes})
    return [
        Beat(
            lanes.get(name, Lane(name, {}, None, 0)),
            *moved.get(name, (0, 0)),
            name in paused,
            paused.get(name),
            coming.get(name),
        )
        for name in names
    ]


def stopped(store: Store, maintenance: Maintenance, at: datetime) -> dict[str, datetime | None]:
    """Return the routes that are stopped at a time, each with when that ends by itself; None where
    a person has to resume it.
    """
    found: dict[str, datetime | None] = {}
    ends = list(maintenance.routes(at).items())
    ends += [(one.route, one.until) for one in store.windows() if one.open(at)]
    for route, until in ends:
        found[route] = max(until, found.get(route) or until)
    return found | dict.fromkeys(pause.route for pause in store.pauses())


def pauses(store: Store, maintenance: Maintenance, at: datetime) -> dict[str, list[dict[str, Any]]]:
    """Return for a machine what persons have stopped and planned, and the running and next window
    of each channel that has any.
    """
    return {
        "paused": [
            {"route": pause.route, "actor": pause.actor, "reason": pause.reason,
             "since": stamp(pause.since)}
            for pause in store.pauses()
        ],
        "windows": [
            {"route": one.route, "actor": one.actor, "reason": one.reason,
             "start": stamp(one.start), "until": stamp(one.until), "open": one.open(at)}
            for one in store.windows()
        ],
        "maintenance": [halt(one, at) for one in maintenance.stops(at)],
    }  # fmt: skip


def halt(stop: Stop, at: datetime) -> dict[str, Any]:
    """Return a regular window of a channel for a machine."""
    return {
        "channel": stop.channel,
        "routes": list(stop.routes),
        "window": stop.span.text,
        "start": stamp(stop.span.start),
        "until": stamp(stop.span.until),
        "open": stop.open(at),
    }


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
