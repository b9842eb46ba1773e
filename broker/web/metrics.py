"""Figures for a monitoring system, in the text format of Prometheus, without any name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from broker.journal.standing import Standing, standing
from broker.message import Direction, State, now
from broker.metrics import Meter
from broker.pipeline import Broker, Site
from broker.pressure import Pressure
from broker.pulse import stopped
from broker.settings import Settings
from broker.stores.contract import Counts
from broker.web import gauges
from broker.web.exposition import Family, Sample, histogram, one
from broker.web.reply import Reply
from broker.web.request import Request

TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
#: Every end is told, however far away: whoever watches decides when it is near.
_EVER: Final = 5_000
_STEPS: Final = "Seconds that a step of a message took in this process."


class Metrics:
    """The figures are read from the store when they are asked for."""

    def __init__(
        self,
        broker: Broker,
        settings: Settings | None = None,
        meter: Meter | None = None,
        pressure: Pressure | None = None,
    ) -> None:
        """Take the broker that is watched, where it stands, what measures its steps, and what says
        whether it takes more.
        """
        self._broker = broker
        self._settings = settings
        self._meter = meter
        self._pressure = pressure
        self._one = asyncio.Lock()

    async def show(self, _request: Request) -> Reply:
        """Return all figures; one request at a time adds up, so that asking costs little."""
        async with self._one:
            found = await asyncio.to_thread(self.text)
        return Reply(200, found.encode(), TYPE)

    def text(self) -> str:
        """Return all figures as they are now; reads the store."""
        store, site, at = self._broker.store, self._broker.site, now()
        paused = stopped(store, site.maintenance, at)
        parts = [
            text(store.counts(), site, at),
            refused(store.refusals(None, None)),
            sealed(standing(store), at),
            *_texts(gauges.routes(site, store.lanes(), paused, at)),
            gauges.late(site.table.table, store.lateness()).text(),
            gauges.alerts(store.alarms()).text(),
            gauges.aside(site).text(),
        ]
        if self._pressure:
            parts += _texts(gauges.pressed(self._pressure.reading))
        if self._settings:
            parts += _texts(gauges.machine(self._settings))
            parts += _texts([gauges.certificates(self._settings, site, at)])
        if self._meter:
            parts.append(histogram("step_seconds", _STEPS, self._meter.measured(), "step"))
        return "".join(parts)


def _texts(families: Iterable[Family]) -> list[str]:
    return [family.text() for family in families]


def text(counts: Counts, site: Site, at: datetime) -> str:
    """Return the figures about messages and standards at a time."""
    waiting = (at - counts.oldest).total_seconds() if counts.oldest else 0.0
    families = (
        Family("messages", "Messages by direction and state; their sum is all that was accepted.",
               _states(counts)),
        Family("accepted_total", "Messages ever accepted, by direction.", _accepted(counts),
               "counter"),
        one("refused", "What was refused and so is no message.", counts.refused),
        one("oldest_waiting_seconds",
            "Age of the oldest message that waits for delivery; 0 if none.", max(0.0, waiting)),
        Family("standard_ends_days",
               "Days until a version that a route takes is no longer accepted; negative: it ended.",
               _ends(site, at)),
    )  # fmt: skip
    return "".join(_texts(families))


def refused(counts: Mapping[str, int]) -> str:
    """Return what was refused, by XÖV reason code."""
    samples = [({"reason": reason}, count) for reason, count in sorted(counts.items())]
    return Family("refused_total", "What was refused, by reason code.", samples, "counter").text()


def sealed(seal: Standing, at: datetime) -> str:
    """Return the figures of the journal's seal at a time."""
    age = (at - seal.since).total_seconds() if seal.since else 0.0
    families = [
        one("journal_sealed", "Entries of the journal that are sealed.", seal.size),
        one("journal_unsealed",
            "Entries that wait for their seal; more than 10,000 are not counted.", seal.waiting),
        one("journal_unsealed_seconds",
            "Age of the oldest entry that waits for its seal; 0 if none.", max(0.0, age)),
        one("journal_checkpoint", "Entries in the last checkpoint.", seal.checkpoint),
    ]  # fmt: skip
    times = [("journal_sealed_timestamp_seconds", "Time of the newest sealed entry.", seal.sealed),
             ("journal_time_stamp_timestamp_seconds", "Time of the last time stamp (RFC 3161).",
              seal.stamped)]  # fmt: skip
    families += [one(name, help, time.timestamp()) for name, help, time in times if time]
    return "".join(_texts(families))


def _states(counts: Counts) -> Iterator[Sample]:
    for direction in Direction:
        found = counts.states.get(direction, {})
        for state in State:
            yield {"direction": direction.value, "state": state.value}, found.get(state, 0)


def _accepted(counts: Counts) -> Iterator[Sample]:
    for direction in Direction:
        yield {"direction": direction.value}, sum(counts.states.get(direction, {}).values())


def _ends(site: Site, at: datetime) -> Iterator[Sample]:
    used = {(name, version) for name, _, version in (one.partition("/") for one in site.used())}
    for found in site.standards.ending(_EVER, at, used):
        yield {"standard": found.standard, "version": found.version}, found.days
