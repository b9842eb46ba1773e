"""The doorbell against a bare pipelined pika loop: publish, confirm, consume, acknowledge."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from benchmarks.effort import Effort
from benchmarks.failure import Failed
from benchmarks.figures import Figure, Part, least
from broker.amqp import Address
from broker.standins.node import REMEDY, binaries
from broker.standins.rabbitmq import RabbitMq
from broker.stores import topology, wire
from broker.stores.rabbitmq import PREFETCH, RabbitDoorbell
from broker.stores.ringing import WINDOW

_TITLE = "rung, confirmed, heard and acknowledged over quorum queues, one process"
_PATIENCE = 120.0
_ACKS = PREFETCH // 2


class Bare:
    """As direct as pika allows: one id a message, the same queues, window and prefetch."""

    def __init__(self, address: Address, ids: Sequence[str]) -> None:
        """Take where, and what to send."""
        import pika

        self._names = wire.queues("bare")
        self._bodies = [(self._names[n % wire.QUEUES], id.encode()) for n, id in enumerate(ids)]
        self._left = len(ids)
        self._sent = self._confirmed = self._unacked = 0
        self._start = self.seconds = 0.0
        self._properties = pika.BasicProperties(delivery_mode=2)
        parameters = address.parameters(address.nodes[0], "bare")
        self._connection: Any = pika.SelectConnection(
            parameters,
            on_open_callback=lambda it: it.channel(on_open_callback=self._publisher),
            on_close_callback=lambda *_: self._connection.ioloop.stop(),
        )

    def rate(self) -> float:
        """Return ids per second."""
        self._connection.ioloop.start()
        self._connection.ioloop.close()
        return len(self._bodies) / self.seconds

    def _publisher(self, channel: Any) -> None:
        self._out = channel
        channel.confirm_delivery(self._on_confirm)
        channel.connection.channel(on_open_callback=self._consumer)

    def _consumer(self, channel: Any) -> None:
        channel.basic_qos(prefetch_count=PREFETCH)
        for name in self._names:
            topology.declare(channel, name, lambda: None)
        for name in self._names[:-1]:
            channel.basic_consume(name, self._on_message)
        channel.basic_consume(self._names[-1], self._on_message, callback=self._begin)

    def _begin(self, _frame: Any) -> None:
        self._start = time.perf_counter()
        self._pump()

    def _pump(self) -> None:
        while self._sent - self._confirmed < WINDOW and self._sent < len(self._bodies):
            name, body = self._bodies[self._sent]
            self._sent += 1
            self._out.basic_publish("", name, body, self._properties, mandatory=True)

    def _on_confirm(self, frame: Any) -> None:
        self._confirmed = max(self._confirmed, frame.method.delivery_tag)
        self._pump()

    def _on_message(self, channel: Any, method: Any, _head: Any, _body: bytes) -> None:
        self._left -= 1
        self._unacked += 1
        if self._unacked == _ACKS or not self._left:
            channel.basic_ack(method.delivery_tag, multiple=True)
            self._unacked = 0
        if not self._left:
            self.seconds = time.perf_counter() - self._start
            channel.connection.close()


def ours(address: Address, ids: Sequence[str], batch: int) -> float:
    """Return ids per second of the doorbell."""
    woken = threading.Event()
    with closing(RabbitDoorbell(address, "ours", batch=batch)) as bell:
        bell.listen(woken.set)
        while not bell.connected:
            _wait(woken)
        left, start = len(ids), time.perf_counter()
        bell.ring((f"channel-{number % 64}", id) for number, id in enumerate(ids))
        while left > 0:
            calls = bell.calls(200)
            if not calls:
                _wait(woken)
            left -= sum(len(call.ids) for call in calls)
            bell.taken(calls)
        return len(ids) / (time.perf_counter() - start)


def _wait(woken: threading.Event) -> None:
    if not woken.wait(_PATIENCE):
        raise Failed("the doorbell hears nothing")
    woken.clear()


def measure(effort: Effort, folder: Path) -> Part:
    """Measure in turns on a private server; skipped where RabbitMQ is not installed."""
    if binaries() is None:
        return Part("doorbell", _TITLE, skipped=REMEDY)
    with closing(RabbitMq(folder / "doorbell")) as server:
        server.start()
        return _measured(Address.read(server.url, None, None), effort)


def _measured(address: Address, effort: Effort) -> Part:
    ids = [str(uuid4()) for _ in range(effort.calls)]
    rounds = [
        (Bare(address, ids).rate(), ours(address, ids, 1), ours(address, ids, wire.BATCH))
        for _ in range(effort.rounds)
    ]
    return Part(
        "doorbell",
        _TITLE,
        (
            Figure("bare loop", median(bare for bare, _, _ in rounds), "ids/s"),
            Figure("one id a message", median(one for _, one, _ in rounds), "ids/s"),
            Figure("ids in batches", median(many for _, _, many in rounds), "ids/s"),
            Figure(
                "one id a message, to bare loop",
                median(one / bare for bare, one, _ in rounds),
                goal=least(0.5),
            ),
            Figure("ids in batches, to bare loop", median(many / bare for bare, _, many in rounds)),
        ),
        (f"{effort.calls} ids, at most {wire.BATCH} a message, window {WINDOW}",),
    )
