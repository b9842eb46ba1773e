"""Faults of the servers, and of the network to the procedures."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from broker.stores import wire
from tests.cluster import until
from tests.faults.fault import BOTH
from tests.faults.region import Region

#: So long a node that was frozen may take to find the others again (seconds).
PATIENCE = 5


@contextmanager
def node_ends(region: Region, chance: Random, how: str, count: int = 1) -> Iterator[None]:
    """Nodes of RabbitMQ are killed or stopped."""
    for node in chance.sample(region.cluster.nodes, count):
        node.kill() if how == "kill" else node.stop()
    yield
    region.cluster.start()


@contextmanager
def node_freezes(region: Region, chance: Random) -> Iterator[None]:
    """A node of RabbitMQ stands still until the others have given it up, its connections are open.

    When it goes on, RabbitMQ does not always take it in again by itself; then it is restarted.
    """
    node = chance.choice(region.cluster.nodes)
    node.pause()
    yield
    node.resume()
    if not region.cluster.whole(PATIENCE):
        node.kill()
        region.cluster.start()


@contextmanager
def node_parted(region: Region, chance: Random) -> Iterator[None]:
    """A node of RabbitMQ does not see the others any more."""
    region.cluster.part(chance.choice(region.cluster.nodes))
    yield
    region.cluster.heal()
    assert region.cluster.whole()


@contextmanager
def alarm(region: Region, _chance: Random) -> Iterator[None]:
    """RabbitMQ takes nothing: its memory is full."""
    region.cluster.alarm(True)
    yield
    region.cluster.alarm(False)


@contextmanager
def queues_deleted(region: Region, _chance: Random) -> Iterator[None]:
    """Somebody deletes every queue."""
    for name in wire.queues(region.settings.queue_name):
        region.cluster.delete_queue(name, region.vhost)
    yield


@contextmanager
def clients_cut(region: Region, _chance: Random) -> Iterator[None]:
    """RabbitMQ closes every connection, again and again."""
    for _ in range(5):
        region.cluster.cut()
        region.goes_on(BOTH, 3)
    yield


@contextmanager
def database_ends(region: Region, _chance: Random, how: str) -> Iterator[None]:
    """PostgreSQL is stopped or killed, and away for a while."""
    region.postgres.kill() if how == "kill" else region.postgres.stop(how)
    yield
    region.postgres.start()


@contextmanager
def database_freezes(region: Region, _chance: Random) -> Iterator[None]:
    """PostgreSQL stands still, for longer than leases hold."""
    region.postgres.pause()
    yield
    region.postgres.resume()


@contextmanager
def database_hangs(region: Region, _chance: Random) -> Iterator[None]:
    """PostgreSQL stands still until every process has left it."""
    region.postgres.pause()
    _left(region)
    yield
    region.postgres.resume()


@contextmanager
def database_unheard(region: Region, _chance: Random) -> Iterator[None]:
    """Nothing that PostgreSQL is told or says arrives, until every process has left it; then all
    of it arrives late.
    """
    region.wire.hold()
    _left(region)
    yield
    region.wire.flow()


def _left(region: Region) -> None:
    before = {node.pid: node.events("away") for node in region.nodes}
    for node in region.nodes:
        until(lambda node=node: node.events("away") > before[node.pid], f"{node.role} left it")  # type: ignore[misc]


@contextmanager
def connections_cut(region: Region, chance: Random) -> Iterator[None]:
    """All connections to PostgreSQL are cut at any moment, again and again."""
    for _ in range(20):
        region.postgres.terminate(region.database)
        region.goes_on(BOTH, chance.randrange(3))
    yield


@contextmanager
def commits_cut(region: Region, _chance: Random) -> Iterator[None]:
    """Connections are cut when a commit is made and nobody has heard of it yet, again and again.

    A commit waits for a standby that does not exist, after it was written on the server's own disk.
    """
    for _ in range(6):
        region.postgres.set("synchronous_standby_names", "nobody")
        until(lambda: _committing(region) > 0, "a commit")
        region.postgres.terminate(region.database)
        region.postgres.set("synchronous_standby_names", "")
        region.goes_on(BOTH, 3)
    yield


def _committing(region: Region) -> int:
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    return int(region.postgres.ask(asked)[0][0])


@contextmanager
def intake_killed(region: Region, _chance: Random) -> Iterator[None]:
    """The intake is killed; who sends tries again."""
    region.intake.stop(signal.SIGKILL)
    yield
    region.intake.start()


@contextmanager
def silence(region: Region, _chance: Random, route: str) -> Iterator[None]:
    """The network to a procedure swallows everything."""
    region.offices[route].wire.silence()
    yield
    region.offices[route].wire.heal()
