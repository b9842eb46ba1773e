"""A message that is named on the command line: a file, or `-` for what comes in."""

from __future__ import annotations

import sys
from pathlib import Path

from broker.errors import BrokerError


class Unreadable(BrokerError):
    """The file cannot be read."""


def read(file: str, most: int, name: str = "") -> bytes:
    """Return at most one byte more than may be taken, so that too much is refused by its size and
    not swallowed. Raises Unreadable, which calls the file by its name unless told another.
    """
    if file == "-":
        return sys.stdin.buffer.read(most + 1)
    try:
        with Path(file).open("rb") as stream:
            return stream.read(most + 1)
    except OSError as error:
        raise Unreadable(f"{name or file} cannot be read: {error.strerror}") from error
