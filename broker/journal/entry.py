"""Canonical bytes of a journal entry, version 1: fixed from the first release.

`0x01`, then length-prefixed fields (four bytes, big endian, then UTF-8): message id, time, event,
actor, and the
facts as pairs of name and value in the order of their names. Nothing else may stand in an entry, so
that two
programs in two decades read the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from broker.errors import StoreError
from broker.stores.contract import Entry

VERSION = b"\x01"

_NAMES = """
    account adapter again answers artefact artefact_digest attempt canonical case channel code
    count created digest due error files filters form host key kind line name number outcome party
    path pid profile proposal reason receipt recipient reference replayed replays role route routes
    rule selection sender size standard start state table test until uuid version via warnings was
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
    parts = [VERSION]
    for field in fields:
        data = field.encode()
        parts += (len(data).to_bytes(4, "big"), data)
    return b"".join(parts)


def decode(entry: Entry) -> Line:
    """Return what canonical bytes say.

    Raises StoreError where they are no version 1 entry.
    """
    fields = _fields(entry.body)
    if len(fields) < 4 or len(fields) % 2:
        raise StoreError(f"journal entry {entry.seq} has a wrong number of fields")
    message, time, event, actor, *pairs = fields
    facts = MappingProxyType(dict(zip(pairs[::2], pairs[1::2], strict=True)))
    return Line(message, _moment(time, entry.seq), event, actor, facts, entry.seq)


def _moment(text: str, seq: int) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise StoreError(f"journal entry {seq} has no time") from error


def _fields(body: bytes) -> list[str]:
    if body[:1] != VERSION:
        raise StoreError("a journal entry has an unknown version")
    fields, at = [], 1
    while at < len(body):
        end = at + 4 + int.from_bytes(body[at : at + 4])
        if at + 4 > len(body) or end > len(body):
            raise StoreError("a journal entry is cut off")
        fields.append(_text(body[at + 4 : end]))
        at = end
    return fields


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise StoreError("a journal entry holds what is no text") from error


def stamp(time: datetime) -> str:
    """Return a time as RFC 3339 in UTC with microseconds."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    return time.isoformat(timespec="microseconds")
