"""RabbitMQ for the tests of one worker, one node or three, started by the first that asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import pytest

from broker.standins.node import REMEDY, binaries
from broker.standins.rabbitmq import RabbitCluster, RabbitMq
from tests import needs

Server = TypeVar("Server", bound=RabbitCluster)


@pytest.fixture(scope="session")
def _rabbitmq() -> Iterator[RabbitMq]:
    server = RabbitMq()
    yield server
    server.close()


@pytest.fixture(scope="session")
def _rabbit_cluster() -> Iterator[RabbitCluster]:
    cluster = RabbitCluster(3)
    yield cluster
    cluster.close()


@pytest.fixture
def rabbitmq(_rabbitmq: RabbitMq) -> Iterator[RabbitMq]:
    """Return a running node; whoever stops, kills, pauses or alarms it may leave it so."""
    yield from _mended(_rabbitmq)


@pytest.fixture
def rabbit_cluster(_rabbit_cluster: RabbitCluster) -> Iterator[RabbitCluster]:
    """Return three running nodes; whoever stops, kills, pauses or parts one may leave it so."""
    yield from _mended(_rabbit_cluster)


@pytest.fixture
def vhost(rabbitmq: RabbitMq) -> Iterator[str]:
    """Return the name of a new, empty virtual host of `rabbitmq`."""
    yield from _fresh(rabbitmq)


@pytest.fixture
def cluster_vhost(rabbit_cluster: RabbitCluster) -> Iterator[str]:
    """Return the name of a new, empty virtual host of `rabbit_cluster`."""
    yield from _fresh(rabbit_cluster)


def _mended(server: Server) -> Iterator[Server]:
    needs.server("RabbitMQ", binaries() is not None, REMEDY)
    server.start()
    yield server
    server.heal()


def _fresh(server: RabbitCluster) -> Iterator[str]:
    name = server.vhost()
    yield name
    server.heal()
    server.start()
    server.drop(name)
