"""Reads message properties so that no publisher can end our connection with them.

pika turns every header into a Python value and fails on a time stamp of the year 10^12 or on
thousands of nested tables; the connection would break, the message would come again, and the queue
would stand still for good. Nothing in the headers is trusted anyway, so they are skipped.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_HEADER, _PREFIX, _END = 2, 7, 1
_NAMES = (
    ("content_type", "text"),
    ("content_encoding", "text"),
    ("headers", "table"),
    ("delivery_mode", "octet"),
    ("priority", "octet"),
    ("correlation_id", "text"),
    ("reply_to", "text"),
    ("expiration", "text"),
    ("message_id", "text"),
    ("timestamp", "long"),
    ("type", "text"),
    ("user_id", "text"),
    ("app_id", "text"),
    ("cluster_id", "text"),
)


def connection() -> Any:
    """Return pika's connection class with the reading of properties replaced."""
    from pika import SelectConnection
    from pika.frame import Header, decode_frame
    from pika.spec import BasicProperties

    logging.getLogger("pika").setLevel(logging.CRITICAL + 1)  # its lines are not ours to print

    class Tolerant(SelectConnection):  # type: ignore[misc]
        def _read_frame(self) -> tuple[int, Any]:
            found = header(self._frame_buffer)
            if found is None:
                return decode_frame(self._frame_buffer)  # type: ignore[no-any-return]
            used, channel, size, values = found
            return used, Header(channel, size, BasicProperties(**values))

    return Tolerant


def header(data: bytes) -> tuple[int, int, int, Mapping[str, str]] | None:
    """Return length, channel, size of the body and texts of a complete content header; None where
    the data does not begin with one.
    """
    if len(data) < _PREFIX or data[0] != _HEADER:
        return None
    _, channel, size = struct.unpack(">BHL", data[:_PREFIX])
    end = _PREFIX + size + _END
    if len(data) < end:
        return None
    frame = data[_PREFIX : end - 1]
    (body,) = struct.unpack_from(">Q", frame, 4)
    return end, channel, body, texts(frame[12:])


def texts(data: bytes) -> Mapping[str, str]:
    """Return the properties that are texts; of damaged ones what comes before the damage."""
    found: dict[str, str] = {}
    try:
        for name, value in _walk(data):
            found[name] = value.decode("utf-8", "replace")
    except (IndexError, struct.error):
        pass
    return found


def _walk(data: bytes) -> Iterator[tuple[str, bytes]]:
    (flags,) = struct.unpack_from(">H", data)
    at, more = 2, flags
    while more & 1:  # further flags mean properties that nobody has defined
        (more,) = struct.unpack_from(">H", data, at)
        at += 2
    for bit, (name, kind) in enumerate(_NAMES):
        if flags & 0x8000 >> bit:
            begin, at = _SPANS[kind](data, at)
            if kind == "text":
                yield name, data[begin:at]


def _text(data: bytes, at: int) -> tuple[int, int]:
    return at + 1, at + 1 + data[at]


def _table(data: bytes, at: int) -> tuple[int, int]:
    (size,) = struct.unpack_from(">I", data, at)
    return at + 4, at + 4 + size


_SPANS: Mapping[str, Callable[[bytes, int], tuple[int, int]]] = {
    "text": _text,
    "table": _table,
    "octet": lambda data, at: (at, at + 1),
    "long": lambda data, at: (at, at + 8),
}
