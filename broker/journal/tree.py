"""The journal as a Merkle tree, hashed as RFC 6962 and RFC 9162 say.

A leaf is SHA-256(0x00 ‖ entry), a node SHA-256(0x01 ‖ left ‖ right). The root of `n` entries says
what all of them are; a proof of a few hashes shows that one entry is among them, or that a tree
only grew.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

SIZE = 32
#: Hashes of complete subtrees are kept at every eighth level, so that a proof reads few rows.
STRIDE = 8
#: The root of a tree without entries.
EMPTY = hashlib.sha256(b"").digest()

#: What gives stored hashes: `(level, first, count)` → the hashes of that many complete subtrees of
#: 2**level leaves. It is asked only for levels that are multiples of STRIDE.
Hashes = Callable[[int, int, int], Sequence[bytes]]


def leaf(body: bytes) -> bytes:
    """Return the hash of one entry, by its canonical bytes (32 bytes)."""
    return hashlib.sha256(b"\x00" + body).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash over two subtrees (32 bytes)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that only grows: the hashes of its complete subtrees, largest first."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Take a size and the peaks of that size, see `peaks`; nothing for an empty tree."""
        self.size = size
        self._peaks = list(peaks)

    def add(self, hash: bytes) -> list[tuple[int, int, bytes]]:
        """Append one leaf; return the subtrees `(level, number, hash)` to keep that it completed.

        Only every eighth level is to be kept.
        """
        complete = []
        level, number = 0, self.size
        while number & 1:
            hash = node(self._peaks.pop(), hash)
            level, number = level + 1, number >> 1
            if level % STRIDE == 0:
                complete.append((level, number, hash))
        self._peaks.append(hash)
        self.size += 1
        return complete

    def root(self) -> bytes:
        """Return the root of all leaves so far."""
        return _joined(self._peaks)


def _joined(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node(peak, root)
    return root


def peaks(size: int, hashes: Hashes) -> list[bytes]:
    """Return the hashes of the complete subtrees of a tree of this size, largest first."""
    found, start = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            found.append(_complete(level, start >> level, hashes))
            start += 1 << level
    return found


def root(size: int, hashes: Hashes) -> bytes:
    """Return the root of the first `size` leaves."""
    return _joined(peaks(size, hashes))


def inclusion(index: int, size: int, hashes: Hashes) -> tuple[bytes, ...]:
    """Return the proof that leaf `index` is in the tree of `size` leaves.

    Raises ValueError where the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    proof, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range(middle, end, hashes))
            end = middle
        else:
            proof.append(_range(start, middle, hashes))
            start = middle
    return tuple(reversed(proof))


def consistency(old: int, new: int, hashes: Hashes) -> tuple[bytes, ...]:
    """Return the proof that the tree of `old` leaves is the beginning of that of `new` leaves.

    Raises ValueError unless 0 <= old <= new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} is no beginning of one of {new}")
    if old in (0, new):
        return ()
    proof, start, end = [], 0, new
    whole = True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_range(middle, end, hashes))
            end = middle
        else:
            proof.append(_range(start, middle, hashes))
            start, whole = middle, False
    if not whole:
        proof.append(_range(start, end, hashes))
    return tuple(reversed(proof))


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Return whether the proof shows that the leaf hash is at `index` in the tree with this root.

    Follows RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    at, last, hash = index, size - 1, leaf
    for other in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            hash = node(other, hash)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            hash = node(hash, other)
        at, last = at >> 1, last >> 1
    return last == 0 and hmac.compare_digest(hash, root)


def verify_consistency(
    old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]
) -> bool:
    """Return whether the proof shows that tree `old` is the beginning of tree `new` (size, root).

    Follows RFC 9162, section 2.1.4.2.
    """
    (before, first), (after, second) = old, new
    if not 0 <= before <= after:
        return False
    if before in (0, after):
        same = first == (EMPTY if before == 0 else second)
        return same and not proof
    path = list(proof)
    if before & (before - 1) == 0:
        path.insert(0, first)
    return bool(path) and _grew(before - 1, after - 1, path) == (first, second)


def _grew(at: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    while at & 1:
        at, last = at >> 1, last >> 1
    older = newer = path[0]
    for other in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            older, newer = node(other, older), node(other, newer)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            newer = node(newer, other)
        at, last = at >> 1, last >> 1
    return (older, newer) if last == 0 else None


def _split(width: int) -> int:
    """Return the largest power of two below the width."""
    return 1 << (width - 1).bit_length() - 1


def _range(start: int, end: int, hashes: Hashes) -> bytes:
    """Return the hash over leaves from `start` to `end`; `start` fits the size of the range."""
    width = end - start
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return _complete(level, start >> level, hashes)
    middle = start + _split(width)
    return node(_range(start, middle, hashes), _range(middle, end, hashes))


def _complete(level: int, number: int, hashes: Hashes) -> bytes:
    """Return the hash of one complete subtree, from the nearest level below that is kept."""
    above = level % STRIDE
    row = list(hashes(level - above, number << above, 1 << above))
    while len(row) > 1:
        row = [node(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]
