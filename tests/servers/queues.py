"""The other side of an `amqp` channel in tests: publishes, looks into queues, makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.standins.rabbitmq import RabbitCluster, RabbitMq


@dataclass(frozen=True)
class Found:
    """A message that lay in a queue."""

    body: bytes
    properties: Any
    exchange: str
    key: str
    redelivered: bool


class Queues:
    """One virtual host, seen by somebody who may do everything there."""

    def __init__(self, server: RabbitCluster, vhost: str, folder: Path) -> None:
        """Take a running server, an empty virtual host, and a folder for the password file."""
        self.cluster = server
        self.vhost = vhost
        self.url = server.addresses(vhost)[0]
        head, _, tail = self.url.partition("://")[2].partition("@")
        self.user, _, self.password = head.partition(":")
        self.address = f"amqp://{self.user}@{tail}"
        self.file = folder / "rabbitmq.password"
        self.file.write_text(self.password + "\n", "utf-8")
        self.file.chmod(0o600)

    @property
    def server(self) -> RabbitMq:
        """The server where it is one alone."""
        assert isinstance(self.cluster, RabbitMq)
        return self.cluster

    @property
    def values(self) -> dict[str, Any]:
        """The fields of a channel that lead here."""
        return {"url": self.address, "password_file": self.file}

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """Open a channel of pika for whatever is not here."""
        import pika

        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def make(self, *names: str, **arguments: Any) -> None:
        """Make durable quorum queues, with further arguments such as `x_max_length`."""
        given = {key.replace("_", "-"): value for key, value in arguments.items()}
        with self.channel() as channel:
            for name in names:
                channel.queue_declare(
                    name, durable=True, arguments={"x-queue-type": "quorum"} | given
                )

    def put(self, queue: str, *bodies: bytes, exchange: str = "", **properties: Any) -> None:
        """Publish; returns when the server has confirmed each."""
        from pika import BasicProperties

        with self.channel() as channel:
            channel.confirm_delivery()
            for body in bodies:
                channel.basic_publish(
                    exchange,
                    queue,
                    body,
                    BasicProperties(delivery_mode=2, **properties),
                    mandatory=True,
                )

    def take(self, queue: str) -> list[Found]:
        """Return and remove what lies in a queue."""
        found: list[Found] = []
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is None:
                    return found
                found.append(
                    Found(body, properties, method.exchange, method.routing_key, method.redelivered)
                )

    def count(self, queue: str) -> int:
        """Return how many messages are ready to be taken."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def raw(self, queue: str, properties: bytes, body: bytes) -> None:
        """Publish with property bytes that no library would write."""
        from pika import BasicProperties

        class Raw(BasicProperties):  # type: ignore[misc]
            def encode(self) -> list[bytes]:
                return [properties]

        with self.channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish("", queue, body, Raw(), mandatory=True)


@pytest.fixture
def queues(rabbitmq: RabbitMq, vhost: str, tmp_path: Path) -> Queues:
    """Return an empty virtual host of the running server."""
    return Queues(rabbitmq, vhost, tmp_path)
