"""A publisher that writes hostile properties: nothing of it is believed, nothing stands still."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import pytest

from broker.channels.amqp import Amqp
from broker.channels.channel import Declared, Verdict
from tests.servers.queues import Queues

_ORDER = (
    "content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id",
    "reply_to", "expiration", "message_id", "timestamp", "type", "user_id", "app_id",
)  # fmt: skip


def properties(**values: bytes) -> bytes:
    """Encode properties of raw bytes."""
    flags = sum(0x8000 >> _ORDER.index(name) for name in values)
    return struct.pack(">H", flags) + b"".join(values[name] for name in _ORDER if name in values)


def short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def table(entries: bytes) -> bytes:
    return struct.pack(">I", len(entries)) + entries


def nested(depth: int, kind: bytes, prefix: bytes) -> bytes:
    inside = table(b"")
    for _ in range(depth):
        inside = table(prefix + kind + inside)
    return inside


HOSTILE = {
    "a time stamp beyond all calendars": properties(headers=table(b"\x01aT" + b"\x7f" * 8)),
    "a negative time stamp": properties(headers=table(b"\x01aT" + b"\xff" * 8)),
    "nested tables": properties(headers=nested(3000, b"F", b"\x01a")),
    "a header of 100 kB": properties(headers=table(b"\x01aS" + table(b"x" * 100_000))),
    "ten thousand headers": properties(headers=table(b"\x01at\x01" * 10_000)),
    "a decimal of 255 digits": properties(headers=table(b"\x01aD\xff" + b"\x7f" * 4)),
    "bytes that are no text": properties(headers=table(b"\x01\xffx" + table(b"\xff\x00"))),
    "a forged history": properties(headers=table(b"\x07x-deathS" + table(b"1000"))),
    "an id of control characters": properties(message_id=short(b"\x1b[2J\r\n\x00" * 30)),
    "an id that is no UTF-8": properties(message_id=short(b"\xff\xfe" * 100)),
    "a long id": properties(message_id=short(b"x" * 255)),
    "an id with a direction": properties(message_id=short("a\u202eb".encode())),
    "an id that is a path": properties(message_id=short(b"../../etc/passwd")),
    "another encoding": properties(content_encoding=short(b"gzip"), content_type=short(b"x/y")),
    "the highest priority": properties(priority=b"\xff", delivery_mode=b"\x01"),
    "an address for the answer": properties(reply_to=short(b"eingang")),
    "the time of the end": properties(timestamp=b"\xff" * 8),
    "an expiry far away": properties(expiration=short(b"86400000")),
    "everything at once": properties(
        headers=nested(1000, b"F", b"\x01a"), priority=b"\xff", timestamp=b"\xff" * 8,
        reply_to=short(b"\xff" * 255), message_id=short(b"\n" * 255), app_id=short(b"\xff" * 255),
    ),
}  # fmt: skip


@pytest.fixture
def inlet(queues: Queues) -> Iterator[Amqp]:
    queues.make("eingang", "eingang.quarantine")
    values = queues.values | {"queue": "eingang", "from": "bauportal"}
    channel = Amqp(Declared("amt", "amqp", values))
    yield channel
    channel.close()


@pytest.mark.parametrize("encoded", HOSTILE.values(), ids=HOSTILE)
def test_hostile_properties_stop_nothing_and_name_nothing(
    queues: Queues, inlet: Amqp, encoded: bytes
) -> None:
    queues.raw("eingang", encoded, b"1")
    queues.put("eingang", b"2")

    found = list(inlet.receive())

    assert [each.body for each in found] == [b"1", b"2"]
    assert all(re.fullmatch(r"[!-~]{1,128}", each.name) for each in found)


@pytest.mark.parametrize("encoded", HOSTILE.values(), ids=HOSTILE)
def test_hostile_properties_do_not_keep_a_message_out_of_quarantine(
    queues: Queues, inlet: Amqp, encoded: bytes
) -> None:
    queues.raw("eingang", encoded, b"1")

    (incoming,) = inlet.receive()
    inlet.settle(incoming, Verdict(False, "no XML", "X000"))

    (moved,) = queues.take("eingang.quarantine")
    assert (moved.body, moved.properties.reply_to, moved.properties.priority) == (b"1", None, None)
    assert "a" not in moved.properties.headers


def test_the_server_lets_nobody_forge_the_user(queues: Queues, inlet: Amqp) -> None:
    from pika.exceptions import ChannelClosedByBroker

    with pytest.raises(ChannelClosedByBroker, match="user_id"):
        queues.put("eingang", b"1", user_id="somebody-else")

    assert list(inlet.receive()) == []
