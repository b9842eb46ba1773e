"""Network streams that keep a total deadline and tell when the first byte leaves.

Imported late: it brings httpcore, the engine of httpx, along.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
from httpcore import NetworkBackend, NetworkStream
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from broker.channels.deadline import Deadline

CHUNK = 65536


class Call:
    """One request on its way: how long it may take, whether anything of it has left, and whether
    anything was heard since.

    `mark` is called right before the first byte, when connection and TLS handshake stand.
    """

    def __init__(self, deadline: Deadline, mark: Callable[[], None] | None = None) -> None:
        """Nothing has left yet."""
        self.deadline = deadline
        self.sent = self.heard = False
        self._mark = mark

    def leave(self) -> None:
        """Note that the first byte is about to leave."""
        if not self.sent and self._mark is not None:
            self._mark()
            # The store may have been away for longer than this call may take: then nothing leaves.
            self.deadline.left()
        self.sent = True


class Calls(threading.local):
    """The call that this thread is making."""

    now: Call


class Stream(NetworkStream):
    """A connection whose every read and write ends with the deadline of the present call."""

    def __init__(self, stream: NetworkStream, calls: Calls) -> None:
        """Wrap a connected stream."""
        self._stream = stream
        self._calls = calls

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come; a slow drip cannot outlive the deadline."""
        call = self._calls.now
        call.heard = call.heard or call.sent
        return self._stream.read(max_bytes, call.deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all, in pieces, so that a slow reader cannot outlive the deadline."""
        call = self._calls.now
        call.leave()
        for start in range(0, len(buffer), CHUNK):
            self._stream.write(buffer[start : start + CHUNK], call.deadline.left())

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> NetworkStream:
        """Speak TLS from here on."""
        left = self._calls.now.deadline.left()
        return Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._calls)

    def get_extra_info(self, info: str) -> Any:
        """Pass on what httpcore asks about the socket."""
        return self._stream.get_extra_info(info)


class Backend(NetworkBackend):
    """Opens connections within the deadline of the call; a refused one is tried twice again."""

    def __init__(self, calls: Calls) -> None:
        """Take the place where each thread keeps its call."""
        self._calls = calls
        self._plain = httpcore.SyncBackend()
        self._retry = Retrying(
            retry=retry_if_exception_type(httpcore.ConnectError),
            stop=stop_after_attempt(3),
            wait=wait_exponential(multiplier=0.05, max=0.2),
            reraise=True,
        )

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        """Connect to the first address of the host that answers."""
        return self._retry.copy()(self._connect, host, port)

    def _connect(self, host: str, port: int) -> NetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses(host, port):
            try:
                left = self._calls.now.deadline.left()
                return Stream(self._plain.connect_tcp(address, port, left), self._calls)
            except httpcore.ConnectError as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError("the name is not known") from error
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
