"""The doorbell on RabbitMQ: quorum queues that carry ids, on one connection with its own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from broker import logs
from broker.amqp import Address
from broker.stores import topology, wire
from broker.stores.doorbell import Call
from broker.stores.hearing import Hearing
from broker.stores.link import Link, Trouble
from broker.stores.ringing import Ringing

#: Messages of each queue that wait here at most: two batches of a worker.
PREFETCH = 20
#: Seconds that `close` waits for the last confirms.
_FLUSH = 5.0
_HEAL = 0.3
_BLOCKED = Trouble("blocked", "the node takes nothing for now (memory or disk alarm)")
_NONE = Trouble("", "")
_UNTOLD = "untold"


class RabbitDoorbell:
    """A doorbell that rings and hears over RabbitMQ. It connects, and connects again, by itself."""

    def __init__(
        self,
        address: Address,
        name: str = "xoev-broker",
        prefetch: int = PREFETCH,
        batch: int = wire.BATCH,
    ) -> None:
        """Begin to connect; `name` starts the names of the queues, the same in every process."""
        self._names = wire.queues(name)
        self._ringing = Ringing(self._names, self, batch)
        self._hearing = Hearing(self._names, prefetch)
        self._ready = self._blocked = False
        self._told = _UNTOLD
        self._missing: set[int] = set()
        self._deaf: set[int] = set()
        self._healing: set[int] = set()
        self._ear: Any = None
        self._voice: Any = None
        self._awake = False
        self._closing = False
        self._lock = threading.Lock()
        self._link = Link(address, name, self)
        self._link.start()

    @property
    def connected(self) -> bool:
        """Whether calls come and go at the moment."""
        return self._ready and not (self._missing or self._blocked or self._ringing.stalled)

    def ring(self, due: Iterable[tuple[str, str]]) -> None:
        """Say that these deliveries (channel, id) are due; returns at once."""
        self._ringing.add(due)
        self._wake()

    def listen(self, heard: Callable[[], None]) -> None:
        """Take calls from now on; `heard` is called when there is one or `connected` changes."""
        self._hearing.heard = heard
        self._link.soon(self._consume_all)

    def calls(self, limit: int) -> Sequence[Call]:
        """Return calls with about so many ids that wait here."""
        return () if self._closing else self._hearing.calls(limit)

    def taken(self, calls: Sequence[Call]) -> None:
        """Acknowledge calls, soon and many at a time."""
        self._hearing.taken(calls)
        self._wake()

    def close(self) -> None:
        """Ring what still waits, for some seconds at most, and hang up."""
        self._closing = True
        self._wake()
        self._link.join(_FLUSH)

    # from here on: on the thread of the link

    def opened(self, connection: Any) -> None:
        """Open a channel for ringing, then one for hearing."""
        connection.channel(on_open_callback=self._speaking)

    def lost(self, trouble: Trouble) -> None:
        """Keep what was not confirmed, forget what was not taken."""
        self._ready = self._blocked = False
        self._ear = self._voice = None
        self._ringing.lost()
        self._hearing.lost()
        self.changed(trouble)
        self._work()

    def blocked(self, blocked: bool) -> None:
        """Ring nothing while the node would not take it."""
        self._blocked = blocked
        self.changed()
        self._work()

    def _speaking(self, channel: Any) -> None:
        channel.add_on_close_callback(self._ended)
        self._ringing.confirming(channel, lambda _frame: self._spoken(channel))

    def _spoken(self, channel: Any) -> None:
        self._voice = channel
        self._ringing.open(channel)
        if self._ear is None:
            channel.connection.channel(on_open_callback=self._hearable)
            return
        for queue in set(range(len(self._names))) - self._healing:
            self._ringing.probe(queue)

    def renew(self) -> None:
        """Ring over a new channel: one of RabbitMQ 3.10 may send to a dead leader for ever."""
        old, self._voice = self._voice, None
        if old is None or not (old.is_open and old.connection.is_open):
            return
        self._ringing.lost()
        self._missing = set(range(len(self._names)))
        old.connection.channel(on_open_callback=self._speaking)
        old.close()

    def _hearable(self, channel: Any) -> None:
        channel.add_on_close_callback(self._ended)
        channel.add_on_cancel_callback(self._cancelled)
        self._ear = channel
        self._hearing.open(channel)
        self._missing = set(range(len(self._names)))
        self._deaf = set(self._missing)
        self._healing = set(self._missing)
        for queue in range(len(self._names)):
            self._declare(queue)

    def _declare(self, queue: int) -> None:
        declared = partial(self._still, self._ear, self._declared, queue)
        topology.declare(self._ear, self._names[queue], declared)

    def _declared(self, queue: int) -> None:
        """The queue is what it should be; whether it works, only an answer tells: to listen at a
        broken one would cost the connection.
        """
        self._link.settled()
        self._healing.discard(queue)
        if self._voice is not None:
            self._ringing.probe(queue)

    def alive(self, queue: int) -> None:
        """Ring and listen at a queue that has answered; with the last one, the doorbell works."""
        self._missing.discard(queue)
        self._consume(queue)
        self._ringing.awake(queue)
        if not self._missing:
            self._ready = True
            self.changed()

    def _still(self, ear: Any, act: Callable[[int], None], queue: int) -> None:
        """Do something unless the connection it was meant for is gone."""
        if ear is self._ear:
            act(queue)

    def _consume(self, queue: int) -> None:
        if self._hearing.heard and queue in self._deaf:
            self._deaf.discard(queue)
            self._hearing.consume(queue)

    def _consume_all(self) -> None:
        """Listen at every queue that answers and is not listened at yet."""
        if self._ear is not None:
            for queue in self._deaf - self._missing:
                self._consume(queue)

    def _cancelled(self, frame: Any) -> None:
        """A queue was deleted, or its leader is gone: look for it again, or make it anew."""
        queue = self._names.index(frame.method.consumer_tag)
        self._deaf.add(queue)
        self.missing(queue)

    def missing(self, queue: int) -> None:
        self._missing.add(queue)
        if queue not in self._healing:
            self._healing.add(queue)
            self.changed()
            self.later(_HEAL, partial(self._still, self._ear, self._declare, queue))

    def _ended(self, channel: Any, error: Exception) -> None:
        """A channel that the node closed takes the connection with it: both begin anew."""
        from pika.exceptions import ChannelClosedByBroker

        if isinstance(error, ChannelClosedByBroker) and channel.connection.is_open:
            self._ready = False
            self._link.drop(topology.refused(error))

    def changed(self, trouble: Trouble | None = None) -> None:
        """Tell log and listener when the doorbell begins or ceases to work."""
        trouble = trouble or self._trouble()
        if trouble.kind != self._told and (self.connected or trouble is not _NONE):
            self._told = trouble.kind
            if trouble is _NONE:
                logs.get().info("connected", queue=self._names[0][:-3], node=str(self._link.node))
            else:
                logs.get().warning("disconnected", error=trouble.text)
        if self._hearing.heard:
            self._hearing.heard()

    def _trouble(self) -> Trouble:
        if self._blocked:
            return _BLOCKED
        if name := self._ringing.stalled:
            text = (
                f'queue "{name}" confirms nothing; is a majority of its nodes there? If all are, '
            )
            return Trouble("stalled", f"{text}delete it (rabbitmqctl delete_queue {name})")
        return _NONE

    def emptied(self) -> None:
        """End after `close`, once nothing waits or it cannot be rung anyway."""
        if self._closing and (self._ringing.idle or self._told not in (_NONE.kind, _UNTOLD)):
            self._link.hang_up()

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        self._link.later(seconds, act)

    def _wake(self) -> None:
        with self._lock:
            if self._awake:
                return
            self._awake = True
        self._link.soon(self._work)

    def _work(self) -> None:
        self._awake = False
        self._hearing.flush()
        if not self._blocked:
            self._ringing.pump()
        self.emptied()
