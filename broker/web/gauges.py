"""Figures about routes and about what the broker stands on: disk, memory, certificates."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from broker.alerts.words import KINDS, kind
from broker.certificates import term, watched
from broker.config.model import Table
from broker.errors import ConfigError
from broker.message import State
from broker.pipeline import Site
from broker.pressure import Reading
from broker.settings import Settings
from broker.stores.lookout import Alarm, Lateness
from broker.stores.mending import Lane
from broker.web.exposition import Family, Sample, one

_OPEN = (State.WAITING, State.WORKING, State.HELD, State.UNCLEAR, State.DEAD)
_WHY = ("disk", "depth")
_DAY = 86_400.0
#: With more routes, only those with unfinished messages are told.
MANY = 500


def routes(
    site: Site, lanes: Sequence[Lane], stopped: Collection[str], at: datetime
) -> list[Family]:
    """Return what is unfinished on every route; of a few hundred, those without any have zeros."""
    found = {lane.route: lane for lane in lanes}
    known = [route.name for route in site.table.table.routes]
    # A table for all municipalities would say nothing 10,000 times.
    names = sorted({*found, *(known if len(known) <= MANY else ())} - {""})
    ages = [({"route": name}, _age(found.get(name), at)) for name in names]
    failing = [({"route": name}, found[name].failing if name in found else 0) for name in names]
    return [
        Family("route_messages", "Unfinished messages by route and state.", _states(names, found)),
        Family("route_oldest_seconds",
               "Age of the oldest message of a route that waits for delivery; 0 if none.", ages),
        Family("route_failing", "Waiting messages for which an attempt has failed already.",
               failing),
        Family("route_paused", "1 where a person or a window has stopped the route.",
               [({"route": name}, int(name in stopped)) for name in names]),
    ]  # fmt: skip


def _states(names: Sequence[str], found: Mapping[str, Lane]) -> Iterator[Sample]:
    for name in names:
        states = found[name].states if name in found else {}
        for state in _OPEN:
            yield {"route": name, "state": state.value}, states.get(state, 0)


def _age(lane: Lane | None, at: datetime) -> float:
    oldest = lane.oldest if lane else None
    return max(0.0, (at - oldest).total_seconds()) if oldest else 0.0


def late(table: Table, found: Iterable[Lateness]) -> Family:
    """Return the requests that are late; of a few hundred routes, deadlines kept are zeros."""
    help = "Requests that were not delivered, or not answered, in the time that their route sets."
    known = table.routes if len(table.routes) <= MANY else ()
    limits = [(one.name, {"delivery": one.deliver_within, "answer": one.answer_within})
              for one in known]  # fmt: skip
    counts = {(name, due): 0 for name, both in limits for due, most in both.items() if most}
    counts |= {(one.route, str(one.kind)): one.count for one in found}
    samples = [({"route": route, "kind": due}, count) for (route, due), count in counts.items()]
    return Family("late", help, samples)


def alerts(alarms: Iterable[Alarm]) -> Family:
    """Return the open causes for an alert by their kind, those of which there is none as zeros."""
    counts = Counter(kind(one.cause) for one in alarms if one.over is None)
    # A newer process of the same site may know of more kinds.
    names = sorted({*KINDS, *counts} - {"test"})
    samples = [({"kind": name}, counts[name]) for name in names]
    return Family("alerts_open", "Causes for an alert that are not over, by kind.", samples)


def aside(site: Site) -> Family:
    """Return what lies in the quarantine of each channel that has one, as it looked last."""
    found = ((name, channel.aside) for name, channel in sorted(site.channels.items()))
    samples = [({"channel": name}, count) for name, count in found if count is not None]
    help = "Refused messages in the quarantine of a channel, as this process counted last."
    return Family("channel_quarantine", help, samples)


def pressed(reading: Reading) -> list[Family]:
    """Return whether this process takes messages in, and how much waits as it counted last."""
    closed = [({"why": why}, int(why in reading.closed)) for why in _WHY]
    return [
        Family("intake_closed", "1 while this process takes nothing in for this reason.", closed),
        one("undelivered",
            "What waits or is worked on, as held against the limits; 0 where there are none.",
            reading.depth),
    ]  # fmt: skip


def machine(settings: Settings) -> list[Family]:
    """Return room on the disk of the state folder, memory and open files of this process."""
    found = [Family("info", "Version of the program.", [({"version": version("xoev-broker")}, 1)])]
    with suppress(OSError):
        disk = os.statvfs(settings.state)
        found += [
            one("disk_free_bytes", "Free on the disk of the state folder.",
                disk.f_bavail * disk.f_frsize),
            one("disk_size_bytes", "Size of the disk of the state folder.",
                disk.f_blocks * disk.f_frsize),
        ]  # fmt: skip
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        found += [
            one("memory_bytes", "Memory of this process.", pages * os.sysconf("SC_PAGE_SIZE")),
            one("open_files", "Open files and connections of this process.",
                len(os.listdir("/proc/self/fd"))),
        ]  # fmt: skip
    return found


def certificates(settings: Settings, site: Site, at: datetime) -> Family:
    """Return the days until each certificate file ends, by the name of its file only."""
    help = "Days until a certificate in this file ends; negative: it ended, -1000: unreadable."
    channels = site.table.table.channels.values()
    files = watched(settings, (channel.values for channel in channels))
    samples = [({"file": path.name}, _days(path, at)) for path in files]
    return Family("certificate_ends_days", help, samples)


def _days(path: Path, at: datetime) -> float:
    try:
        return (term(path).until - at).total_seconds() / _DAY
    except ConfigError:
        return -1000.0
