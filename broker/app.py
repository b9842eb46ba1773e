"""Builds a broker from settings and routes: the only place that knows every class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from broker.amqp import Address
from broker.catalog import Catalog
from broker.channels.amqp import Amqp
from broker.channels.channel import Channel, Declared
from broker.channels.directory import Directory
from broker.channels.rest import Rest
from broker.channels.soap import Soap
from broker.channels.table import Table as TableChannel
from broker.config.load import glance, load
from broker.config.model import Route, Table
from broker.config.tables import Known
from broker.document import Limits
from broker.errors import ConfigError, Finding, StoreAway, StoreError
from broker.fields import Field
from broker.journal.vault import Vault
from broker.maintenance import Maintenance, zone
from broker.metrics import Meter
from broker.pipeline import Site
from broker.routes import RoutingTable
from broker.settings import Settings, variable
from broker.stores import inspection
from broker.stores.contract import Filter, Store
from broker.stores.doorbell import Doorbell, Standing
from broker.stores.inspection import Inspection
from broker.stores.postgres import SCHEMES, SILENCE, PostgresStore
from broker.stores.sqlite import SqliteStore
from broker.xoev.codelists import CodeLists
from broker.xoev.judgement import Checks
from broker.xoev.rules import Rules
from broker.xoev.standards import Standards

if TYPE_CHECKING:
    from broker.stores.copying import Copy

Moved = Mapping[str, int]
Kinds = Mapping[str, type[Channel]]

#: Every kind of channel that routes.yaml may name.
KINDS: Kinds = {
    "amqp": Amqp,
    "directory": Directory,
    "rest": Rest,
    "soap": Soap,
    "table": TableChannel,
}
_SQLITE = "sqlite:///"


class App:
    """A broker that was put together; see `pipeline.Broker` for what the steps use of it."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        broken: Callable[[StoreError], None] | None = None,
        kinds: Kinds = KINDS,
        again: Callable[[StoreAway], bool] | None = None,
    ) -> None:
        """Load the configuration, then open the store.

        `broken` is told when the store can no longer be used; `again` is asked where it is away
        whether to try once more. Raises ConfigError with all findings, StoreError.
        """
        self.settings = settings
        self.meter = Meter()
        self._environ = environ
        self._kinds = kinds
        self._site = load_site(settings, environ, kinds)
        _kept(settings)
        self.vault = Vault.open(
            settings.site_key, settings.site_key_command, settings.encryption == "on"
        )
        self.store: Store = self._opened(broken or _ignored, again)
        self._fits()

    @property
    def site(self) -> Site:
        """The configuration in force."""
        return self._site

    def _opened(
        self, broken: Callable[[StoreError], None], again: Callable[[StoreAway], bool] | None
    ) -> Store:
        while True:
            try:
                return open_store(self.settings, broken)
            except StoreAway as error:
                if again is None or not again(error):
                    raise

    def _fits(self) -> None:
        """Refuse a site key that is not the one of this store: nothing could be read with it."""
        for row in self.store.rows(Filter(limit=1)):
            found = self.store.payload(row.id, "original")
            try:
                if found:
                    self.vault.key(found[0])
            except StoreError as error:
                self.store.close()
                file = self.settings.site_key
                text = f"the site key {file} is not the one of this store; restore it from a backup"
                raise ConfigError(text) from error

    def reload(self) -> Site:
        """Load routes, adapters and standards anew and put them in force together.

        Raises ConfigError; then everything stays as it was. That an adapter of a route broke is
        a reason to keep the old one.
        """
        old, new = self._site, load_site(self.settings, self._environ, self._kinds)
        broke = disabled(new).keys() - disabled(old).keys()
        if broke:
            findings = [finding for name in sorted(broke) for finding in disabled(new)[name]]
            raise ConfigError("an adapter broke", findings=findings)
        self._site = new
        for channel in old.channels.values():
            channel.close()
        return self._site

    def close(self) -> None:
        """Close channels and store."""
        for channel in self._site.channels.values():
            channel.close()
        self.store.close()


def load_site(settings: Settings, environ: Mapping[str, str], kinds: Kinds = KINDS) -> Site:
    """Return the configuration that the settings point to, checked as a whole.

    Raises ConfigError with all findings of routes.yaml and the standards. A broken adapter is no
    error: only what its own routes take waits, see `disabled`.
    """
    standards = load_standards(settings)
    lists = CodeLists.load(settings.schemas)
    checks = Checks(standards, lists, Rules.load(settings.schemas))
    checks.compile_all()
    catalog = load_catalog(settings, lists)
    table = load(settings.routes, known(catalog, standards, kinds), environ)
    channels = _built(table, kinds)
    replies: dict[str, tuple[str, ...]] = {}
    for route in table.routes:
        if route.adapter not in replies.get(route.channel, ()):
            replies[route.channel] = (*replies.get(route.channel, ()), route.adapter)
    windows = _maintenance(settings, table.channels, table.routes)
    return Site(RoutingTable(table), catalog, standards, checks, channels, replies, windows)


def load_maintenance(settings: Settings, environ: Mapping[str, str]) -> Maintenance:
    """Return the regular windows that routes.yaml has, as far as it can be read; nothing else is
    loaded and nothing is checked.
    """
    with suppress(OSError):
        # Reading a table of thousands of routes takes its time.
        if b"maintenance" not in settings.routes.read_bytes():
            return Maintenance()
    found = glance(settings.routes, Known(kind_fields()), environ)
    with suppress(ConfigError):
        return _maintenance(settings, *found)
    return Maintenance()


def _maintenance(
    settings: Settings, channels: Mapping[str, Declared], routes: Iterable[Route]
) -> Maintenance:
    hours = {
        name: declared.values["maintenance"]
        for name, declared in channels.items()
        if declared.values.get("maintenance")
    }
    if not hours:
        return Maintenance()  # also where there is no database of time zones
    ways = {route.name: route.channel for route in routes}
    return Maintenance(hours, ways, zone(settings.zone))


def _built(table: Table, kinds: Kinds) -> dict[str, Channel]:
    """Return the channels; what only a kind itself finds has a place in the file, too."""
    channels: dict[str, Channel] = {}
    findings: list[Finding] = []
    for name, declared in table.channels.items():
        try:
            channels[name] = build(declared, kinds)
        except ConfigError as error:
            findings.append(Finding(f"channel {error}", str(table.file), declared.line))
    if findings:
        count = len(findings)
        text = f"{table.file} has {count} finding{'s' * (count > 1)} and is not used"
        raise ConfigError(text, findings=findings)
    return channels


def outlasting(settings: Settings, site: Site) -> tuple[Channel, ...]:
    """Return the channels whose calls may outlast a lease although a repeat does harm there.

    Only where several processes share a store: one that hung in such a call may send after another
    has taken the delivery over.
    """
    try:
        shared = settings.database().startswith(SCHEMES)
    except ConfigError:
        return ()  # told where the store is looked at
    return tuple(
        channel
        for channel in (site.channels.values() if shared else ())
        if channel.values.get("repeats")
        and not channel.repeats
        and channel.deadline >= settings.lease
    )


def disabled(site: Site) -> dict[str, tuple[Finding, ...]]:
    """Return what is wrong with adapters that a route names; what it takes waits for a repair."""
    used = {route.adapter for route in site.table.table.routes}
    return {name: found for name, found in site.catalog.broken.items() if name in used}


def load_catalog(settings: Settings, lists: CodeLists | None = None) -> Catalog:
    """Return the adapters; `x:code` finds the code lists of the installation in them."""
    lists = lists or CodeLists.load(settings.schemas)
    return Catalog.load(settings.adapters, lists.entry, lists.digest)


def load_standards(settings: Settings) -> Standards:
    """Return the standards, compiled on this thread: first compiles in parallel threads fail now
    and then.
    """
    standards = Standards.load(settings.schemas, Limits(large=settings.max_message))
    standards.compile_all()
    return standards


def known(catalog: Catalog, standards: Standards, kinds: Kinds = KINDS) -> Known:
    """Return what routes.yaml may name here."""
    return Known(
        kinds=kind_fields(kinds),
        adapters=(*catalog.names, *catalog.broken),
        accepts={name: catalog.accepts(name) for name in catalog.names},
        standards=[
            f"{name}/{version}"
            for name in standards.names()
            for version in standards.versions(name)
        ],
    )


def kind_fields(kinds: Kinds = KINDS) -> dict[str, tuple[Field, ...]]:
    """Return the fields of every kind of channel, the common ones among them."""
    return {name: (*kind.fields, *kind.COMMON) for name, kind in kinds.items()}


def build(declared: Declared, kinds: Kinds = KINDS) -> Channel:
    """Return a channel as declared; it does not connect yet."""
    return kinds[declared.kind](declared)


def open_store(settings: Settings, broken: Callable[[StoreError], None]) -> Store:
    """Open the store that the settings name."""
    return open_database(settings.database(), broken, settings.store_silence)


def open_database(
    url: str, broken: Callable[[StoreError], None], silence: float = SILENCE
) -> Store:
    """Open the store at a URL. Raises ConfigError, without the URL: it may hold a password."""
    if url.startswith(_SQLITE):
        return SqliteStore(Path(url.removeprefix(_SQLITE)), broken)
    if url.startswith(SCHEMES):
        return PostgresStore(url, broken, silence)
    raise ConfigError(
        "the settings in the environment cannot be used",
        findings=[
            Finding(
                f"{variable('store')}: a database URL starts with {_SQLITE} or with {SCHEMES[0]}"
            )
        ],
    )


def inspect_store(settings: Settings) -> Inspection | None:
    """Return what the store is like, without opening or changing it; None where there is none.

    Raises StoreError, ConfigError.
    """
    url = settings.database()
    if url.startswith(SCHEMES):
        return inspection.database(url)
    return inspection.file(Path(url.removeprefix(_SQLITE)))


def open_doorbell(settings: Settings) -> Doorbell | None:
    """Return the doorbell that the settings name; it connects by itself. None if they name none.

    Raises ConfigError.
    """
    if not settings.queue:
        return None
    from broker.stores.rabbitmq import RabbitDoorbell

    return RabbitDoorbell(_address(settings), settings.queue_name)


def look_at_queue(settings: Settings) -> Standing | None:
    """Return how the doorbell stands, seen from outside; None if the settings name none.

    Raises ConfigError.
    """
    if not settings.queue:
        return None
    from broker.stores.topology import look

    return look(_address(settings), settings.queue_name)


def _address(settings: Settings) -> Address:
    try:
        return Address.read(settings.queue, settings.queue_file, settings.queue_ca)
    except ConfigError as error:
        raise ConfigError(
            "the settings in the environment cannot be used",
            findings=[Finding(str(error), file=variable("queue"))],
        ) from None


def move_store(source: Store, target: Store, told: Callable[[str, int, int], None]) -> Moved:
    """Carry everything from one store into another, empty one, and return how many rows by table.

    `told` is told a table, the rows carried over and the rows it has. Raises StoreError; then
    nothing was written.
    """
    from broker.stores.moving import move
    from broker.stores.sql import SqlStore

    if not (isinstance(source, SqlStore) and isinstance(target, SqlStore)):
        raise StoreError("only a store in a SQL database can be moved")
    return move(source, target, told)


def store_file(settings: Settings) -> Path:
    """Return the file that the store is; raises ConfigError where it is no file."""
    url = settings.database()
    if not url.startswith(_SQLITE):
        raise ConfigError(
            "the store is in PostgreSQL, which makes its own backups; see docs/howto/backup.md"
        )
    return Path(url.removeprefix(_SQLITE))


def copy_store(settings: Settings, target: Path, at: datetime) -> None:
    """Write a copy of the store while a broker works on it. Raises StoreError, ConfigError."""
    from broker.journal.restore import COPIED
    from broker.stores.copying import copy

    copy(store_file(settings), target, COPIED, at)


def open_copy(file: Path) -> Copy:
    """Open a copy to look at it; nothing is changed. Raises StoreError."""
    from broker.stores.copying import Copy

    return Copy(file)


def _kept(settings: Settings) -> None:
    """Refuse to start with a new site key where a store is there already; raises ConfigError."""
    file, url = settings.site_key, settings.database()
    if settings.site_key_command or file.exists() or not url.startswith(_SQLITE):
        return
    if Path(url.removeprefix(_SQLITE)).exists():
        raise ConfigError(
            f"the site key {file} is missing, and the store is sealed with it; restore it from a "
            "backup"
        )


def _ignored(_error: StoreError) -> None:
    """A command that ends with the error anyway has nobody to tell."""
