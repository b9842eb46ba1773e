"""A ZIP of stored files in which every byte is fixed: the same content gives the same archive."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from typing import BinaryIO

from broker.errors import BrokerError

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
#: 1 January 1980, the first day of ZIP: the archive has no time of its own.
_DAY = 33
_LARGEST = 0xFFFF_FFFF
_MOST = 0xFFFF


class TooLarge(BrokerError):
    """The bundle would be larger than a plain ZIP may be; take a shorter period."""


class Archive:
    """Writes files one after the other; `close` writes the directory behind them."""

    def __init__(self, target: BinaryIO) -> None:
        """Take where to write."""
        self._target = target
        self._at = 0
        self._heads: list[bytes] = []

    def add(self, name: str, content: bytes) -> None:
        """Append a file. Raises TooLarge."""
        self._write(self._head(name, len(content), zlib.crc32(content), self._at))
        self._write(content)

    def stream(self, name: str, pieces: Iterable[bytes]) -> tuple[int, str]:
        """Append a file piece by piece and return its size and SHA-256 (hex).

        The target must be a file of its own. Where a piece cannot be had, nothing is appended, and
        that error is raised. Raises TooLarge.
        """
        start, head, digest = self._at, _LOCAL.size + len(name), hashlib.sha256()
        size = checksum = 0
        with ExitStack() as undo:
            undo.callback(self._cut, start)
            self._write(bytes(head))
            for piece in pieces:
                size, checksum = size + len(piece), zlib.crc32(piece, checksum)
                digest.update(piece)
                self._write(piece)
            local = self._head(name, size, checksum, start)
            undo.pop_all()
        self._target.seek(start)
        self._target.write(local)
        self._target.seek(0, os.SEEK_END)
        return size, digest.hexdigest()

    def _cut(self, start: int) -> None:
        self._target.seek(start)
        self._target.truncate()
        self._at = start

    def _head(self, name: str, size: int, checksum: int, at: int) -> bytes:
        """Return the head of a file, and remember it for the directory. Raises TooLarge."""
        if at + size > _LARGEST // 2 or len(self._heads) >= _MOST:
            raise TooLarge
        raw = name.encode("ascii")
        sizes = (checksum, size, size, len(raw))
        central = _CENTRAL.pack(b"PK\x01\x02", 20, 20, 0, 0, 0, _DAY, *sizes, 0, 0, 0, 0, 0,
                                at)  # fmt: skip
        self._heads.append(central + raw)
        return _LOCAL.pack(b"PK\x03\x04", 20, 0, 0, 0, _DAY, *sizes, 0) + raw

    def close(self) -> None:
        """Write the directory; the target stays open."""
        start, count = self._at, len(self._heads)
        body = b"".join(self._heads)
        self._write(body)
        self._write(_END.pack(b"PK\x05\x06", 0, 0, count, count, len(body), start, 0))

    def _write(self, data: bytes) -> None:
        self._target.write(data)
        self._at += len(data)
