"""Message properties are read without ever failing, and as pika writes them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from broker.channels.frames import header, texts

TEXTS = {
    "content_type": "application/xml",
    "content_encoding": "utf-8",
    "correlation_id": "c-1",
    "reply_to": "antworten",
    "expiration": "60000",
    "message_id": "ä-1",
    "type": "antrag",
    "user_id": "portal",
    "app_id": "portal",
    "cluster_id": "x",
}


@pytest.mark.parametrize(
    "other",
    [{}, {"headers": {"a": 1, "b": {"c": [1, "x"]}}, "delivery_mode": 2, "timestamp": 1}],
)
def test_texts_are_found_whatever_stands_between_them(other: dict[str, object]) -> None:
    from pika import BasicProperties

    encoded = b"".join(BasicProperties(**TEXTS, **other, priority=9).encode())

    assert texts(encoded) == TEXTS


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_each_text_is_found_alone(name: str) -> None:
    from pika import BasicProperties

    assert texts(b"".join(BasicProperties(**{name: "wert"}).encode())) == {name: "wert"}


@given(some.binary(max_size=300))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    assert set(texts(data)) <= set(TEXTS)


@given(some.binary(max_size=60))
def test_only_a_complete_header_is_read(data: bytes) -> None:
    frame = struct.pack(">BHL", 2, 1, 12 + len(data)) + bytes(12) + data + b"\xce"

    assert header(frame[:-1]) is None
    assert header(b"\x03" + frame[1:]) is None
    assert header(frame + b"rest") == (len(frame), 1, 0, texts(data))
