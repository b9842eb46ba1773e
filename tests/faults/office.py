"""Two procedures that count their effects, and a wire to each that can fall silent."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import suppress
from typing import Self

from tests.servers.http import Request, Server, answer


class Office:
    """A resource that files requests; it can be asked for keys.

    One that `recognises` repeats files a key once, the other files whatever comes anew, so that a
    doubled delivery is seen.
    """

    def __init__(self, recognises: bool) -> None:
        self._recognises = recognises
        self._filed: list[tuple[str, str]] = []
        self._keys: set[str] = set()
        self._lock = threading.Lock()
        self._server = Server(self._serve)

    def __enter__(self) -> Self:
        self._server.__enter__()
        self.wire = Wire(int(self._server.address.rpartition(":")[2].partition("/")[0]))
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()
        self._server.__exit__()

    @property
    def address(self) -> str:
        """Where the broker sends: through the wire."""
        return f"http://127.0.0.1:{self.wire.port}/dienst"

    @property
    def count(self) -> int:
        """How much was filed."""
        return len(self._filed)

    def references(self) -> list[str]:
        """Return what was filed, by reference, in this order."""
        with self._lock:
            return [reference for reference, _key in self._filed]

    def doubled(self) -> list[str]:
        """Return references that took effect more than once."""
        return [name for name, count in Counter(self.references()).items() if count > 1]

    def _serve(self, request: Request, connection: socket.socket) -> bool:
        self._server.requests.clear()
        name = request.path.rpartition("/")[2]
        if request.method == "GET":
            return answer(200 if name in self._keys else 404)(request, connection)
        self.file(name, request.headers["idempotency-key"])
        return answer(200)(request, connection)

    def file(self, reference: str, key: str) -> None:
        """Let something take effect."""
        with self._lock:
            if key in self._keys and self._recognises:
                return
            self._keys.add(key)
            self._filed.append((reference, key))


class Wire:
    """Passes connections on to a port of the loopback; while it is silent, nothing arrives, and
    while it holds, nothing arrives yet.
    """

    def __init__(self, port: int) -> None:
        """Take the port of the server; listens at once, on `port`."""
        self._server = port
        self._passes = threading.Event()
        self._passes.set()
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def silence(self) -> None:
        """Swallow all that is said from now on; connections stay open."""
        self._passes.clear()

    def hold(self) -> None:
        """Keep back all that is said from now on; connections stay open."""
        self._flows.clear()

    def flow(self) -> None:
        """Let what was kept back arrive, also from those who left meanwhile."""
        self._flows.set()

    def heal(self) -> None:
        """Pass everything on again; connections that lost something are gone."""
        self._passes.set()
        self._hang_up()

    def close(self) -> None:
        """Close everything."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.flow()
        self._hang_up()
        self._thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                try:
                    server = socket.create_connection(("127.0.0.1", self._server))
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._open |= {client, server}
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._flows.wait()
                if self._passes.is_set():
                    sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()

    def _hang_up(self) -> None:
        with self._lock:
            ends = list(self._open)
        for one in ends:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
