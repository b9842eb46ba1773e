"""One life of a connection to RabbitMQ, from opening to its end.

A thread of its own runs it: heartbeats never wait for work, and many senders have their messages
under way at once, each waiting for its own confirm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from broker.channels.fate import Delivery, Ended, Fate, Letter, Outcome, confirmed, ended, last
from broker.errors import (
    BrokerError,
    Unreachable,
    guarded,
    original,
)

T = TypeVar("T")

_CLOSING = 5.0  #: seconds for saying goodbye
_ABORTING = 1.0  #: seconds for giving up a connection that is not there yet
_NACKS = 3
IDLE = 60.0  #: seconds after which what was fetched and nobody settles is given back
_PERSISTENT = 2
_QUORUM = {"x-queue-type": "quorum"}


@dataclass(slots=True)
class _Pull:
    """A batch being fetched: how many messages and bytes are still wanted."""

    queue: str
    count: int
    size: int
    done: Future[None]


class Session:
    """A connection with one channel. Thread-safe; once over it stays so."""

    def __init__(self, place: str, parameters: Any) -> None:
        """Take what stands before every error, and pika's parameters; `open` connects."""
        self.place = place
        self.blocked = False
        self._parameters = parameters
        self._lock = threading.Lock()
        self._ended: Ended | None = None
        self._gone = False
        self._worn = False
        self._nacks = 0
        self._opened: Future[None] = Future()
        self._futures: set[Future[Any]] = {self._opened}
        self._letters: dict[int, tuple[Letter, Future[Fate]]] = {}
        self._returned: set[str] = set()
        self._held: dict[int, Delivery] = {}
        self._pull: _Pull | None = None
        self._tag = 0
        self._touched = 0.0
        self._connection: Any = None
        self._channel: Any = None
        self._thread = threading.Thread(target=self._run, name=f"amqp {place}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it should be used for something new, as far as anybody knows."""
        return self._ended is None and not self._worn

    @property
    def held(self) -> list[Delivery]:
        """What was fetched and not settled, in the order of the queue; nothing once it is over."""
        with self._lock:
            return list(self._held.values()) if self._ended is None else []

    def open(self, within: float) -> None:
        """Connect; Unreachable with the reason if that fails or takes more than these seconds."""
        self._thread.start()
        self._wait(self._opened, within)

    def close(self) -> None:
        """Hang up; what was fetched and not settled goes back to its queue."""
        if self._thread.ident is None:
            return
        self._call(self._hang_up)
        self._thread.join(_CLOSING)
        if self._thread.is_alive():  # the other side is frozen
            self._call(self._drop)
            self._thread.join(_CLOSING)

    def publish(self, letter: Letter, within: float) -> Fate:
        """Publish and wait these seconds for the server's confirm."""
        fate: Future[Fate] = Future()
        if not self._issue(fate, lambda: self._publish(letter, fate)):
            return Fate(Outcome.UNSENT, self._why())
        try:
            return fate.result(within)
        except TimeoutError:
            self._worn = not self.blocked  # the next letter gets a connection that answers
            outcome = Outcome.UNSENT if fate.cancel() else Outcome.UNKNOWN
            return Fate(outcome, f"no confirm within {within:.3g} s")
        finally:
            self._futures.discard(fate)

    def fetch(self, queue: str, count: int, size: int, within: float) -> None:
        """Fetch into `held` what the queue has, up to so many messages, and bytes but for the last.

        Returns when the queue is empty or the batch is full. Raises Unreachable.
        """
        self._touched = time.monotonic()
        pull = self._pull
        if pull is None or pull.done.done():
            pull = _Pull(queue, count, size, Future())
            self._pull = pull
            self._issue(pull.done, self._next)
        try:
            self._wait(pull.done, within)
        except Unreachable:
            if self.alive:
                self._call(self._drop)  # what was asked for may never come
            raise

    def settle(self, tag: int) -> None:
        """Acknowledge; nothing happens if it was done before or the connection is over."""
        with self._lock:
            known = self._held.pop(tag, None)
            self._touched = time.monotonic()
        if known is not None:
            self._call(lambda: self._channel.basic_ack(tag))

    def queue(self, name: str, create: bool, within: float) -> None:
        """Look for a queue, or make it as a durable quorum queue; Unreachable if that fails."""
        done: Future[None] = Future()
        self._issue(
            done,
            lambda: self._channel.queue_declare(
                name,
                passive=not create,
                durable=create,
                arguments=_QUORUM if create else None,
                callback=lambda _frame: _finish(done, None),
            ),
        )
        self._wait(done, within)

    def count(self, queue: str, within: float) -> int:
        """Return how many messages wait in a queue; Unreachable if that fails."""
        done: Future[int] = Future()
        self._issue(done, lambda: self._count(queue, done))
        return self._wait(done, within)

    def exchange(self, name: str, within: float) -> None:
        """Look for an exchange; Unreachable if it is not there."""
        done: Future[None] = Future()
        self._issue(
            done,
            lambda: self._channel.exchange_declare(
                name, passive=True, callback=lambda _frame: _finish(done, None)
            ),
        )
        self._wait(done, within)

    # -- on any thread

    def _why(self) -> str:
        return self._ended.text if self._ended else "the connection is over"

    def _issue(self, future: Future[Any], work: Callable[[], None]) -> bool:
        """Run work on the thread; a future of a connection that is over gets its end at once."""
        self._futures.add(future)
        if self.alive and self._call(work):
            return True
        self._futures.discard(future)
        if not future.done():
            future.set_exception(Unreachable(f"{self.place}: {self._why()}"))
        return False

    def _call(self, work: Callable[[], None]) -> bool:
        with self._lock:
            if self._gone or self._connection is None:
                return False
            self._connection.ioloop.add_callback_threadsafe(lambda: self._guarded(work))
            return True

    def _wait(self, future: Future[T], within: float) -> T:
        try:
            return future.result(within)
        except TimeoutError:
            raise Unreachable(f"{self.place}: no answer within {within:.3g} s") from None
        finally:
            self._futures.discard(future)

    # -- on the thread of the connection

    def _run(self) -> None:
        from broker.channels import frames

        connection = frames.connection()(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_end,
            on_close_callback=self._on_end,
        )
        with self._lock:
            self._connection = connection
        try:
            with guarded():
                connection.ioloop.start()
        except BrokerError as error:  # whatever pika meets, nobody may wait for ever
            self._end(Ended(f"the connection failed ({type(original(error)).__name__})"))
            self._bury(connection)
        finally:
            self._end(Ended("the connection was closed"))
            with self._lock:
                self._gone = True
            connection.ioloop.close()

    def _bury(self, connection: Any) -> None:
        """Close the socket after a failure inside pika, so that the server knows."""
        with suppress(Exception):
            connection.ioloop.call_later(_CLOSING, connection.ioloop.stop)
            self._drop()
            connection.ioloop.start()

    def _guarded(self, work: Callable[[], None]) -> None:
        from pika.exceptions import AMQPError

        with suppress(AMQPError):  # closing already: what waits is told by the end
            work()

    def _on_open(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(lambda *_: self._block(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._block(False))
        connection.channel(on_open_callback=self._on_channel)

    def _watch(self) -> None:
        """Hang up where another process looks now, so that it gets what this one still holds."""
        if self._held and time.monotonic() - self._touched > IDLE:
            self._end(Ended("nobody asked for what was fetched"))
            self._connection.close()
        elif self._connection.is_open:
            self._connection.ioloop.call_later(IDLE / 2, self._watch)

    def _block(self, blocked: bool) -> None:
        self.blocked = blocked

    def _on_channel(self, channel: Any) -> None:
        from pika.spec import Basic

        self._channel = channel
        channel.add_on_close_callback(self._on_channel_end)
        channel.add_on_return_callback(self._on_return)
        channel.add_callback(lambda _frame: self._pulled(), [Basic.GetEmpty], one_shot=False)
        channel.confirm_delivery(self._on_confirm, callback=lambda _: _finish(self._opened, None))
        self._watch()

    def _on_channel_end(self, _channel: Any, error: Exception) -> None:
        self._end(ended(error))
        if self._connection.is_open:
            self._connection.close()

    def _on_end(self, connection: Any, error: Exception) -> None:
        self._end(ended(error))
        connection.ioloop.stop()

    def _hang_up(self) -> None:
        self._connection.close()

    def _drop(self) -> None:
        self._end(Ended("the other side does not answer"))
        transport = getattr(self._connection, "_transport", None)
        if transport is None:
            self._connection.ioloop.call_later(_ABORTING, self._connection.ioloop.stop)
            self._connection.close()  # still connecting: gives its socket back, tells `_on_end`
        else:
            transport.abort()  # tells `_on_end`

    def _end(self, why: Ended) -> None:
        with self._lock:
            if self._ended is not None:
                return
            self._ended = why
            letters, self._letters = self._letters, {}
            self._held.clear()
        for _, fate in letters.values():
            fate.set_result(last(why, len(letters)))
        for future in list(self._futures):
            if not future.done() and future.set_running_or_notify_cancel():
                future.set_exception(Unreachable(f"{self.place}: {why.text}"))

    def _publish(self, letter: Letter, fate: Future[Fate]) -> None:
        from pika import BasicProperties
        from pika.exceptions import AMQPError

        if not fate.set_running_or_notify_cancel():
            return  # its sender has given up
        properties = BasicProperties(
            message_id=letter.id, delivery_mode=_PERSISTENT, **letter.properties
        )
        try:
            self._channel.basic_publish(
                letter.exchange, letter.key, letter.body, properties, mandatory=True
            )
        except AMQPError as error:  # closing, or a property that is too long
            fate.set_result(Fate(Outcome.UNSENT, type(error).__name__))
            return
        self._tag += 1
        self._letters[self._tag] = letter, fate

    def _on_return(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        self._returned.add(properties.message_id)  # its confirm follows

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        taken = method.NAME == "Basic.Ack"
        tags = [method.delivery_tag]
        if method.multiple:
            tags = [tag for tag in self._letters if tag <= method.delivery_tag]
        for tag in tags:
            self._confirm(tag, taken)
        self._nacks = 0 if taken else self._nacks + 1
        # Opened while a queue had no leader, a channel says no for good, however well the queue
        # is by now; so after some in a row another one is tried.
        self._worn = self._worn or self._nacks >= _NACKS
        if self._worn and not self._letters and self._connection.is_open:
            self._connection.close()

    def _confirm(self, tag: int, taken: bool) -> None:
        known = self._letters.pop(tag, None)
        if known is not None:
            letter, fate = known
            returned = letter.id in self._returned
            self._returned.discard(letter.id)
            fate.set_result(Fate(confirmed(taken, returned)))

    def _next(self) -> None:
        pull = self._pull
        if pull is None or pull.done.done():
            return
        if pull.count <= 0 or pull.size <= 0:
            self._pulled()
        else:
            self._channel.basic_get(pull.queue, callback=self._on_get)

    def _on_get(self, _channel: Any, method: Any, properties: Any, body: bytes) -> None:
        tag = method.delivery_tag
        made = Delivery(tag, body, properties.message_id or "", properties.user_id or "")
        with self._lock:
            self._held[tag] = made
        if self._pull is not None:
            self._pull.count -= 1
            self._pull.size -= len(body)
        self._next()

    def _count(self, queue: str, done: Future[int]) -> None:
        """Ask on a channel of its own: that of the messages would end with a missing queue."""

        def ask(channel: Any) -> None:
            channel.add_on_close_callback(lambda _channel, error: fail(ended(error).text))
            channel.queue_declare(queue, passive=True, callback=lambda frame: take(channel, frame))

        def take(channel: Any, frame: Any) -> None:
            _finish(done, int(frame.method.message_count))
            channel.close()

        def fail(text: str) -> None:
            if not done.done() and done.set_running_or_notify_cancel():
                done.set_exception(Unreachable(f"{self.place}: {text}"))

        self._connection.channel(on_open_callback=ask)

    def _pulled(self) -> None:
        if self._pull is not None:
            _finish(self._pull.done, None)


def _finish(future: Future[T], result: T) -> None:
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_result(result)
