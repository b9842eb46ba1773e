"""HTTP by hand, for what a decent client would not do."""

from __future__ import annotations

import socket
from typing import Self

from tests.web.house import TOKEN


class Raw:
    """One connection; everything that is sent is sent at once."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def post(self, *headers: bytes) -> None:
        """Send the head of a message."""
        lines = [
            b"POST /v1/messages HTTP/1.1",
            b"Host: x",
            b"Content-Type: application/xml",
            b"Authorization: Bearer " + TOKEN.encode(),
            *headers,
        ]
        self.send(b"\r\n".join([*lines, b"", b""]))

    def begin(self, length: int) -> None:
        """Announce a message and return when the server waits for its bytes."""
        self.post(b"Expect: 100-continue", b"Content-Length: %d" % length)
        assert self.head() == ["HTTP/1.1 100 Continue"]

    def head(self) -> list[str]:
        """Read status line and headers."""
        lines = []
        while line := self._stream.readline().decode().strip():
            lines.append(line)
        return lines

    def rest(self) -> bytes:
        """Read until the server closes."""
        return self._stream.read()
