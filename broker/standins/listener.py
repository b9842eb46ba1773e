"""The HTTP server of stand-ins: on loopback, breaks connections on demand, ends at once."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

LONGEST = 64_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: method, path with query, idempotency key, body."""

    method: str
    path: str
    key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """What goes back over HTTP."""

    status: int
    body: bytes
    kind: str = "text/xml; charset=utf-8"


#: Ends the connection in order, but without an answer.
NOTHING = Said(0, b"")
NOT_FOUND = Said(404, b"not found\n", "text/plain")

#: Answers a request; None breaks the connection.
Answer = Callable[[Asked], Said | None]


class Listener:
    """Listens on loopback and asks a function for every answer, on threads."""

    def __init__(self, answer: Answer, port: int = 0) -> None:
        """Take the function, and the port (0: any that is free)."""
        self._answer = answer
        self._port = port
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1]) if self._server else self._port

    def start(self) -> None:
        """Begin to listen; OSError if the port is taken."""
        self._server = _Server(("127.0.0.1", self._port), self._answer)
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and close every connection; another start has the same port."""
        if self._server is not None:
            self._port = self.port
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that stopping ends them."""

    request_queue_size = 128

    def __init__(self, place: tuple[str, int], answer: Answer) -> None:
        super().__init__(place, _Handler)
        self.answer = answer
        self.broken: set[Any] = set()
        self._open: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        if request in self.broken:
            # Closing without saying goodbye makes it a reset.
            self.broken.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report."""

    def hang_up(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with kept connections; an answer leaves in one piece."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._take()

    def do_POST(self) -> None:
        self._take()

    def do_PUT(self) -> None:
        self._take()

    def _take(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if size > LONGEST:
            self.close_connection = True
            self._say(NOT_FOUND)
            return
        key = self.headers.get("Idempotency-Key") or ""
        said = self.server.answer(Asked(self.command, self.path, key, self.rfile.read(size)))
        if said is None:
            self._reset()
        elif said is NOTHING:
            self.close_connection = True
        else:
            self._say(said)

    def _say(self, said: Said) -> None:
        self.send_response(said.status)
        self.send_header("Content-Type", said.kind)
        self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.broken.add(self.connection)
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        """Say nothing: the broker's log is what is looked at."""
