"""A period in numbers: how many, how long from acceptance to delivery, refused why."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any

from broker.journal.entry import stamp
from broker.message import Direction, State
from broker.stores.contract import Figure, Filter, Store

#: States of a message that is still on its way, or waits for a person.
OPEN = tuple(state for state in State if not state.terminal)


@dataclass(slots=True)
class Group:
    """Messages of one direction on one route in numbers; `times` are seconds until delivery."""

    direction: Direction
    route: str
    states: Counter[State] = field(default_factory=Counter)
    times: array[float] = field(default_factory=lambda: array("d"))
    attempts: int = 0

    @property
    def accepted(self) -> int:
        """How many were accepted."""
        return self.states.total()

    @property
    def open(self) -> int:
        """How many have no end yet."""
        return sum(self.states[state] for state in OPEN)

    def add(self, figure: Figure) -> None:
        """Count one message."""
        self.states[figure.state] += 1
        self.attempts += figure.attempts
        if figure.seconds is not None:
            self.times.append(figure.seconds)


@dataclass(frozen=True, slots=True)
class Statistics:
    """All messages that were accepted in a period, by the state that they are in now.

    `groups` is sorted by direction and route, `days` counts requests by the day (UTC) of their
    acceptance, `reasons` rejected requests by reason code, `refused` what was not accepted at all.
    """

    filter: Filter
    groups: tuple[Group, ...]
    days: Mapping[date, Counter[State]]
    reasons: Mapping[str, int]
    refused: Mapping[str, int]

    def total(self, direction: Direction) -> Group:
        """Return all routes of one direction as one group."""
        total = Group(direction, "")
        for group in self.groups:
            if group.direction is direction:
                total.states.update(group.states)
                total.times.extend(group.times)
                total.attempts += group.attempts
        return total


def collect(store: Store, filter: Filter) -> Statistics:
    """Count what passes a filter; what was not accepted is counted by its period alone."""
    groups: dict[tuple[str, str], Group] = {}
    days: dict[date, Counter[State]] = {}
    reasons: Counter[str] = Counter()
    for figure in store.figures(filter):
        place = (figure.direction.value, figure.route)
        groups.setdefault(place, Group(figure.direction, figure.route)).add(figure)
        if figure.direction is Direction.REQUEST:
            days.setdefault(figure.received.astimezone(UTC).date(), Counter())[figure.state] += 1
            reasons[figure.reason] += figure.state is State.REJECTED
    found = tuple(groups[place] for place in sorted(groups, reverse=True))
    return Statistics(
        filter,
        tuple(sorted(found, key=lambda one: (one.direction is Direction.ANSWER, one.route))),
        dict(sorted(days.items())),
        _most(+reasons),
        _most(store.refusals(filter.since, filter.until)),
    )


def _most(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def percentile(values: Iterable[float], percent: int) -> float | None:
    """Return the smallest value that so many percent of all do not exceed, None without values."""
    ordered: Sequence[float] = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def record(found: Statistics) -> dict[str, Any]:
    """Return it for machines, with stable keys; times in seconds."""
    since, until = found.filter.since, found.filter.until
    return {
        "since": stamp(since) if since else None,
        "until": stamp(until) if until else None,
        "requests": _group(found.total(Direction.REQUEST)),
        "answers": _group(found.total(Direction.ANSWER)),
        "routes": [
            {"direction": group.direction.value, "route": group.route, **_group(group)}
            for group in found.groups
        ],
        "days": [
            {"day": day.isoformat(), "accepted": states.total(), **_states(states)}
            for day, states in found.days.items()
        ],
        "rejected_why": dict(found.reasons),
        "refused": sum(found.refused.values()),
        "refused_why": dict(found.refused),
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "accepted": group.accepted,
        "states": _states(group.states),
        "attempts": group.attempts,
        "median_seconds": percentile(group.times, 50),
        "p95_seconds": percentile(group.times, 95),
    }


def _states(states: Counter[State]) -> dict[str, int]:
    return {state.value: states[state] for state in State}
