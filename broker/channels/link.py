"""Keeps a connection to RabbitMQ: opened at the first use, and anew after it broke."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from broker.amqp import Address, Limits, Node, pause
from broker.channels.deadline import Clock, Deadline
from broker.channels.session import Session
from broker.errors import ConfigError, Unreachable

Prepare = Callable[[Session, Deadline], None]


class Link:
    """At most one session at a time. Thread-safe."""

    def __init__(
        self, name: str, address: Address, prepare: Prepare, clock: Clock = time.monotonic
    ) -> None:
        """Take the channel's name, where it leads, and what to check on each new session."""
        self._name = name
        self._address = address
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
            self._next = self._clock() + pause(self._failures)
            self._failures += 1
            self._failure = str(error)
            raise
        self._failures = 0
        return session

    def _any(self, deadline: Deadline) -> Session:
        """Try the nodes in the order of the address, each with its share of the time left."""
        nodes = self._address.nodes
        failure = Unreachable(f"{self._name}: no node to connect to")
        for number, node in enumerate(nodes):
            try:
                return self._open(node, deadline, deadline.left() / (len(nodes) - number))
            except Unreachable as error:
                failure = error
        raise failure from None

    def _open(self, node: Node, deadline: Deadline, within: float) -> Session:
        try:
            parameters = self._address.parameters(
                node, f"xoev-broker {self._name}", Limits(within, within)
            )
        except ConfigError as error:
            raise Unreachable(f"{self._name}: {error}") from None
        session = Session(f"{self._name}: RabbitMQ at {node}", parameters)
        with ExitStack() as undo:
            undo.callback(session.close)
            session.open(within)
            self._prepare(session, deadline)
            undo.pop_all()
        return session
