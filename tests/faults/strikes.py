"""All faults by name."""

from __future__ import annotations

from functools import partial

from tests.faults import deaths, servers
from tests.faults.fault import Fault
from tests.faults.region import LEASE, SILENCE


def _node(name: str, how: str, count: int = 1, seconds: float = 0) -> Fault:
    return Fault(name, partial(servers.node_ends, how=how, count=count), seconds=seconds)


def _database(name: str, how: str) -> Fault:
    return Fault(name, partial(servers.database_ends, how=how), goes_on=(), seconds=2)


FAULTS = (
    _node("RabbitMQ: node killed", "kill"),
    _node("RabbitMQ: node stopped", "stop"),
    Fault("RabbitMQ: node paused", servers.node_freezes, seconds=12),
    _node("RabbitMQ: quorum lost", "kill", 2, 10),
    _node("RabbitMQ: all nodes killed", "kill", 3),
    Fault("RabbitMQ: memory alarm", servers.alarm),
    Fault("RabbitMQ: queues deleted", servers.queues_deleted),
    Fault("RabbitMQ: partition", servers.node_parted),
    Fault("RabbitMQ: connections cut", servers.clients_cut),
    _database("PostgreSQL: restarted", "fast"),
    _database("PostgreSQL: immediate stop", "immediate"),
    _database("PostgreSQL: killed", "kill"),
    Fault("PostgreSQL: paused", servers.database_freezes, goes_on=(), seconds=1.2 * LEASE),
    Fault("PostgreSQL: frozen", servers.database_hangs, goes_on=(), seconds=SILENCE),
    Fault("PostgreSQL: network silent", servers.database_unheard, goes_on=(), seconds=SILENCE),
    Fault("PostgreSQL: connections cut", servers.connections_cut),
    Fault("PostgreSQL: cut in a commit", servers.commits_cut),
    Fault("worker: killed", deaths.killed),
    Fault("worker: killed at a step", partial(deaths.killed_at_steps, count=4)),
    Fault("worker: killed at every step", deaths.killed_at_steps, slow=True),
    Fault("worker: killed for its memory", deaths.out_of_memory),
    Fault("worker: gets no memory", deaths.short_of_memory),
    Fault("worker: stopped beyond its lease", deaths.frozen),
    Fault("intake: killed", servers.intake_killed, goes_on=(), seconds=1),
    Fault(
        "network: silent, repeats recognised", partial(servers.silence, route="east"), ("west",), 5
    ),
    Fault(
        "network: silent, repeats harmful",
        partial(servers.silence, route="west"),
        ("east",),
        5,
        True,
    ),
)
