"""Keeps a connection to RabbitMQ: opened at the first use, and anew after it broke."""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.channels.address import Address, Node
from broker.channels.deadline import Clock, Deadline
from broker.channels.secret import Secret
from broker.channels.session import Session
from broker.errors import Unreachable

HEARTBEAT = 30
BLOCKED = 300.0  #: seconds for which a server may be out of memory before we try another
_FIRST, _LONGEST = 0.2, 15.0  #: seconds of pause after failures

Prepare = Callable[[Session, Deadline], None]


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect and with what; files are read anew at every connection."""

    address: Address
    password: Path | None
    ca: Path | None


class Link:
    """At most one session at a time. Thread-safe."""

    def __init__(
        self, name: str, server: Server, prepare: Prepare, clock: Clock = time.monotonic
    ) -> None:
        """Take the channel's name, the server, and what to check on each new session."""
        self._name = name
        self._server = server
        self._secret = Secret(server.password) if server.password else None
        self._prepare = prepare
        self._clock = clock
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._failures = 0
        self._next = 0.0
        self._failure = ""

    def session(self, deadline: Deadline) -> Session:
        """Return the open session, connecting first where there is none.

        After a failure nothing is tried for a while, growing with jitter, so that a broken server
        is not run over by everybody at once. Raises Unreachable, TimeoutError.
        """
        session = self._session
        if session is not None and session.alive:
            return session
        if not self._lock.acquire(timeout=deadline.left()):
            raise TimeoutError
        try:
            if self._session is None or not self._session.alive:
                self._session = self._connect(deadline)
            return self._session
        finally:
            self._lock.release()

    def close(self) -> None:
        """Hang up; the next use connects again."""
        with self._lock:
            session, self._session = self._session, None
            self._failures, self._next = 0, 0.0
        if session is not None:
            session.close()

    def _connect(self, deadline: Deadline) -> Session:
        if self._clock() < self._next:
            raise Unreachable(self._failure)
        try:
            session = self._any(deadline)
        except Unreachable as error:
            pause = min(_LONGEST, _FIRST * 2 ** min(self._failures, 10))
            self._next = self._clock() + pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            self._failures += 1
            self._failure = str(error)
            raise
        self._failures = 0
        return session

    def _any(self, deadline: Deadline) -> Session:
        """Try the nodes in the order of the address, each with its share of the time left."""
        nodes = self._server.address.nodes
        failure = Unreachable(f"{self._name}: no node to connect to")
        for number, node in enumerate(nodes):
            try:
                return self._open(node, deadline, deadline.left() / (len(nodes) - number))
            except Unreachable as error:
                failure = error
        raise failure from None

    def _open(self, node: Node, deadline: Deadline, within: float) -> Session:
        place = f"{self._name}: RabbitMQ at {node}"
        session = Session(place, self._parameters(node, within))
        try:
            session.open(within)
            self._prepare(session, deadline)
        except BaseException:
            session.close()
            raise
        return session

    def _parameters(self, node: Node, within: float) -> Any:
        import pika

        address = self._server.address
        password = self._secret.read() if self._secret else ""
        options = pika.SSLOptions(self._context(), node.host) if address.tls else None
        return pika.ConnectionParameters(
            host=node.host,
            port=node.port,
            virtual_host=address.vhost,
            credentials=pika.PlainCredentials(address.user, password),
            heartbeat=HEARTBEAT,
            blocked_connection_timeout=BLOCKED,
            socket_timeout=within,
            stack_timeout=within,
            ssl_options=options,
            client_properties={"connection_name": f"xoev-broker {self._name}"},
        )

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._server.ca)
        except (OSError, ValueError):
            raise Unreachable(f"{self._name}: ca_file holds no certificates (PEM)") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
