"""One request: its headers, and its body read under limits of size, time and memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from starlette.types import Receive, Scope

from broker.web.problem import Problem

#: How much of a body that nobody wants is read, so that its sender can see the answer.
DISCARD = 1_000_000
DISCARD_SECONDS = 2.0
#: How much of a message that is too large is kept.
KEPT = 65_536
#: Where the server keeps the fingerprint of a client's certificate.
CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server takes at once.

    `message` and `memory` (all bodies together) are bytes, `idle` is seconds; a body may take that
    and a second for each `rate` bytes that came. From `large` bytes on, work is done outside the
    event loop.
    """

    message: int = 64_000_000
    requests: int = 200
    memory: int = 256_000_000
    idle: float = 30.0
    rate: int = 10_000
    large: int = 100_000

    @classmethod
    def of(cls, message: int) -> Limits:
        """Return the limits where a message may have so many bytes."""
        usual = cls()
        return replace(usual, message=message, memory=max(usual.memory, 2 * message))


class Gate:
    """Counts what is in hand, and turns away what would be too much; for the event loop only."""

    def __init__(self, limits: Limits) -> None:
        """Start open and empty."""
        self.limits = limits
        self.open = True
        self.requests = 0
        self._memory = 0

    def close(self) -> None:
        """Take nothing more: the broker stops, or its store failed. May be called on any thread."""
        self.open = False

    def enter(self) -> None:
        """Count a request in; raises Problem where there are too many or the gate is closed."""
        if not self.open:
            raise Problem("unavailable", "the broker is stopping; send it again later")
        if self.requests >= self.limits.requests:
            raise Problem("busy", "too many requests at once; send it again later")
        self.requests += 1

    def leave(self) -> None:
        """Count a request out."""
        self.requests -= 1

    def hold(self, size: int) -> None:
        """Count bytes in; raises Problem where there are too many."""
        if self._memory + size > self.limits.memory:
            raise Problem("busy", "too many large messages at once; send it again later")
        self._memory += size

    def free(self, size: int) -> None:
        """Count bytes out."""
        self._memory -= size


class Gone(Exception):
    """The client went away before its request was whole."""


class TooLong(Exception):
    """The body is longer than allowed; `beginning` is what came of it, cut."""

    def __init__(self, beginning: bytes) -> None:
        """Keep the beginning."""
        super().__init__()
        self.beginning = beginning[:KEPT]


class Request:
    """What a client sent; the body is read at most once."""

    def __init__(self, scope: Scope, receive: Receive, gate: Gate) -> None:
        """Take what the server hands over; nothing is read yet."""
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.params: dict[str, str] = scope.get("path_params", {})
        #: SHA-256 (hex) of the certificate that TLS has checked; empty without one.
        self.certificate: str = scope.get("state", {}).get(CERTIFICATE, "")
        self._receive = receive
        self._gate = gate
        self._held = 0
        self._late = False
        self.complete = not (
            b"transfer-encoding" in self.headers
            or self.headers.get(b"content-length", b"0") != b"0"
        )

    async def body(self) -> bytes:
        """Read the body; raises TooLong, Gone, or Problem (too slow, too much at once)."""
        limits = self._gate.limits
        if int(self.headers.get(b"content-length", b"0")) > limits.message:
            raise TooLong(b"")
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(limits.idle) as timer:
                await self._gather(chunks, timer)
        except TimeoutError:
            self._late = True
            raise Problem("slow", "the body did not arrive in time; send it again") from None
        return b"".join(chunks) if len(chunks) > 1 else chunks[0] if chunks else b""

    async def _gather(self, chunks: list[bytes], timer: asyncio.Timeout) -> None:
        limits = self._gate.limits
        end = timer.when()
        assert end is not None
        while not self.complete:
            chunk = await self._next()
            chunks.append(chunk)
            self._gate.hold(len(chunk))
            self._held += len(chunk)
            if self._held > limits.message:
                raise TooLong(b"".join(chunks))
            if not self.complete:
                timer.reschedule(end + self._held / limits.rate)

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self.complete = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk

    async def discard(self) -> None:
        """Read a little of what nobody wants: a client that is still sending sees no answer."""
        expects = self.headers.get(b"expect", b"").lower() == b"100-continue" and not self._held
        if self.complete or expects or self._late:
            return
        left = DISCARD
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                while left > 0 and not self.complete:
                    left -= len(await self._next())
        except TimeoutError:
            return

    def close(self) -> None:
        """Give back the memory that was counted for it."""
        self._gate.free(self._held)
        self._held = 0
