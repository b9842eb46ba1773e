"""The broker that a reader of tutorials writes: pika and xmlschema, one message after the other.

It keeps what it promises: persistent messages in a quorum queue, publisher confirms one by one,
one unacknowledged message at a time, and a journal in PostgreSQL with a commit for each step
(received with its bytes, converted, delivered) before the acknowledgement. Schema object, parser,
stylesheet and connections are made once. It neither encrypts nor seals, keeps no order, recognises
no repeats, and what it cannot read stops it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pika
import psycopg
from lxml import etree

QUEUE = "naive"
_TABLES = """
    CREATE TABLE IF NOT EXISTS naive_messages (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body BYTEA, converted BYTEA,
        state TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS naive_journal (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message BIGINT NOT NULL,
        at TIMESTAMPTZ NOT NULL DEFAULT now(), event TEXT NOT NULL);
"""
_RECEIVE = "INSERT INTO naive_messages (body, state) VALUES (%s, 'received') RETURNING id"
_CONVERT = "UPDATE naive_messages SET converted = %s, state = 'converted' WHERE id = %s"
_DELIVER = "UPDATE naive_messages SET state = 'delivered' WHERE id = %s"
_NOTE = "INSERT INTO naive_journal (message, event) VALUES (%s, %s)"


class Naive:
    """Puts messages into a queue, and works them off."""

    def __init__(
        self, queue: str, database: str, schema: Any, convert: Callable[[Any], bytes]
    ) -> None:
        """Take the addresses of RabbitMQ and PostgreSQL, a schema of xmlschema, and a compiled
        stylesheet.
        """
        self._queue = pika.BlockingConnection(pika.URLParameters(queue))
        self._channel = self._queue.channel()
        self._channel.confirm_delivery()
        self._channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        self._channel.basic_qos(prefetch_count=1)
        self._database = psycopg.connect(database.replace("+psycopg", "", 1))
        self._database.execute(_TABLES)
        self._database.commit()
        self._schema, self._convert = schema, convert

    def publish(self, messages: Sequence[bytes]) -> None:
        """Put all into the queue, each confirmed before the next."""
        persistent = pika.BasicProperties(delivery_mode=2)
        for raw in messages:
            self._channel.basic_publish("", QUEUE, raw, persistent, mandatory=True)

    def drain(self, count: int) -> float:
        """Work off so many messages; return the seconds that took."""
        start = time.perf_counter()
        for method, _properties, body in self._channel.consume(QUEUE):
            self._work(body)
            self._channel.basic_ack(method.delivery_tag)
            count -= 1
            if not count:
                break
        self._channel.cancel()
        return time.perf_counter() - start

    def close(self) -> None:
        """Hang up."""
        self._queue.close()
        self._database.close()

    def _work(self, body: bytes) -> None:
        row = self._database.execute(_RECEIVE, (body,)).fetchone()
        id = row[0] if row else 0
        self._note(id, "received")
        tree = etree.fromstring(body)
        self._schema.validate(tree)
        converted = self._convert(tree)
        self._database.execute(_CONVERT, (converted, id))
        self._note(id, "converted")
        self._database.execute(_DELIVER, (id,))
        self._note(id, "delivered")

    def _note(self, id: int, event: str) -> None:
        self._database.execute(_NOTE, (id, event))
        self._database.commit()
