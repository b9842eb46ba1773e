"""A wire to a server that can be cut at one word of the conversation."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Literal

#: What becomes of the word: it never arrives; its answer is lost; it never arrives, and the server
#: does not notice that the client is gone. Or nobody hangs up: its answer is held back; the word is
#: held back, until `release`.
Cut = Literal["before", "after", "silent", "mute", "stuck"]


class Proxy:
    """Passes bytes on to a port of this machine until a word comes that it was told to cut at."""

    def __init__(self, port: int) -> None:
        """Listen on a port of loopback."""
        self.cuts = 0
        self._to = port
        self._word = b""
        self._cut: Cut = "before"
        self._lock = Lock()
        self._released = Event()
        self._kept: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        Thread(target=self._listen, daemon=True).start()

    def cut(self, word: bytes, how: Cut) -> None:
        """Cut the next connection on which the client says this."""
        with self._lock:
            self._word, self._cut = word, how

    def release(self) -> None:
        """Let what was held back arrive."""
        self._released.set()

    def close(self) -> None:
        """Hang up."""
        self.release()
        self._server.close()
        for one in self._kept:
            _hang_up(one)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    client.close()
                    continue
                self._kept += [client, server]
                open = Event()
                open.set()
                Thread(target=self._up, args=(client, server, open), daemon=True).start()
                Thread(target=self._down, args=(server, client, open), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, open: Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                how = self._wanted(data)
                if how == "mute":
                    open.clear()
                elif how == "stuck":
                    self._released.wait()
                elif how:
                    _cut(client, server, data, how)
                    return
                server.sendall(data)
        _hang_up(server)

    def _down(self, server: socket.socket, client: socket.socket, open: Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if not open.is_set():
                    self._released.wait()
                client.sendall(data)
        _hang_up(client)

    def _wanted(self, data: bytes) -> Cut | None:
        with self._lock:
            if not self._word or self._word not in data:
                return None
            self._word = b""
            self.cuts += 1
            return self._cut


def _cut(client: socket.socket, server: socket.socket, data: bytes, how: Cut) -> None:
    if how == "after":
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        server.sendall(data)
        return
    _hang_up(client)
    if how == "before":
        _hang_up(server)


def _hang_up(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
