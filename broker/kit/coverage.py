"""The loss report of an adapter: what arrives, what is left out on purpose, what is lost silently.

Measured, not declared: every value of every sample is replaced in turn (see lineage). A field is
*lost* where a value of it changes nothing and no line of `drops.csv` says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from broker.catalog import Catalog
from broker.errors import BrokerError
from broker.kit import drops, expected, lineage
from broker.kit.drops import Drop
from broker.kit.expected import Unproven
from broker.kit.experiment import BACK, FORTH, Touch, Trace
from broker.xoev.standards import Standards

DIRECTIONS: Final = (FORTH, BACK)


@dataclass(frozen=True, slots=True)
class Place:
    """One field of the source over all samples.

    `state` is `reached`, `kept` (the broker itself reads it), `dropped` (with `reason`) or `lost`.
    `total` values stand in the samples, `arrived` of them change the output. `samples` are those in
    which one does not arrive. `part` says that only a part of a value was seen to arrive.
    """

    path: str
    state: str
    total: int
    arrived: int
    targets: tuple[str, ...] = ()
    steers: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    reason: str = ""
    samples: tuple[str, ...] = ()
    part: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """One direction: the fields of the source, and the target fields no sample fills."""

    direction: str
    samples: int
    places: tuple[Place, ...]
    empty: tuple[str, ...] = ()
    unproven: tuple[Unproven, ...] = ()
    fields: int = 0  #: how many the official schema knows; 0 where only a profile is installed

    def of(self, state: str) -> tuple[Place, ...]:
        """Return the fields in one state."""
        return tuple(place for place in self.places if place.state == state)

    @property
    def share(self) -> float:
        """Which part of the values in the samples arrives or is read by the broker (0 to 1)."""
        total = sum(place.total for place in self.places)
        here = sum(place.total if place.state == "kept" else place.arrived for place in self.places)
        return here / total if total else 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """The loss report of one adapter. `profiles` are the accepted standards of which no official
    schema is installed: what no sample holds is then unknown.
    """

    adapter: str
    accepts: tuple[str, ...]
    ways: tuple[Way, ...]
    stale: tuple[Drop, ...] = ()
    profiles: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[Place, ...]:
        """The fields that are lost silently."""
        return tuple(place for way in self.ways for place in way.of("lost"))

    @property
    def ok(self) -> bool:
        """Whether nothing is lost silently and every line of drops.csv is true."""
        return not self.lost and not self.stale


def report(catalog: Catalog, name: str, standards: Standards) -> Report:
    """Measure an adapter; raises ConfigError where drops.csv cannot be used, BrokerError where
    there is no sample to measure with.
    """
    adapter = catalog.get(name)
    declared = drops.read(catalog.folder(name))
    traces = lineage.traces(catalog, name, standards)
    if not traces:
        raise BrokerError(f"{name} has no sample that can be converted; coverage needs one")
    ways = []
    for direction in DIRECTIONS:
        found = [trace for trace in traces if trace.direction == direction]
        if not found:
            continue
        places = _places(found, declared, direction)
        universe = expected.fields(adapter, direction)
        whole: tuple[int, tuple[Unproven, ...]] = (0, ())
        if direction == FORTH:
            whole = expected.unproven(catalog, name, standards, declared, found)
        ways.append(Way(direction, len(found), places, _empty(found, universe), whole[1], whole[0]))
    profiles = tuple(one for one in adapter.accepts if not expected.official(standards, one))
    return Report(name, adapter.accepts, tuple(ways), _stale(ways, declared), profiles)


def _places(traces: Iterable[Trace], declared: Iterable[Drop], direction: str) -> tuple[Place, ...]:
    gathered: dict[str, list[tuple[str, Touch]]] = {}
    for trace in traces:
        for touch in trace.touches:
            gathered.setdefault(touch.path, []).append((trace.sample, touch))
    return tuple(_place(path, found, declared, direction) for path, found in gathered.items())


def _place(
    path: str, found: list[tuple[str, Touch]], declared: Iterable[Drop], direction: str
) -> Place:
    touches = [touch for _, touch in found]
    arrived = [touch for touch in touches if touch.arrives]
    drop = next((one for one in declared if one.covers(path, direction)), None)
    state, reason = "lost", ""
    if len(arrived) == len(touches):
        state = "reached"
    elif all(touch.kept or touch.arrives for touch in touches):
        state = "kept"
    elif drop is not None:
        state, reason = "dropped", drop.reason
    return Place(
        path, state, len(touches), len(arrived),
        _union(touch.fields for touch in touches),
        _union(touch.steers - touch.fields for touch in touches),
        _union(touch.lists for touch in touches),
        reason,
        tuple(dict.fromkeys(sample for sample, touch in found if not touch.arrives)),
        any(touch.part for touch in touches),
    )  # fmt: skip


def _union(sets: Iterable[frozenset[str]]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*sets)))


def _empty(traces: Iterable[Trace], universe: Mapping[str, None]) -> tuple[str, ...]:
    """Return the target fields that no sample fills; an unknown one counts where it was written."""
    filled: dict[str, bool] = dict.fromkeys(universe, False)
    for trace in traces:
        for path, values in trace.fields.items():
            local = path.rpartition("/")[2].rpartition(":")[2]
            key = path if path in universe or local not in universe else local
            filled[key] = filled.get(key, False) or any(values)
    return tuple(path for path, there in filled.items() if not there)


def _stale(ways: Iterable[Way], declared: Iterable[Drop]) -> tuple[Drop, ...]:
    """Return the lines of the adapter's own drops.csv that say something is left out that is not.

    A line about what no sample holds may be right.
    """
    return tuple(
        drop
        for drop in declared
        if not drop.shared and _covered(ways, drop) and not _needed(ways, drop)
    )


def _covered(ways: Iterable[Way], drop: Drop) -> list[Place]:
    return [place for way in ways for place in way.places if drop.covers(place.path, way.direction)]


def _needed(ways: Iterable[Way], drop: Drop) -> bool:
    return any(place.arrived < place.total and place.state != "kept"
               for place in _covered(ways, drop))  # fmt: skip
