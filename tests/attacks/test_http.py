"""What no decent client sends over HTTP: the broker turns it away, and goes on."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests import messages
from tests.attacks.conftest import Survived
from tests.attacks.fort import SHOWN, TOKEN, Fort
from tests.attacks.poison import PLANTED

LINE = b"POST /v1/messages HTTP/1.1\r\n"
USUAL = b"Host: x\r\nContent-Type: application/xml\r\nAuthorization: Bearer " + TOKEN.encode()
SECRETIVE = PLANTED[0].encode()
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#: Seconds in which an answer comes, or is given up.
PATIENCE = 20
#: Seconds without a word after which the request is said to be over.
IDLE = 0.5
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def head(*headers: bytes, line: bytes = LINE, usual: bytes = USUAL) -> bytes:
    """Return the head of a request."""
    return line + b"\r\n".join([usual, *headers, b"", b""])


def posted(body: bytes, *headers: bytes) -> bytes:
    return head(*headers) + body


def chunk(size: bytes, data: bytes = b"") -> bytes:
    return size + b"\r\n" + data + b"\r\n"


@contextmanager
def connected(fort: Fort) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", fort.node.port), timeout=PATIENCE) as connection:
        yield connection


def said(fort: Fort, data: bytes) -> list[int]:
    """Send bytes, say after a while that no more come; return the status of every answer."""
    with connected(fort) as connection:
        with suppress(OSError):
            connection.sendall(data)
        connection.settimeout(IDLE)
        answer = _rest(connection)
        connection.settimeout(PATIENCE)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        answer += _rest(connection)
    assert not [word for word in SHOWN if word in answer]
    return [int(status) for status in _STATUS.findall(answer)]


def _rest(connection: socket.socket) -> bytes:
    found = bytearray()
    with suppress(OSError):
        while piece := connection.recv(65_536):
            found += piece
    return bytes(found)


#: Requests in which one side could see another end than the other: never taken.
SMUGGLED: Mapping[str, bytes] = {
    "a length and chunks": head(b"Content-Length: 5", b"Transfer-Encoding: chunked")
    + b"0\r\n\r\n" + LAST,
    "chunks and a length": head(b"Transfer-Encoding: chunked", b"Content-Length: 5")
    + b"0\r\n\r\n" + LAST,
    "two lengths": head(b"Content-Length: 3", b"Content-Length: 60") + LAST,
    "a list of lengths": head(b"Content-Length: 3, 3") + b"<a/" + LAST,
    "a length with a sign": head(b"Content-Length: +4") + b"<a/>" + LAST,
    "a negative length": head(b"Content-Length: -1") + LAST,
    "a length in hexadecimal": head(b"Content-Length: 0x4") + b"<a/>" + LAST,
    "a length with a space": head(b"Content-Length: 4 4") + b"<a/>" + LAST,
    "a length beyond 64 bits": head(b"Content-Length: 99999999999999999999") + LAST,
    "a space before the colon": head(b"Transfer-Encoding : chunked") + b"0\r\n\r\n" + LAST,
    "a coding that is no chunks": head(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n" + LAST,
    "chunks that are not last": head(b"Transfer-Encoding: chunked, identity")
    + b"0\r\n\r\n" + LAST,
    "two codings": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity")
    + b"0\r\n\r\n" + LAST,
    "a coding behind a control character": head(b"Transfer-Encoding: \x0bchunked") + LAST,
    "a folded header": head(b"Transfer-Encoding:\r\n chunked", b"Content-Length: 4") + LAST,
    "a chunk of no size": head(b"Transfer-Encoding: chunked") + chunk(b"") + LAST,
    "a chunk of a negative size": head(b"Transfer-Encoding: chunked") + chunk(b"-1") + LAST,
    "a chunk beyond 64 bits": head(b"Transfer-Encoding: chunked") + chunk(b"f" * 20) + LAST,
    "a chunk longer than it says": head(b"Transfer-Encoding: chunked")
    + chunk(b"3", b"<a/>GET / HTTP/1.1") + LAST,
    "NUL in a header": head(b"X: \x00") + LAST,
    "a bare carriage return": head(b"X: a\rContent-Length: 4") + b"<a/>" + LAST,
    "a header without a name": head(b": x") + LAST,
    "a header that is none": head(SECRETIVE) + LAST,
}  # fmt: skip

#: Requests that may be answered with a no, or not at all.
ODD: Mapping[str, bytes] = {
    "nothing": b"",
    "no HTTP": SECRETIVE * 100,
    "zeros": b"\x00" * 100_000,
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\x00" * 200,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 100,
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/9.9": head(b"Content-Length: 0", line=b"POST /v1/messages HTTP/9.9\r\n"),
    "a proxy request": head(line=b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n"),
    "an address of another host": head(line=b"POST http://example.org/v1/messages HTTP/1.1\r\n"),
    "a path that leads out": head(line=b"GET /v1/messages/../../../etc/passwd HTTP/1.1\r\n"),
    "an encoded path": head(line=b"GET /v1/messages/%2e%2e%2f%00%0a%ff HTTP/1.1\r\n"),
    "a path of 30 kB": head(line=b"GET /" + SECRETIVE * 2_500 + b" HTTP/1.1\r\n"),
    "a path that never ends": b"GET /" + b"x" * 1_000_000,
    "a method of its own": head(line=SECRETIVE + b" / HTTP/1.1\r\n"),
    "a method that never ends": b"x" * 1_000_000,
    "no host": LINE + b"\r\n",
    "two hosts": head(b"Host: y", b"Content-Length: 0"),
    "a header of a megabyte": head(b"X: " + b"x" * 1_000_000),
    "ten thousand headers": head(*[b"X-%d: y" % at for at in range(10_000)]),
    "a header that never ends": LINE + b"X: " + b"x" * 2_000_000,
    "a token of 30 kB": head(usual=b"Host: x\r\nAuthorization: Bearer " + SECRETIVE * 2_500),
    "a token that is no text": head(usual=b"Host: x\r\nAuthorization: Bearer \xff\xfe\x80"),
    "two tokens": head(b"Authorization: Bearer " + SECRETIVE, b"Content-Length: 4") + b"<a/>",
    "an upgrade to h2c": head(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
                              b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Content-Length: 0"),
    "an upgrade to a web socket": head(
        b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", line=b"GET / HTTP/1.1\r\n",
    ),
    "an expectation of its own": head(b"Expect: " + SECRETIVE, b"Content-Length: 4") + b"<a/>",
    "a promise that is not kept": head(b"Expect: 100-continue", b"Content-Length: 1000"),
    "half a body": head(b"Content-Length: 1000") + SECRETIVE,
    "half a chunk": head(b"Transfer-Encoding: chunked") + b"3e8\r\n" + SECRETIVE,
    "no last chunk": head(b"Transfer-Encoding: chunked") + chunk(b"4", b"<a/>"),
    "a body of 30 MB": head(b"Transfer-Encoding: chunked")
    + chunk(b"100000", b"x" * 1_048_576) * 30 + b"0\r\n\r\n",
    "a body that is packed": head(b"Content-Encoding: gzip", b"Content-Length: 2") + b"\x1f\x8b",
    "a form": head(b"Content-Length: 3", usual=USUAL.replace(b"application/xml", b"text/html"))
    + b"a=b",
}  # fmt: skip


#: What may stand around the bytes of a body, without an end.
FRAMES: Mapping[str, bytes] = {
    "an extension of a chunk": b"4;" + b"x" * 40_000_000,
    "one trailer": chunk(b"4", b"<a/>") + b"0\r\nX: " + b"x" * 40_000_000,
    "many trailers": chunk(b"4", b"<a/>") + b"0\r\n" + b"X: y\r\n" * 7_000_000,
}


@pytest.mark.parametrize("data", SMUGGLED.values(), ids=SMUGGLED)
def test_a_request_with_two_ends_is_not_taken(fort: Fort, survived: Survived, data: bytes) -> None:
    answers = said(fort, data)

    assert len(answers) <= 1
    assert all(400 <= status < 500 for status in answers), answers
    survived(fort, "HTTP itself")


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_an_odd_request_is_not_taken(fort: Fort, survived: Survived, data: bytes) -> None:
    answers = said(fort, data)

    assert 202 not in answers
    assert not [status for status in answers if status == 500]
    survived(fort, "HTTP itself")


@pytest.mark.parametrize("data", FRAMES.values(), ids=FRAMES)
def test_what_surrounds_a_body_without_an_end_is_cut_off(
    fort: Fort, survived: Survived, data: bytes
) -> None:
    said(fort, head(b"Transfer-Encoding: chunked") + data)

    assert fort.memory() < 500
    survived(fort, "HTTP itself")


def test_a_second_request_in_the_body_of_the_first_is_its_body(
    fort: Fort, survived: Survived
) -> None:
    body = messages.request()
    hidden = posted(body, b"Content-Length: %d" % len(body))

    answers = said(fort, posted(hidden, b"Content-Length: %d" % len(hidden)) + LAST)

    assert answers == [400, 200]
    survived(fort, "HTTP itself")


def test_a_hundred_requests_at_once_on_one_connection_are_answered_in_turn(
    fort: Fort, survived: Survived
) -> None:
    assert said(fort, GET * 99 + LAST) == [200] * 100
    survived(fort, "HTTP itself")


def test_headers_that_come_slowly_hold_up_nobody(fort: Fort, survived: Survived) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(connected(fort))
            connection.sendall(LINE + b"X: " + SECRETIVE)
        survived(fort, "HTTP itself")


def test_bodies_that_come_slowly_hold_up_nobody(fort: Fort, survived: Survived) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(connected(fort))
            connection.sendall(head(b"Content-Length: 1000") + b"<")
        survived(fort, "HTTP itself")


def test_answers_that_nobody_reads_hold_up_nobody(fort: Fort, survived: Survived) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(connected(fort))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            with suppress(OSError):
                connection.settimeout(0.5)
                connection.sendall(GET.replace(b"/ ", b"/openapi.json ") * 500)
        survived(fort, "HTTP itself")


def test_connections_that_break_in_the_middle_are_forgotten(fort: Fort, survived: Survived) -> None:
    for _ in range(100):
        with connected(fort) as connection:
            connection.sendall(head(b"Content-Length: 100000") + SECRETIVE * 10)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    survived(fort, "HTTP itself")
