"""The configuration: routes, adapters, standards and their calendar, channels."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from broker.app import disabled, look_at_queue, outlasting
from broker.channels.channel import Channel
from broker.doctor.remark import Remark, error, ok, warning
from broker.errors import BrokerError, Finding
from broker.pipeline import Site
from broker.settings import Settings

#: So many channels are tried at once.
_PROBES = 16


def routes(site: Site) -> Iterator[Remark]:
    """Look at what routes.yaml says that works and may not be meant."""
    table = site.table.table
    yield from (warning("routes.look", str(table.file), text=one) for one in table.warnings
                if "_file" not in one)  # fmt: skip
    yield ok("routes.good", str(table.file), routes=len(table.routes),
             channels=len(table.channels), parties=len(table.parties))  # fmt: skip


def adapters(site: Site) -> Iterator[Remark]:
    """Look for broken adapters; one that no route names is worth a look only."""
    used = disabled(site)
    for name, findings in site.catalog.broken.items():
        tell = error if name in used else warning
        yield from (tell("adapters.broken", name, text=str(one)) for one in findings)
    yield ok("adapters.good", count=len(site.catalog.names))


def standards(settings: Settings, site: Site, now: datetime) -> Iterator[Remark]:
    """Look at the versions that routes take: who judges them, and until when they are in force."""
    known = site.standards
    taken = sorted(site.used())
    for text in known.warnings():
        if any(text.startswith(f"{one.replace('/', ' ')}:") for one in taken):
            yield warning("standards.profile", text.partition(":")[0], text=text)
    yield from (warning("standards.altered", text=text) for text in known.altered())
    pairs = {(name, version) for name, _, version in (one.partition("/") for one in taken)}
    for one in known.ending(settings.ending_weeks, now, pairs):
        facts = {"text": one.text, "standard": one.standard, "version": one.version,
                 "last": one.last, "days": one.days}  # fmt: skip
        where = f"{one.standard}/{one.version}"
        if one.days < 0:
            yield error("standards.ended", where, **facts)
        else:
            yield warning("standards.ending", where, **facts)
    yield ok("standards.good", count=sum(len(known.versions(name)) for name in known.names()))


def channels(site: Site) -> Iterator[Remark]:
    """Try every channel, without sending anything."""
    with ThreadPoolExecutor(_PROBES) as pool:
        for found in pool.map(_tried, site.channels.values()):
            yield from found


def deadlines(settings: Settings, site: Site) -> Iterator[Remark]:
    """Look for channels on which a process that hung may send once more."""
    for one in outlasting(settings, site):
        facts = {"deadline": f"{one.deadline:g}", "lease": f"{settings.lease:g}"}
        yield warning("channels.outlasts", one.name, **facts)


def queue(settings: Settings) -> Iterator[Remark]:
    """Look at the queues that wake workers, where there are some."""
    found = look_at_queue(settings)
    if found is None:
        return
    for finding in filter(None, (found.finding, *(line.finding for line in found.lines))):
        yield error("queue.wrong", found.node, text=finding)
    if found.well:
        yield ok("queue.good", found.node, count=len(found.lines))


def wrong(key: str, findings: tuple[Finding, ...]) -> Iterator[Remark]:
    """Return findings of a configuration that cannot be used."""
    yield from (error(key, one.file, text=str(one)) for one in findings)


def _tried(channel: Channel) -> tuple[Remark, ...]:
    try:
        good = ok("channels.good", channel.name, text=channel.probe())
        lying = channel.aside
        return (good, warning("channels.aside", channel.name, count=lying)) if lying else (good,)
    except BrokerError as problem:
        text = str(problem).removeprefix(f"{channel.name}: ")
        return (error("channels.away", channel.name, text=text),)
    finally:
        channel.close()
