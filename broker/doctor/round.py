"""The round: looks at everything in order; one failure hides none of the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from broker.app import load_site, open_store
from broker.doctor import alerts, files, outside, stock, table
from broker.doctor.outside import World
from broker.doctor.remark import Level, Remark, error, ok, warning
from broker.errors import (
    BrokerError,
    ConfigError,
    StoreError,
    guarded,
)
from broker.maintenance import Maintenance
from broker.pipeline import Site
from broker.settings import Settings
from broker.stores.contract import Store

Look = Callable[[], Iterable[Remark]]


@dataclass(frozen=True, slots=True)
class Round:
    """One visit to a site. `running` says whether a broker works on its store; None: unknown."""

    environ: Mapping[str, str]
    world: World
    running: Callable[[Settings], bool]

    def go(self) -> tuple[Remark, ...]:
        """Look at everything; nothing is changed and nothing is sent."""
        try:
            settings = Settings.load(self.environ)
        except ConfigError as problem:
            return tuple(table.wrong("settings.wrong", problem.findings))
        return (ok("settings.good"), *self._all(settings))

    def _all(self, settings: Settings) -> Iterator[Remark]:
        site, findings = self._site(settings)
        yield from findings
        if site is not None:
            yield from self._configured(settings, site)
        store = tuple(stock.fit(settings))
        stored = all(one.key != "store.first" for one in store)
        yield from _safely(lambda: files.keys(settings, stored))
        yield from _safely(lambda: files.secrets(settings, site.table.table if site else None))
        yield from _safely(lambda: files.folders(settings))
        yield from _safely(lambda: outside.disk(settings, self.world))
        yield from _safely(lambda: outside.intake(settings))
        declared = tuple(site.table.table.channels.values()) if site else ()
        yield from _safely(lambda: outside.certificates(settings, declared, self.world))
        yield from _safely(lambda: stock.sealing(settings))
        yield from _safely(lambda: table.queue(settings))
        yield from _safely(lambda: alerts.look(settings))
        yield from self._process(settings)
        yield from store
        # Opening it would change the format of an older store, and make one where none is.
        if any(one.key == "store.good" for one in store):
            yield from self._opened(settings, site.maintenance if site else Maintenance())
        else:
            yield from outside.clock(settings, self.world, None)

    def _site(self, settings: Settings) -> tuple[Site | None, tuple[Remark, ...]]:
        try:
            return load_site(settings, self.environ), ()
        except ConfigError as problem:
            if problem.findings:
                return None, tuple(table.wrong("routes.wrong", problem.findings))
            return None, (error("routes.wrong", str(settings.routes), text=str(problem)),)

    def _configured(self, settings: Settings, site: Site) -> Iterator[Remark]:
        looks: tuple[Look, ...] = (
            lambda: table.routes(site),
            lambda: table.adapters(site),
            lambda: table.standards(settings, site, self.world.now()),
            lambda: table.channels(site),
            lambda: table.deadlines(settings, site),
        )
        for look in looks:
            yield from _safely(look)

    def _process(self, settings: Settings) -> Iterator[Remark]:
        if os.geteuid() == 0:
            yield warning("settings.root")
        yield ok("process.good") if self.running(settings) else warning("process.stopped")

    def _opened(self, settings: Settings, windows: Maintenance) -> Iterator[Remark]:
        try:
            store = open_store(settings, _ignored)
        except (StoreError, ConfigError) as problem:
            yield error("store.wrong", text=str(problem))
            yield from outside.clock(settings, self.world, None)
            return
        try:
            yield from self._looked(settings, store, windows)
        finally:
            store.close()

    def _looked(self, settings: Settings, store: Store, windows: Maintenance) -> Iterator[Remark]:
        now = self.world.now()
        looks: tuple[Look, ...] = (
            lambda: stock.key(settings, store),
            lambda: stock.copy(settings, store),
            lambda: stock.journal(settings, store, now),
            lambda: stock.messages(store, windows, now),
            lambda: outside.clock(settings, self.world, stock.newest(store)),
        )
        for look in looks:
            yield from _safely(look)


def _safely(look: Look) -> tuple[Remark, ...]:
    found: list[Remark] = []
    try:
        with guarded():
            found.extend(look())
    except BrokerError as problem:
        found.append(error("doctor.failed", text=str(problem)))
    return tuple(found)


def healthy(remarks: Iterable[Remark]) -> bool:
    """Whether there is no error among them."""
    return all(one.level is not Level.ERROR for one in remarks)


def _ignored(_error: StoreError) -> None:
    """Whoever looks meets the error itself."""
