"""The trail of one message: what happened to it, in order (Message History)."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from broker.journal.entry import FACTS, Line, encode
from broker.journal.vault import SALT
from broker.message import now
from broker.stores.contract import Entry

Value = TypeVar("Value")
Fact = str | int | bool | None

#: What the broker does by itself has this actor; a person's act has the person's name.
BROKER = "broker"


class Trail:
    """Collects the entries of one message until they are written with the change they belong to."""

    def __init__(self, message: str, actor: str = BROKER) -> None:
        """Take the message id (empty for the whole site) and who acts."""
        self.message = message
        self.actor = actor
        #: Stored beside the bytes that this step makes, and erased with them.
        self.salt = os.urandom(SALT)
        self._entries: list[Entry] = []

    def note(self, event: str, at: datetime | None = None, /, **facts: Fact) -> None:
        """Add an entry: an event in the past participle, and facts without personal values."""
        self._entries.append(entry(self.message, event, self.actor, at, **facts))

    def digest(self, made: bytes) -> str:
        """Return the digest (hex) of bytes that this step makes, under its salt."""
        digest = hashlib.sha256(self.salt)
        digest.update(made)
        return digest.hexdigest()

    def taken(self) -> tuple[Entry, ...]:
        """Return what was noted and start anew."""
        noted, self._entries = tuple(self._entries), []
        return noted


def entry(
    message: str, event: str, actor: str = BROKER, at: datetime | None = None, /, **facts: Fact
) -> Entry:
    """Return one entry ready to be stored; facts that are None or empty are left out."""
    if not FACTS.issuperset(facts):
        raise KeyError(f"facts that may not stand in the journal: {sorted(facts.keys() - FACTS)}")
    said = {
        name: value if type(value) is str else _text(value)
        for name, value in facts.items()
        if value is not None and value != ""
    }
    line = Line(message, at or now(), event, actor, MappingProxyType(said))
    return Entry(message, event, encode(line))


def _text(value: Fact) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
