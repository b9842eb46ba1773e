"""What every store promises about the tree over the journal; a part of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

from broker.stores.custody import Stamps

#: An entry of the journal.
Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry's place in the tree: `number` from 0, `entry` its sequence number, `hash` of its
    bytes.
    """

    number: int
    entry: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """Leaves to append one after the other, and the subtrees (level, number, hash) they completed.

    They are appended only if the first number is the size of the tree.
    """

    leaves: tuple[Leaf, ...]
    nodes: tuple[tuple[int, int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A published checkpoint: `text` is the signed note, with the lines of its witnesses."""

    size: int
    text: str


class Tree(Stamps, Protocol[Line]):
    """Keeps the Merkle tree over the journal. Thread-safe; all methods raise StoreError.

    `late` says that an entry may become visible after one with a higher sequence number.
    """

    late: bool

    def extent(self) -> tuple[int, int]:
        """How many leaves there are, and the highest sequence number among their entries."""

    def unsealed(self, after: int, limit: int) -> list[Line]:
        """Entries with a higher sequence number that have no leaf yet, in order."""

    def append(self, seal: Seal) -> Future[bool]:
        """Write leaves; False where another sealer was quicker."""

    def leaf(self, entry: int) -> Leaf | None:
        """The leaf of an entry, or None where it has none yet."""

    def hashes(self, level: int, first: int, count: int) -> list[bytes]:
        """Kept hashes: leaves at level 0, complete subtrees at every eighth level."""

    def walk(self) -> Iterator[tuple[Leaf, Line | None]]:
        """All leaves in order, each with its entry or None where that is gone."""

    def nodes(self) -> Iterator[tuple[int, int, bytes]]:
        """All kept subtrees (level, number, hash), by level and number."""

    def publish(self, note: Note) -> Future[None]:
        """Keep a signed checkpoint."""

    def countersign(self, size: int, name: str, line: str) -> Future[bool]:
        """Keep the line of a witness; False where there is no checkpoint of this size."""

    def notes(self, after: int = -1, last: bool = False, limit: int | None = None) -> list[Note]:
        """Checkpoints of more than `after` entries, smallest first; or only the last one."""
