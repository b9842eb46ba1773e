"""Channels of kind amqp for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from broker.channels.amqp import Amqp
from broker.channels.channel import Declared
from tests.channels.letters import Build
from tests.servers.queues import Queues


@pytest.fixture
def build(queues: Queues) -> Iterator[Build]:
    """Build channels that are closed at the end."""
    made: list[Amqp] = []

    def make(**values: Any) -> Amqp:
        made.append(Amqp(Declared("amt", "amqp", queues.values | values)))
        return made[-1]

    yield make
    for channel in made:
        channel.close()


@pytest.fixture
def inlet(queues: Queues, build: Build) -> Amqp:
    """Return a channel that takes the messages of a party."""
    queues.make("eingang", "eingang.quarantine")
    return build(queue="eingang", **{"from": "bauportal"})
