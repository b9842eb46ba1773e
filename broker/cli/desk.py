"""What the commands work on: settings, store and vault, and the configuration only when needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from broker.errors import BrokerError
from broker.settings import Settings, variable

if TYPE_CHECKING:
    from broker.maintenance import Maintenance
    from broker.pipeline import Site


class Desk:
    """A broker for acts of a person: it works beside a running daemon, on the same store.

    The configuration is loaded on first use, so that looking works while routes.yaml is broken.
    """

    def __init__(self, settings: Settings) -> None:
        """Open the store and read the site key. Raises ConfigError, StoreError."""
        from broker.app import open_store
        from broker.journal.vault import Vault
        from broker.metrics import Meter

        self.settings = settings
        self.meter = Meter()
        known = not settings.site_key_command and not settings.site_key.exists()
        if known and _stored(settings):
            # A new key would look as if it were the one that the store was sealed with.
            self.vault = Vault.lost(settings.site_key)
        else:
            self.vault = Vault.open(
                settings.site_key, settings.site_key_command, settings.encryption == "on"
            )
        self.store = open_store(settings, _report)

    @cached_property
    def site(self) -> Site:
        """The configuration as the files say now; raises ConfigError with all findings."""
        from broker.app import load_site

        return load_site(self.settings, os.environ)

    @cached_property
    def maintenance(self) -> Maintenance:
        """When procedures stand regularly, as far as routes.yaml can be read."""
        from broker.app import load_maintenance

        return load_maintenance(self.settings, os.environ)

    def close(self) -> None:
        """Close the store, and channels where they were opened."""
        if "site" in vars(self):
            for channel in self.site.channels.values():
                channel.close()
        self.store.close()


def settings() -> Settings:
    """Return the settings of this environment; raises ConfigError with all findings."""
    return Settings.load(os.environ)


@contextmanager
def opened(fresh: bool = False) -> Iterator[Desk]:
    """Open the desk for one command; without `fresh` the store must exist already."""
    from broker import logs

    found = settings()
    logs.configure("error", "text")
    if not fresh:
        _exists(found)
    desk = Desk(found)
    try:
        yield desk
    finally:
        desk.close()


def noted(event: str, actor: str, **facts: str) -> None:
    """Write what a person did to the whole site into the journal, where there is one already."""
    from broker.journal.trail import entry

    if _missing(settings()) is None:
        with opened() as desk:
            desk.store.note([entry("", event, actor, **facts)]).result()


def _stored(found: Settings) -> bool:
    """Whether there is a file with a store already."""
    kind, _, path = found.database().partition(":///")
    return kind == "sqlite" and Path(path).exists()


def _missing(found: Settings) -> str | None:
    """Return the file of the store where it should be and is not."""
    kind, _, path = found.database().partition(":///")
    return path if kind == "sqlite" and not Path(path).exists() else None


def _exists(found: Settings) -> None:
    path = _missing(found)
    if path is not None:
        raise BrokerError(
            f"there is no store at {path}; is this the right folder? It is made by the first "
            f"xoev-broker run or submit, {variable('state')} says where"
        )


def _report(_error: BrokerError) -> None:
    """The command that meets the error ends with it anyway."""
