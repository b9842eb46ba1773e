"""The store: can it be used, is the journal sealed, and does any message wait for a person?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from broker.app import inspect_store
from broker.doctor.remark import Remark, error, ok, warning
from broker.errors import BrokerError, ConfigError, StoreError
from broker.journal.entry import decode, stamp
from broker.journal.restore import look
from broker.journal.vault import Vault
from broker.maintenance import Maintenance
from broker.message import State, now
from broker.pulse import stopped
from broker.settings import Settings
from broker.stores.contract import Filter, Store

_STUCK = (State.DEAD, State.UNCLEAR, State.HELD)
#: A message that waits longer is told of.
_LONG = timedelta(hours=1)
#: Clocks may differ by so many seconds.
APART = 2.0


def fit(settings: Settings) -> Iterator[Remark]:
    """Look at the store without changing it; without `store.good` it must not be opened."""
    where = "the database" if settings.database().startswith("postgresql") else "the store"
    try:
        found = inspect_store(settings)
    except (StoreError, ConfigError) as problem:
        yield error("store.wrong", where, text=str(problem))
        return
    if found is None or found.found == 0:
        yield ok("store.first", where)
    elif found.damage:
        yield error("store.damaged", where, text=found.damage)
    elif found.found > found.known:
        text = f"it has format {found.found}, this broker knows {found.known} at most"
        yield error("store.wrong", where, text=text)
    elif found.found < found.known:
        yield warning("store.old", where, found=found.found, version=found.known)
    else:
        yield ok("store.good", where, version=found.known)
    if found is not None and found.clock is not None:
        yield from _apart(found.clock)


def _apart(clock: datetime) -> Iterator[Remark]:
    seconds = abs((clock - now()).total_seconds())
    if seconds > APART:
        yield warning("clock.apart", "the database", seconds=f"{seconds:.0f}")


def key(settings: Settings, store: Store) -> Iterator[Remark]:
    """Look whether the site key is the one of this store."""
    where = "site_key_command" if settings.site_key_command else str(settings.site_key)
    if not settings.site_key_command and not settings.site_key.exists():
        return
    try:
        vault = Vault.open(settings.site_key, settings.site_key_command)
    except ConfigError:
        return  # told where the keys are looked at
    for row in store.rows(Filter(limit=1)):
        found = store.payload(row.id, "original")
        try:
            if found:
                vault.key(found[0])
        except BrokerError:
            yield error("keys.stranger", where)


def journal(settings: Settings, store: Store, at: datetime) -> Iterator[Remark]:
    """Look whether entries get their seal in time, and whether checkpoints leave the machine."""
    size, after = store.tree.extent()
    waiting = store.tree.unsealed(after, 1)
    waited = (at - decode(waiting[0]).time).total_seconds() if waiting else 0.0
    if waited > min(settings.seal_limit, 10 * settings.seal_seconds):
        late = waited > settings.seal_limit
        tell = error if late else warning
        yield tell("journal.late", minutes=f"{waited / 60:.0f}",
                   limit=f"{settings.seal_limit / 60:.0f}")  # fmt: skip
    else:
        yield ok("journal.good", count=size)


def copy(settings: Settings, store: Store) -> Iterator[Remark]:
    """Look whether the store is an older copy that no person has confirmed."""
    found = look(settings, store)
    if found is not None:
        yield error("store.copy", text=found.text)


def sealing(settings: Settings) -> Iterator[Remark]:
    """Look whether checkpoints leave the machine, and payloads are encrypted."""
    if settings.encryption == "off":
        yield warning("store.clear")
    if not settings.checkpoint_places and not settings.checkpoint_syslog:
        yield warning("journal.alone")


def messages(store: Store, maintenance: Maintenance, at: datetime) -> Iterator[Remark]:
    """Look for what waits for a person, or has waited for long."""
    counts = store.counts()
    problems: list[Remark] = []
    for state in _STUCK:
        count = sum(states.get(state, 0) for states in counts.states.values())
        if count:
            problems.append(warning("messages.stuck", state.value, count=count))
    if counts.oldest is not None and at - counts.oldest > _LONG:
        hours = f"{(at - counts.oldest).total_seconds() / 3600:.0f}"
        problems.append(warning("messages.old", hours=hours))
    problems += _stopped(store, maintenance, at)
    yield from problems or [ok("messages.good", count=counts.accepted)]


def _stopped(store: Store, maintenance: Maintenance, at: datetime) -> Iterator[Remark]:
    """Tell of the routes that stand until a person resumes them, or until a pause or a regular
    window ends.
    """
    for pause in store.pauses():
        yield warning("messages.paused", pause.route, since=stamp(pause.since))
    for route, until in sorted(stopped(store, Maintenance(), at).items()):
        if until:
            yield warning("messages.planned", route, until=stamp(until))
    for stop in maintenance.stops(at):
        if stop.open(at):
            until = stop.span.until
            yield warning("messages.window", stop.channel, until=maintenance.local(until))


def newest(store: Store) -> datetime | None:
    """Return the time of the newest entry of the journal."""
    found = store.newest()
    return decode(found).time if found else None
