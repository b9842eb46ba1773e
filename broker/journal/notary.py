"""Who seals the journal and has its checkpoints stamped, as the settings say."""

from __future__ import annotations

from broker.journal.checkpoint import Signer
from broker.journal.places import places
from broker.journal.sealer import Rhythm, Sealer
from broker.journal.stamping import Authority, Stamper
from broker.settings import Settings
from broker.stores.contract import Store


def sealer(settings: Settings, store: Store) -> Sealer:
    """Return what seals the journal of this store as the settings say; raises ConfigError."""
    fresh = not store.tree.notes(last=True)
    signer = Signer.open(settings.journal_key, settings.origin, fresh)
    rhythm = Rhythm(settings.seal_entries, settings.seal_seconds, settings.seal_limit)
    return Sealer(store, signer, places(settings), rhythm)


def authority(settings: Settings) -> Authority | None:
    """Return whom to ask for time stamps, None where nobody; raises ConfigError."""
    if not settings.timestamp_url:
        return None
    found = Authority(settings.timestamp_url, settings.timestamp_ca)
    found.check()
    return found


def stamper(settings: Settings, store: Store) -> Stamper | None:
    """Return what has checkpoints stamped, None where no authority is set; raises ConfigError."""
    found = authority(settings)
    return Stamper(store.tree, found, settings.timestamp_seconds) if found else None
