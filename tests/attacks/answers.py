"""What a hostile procedure answers over HTTP; none of it is what the broker waits for."""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from tests import messages
from tests.attacks.poison import PLANTED, SECRET, Lure
from tests.servers import http
from tests.servers.http import Request, Script, answer

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SECRETIVE = PLANTED[0]
BIG = 15_000_000
#: States of a request that got no whole answer; nobody knows what it did there.
UNCLEAR = ("unclear",)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, and in which states the request may be then."""

    make: Callable[[Lure], Script]
    states: tuple[str, ...] = UNCLEAR


def raw(data: bytes) -> Script:
    """Answer with these bytes, whatever they are, and close."""

    def script(_request: Request, connection: socket.socket) -> bool:
        connection.sendall(data)
        return False

    return script


def flood(piece: bytes, begin: bytes = b"") -> Script:
    """Answer with `begin` and then the same bytes until the client goes away."""

    def script(_request: Request, connection: socket.socket) -> bool:
        connection.sendall(begin)
        while True:
            connection.sendall(piece)

    return script


def good(request: Request, connection: socket.socket) -> bool:
    """Answer as the procedure of Wolfsburg does, in an envelope where it was asked in one."""
    found = re.search(rb"Referenz>([^<]+)<", request.body)
    content = messages.reply(found[1].decode() if found else "").decode()
    said = envelope(content) if b"Envelope" in request.body else content.encode()
    return answer(200, said)(request, connection)


def envelope(content: str, namespace: str = SOAP, before: str = "") -> bytes:
    """Return a SOAP envelope."""
    body = f'<s:Envelope xmlns:s="{namespace}"><s:Body>{content}</s:Body></s:Envelope>'
    return (before + body).encode()


def _fixed(script: Script, *states: str) -> Answer:
    return Answer(lambda _: script, states or UNCLEAR)


def _page(data: bytes, status: int = 200, *states: str, **headers: str) -> Answer:
    return _fixed(answer(status, data, **headers), *states)


def _head(*lines: str, status: str = "200 OK", body: bytes = b"") -> Answer:
    whole = "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""])
    return _fixed(raw(whole.encode("latin-1") + body))


def _redirect(status: int) -> Answer:
    return Answer(lambda lure: answer(status, b"", Location=lure.url + "/"), ("waiting",))


@cache
def _bomb(size: int = 300_000_000) -> bytes:
    return gzip.compress(b"\x00" * size)


def _packed(encoding: str, data: bytes) -> Answer:
    return Answer(lambda _: answer(200, data, Content_Encoding=encoding))


OK = "HTTP/1.1 200 OK\r\n"
#: Wrong as HTTP already, so the same for SOAP and REST.
WIRE: Mapping[str, Answer] = {
    "silence": _fixed(http.silence),
    "hanging up": _fixed(http.hang_up),
    "a reset": _fixed(http.reset),
    "a head that drips": _fixed(http.drip(b"HTTP/1.1 200 OK\r\nX: ")),
    "a body that drips": _fixed(http.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")),
    "chunks that drip": _fixed(
        http.drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n")
    ),
    "a redirect 301": _redirect(301),
    "a redirect 302": _redirect(302),
    "a redirect 303": _redirect(303),
    "a redirect 307": _redirect(307),
    "a redirect 308": _redirect(308),
    "a gzip bomb": Answer(lambda _: answer(200, _bomb(), Content_Encoding="gzip")),
    "a bomb in a bomb": Answer(
        lambda _: answer(200, gzip.compress(_bomb()), Content_Encoding="gzip, gzip")
    ),
    "another packing": _packed("br", b"\x00" * 100),
    "gzip that is none": _packed("gzip", SECRETIVE.encode()),
    "a length that is too long": _head("Content-Length: 100", body=b"<a/>"),
    "a negative length": _head("Content-Length: -1"),
    "two lengths": _head("Content-Length: 4", "Content-Length: 5", body=b"<a/>x"),
    "a length that is a word": _head(f"Content-Length: {SECRETIVE}"),
    "a length beyond everything": _head("Content-Length: " + "9" * 30),
    "chunks that are none": _head("Transfer-Encoding: chunked", body=b"GEHEIM\r\n"),
    "a chunk without an end": _fixed(
        flood(b"x" * 65_536, f"{OK}Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n".encode())
    ),
    "a body without an end": _fixed(flood(b"x" * 65_536, f"{OK}\r\n".encode())),
    "a header without an end": _fixed(flood(b"x" * 65_536, f"{OK}X: ".encode())),
    "headers without an end": _fixed(flood(b"X: y\r\n" * 10_000, OK.encode())),
    "trailers without an end": _fixed(
        flood(b"X: y\r\n" * 10_000, f"{OK}Transfer-Encoding: chunked\r\n\r\n0\r\n".encode())
    ),
    "a promise without an end": _fixed(flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000)),
    "another protocol": _head("Upgrade: x", "Connection: Upgrade", status="101 Switching"),
    "a state that is none": _head(status="999 " + SECRETIVE),
    "a state that is a word": _head(status=SECRETIVE),
    "HTTP/0.9": _fixed(raw(b"<html>" + SECRETIVE.encode())),
    "HTTP/2": _fixed(raw(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18)),
    "TLS": _fixed(raw(b"\x15\x03\x01\x00\x02\x02\x28")),
    "a header of control characters": _head("X: \x1b[2J\x00", "Content-Length: 0"),
    "an error": _page(SECRETIVE.encode(), 500),
    "an error with a bomb": _page(_bomb(), 500, Content_Encoding="gzip"),
    "a request for a password": _page(
        SECRETIVE.encode(), 401, "waiting", WWW_Authenticate=f'Basic realm="{SECRETIVE}"'
    ),
    "later, in a thousand years": _page(b"", 503, "waiting", Retry_After="9" * 20),
}  # fmt: skip


def _entity(inside: Callable[[Lure], str], text: str = "&e;") -> Answer:
    def make(lure: Lure) -> Script:
        before = f"<!DOCTYPE s:Envelope [{inside(lure)}]>"
        return answer(200, envelope(f"<a b=''>{text}</a>", before=before))

    return Answer(make)


_LAUGHS = "".join(
    f"<!ENTITY e{i} '{f'&e{i - 1};' * 10 if i else SECRET}'>" for i in range(10)
)  # fmt: skip
#: A whole answer that is no SOAP envelope, or carries what nobody asked for.
ENVELOPES: Mapping[str, Answer] = {
    "nothing": _page(b""),
    "a page to log in": _page(b"<html><br>" + SECRETIVE.encode(), Content_Type="text/html"),
    "JSON": _page(b'{"ok": true}', Content_Type="application/json"),
    "XML of somebody else": _page(messages.reply("x"), Content_Type="text/html"),
    "another envelope": _page(envelope("<a/>", "urn:example:envelope")),
    "an entity of a file": _entity(lambda lure: f"<!ENTITY e SYSTEM '{lure.file}'>"),
    "an entity of an address": _entity(lambda lure: f"<!ENTITY e SYSTEM '{lure.url}/x'>"),
    "a parameter entity": _entity(lambda lure: f"<!ENTITY % p SYSTEM '{lure.url}/x'> %p;", ""),
    "a billion laughs": _entity(lambda _: _LAUGHS, "&e9;"),
    "a billion laughs in an attribute": _entity(lambda _: _LAUGHS, "<a b='&e9;'/>"),
    "an inner entity": _entity(lambda _: f"<!ENTITY e '{SECRETIVE}'>"),
    "five million elements": Answer(lambda _: answer(200, envelope("<a/>" * 3_900_000))),
    "depth": Answer(lambda _: answer(200, envelope("<a>" * 200_000 + "</a>" * 200_000))),
    "half an envelope": _page(envelope(SECRETIVE)[:-20]),
    "bytes that are no text": _page(envelope("<a>") + b"\xff\x00"),
    "gzip that nobody names": Answer(lambda _: answer(200, gzip.compress(envelope("<a/>")))),
    "a fault that says too much": _page(
        envelope(f"<s:Fault><faultcode>{SECRETIVE} \u202e\u009b</faultcode><faultstring>"
                 f"{SECRETIVE}</faultstring><detail><x>{SECRETIVE}</x></detail></s:Fault>"), 500,
    ),
}  # fmt: skip

#: Envelopes whose content becomes the reply, which then is a case for a person.
REPLIES: Mapping[str, Answer] = {
    name: Answer(make, ("delivered",))
    for name, make in {
        "an empty body": lambda _: answer(200, envelope("")),
        "an element that nobody knows": lambda _: answer(200, envelope(f"<{SECRETIVE}/>")),
        "a reply to somebody else": lambda _: answer(200, envelope(messages.reply("X").decode())),
        "200000 attributes": lambda _: answer(
            200, envelope("<a " + "".join(f"a{i}='' " for i in range(200_000)) + "/>")
        ),
        "depth 200": lambda _: answer(200, envelope("<a>" * 199 + "</a>" * 199)),
        "a long text": lambda _: answer(200, envelope(f"<a>{'x' * BIG}</a>")),
        "XInclude": lambda lure: answer(200, envelope(
            f"<i:include xmlns:i='http://www.w3.org/2001/XInclude' href='{lure.file}'/>"
        )),
    }.items()
}  # fmt: skip
