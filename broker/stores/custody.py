"""What every store promises about what is kept and what goes; a part of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

#: What the store remembers of when it was made, or found to be, a copy of another one.
COPY = "copied"

Part = Literal["payload", "metadata", "refusal"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """What can still be erased of a message that ended, or of what was refused.

    `size` are the bytes it holds, `held` says that a legal hold protects it.
    """

    id: str
    part: Part
    standard: str
    route: str
    ended: datetime
    size: int
    held: bool


@dataclass(frozen=True, slots=True)
class Erased:
    """What is known of an erased payload; `forgotten` is when its metadata went too."""

    id: str
    at: datetime
    rule: str
    size: int
    forgotten: datetime | None


@dataclass(frozen=True, slots=True)
class Hold:
    """A message that a person protects from erasure (legal hold)."""

    message: str
    actor: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Wrapped:
    """The wrapped key of a message, or of what was refused, and what replaces it."""

    id: str
    key: bytes
    anew: bytes = b""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a time stamp authority said: the checkpoint over `size` entries was there at `time`.

    `token` is its signed RFC 3161 TimeStampToken (DER).
    """

    size: int
    time: datetime
    token: bytes


class Stamps(Protocol):
    """The part of a tree that keeps time stamps beside its checkpoints."""

    def stamp(self, stamp: Stamp) -> Future[bool]:
        """Keep a time stamp; False where there is no checkpoint of this size."""

    def stamps(self, after: int = -1, limit: int | None = None) -> list[Stamp]:
        """Time stamps of more than `after` entries, smallest first."""

    def latest(self) -> Stamp | None:
        """The time stamp of the largest checkpoint that has one."""


class Custody(Protocol):
    """The part of a store that knows what can be erased, what is protected, and which keys wrap."""

    def leftovers(self, part: Part, before: datetime, after: str, limit: int) -> list[Leftover]:
        """What ended at or before a time and still has this part, in the order of ids."""

    def erased(self, id: str) -> Erased | None:
        """What is known of an erasure."""

    def erasures(self) -> Mapping[str, tuple[int, int]]:
        """How many payloads and bytes were erased so far, by rule."""

    def scrub(self) -> bool:
        """Leave nothing of what was erased in any file; False where that must be tried again."""

    def holds(self) -> list[Hold]:
        """All messages that are protected, oldest hold first."""

    def ran(self, name: str, at: datetime) -> Future[None]:
        """Remember when something was done last."""

    def last(self, name: str) -> datetime | None:
        """When something was done last."""

    def keys(self, after: str, limit: int, refused: bool) -> list[Wrapped]:
        """Wrapped keys of messages (or of what was refused) in the order of ids."""

    def distrust(self) -> Future[int]:
        """Let every delivery that has not ended be asked for before it is sent: this is a copy,
        and a later state of it, now lost, may have sent them. Return how many there are.
        """

    def rewrap(self, items: Sequence[Wrapped]) -> Future[None]:
        """Replace wrapped keys where they are still what they were."""
