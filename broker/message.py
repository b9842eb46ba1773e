"""What travels: a message, its envelope, and the states of its one delivery."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class Direction(StrEnum):
    """Which way a message goes."""

    REQUEST = "request"  #: from an online service to a procedure
    ANSWER = "answer"  #: from a procedure, or from the broker itself, back to an online service


class State(StrEnum):
    """Where the one delivery of a message stands; see the state table of the explanation."""

    WAITING = "waiting"
    WORKING = "working"
    HELD = "held"
    UNCLEAR = "unclear"
    DEAD = "dead"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    CLOSED = "closed"

    @property
    def terminal(self) -> bool:
        """Whether nothing will ever move the delivery again by itself or by a repair."""
        return self in (State.DELIVERED, State.REJECTED, State.CLOSED)


@dataclass(frozen=True, slots=True)
class Authority:
    """A reader or author of a message head: key with prefix (`bab:03103000`), directory, name of
    the office.
    """

    key: str
    directory: str = "DVDV"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the message head says (Format Indicator).

    `standard` and `version` are folder names below `schemas/xoev` (`xbau`, `2.6`); `standard` is
    empty where no
    standard of this installation has the root namespace. `kind` is the local name of the root
    element, `code`
    the four digits of `nachrichtentyp`, `uuid` the message id of the standard or empty where it has
    none,
    `created` the head's time as written, `test` the value of the `test` attribute or None, `case`
    the key that
    keeps messages of one case together or empty.
    """

    standard: str
    version: str
    kind: str
    namespace: str
    sender: Authority
    recipient: Authority
    code: str = ""
    uuid: str = ""
    created: str = ""
    case: str = ""
    test: str | None = None
    family: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """Envelope and bytes as received, never changed.

    `id` is a UUIDv7. `party` is the authenticated sender (a key of `parties:`), or the channel of a
    reply.
    `answers` and `replays` are ids of other messages.
    """

    id: str
    direction: Direction
    envelope: Envelope
    body: bytes
    party: str
    received: datetime
    answers: str | None = None
    replays: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a converter may not make itself, so that converting stays a pure function.

    `reference` is the delivery's 13-character reference, `message` the id of the message being
    converted,
    `received` the time it (or the reply) was received, `reader` and `author` the head of what is
    being written
    (for answers: swapped from the request), `answered` the envelope of the request that an answer
    belongs to,
    `test` the value for the `test` attribute or None, `digest` a hex digest of the reply that new
    ids are made of,
    `original` the bytes of the request that an answer belongs to, for rejections, which carry them
    whole.
    """

    reference: str
    message: str
    received: datetime
    reader: Authority
    author: Authority
    answered: Envelope | None = None
    test: str | None = None
    digest: str = ""
    original: bytes = field(default=b"", repr=False)

    def uuid(self, kind: str) -> str:
        """Return the message id for a new message of this kind: the same reply gives the same id
        (UUIDv5).
        """
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.digest}/{kind}"))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an intake hands to the sender after the commit: id, SHA-256 of the bytes received (hex),
    time.
    """

    id: str
    sha256: str
    received: datetime
    duplicate: bool = False


def now() -> datetime:
    """Return the time in UTC; the one place that reads the clock."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a new UUIDv7: time-ordered, so that the tables grow at their end."""
    stamp = time.time_ns() // 1_000_000
    value = stamp << 80 | 0x7 << 76 | int.from_bytes(os.urandom(10)) & ~(0xF << 76)
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def reference(message: str) -> str:
    """Return the 13-character reference of a message id, as it is written into a procedure's
    format.

    Crockford base 32 of the last 65 bits: letters and digits that survive any code page, no I, L, O
    or U.
    """
    number = uuid.UUID(message).int
    return "".join(
        "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number >> 5 * i & 31] for i in range(12, -1, -1)
    )
