"""Canonical bytes of a journal entry, version 1: fixed from the first release.

`0x01`, then length-prefixed fields (four bytes, big endian, then UTF-8): message id, time, event,
actor, and the
facts as pairs of name and value in the order of their names. Nothing else may stand in an entry, so
that two
programs in two decades read the same thing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from broker.errors import StoreError
from broker.stores.contract import Entry

VERSION = b"\x01"

_NAMES = """
    adapter again answers artefact artefact_digest attempt canonical case channel code
    created digest due error files form kind line name number party path pid profile
    reason receipt recipient reference replayed replays route routes rule sender size
    standard state table test uuid version via was
"""
#: Names that facts may have. None of them holds a personal value: a new name is a decision, not an
#: accident.
FACTS = frozenset(_NAMES.split())


@dataclass(frozen=True, slots=True)
class Line:
    """A decoded entry. `time` is UTC; `facts` are texts without personal values."""

    message: str
    time: datetime
    event: str
    actor: str
    facts: MappingProxyType[str, str]
    seq: int = 0


def encode(line: Line) -> bytes:
    """Return the canonical bytes."""
    fields = [line.message, stamp(line.time), line.event, line.actor]
    for name in sorted(line.facts):
        fields += (name, line.facts[name])
    data = [field.encode() for field in fields]
    return VERSION + b"".join(struct.pack(">I", len(field)) + field for field in data)


def decode(entry: Entry) -> Line:
    """Return what canonical bytes say.

    Raises StoreError where they are no version 1 entry.
    """
    fields = _fields(entry.body)
    if len(fields) < 4 or len(fields) % 2:
        raise StoreError(f"journal entry {entry.seq} has a wrong number of fields")
    message, time, event, actor, *pairs = fields
    facts = MappingProxyType(dict(zip(pairs[::2], pairs[1::2], strict=True)))
    return Line(message, datetime.fromisoformat(time), event, actor, facts, entry.seq)


def _fields(body: bytes) -> list[str]:
    if body[:1] != VERSION:
        raise StoreError("a journal entry has an unknown version")
    fields, at = [], 1
    while at < len(body):
        (length,) = struct.unpack_from(">I", body, at)
        end = at + 4 + length
        if end > len(body):
            raise StoreError("a journal entry is cut off")
        fields.append(body[at + 4 : end].decode())
        at = end
    return fields


def stamp(time: datetime) -> str:
    """Return a time as RFC 3339 in UTC with microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")
