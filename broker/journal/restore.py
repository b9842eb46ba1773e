"""A store that is an older copy: how it is recognised, and what follows when a person accepts it.

Since the copy was made, the lost store may have taken over, delivered and sealed more. So a copy
does not run until a person has confirmed it; then every delivery that has not ended is asked for
before it is sent, and what may be the repeat of a lost message waits for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from broker.errors import ConfigError
from broker.journal import tree
from broker.journal.checkpoint import BadCheckpoint, Checkpoint, Signer, Verifier
from broker.journal.entry import decode, stamp
from broker.journal.places import Place, places
from broker.journal.trail import entry
from broker.message import now
from broker.settings import Settings
from broker.stores.contract import Store
from broker.stores.custody import COPY

#: Names of what the store remembers: when this copy was made, when a person confirmed it, and until
#: when messages may have been taken over that it does not know.
COPIED, CONFIRMED, LOST = COPY, "restore confirmed", "lost until"


@dataclass(frozen=True, slots=True)
class Older:
    """Why a store counts as an older copy, and the checkpoints elsewhere that it does not hold."""

    text: str
    lost: tuple[Checkpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a person accepts: messages may have been taken over `until` then that the copy lacks."""

    actor: str
    reason: str
    until: datetime


def look(settings: Settings, store: Store) -> Older | None:
    """Return why the store of this site counts as an older copy, or None; raises ConfigError."""
    if not settings.journal_key.exists():
        return older(store, (), None)
    signer = Signer.open(settings.journal_key, settings.origin)
    return older(store, places(settings), signer.verifier())


def older(store: Store, known: Sequence[Place], verifier: Verifier | None) -> Older | None:
    """Return why a store counts as an older copy, or None where nothing says so.

    Without a verifier, nobody can tell which checkpoints are its own.
    """
    made, confirmed = store.last(COPIED), store.last(CONFIRMED)
    lost = _lost(store, known, verifier) if verifier else {}
    if lost:
        name, one = max(lost.items(), key=lambda item: item[1].size)
        size = store.tree.extent()[0]
        text = (
            f"its journal has {size} sealed entries, and {name} holds a checkpoint over "
            f"{one.size} that does not fit it"
        )
        return Older(text, tuple({_key(one): one for one in lost.values()}.values()))
    if made is not None and (confirmed is None or confirmed < made):
        return Older(f"it is a copy made at {stamp(made)}")
    return None


def refuse(found: Older | None) -> None:
    """Raise ConfigError where a store is an older copy."""
    if found is not None:
        raise ConfigError(
            f"the store is an older copy: {found.text}. What was done since then could be done "
            "twice, so the broker does not start. If the newer store is lost: xoev-broker restore "
            "show, then xoev-broker restore confirm"
        )


def confirm(store: Store, found: Older, accepted: Confirmed) -> int:
    """Let a copy run from now on; return how many deliveries must be asked for first.

    The journal says who accepted it, why, and which checkpoints nothing stands behind any more.
    Cut off in the middle, it can be done again.
    """
    count = store.distrust().result()
    store.ran(LOST, accepted.until).result()
    size = store.tree.extent()[0]
    lines = [
        entry("", "abandoned", accepted.actor, count=size, size=one.size, digest=one.root.hex())
        for one in found.lost
    ]
    told = entry("", "restored", accepted.actor, reason=accepted.reason, count=count,
                 until=stamp(accepted.until))  # fmt: skip
    store.note([*lines, told]).result()
    store.ran(CONFIRMED, now()).result()
    return count


def repeats(until: datetime | None, created: str) -> bool:
    """Whether a message of this time (as its head writes it) may be one that was lost."""
    if until is None:
        return False
    try:
        return datetime.fromisoformat(created).astimezone() <= until
    except ValueError:
        return False


def abandoned(store: Store) -> dict[tuple[int, bytes], int]:
    """Return checkpoints that a restored copy gave up, each with the size it went on from."""
    if store.last(CONFIRMED) is None:
        return {}  # spares every other store to read its whole journal
    lines = [decode(one).facts for one in store.entries(events=("abandoned",))]
    return {
        (int(facts["size"]), bytes.fromhex(facts["digest"])): int(facts["count"]) for facts in lines
    }


def last(place: Place, verifier: Verifier) -> Checkpoint | None:
    """Return the last checkpoint that this key signed there; a place may be away."""
    try:
        note = place.last()
        return verifier.verify(note) if note else None
    except (OSError, BadCheckpoint):
        return None


def grown(store: Store, known: Checkpoint) -> bool:
    """Whether the journal holds all that a checkpoint is about."""
    if known.size > store.tree.extent()[0]:
        return False
    return tree.root(known.size, store.tree.hashes) == known.root


def _lost(store: Store, known: Sequence[Place], verifier: Verifier) -> dict[str, Checkpoint]:
    """Return checkpoints that the store does not hold and no person gave up, by place."""
    given_up = abandoned(store)
    found = {place.name: last(place, verifier) for place in known}
    return {
        name: one
        for name, one in found.items()
        if one and _key(one) not in given_up and not grown(store, one)
    }


def _key(checkpoint: Checkpoint) -> tuple[int, bytes]:
    return checkpoint.size, checkpoint.root
