"""What goes over the queue: which queue a channel rings in, and a body with nothing but ids."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

#: How many queues there are. Fixed: processes with another number would not hear each other.
QUEUES = 16
#: How many ids one message carries, so that several workers can share what one commit rings for.
BATCH = 20

#: A body without ids: whether a queue confirms it tells whether it works.
PROBE = b"xoev-broker/1"
_FIRST = b"xoev-broker/1\n"
_BODY = re.compile(rb"xoev-broker/1(?:\n[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}){1,100}")


def place(channel: str) -> int:
    """Return the number of the queue of a channel; the same in every process and release."""
    return zlib.crc32(channel.encode()) % QUEUES


def queues(name: str) -> tuple[str, ...]:
    """Return the names of all queues of a broker, by number."""
    return tuple(f"{name}.{number:02}" for number in range(QUEUES))


def encode(ids: Iterable[str]) -> bytes:
    """Return the body of a message: a first line with the version, then an id a line."""
    return _FIRST + "\n".join(ids).encode("ascii", "replace")


def decode(body: bytes) -> tuple[str, ...]:
    """Return the ids of a body; none where it is anything but ours. At most 100, never trusted."""
    if not _BODY.fullmatch(body):
        return ()
    return tuple(body[len(_FIRST) :].decode("ascii").split("\n"))
