"""What is to be seen that people must know of, by cause."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from broker.alerts.words import Facts
from broker.causes import STUCK, Cause, cause, every
from broker.certificates import term, watched
from broker.channels.channel import Channel
from broker.errors import ConfigError
from broker.journal.standing import standing
from broker.maintenance import Maintenance
from broker.message import State
from broker.pipeline import Broker, Site
from broker.pressure import Reading
from broker.pulse import stopped
from broker.settings import Settings
from broker.stores.contract import Filter
from broker.stores.mending import Lane

#: So many messages that wait for a person are looked at, and so many of their causes are told.
MESSAGES, CAUSES = 5_000, 200
#: So many waiting messages of a route are looked at for one that no window has kept.
WAITING = 1_000
#: What waits for a person is sorted by cause again after this time, or when its number changes.
AGAIN = timedelta(minutes=5)
_WEEK = 7 * 86_400

Sight = tuple[str, Facts]


@dataclass(frozen=True, slots=True)
class _Sorted:
    at: datetime
    counts: tuple[tuple[str, str, int], ...]
    sights: tuple[Sight, ...]


class Sights:
    """Looks at the whole site: any process that works on it sees the same."""

    def __init__(self, broker: Broker, settings: Settings) -> None:
        """Take the broker that is watched, and from when on something is a cause."""
        self._broker = broker
        self._settings = settings
        self._sorted: _Sorted | None = None

    def look(self, at: datetime, lanes: list[Lane]) -> dict[str, Facts]:
        """Return all causes at a time with their facts. Raises StoreError."""
        found = dict(self._waiting(at, lanes))
        found.update(self._stuck(at, lanes))
        found.update(self._late())
        found.update(self._sealing(at))
        found.update(_files(self._broker.site, self._settings, at))
        found.update(_standards(self._broker.site, self._settings, at))
        found.update(_adapters(self._broker.site))
        return found

    def _waiting(self, at: datetime, lanes: list[Lane]) -> Iterator[Sight]:
        before = at - timedelta(seconds=self._settings.alert_waiting)
        old = [lane for lane in lanes if lane.oldest and lane.oldest < before]
        # What a person has stopped is known to people. A regular window stops what goes over its
        # channel, and that has its time from the end of the window on.
        paused = stopped(self._broker.store, Maintenance(), at) if old else {}
        stood = self._broker.site.maintenance.recent(before, at) if old else ()
        for lane in old:
            oldest = self._oldest(lane.route, stood) if stood else lane.oldest
            if lane.route not in paused and oldest and oldest < before:
                yield f"waiting:{lane.route}", {"route": lane.route, "oldest": _time(oldest)}

    def _oldest(self, route: str, stood: Collection[str]) -> datetime | None:
        """Return since when the oldest message waits that goes over none of these channels: the
        answers of a route have another one than its requests.
        """
        rows = self._broker.store.rows(
            Filter(states=(State.WAITING,), route=route, oldest=True, limit=WAITING)
        )
        return next((row.received for row in rows if row.channel not in stood), None)

    def _stuck(self, at: datetime, lanes: list[Lane]) -> tuple[Sight, ...]:
        counts = tuple(
            (lane.route, state.value, lane.states[state])
            for lane in lanes
            for state in STUCK
            if lane.states.get(state)
        )
        known = self._sorted
        if known is None or known.counts != counts or at - known.at >= AGAIN:
            sights = tuple(self._causes()) if counts else ()
            self._sorted = known = _Sorted(at, counts, sights)
        return known.sights

    def _causes(self) -> Iterator[Sight]:
        found: dict[str, Cause] = {}
        rows = every(self._broker.store, Filter(states=STUCK))
        for one in map(cause, islice(rows, MESSAGES)):
            before = found.get(one.key)
            found[one.key] = replace(before, count=before.count + 1) if before else one
        # Rows come oldest first, so that what is known stays among those that are told.
        for one in islice(found.values(), CAUSES):
            yield f"dead:{one.key}", {
                "key": one.key, "route": one.route or "-", "state": one.state.value,
                "reason": one.reason or "-", "count": str(one.count),
            }  # fmt: skip

    def _late(self) -> Iterator[Sight]:
        for one in self._broker.store.lateness():
            yield f"late:{one.kind}:{one.route}", {
                "route": one.route, "rule": one.kind, "count": str(one.count),
                "oldest": _time(one.since),
            }  # fmt: skip

    def _sealing(self, at: datetime) -> Iterator[Sight]:
        since = standing(self._broker.store).since
        if since and at - since > timedelta(seconds=self._settings.seal_limit / 2):
            yield "sealing", {"oldest": _time(since)}


def here(reading: Reading, host: str) -> dict[str, Facts]:
    """Return the causes that only the processes of one host see."""
    found: dict[str, Facts] = {}
    if reading.little:
        found[f"disk:{host}"] = {"host": host}
    if reading.closed:
        found[f"closed:{host}"] = {"host": host, "why": ", ".join(reading.closed)}
    for route in sorted(reading.full):
        found[f"full:{route}"] = {"route": route}
    return found


def aside(channels: Iterable[Channel]) -> dict[str, Facts]:
    """Return the channels that have put something aside for a person, as a process saw it last."""
    return {
        f"quarantine:{one.name}": {"channel": one.name, "count": str(one.aside)}
        for one in channels
        if one.aside
    }


def _files(site: Site, settings: Settings, at: datetime) -> Iterator[Sight]:
    channels = site.table.table.channels.values()
    before = at + timedelta(seconds=settings.alert_ending)
    for path in watched(settings, (channel.values for channel in channels)):
        until = _until(path)
        if until is None or until < before:
            shown = _time(until) if until else "unreadable"
            yield f"certificate:{path.name}", {"file": path.name, "until": shown}


def _until(path: Path) -> datetime | None:
    try:
        return term(path).until
    except ConfigError:
        return None


def _standards(site: Site, settings: Settings, at: datetime) -> Iterator[Sight]:
    used = {(name, version) for name, _, version in (one.partition("/") for one in site.used())}
    for one in site.standards.ending(int(settings.alert_ending // _WEEK) or 1, at, used):
        facts = {"standard": one.standard, "version": one.version, "until": str(one.last)}
        yield f"standard:{one.standard}/{one.version}", facts


def _adapters(site: Site) -> Iterator[Sight]:
    used = {route.adapter for route in site.table.table.routes}
    for name in sorted(used & site.catalog.broken.keys()):
        yield f"adapter:{name}", {"adapter": name}


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
