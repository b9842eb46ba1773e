"""One connection to RabbitMQ on a thread of its own: found again whenever it is lost.

The thread does nothing but this, so that heartbeats are kept however long the work elsewhere takes.
"""

from __future__ import annotations

import errno
import logging
import random
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from broker import logs
from broker.amqp import Address, Node, causes, pause
from broker.errors import BrokerError, guarded, original

#: Seconds: a node has so long to become usable, and so long to say goodbye.
_SETTLE = 30.0
_GOODBYE = 3.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the queue cannot be used: a kind, so that a change is told once, and a text."""

    kind: str
    text: str


class User(Protocol):
    """Who works over the link. Everything is called on the link's thread."""

    def opened(self, connection: Any) -> None:
        """A connection stands; say `settled` once it can be used."""

    def lost(self, trouble: Trouble) -> None:
        """There is no connection any more; the next one is under way."""

    def blocked(self, blocked: bool) -> None:
        """The node takes nothing for the time being, or again."""


class Link:
    """Keeps a connection to one of several nodes; pauses between attempts grow, with jitter."""

    def __init__(self, address: Address, name: str, user: User) -> None:
        """Nothing is connected before `start`; the nodes are tried in an order of chance."""
        self._address = address
        self._name = name
        self._user = user
        self._nodes = deque(random.sample(address.nodes, len(address.nodes)))
        self._tries = 0
        self._loop: Any = None
        self._connection: Any = None
        self._why: Trouble | None = None
        self._settled = False
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)

    @property
    def node(self) -> Node:
        """The node that was tried last."""
        return self._nodes[-1]

    def start(self) -> None:
        """Begin to connect; returns at once."""
        from pika.adapters.select_connection import IOLoop

        # pika reports every failure to standard error by itself; ours says it once, in our words.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        self._loop = IOLoop()
        self._thread.start()

    def soon(self, act: Callable[[], object]) -> None:
        """Do something on the thread of the link, as soon as it can; from any thread."""
        with self._lock:
            if self._loop is not None:
                self._loop.add_callback_threadsafe(act)

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something on the thread of the link after a while; from this thread only."""
        self._loop.call_later(seconds, act)

    def settled(self) -> None:
        """Say that the connection can be used."""
        self._tries = 0
        self._settled = True

    def drop(self, trouble: Trouble) -> None:
        """Give this connection up and look for another one; from the link's thread only."""
        connection, self._why = self._connection, trouble
        if connection is None:
            return
        if not (connection.is_closing or connection.is_closed):
            connection.close()
        self.later(_GOODBYE, partial(self._cut, connection))

    def hang_up(self) -> None:
        """Close the connection and end the thread; from the link's thread only."""
        self._stopping.set()
        connection = self._connection
        if connection is None:
            self._loop.stop()
            return
        if not (connection.is_closing or connection.is_closed):
            connection.close()
        self.later(_GOODBYE, partial(self._cut, connection))
        self.later(2 * _GOODBYE, self._loop.stop)

    def _cut(self, connection: Any) -> None:
        """End a connection whose node does not say goodbye; pika has no public way to."""
        from pika.exceptions import StreamLostError

        if connection is self._connection:
            connection._terminate_stream(StreamLostError("no goodbye"))

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended; after so many seconds it is told to."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.soon(self.hang_up)
            self._thread.join(3 * _GOODBYE)

    def _run(self) -> None:
        self._loop.call_later(0, self._connect)
        while not self._stopping.is_set():
            try:
                with guarded():
                    self._loop.start()
            except BrokerError as error:  # whatever pika meets, deliveries go on without it
                logs.get().error("failed", exc_info=original(error))
                self._stopping.wait(1)
                text = "an error nobody foresaw; the line `failed` of the log says where"
                self._loop.call_later(0, partial(self.drop, Trouble("failed", text)))
        with self._lock:
            loop, self._loop = self._loop, None
        loop.close()

    def _connect(self) -> None:
        import pika

        self._nodes.rotate(-1)
        self._settled = False
        self._tries += 1
        try:
            parameters = self._address.parameters(self.node, self._name)
        except BrokerError as error:
            self._again(Trouble("settings", str(error)))
            return
        self._connection = pika.SelectConnection(
            parameters, self._opened, self._over, self._over, custom_ioloop=self._loop
        )

    def _opened(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(lambda *_: self._user.blocked(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._user.blocked(False))
        self.later(_SETTLE, partial(self._check, connection))
        self._user.opened(connection)

    def _check(self, connection: Any) -> None:
        if connection is self._connection and not self._settled:
            text = f"{self.node} did not show its queues in {_SETTLE:.0f} s; is a majority there?"
            self.drop(Trouble("silent", text))

    def _over(self, _connection: Any, error: BaseException) -> None:
        self._again(self._why or reason(error, self.node))

    def _again(self, trouble: Trouble) -> None:
        self._connection = self._why = None
        if self._stopping.is_set():
            self._loop.stop()
            return
        self._user.lost(trouble)
        self.later(pause(self._tries // len(self._nodes)), self._connect)


def reason(error: BaseException, node: Node) -> Trouble:
    """Say why a node could not be used, in words that name the setting to look at."""
    found = list(causes(error))
    known = (trouble for cause in found if (trouble := _known(cause, node)))
    said = type(found[-1]).__name__
    return next(known, Trouble("unreachable", f"{node} cannot be reached ({said})"))


def _known(cause: BaseException, node: Node) -> Trouble | None:
    from pika import exceptions as amqp

    match cause:
        case ssl.SSLError():
            said = getattr(cause, "verify_message", "") or "it does not speak TLS as expected"
            kind, text = "tls", f"failed the check of TLS: {said}; check host name and queue_ca"
        case OSError():
            said = errno.errorcode.get(cause.errno or 0, type(cause).__name__)
            kind, text = "unreachable", f"cannot be reached ({said})"
        case amqp.ProbableAuthenticationError() if "403" in str(cause):
            kind, text = "login", "refused user or password; check queue and queue_file"
        case amqp.ProbableAccessDeniedError():
            kind, text = "access", "lets nobody in here; check virtual host and rights of the user"
        case amqp.ConnectionClosedByBroker():
            kind, text = "closed", f"closed the connection (code {cause.reply_code})"
        case amqp.ConnectionBlockedTimeout():
            kind, text = "blocked", "took nothing for too long; look at its memory and disk"
        case _:
            return None
    return Trouble(kind, f"{node} {text}")
