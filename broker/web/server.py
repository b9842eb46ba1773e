"""The HTTP server: binds on the calling thread, serves on a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from broker.errors import ConfigError
from broker.logs import get
from broker.settings import variable

if TYPE_CHECKING:
    from broker.web.protocol import Server
    from broker.web.tls import Tls

BACKLOG = 2048
#: Beyond the time for requests in hand: closing connections takes a few tenths of a second.
CLOSING = 5.0

_WHY = {
    errno.EADDRINUSE: "another program listens there; stop it or set another port",
    errno.EACCES: "this process may not listen there; set a port from 1024 on",
    errno.EADDRNOTAVAIL: "this machine has no such address; set one that it has, or 0.0.0.0",
}


class HttpServer:
    """Serves an ASGI application over HTTP/1.1. Starts and stops once."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        given: socket.socket | None = None,
        tls: Tls | None = None,
    ) -> None:
        """Take what to serve and where; port 0 lets the system choose.

        `given` is a socket that listens already, of an earlier process or of systemd; it is used
        where its port is the one that is wanted. With `tls` nothing but TLS is spoken.
        """
        self._app = app
        self._host = host
        self._wanted = port
        self._given = given
        self.tls = tls
        self._socket: socket.socket | None = None
        self._server: Server | None = None
        self._ready = Event()
        self._thread = Thread(target=self._run, name="http", daemon=True)
        self._log = get()

    @property
    def port(self) -> int:
        """The port in use; 0 before `start`."""
        return int(self._socket.getsockname()[1]) if self._socket else 0

    def start(self) -> None:
        """Listen; requests are served when this returns.

        Raises ConfigError where the address cannot be had.
        """
        from broker.web.protocol import server

        self._socket = self._bound()
        self._server = server(self._app, self._ready.set, self.tls)
        self._thread.start()
        self._ready.wait()
        if not self._server.started:
            raise ConfigError("the HTTP server did not start; see the log")

    def stop(self, seconds: float) -> None:
        """Accept nothing more, finish the requests in hand; those that take longer are cut off."""
        if self._server is not None:
            self._server.end(seconds)
            self._thread.join(seconds + CLOSING)

    def kept(self) -> socket.socket | None:
        """Return the listening socket anew, so that it outlives `stop`: nobody is refused while a
        successor starts. None before `start`.
        """
        return self._socket.dup() if self._socket else None

    def _bound(self) -> socket.socket:
        if self._given is not None:
            if self._wanted in (0, self._given.getsockname()[1]):
                return self._given
            self._given.close()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._wanted), family=family, backlog=BACKLOG)
        except OSError as error:
            why = _WHY.get(error.errno or 0) or os.strerror(error.errno or 0)
            if isinstance(error, socket.gaierror):
                why = "the host name is not known; set an address of this machine"
            place = f"{self._host}:{self._wanted}"
            raise ConfigError(f"{variable('listen')}: cannot listen on {place}: {why}") from error

    def _run(self) -> None:
        try:
            from broker.web.protocol import Loop

            with asyncio.Runner(loop_factory=Loop) as runner:
                runner.run(self._serve())
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        assert self._server is not None
        assert self._socket is not None
        asyncio.get_running_loop().set_exception_handler(self._unforeseen)
        await self._server.serve([self._socket])

    def _unforeseen(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # The default would print texts that may quote a message.
        self._log.error("failed", exc_info=context.get("exception"))
