"""A real HTTP/1.1 server on loopback that does what a script says, also what none should do."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Self


@dataclass(frozen=True)
class Request:
    """What a client sent; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


#: Gets the request and the open connection; returns whether the connection goes on.
Script = Callable[[Request, socket.socket], bool]


@dataclass
class Server:
    """Answers every request with the script in force; `requests` holds what came whole."""

    script: Script
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for thread in self._threads:
            thread.join()

    def drop(self) -> None:
        """Close every open connection, as a server does after a time without requests."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def address(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/dienst"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.add(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self.tls:
                connection = self._handshake(connection, self.tls)
            with connection, connection.makefile("rb") as stream:
                self._talk(connection, stream)
        self._open.discard(connection)
        connection.close()

    def _handshake(self, plain: socket.socket, tls: ssl.SSLContext) -> ssl.SSLSocket:
        self._open.discard(plain)
        connection = tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        try:
            connection.do_handshake()
        except ssl.SSLError:
            # read what came behind the handshake, or closing would reset and swallow the alert
            with suppress(OSError):
                while os.read(connection.fileno(), 65536):
                    pass
            connection.close()
            raise
        return connection

    def _talk(self, connection: socket.socket, stream: IO[bytes]) -> None:
        while True:
            request = _read(stream)
            if request is None:
                return
            self.requests.append(request)
            if not self.script(request, connection):
                return


def _read(stream: IO[bytes]) -> Request | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    return Request(first[0], first[1], headers, body)


def answer(status: int, body: bytes = b"", **headers: str) -> Script:
    """Answer with a status and keep the connection open."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    whole = "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def script(request: Request, connection: socket.socket) -> bool:
        connection.sendall(whole)
        return True

    return script


def reset(request: Request, connection: socket.socket) -> bool:
    """Begin an answer and break the connection with a reset."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def hang_up(request: Request, connection: socket.socket) -> bool:
    """Close without a word."""
    return False


def silence(request: Request, connection: socket.socket) -> bool:
    """Say nothing until the client goes away."""
    while connection.recv(4096):
        pass
    return False


def drip(head: bytes) -> Script:
    """Send `head`, then one byte at a time without an end, until the client goes away."""

    def script(request: Request, connection: socket.socket) -> bool:
        connection.sendall(head)
        connection.settimeout(0.02)
        while True:
            try:
                return bool(connection.recv(1))
            except TimeoutError:
                connection.sendall(b"x")

    return script
