"""What goes back to a client: status, bytes and headers, whole and small."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Send

Header = tuple[bytes, bytes]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
_SAFE: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    # Heeded by clients only where it came over TLS.
    (b"strict-transport-security", b"max-age=31536000"),
)
_CLOSE: Header = (b"connection", b"close")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; the security headers and the length are added when it is sent."""

    status: int
    body: bytes
    type: bytes = JSON
    headers: tuple[Header, ...] = ()

    async def send(self, send: Send, *, close: bool) -> None:
        """Send it; with `close`, the connection ends afterwards."""
        length = b"%d" % len(self.body)
        headers = [(b"content-type", self.type), (b"content-length", length), *_SAFE]
        headers += [*self.headers, _CLOSE] if close else self.headers
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def answer(status: int, fields: Mapping[str, Any], *headers: Header) -> Reply:
    """Return a JSON answer."""
    return Reply(status, json.dumps(fields, ensure_ascii=False).encode(), JSON, headers)
