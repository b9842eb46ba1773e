"""Reading leaves a trace: who searched, who opened a payload, who took a list away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from broker.journal.entry import Line, decode
from broker.journal.trail import BROKER, entry
from broker.journal.vault import Vault
from broker.stores.contract import Form, Store

#: What somebody asked for: names and values, as typed; empty values were not asked for.
Asked = Sequence[tuple[str, str]]
#: What a person does; everything else the broker does by itself.
ACTS: Final = (
    "searched", "opened", "exported", "paused", "resumed", "replayed", "closed", "settled",
    "rehearsed", "erased", "forgotten", "retained", "locked", "unlocked", "released", "rotated",
    "rewrapped", "retired", "witnessed", "installed", "removed", "submitted",
    "selected", "carried", "cancelled", "proposed", "confirmed", "declined",
)  # fmt: skip
#: What was asked for in these is a word of this program or a time, never what somebody typed.
_PLAIN: Final = frozenset({"state", "direction", "since", "until", "format"})
#: A name that leads to messages is one of routes.yaml; another one may be anything.
_KNOWN: Final = frozenset({"route", "party", "code"})
#: Enough to recognise a value that one knows, in hexadecimal digits.
_SHORT: Final = 16


class Access:
    """Notes what one person reads, before it is shown: without an entry nothing is read."""

    def __init__(self, store: Store, vault: Vault, actor: str) -> None:
        """Take the journal, the site key for fingerprints, and the name of the person."""
        self._store = store
        self._vault = vault
        self._actor = actor

    def searched(self, via: str, asked: Asked, count: int) -> None:
        """Note a search: the command, what was asked for, and how many were found."""
        filters = described(self._vault, asked, count)
        self._note("", "searched", via=via, filters=filters, count=count)

    def exported(self, asked: Asked, count: int, form: str, digest: str) -> None:
        """Note a list that was taken away, its form and the SHA-256 of its bytes (hex)."""
        filters = described(self._vault, asked, count)
        self._note("", "exported", filters=filters, count=count, form=form, digest=digest)

    def opened(self, id: str, form: Form, reason: str) -> None:
        """Note that the content of a message is read, and why."""
        self._note(id, "opened", form=form, reason=reason)

    def _note(self, message: str, event: str, **facts: str | int) -> None:
        self._store.note([entry(message, event, self._actor, **facts)]).result()


def described(vault: Vault, asked: Asked, count: int) -> str:
    """Return what was asked for as `name=value` pairs; a value that may be personal is `#` and its
    keyed fingerprint.
    """
    return " ".join(
        f"{name}={value if _open(name, count) else _mark(vault, value)}"
        for name, value in sorted(asked)
        if value
    )


def _open(name: str, count: int) -> bool:
    return name in _PLAIN or (name in _KNOWN and count > 0)


def _mark(vault: Vault, value: str) -> str:
    text = " ".join(value.casefold().split())
    return f"#{vault.fingerprint('search', text).hex()[:_SHORT]}"


def acts(store: Store, vault: Vault, about: str = "", actor: str = "") -> Iterator[Line]:
    """Yield what people did, oldest first: everything, or what concerns one person or thing.

    `about` is the id of a message, or what somebody may have searched for.
    """
    mark = _mark(vault, about) if about else ""
    for found in store.entries(events=ACTS):
        line = decode(found)
        if line.actor == BROKER or (actor and line.actor != actor):
            continue
        if not about or about == line.message or mark in line.facts.get("filters", ""):
            yield line
