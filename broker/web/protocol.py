"""Uvicorn with the limits that it lacks: time and size of request heads, number of connections.

Imported by `server.py` at first use.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from broker.web.request import CERTIFICATE
from broker.web.tls import Tls

#: Seconds in which a request head must be whole, and most bytes of it.
HEAD_SECONDS = 10.0
HEAD_BYTES = 32_768
CONNECTIONS = 500
#: So many are accepted at a time, where each begins with a handshake.
BURST = 100
#: An idle connection is kept so long (seconds).
KEEP = 65
#: The date header is set so often (seconds); uvicorn itself wakes ten times a second.
TICK = 1.0

_REFUSAL = b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: 0\r\n%s\r\n"
_BUSY = _REFUSAL % (b"503 Service Unavailable", b"retry-after: 5\r\n")
_LARGE = _REFUSAL % (b"431 Request Header Fields Too Large", b"")
_SLOW = _REFUSAL % (b"408 Request Timeout", b"")


class Protocol(HttpToolsProtocol):
    """One connection; whoever keeps it without sending a whole request head loses it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*args, **options)
        self._head = 0
        self._frame = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Turn it away where there are too many."""
        super().connection_made(transport)
        self._recognise(transport)
        # asyncio sets this only where the listener names its protocol; without it, each answer
        # (head and body are two writes) waits 40 ms for the client's acknowledgement.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > CONNECTIONS:
            self._close(_BUSY)
        else:
            self._arm()

    def data_received(self, data: bytes) -> None:
        """Count what belongs to an unfinished head, and what a body has besides its bytes."""
        self._frame += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._busy():
            self._check_frame()
            return
        self._head += len(data)
        if self._head > HEAD_BYTES:
            self._close(_LARGE)
        elif self._timer is None:
            self._arm()

    def on_headers_complete(self) -> None:
        """Stop the clock of the head."""
        self._disarm()
        self._head = self._frame = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Begin to count anew: these bytes are counted by whoever reads them."""
        self._frame = 0
        super().on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._disarm()
        super().connection_lost(exc)

    def _recognise(self, transport: asyncio.Transport) -> None:
        secured = transport.get_extra_info("ssl_object")
        shown = secured.getpeercert(binary_form=True) if secured else None
        if shown:
            self.app_state = {**self.app_state, CERTIFICATE: hashlib.sha256(shown).hexdigest()}

    def _check_frame(self) -> None:
        # Trailers and extensions of chunks are no part of any body, and would be kept for ever.
        if self._frame > HEAD_BYTES:
            self._close(b"" if self.cycle.response_started else _LARGE)

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _arm(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self._busy():
            self._close(_SLOW)

    def _close(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()


class Secured(SSLProtocol):
    """TLS of one connection; asyncio's own takes 256 kB for each, before anybody has proved
    anything.
    """

    max_size = 32_768


class Loop(asyncio.SelectorEventLoop):
    """An event loop on which a TLS handshake has as much time as a request head, and of which there
    are not more at once than connections.
    """

    def __init__(self) -> None:
        """Nobody shakes hands yet."""
        super().__init__()
        self._shaking: dict[asyncio.Future[None], socket.socket] = {}

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Listen; asyncio alone would keep a silent connection for a minute, and uncounted."""
        if options.get("ssl") is None:
            return await super().create_server(*args, **options)
        queue = options["backlog"]
        options |= {"ssl_handshake_timeout": HEAD_SECONDS, "backlog": BURST}
        made = await super().create_server(*args, **options)
        # The system may keep more waiting than are accepted at a time: they take no memory here.
        options["sock"].listen(queue)
        return made

    def _make_ssl_transport(
        self, rawsock: socket.socket, protocol: Any, sslcontext: Any, waiter: Any, **options: Any
    ) -> Any:
        """Begin the handshake of a connection that was accepted; `Protocol` sees it at its end.

        Where there are too many, the one that has taken longest goes: whoever means it well is
        through in a moment.
        """
        if len(self._shaking) >= CONNECTIONS:
            with suppress(OSError):
                self._shaking.pop(next(iter(self._shaking))).shutdown(socket.SHUT_RDWR)
        self._shaking[waiter] = rawsock
        waiter.add_done_callback(lambda done: self._shaking.pop(done, None))
        below = {name: options.pop(name) for name in ("extra", "server")}
        secured = Secured(self, protocol, sslcontext, waiter, **options)
        self._make_socket_transport(rawsock, secured, **below)  # type: ignore[attr-defined]
        return secured._app_transport


class Server(uvicorn.Server):
    """A server that is told when to end instead of looking ten times a second."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        """Take whom to tell that requests are served."""
        super().__init__(config)
        self._ready = ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait for the end; renew the date header meanwhile."""
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        self._ready()
        while not await self.on_tick(0):
            try:
                async with asyncio.timeout(TICK):
                    await self._end.wait()
            except TimeoutError:
                continue

    def end(self, seconds: float) -> None:
        """Let it finish what is in hand; may be called from any thread."""
        self.config.timeout_graceful_shutdown = max(1, round(seconds))
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)


def server(app: ASGIApp, ready: Callable[[], None], tls: Tls | None = None) -> Server:
    """Return a server for an application; `ready` is called when it serves."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=Protocol,
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP,
        ssl_context_factory=(lambda *_: tls.context) if tls else None,
    )
    return Server(config, ready)
