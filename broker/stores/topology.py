"""The queues as they must be: durable quorum queues; made, checked, and shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from broker.amqp import Address
from broker.stores import wire
from broker.stores.doorbell import Line, Standing
from broker.stores.link import Trouble, reason

#: A forgotten broker must not fill a disk: a full queue drops the oldest calls, the sweeper of the
#: store rings again. Refusing instead (reject-publish) makes a channel of RabbitMQ 3.10 wait some
#: 13 s for a queue without a leader, and all others with it.
ARGUMENTS: Mapping[str, Any] = MappingProxyType({"x-queue-type": "quorum", "x-max-length": 100_000})
_OTHER = re.compile(
    r"inequivalent arg '(?P<name>[\w-]+)' for queue '(?P<queue>[^']*)'.*current is (?P<found>.*)",
    re.DOTALL,
)


def declare(channel: Any, name: str, done: Callable[[], object]) -> None:
    """Make a queue unless it is there; a channel is closed with 406 if it is another kind."""
    channel.queue_declare(
        name, durable=True, arguments=dict(ARGUMENTS), callback=lambda _frame: done()
    )


def refused(error: Any) -> Trouble:
    """Say why a node closed a channel; `error` is pika's ChannelClosedByBroker."""
    found = _OTHER.search(error.reply_text)
    if found is None:
        text = f"the node closed a channel (code {error.reply_code}); its log says why"
        return Trouble("channel", text)
    return Trouble("topology", _other(found["queue"], found["name"], found["found"]))


def _other(queue: str, name: str, found: str) -> str:
    needed = ARGUMENTS.get(name, True)
    return (
        f'queue "{queue}" is not the durable quorum queue that the broker makes: {name} is '
        f"{found.strip()}, needed is {needed}; "
        f"delete it (rabbitmqctl delete_queue {queue}), its calls are rung again"
    )


def look(address: Address, name: str) -> Standing:
    """Return how the queues are, over a connection of its own; makes and changes nothing."""
    import logging

    import pika

    logging.getLogger("pika").setLevel(logging.CRITICAL)
    told = ""
    for node in address.nodes:
        parameters = address.parameters(node, f"{name} queue show")
        try:
            connection = pika.BlockingConnection(parameters)
        except (pika.exceptions.AMQPError, OSError) as error:
            told = told or reason(error, node).text
            continue
        with connection:
            return Standing(str(node), address.tls, tuple(_lines(connection, name)), told)
    return Standing(finding=told)


def _lines(connection: Any, name: str) -> Iterator[Line]:
    for queue in wire.queues(name):
        yield _line(connection, queue)


def _line(connection: Any, name: str) -> Line:
    """Look whether it is there first: only then can a declaration make nothing."""
    from pika.exceptions import ChannelClosedByBroker

    try:
        with connection.channel() as channel:
            found = channel.queue_declare(name, passive=True).method
            channel.queue_declare(name, durable=True, arguments=dict(ARGUMENTS))
    except ChannelClosedByBroker as error:
        return Line(name, finding=_finding(name, error))
    return Line(name, found.message_count, found.consumer_count)


def _finding(name: str, error: Any) -> str:
    if error.reply_code == 404:
        return f'queue "{name}" is not there; a running broker makes it'
    return refused(error).text
