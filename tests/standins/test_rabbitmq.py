"""The RabbitMQ of our own: private, and broken in every way a fault test asks for."""

from __future__ import annotations

import stat

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPConnectionError, ConnectionClosedByBroker

from broker.errors import ConfigError, Unreachable
from broker.standins import node as module
from broker.standins.daemon import lives
from broker.standins.rabbitmq import RabbitCluster, RabbitMq

QUORUM = {"x-queue-type": "quorum"}


def connect(url: str) -> pika.BlockingConnection:
    """Connect as a client would."""
    return pika.BlockingConnection(pika.URLParameters(url))


def declare(channel: BlockingChannel, name: str) -> None:
    """Make a queue that outlives a node."""
    channel.queue_declare(name, durable=True, arguments=QUORUM)


def depth(channel: BlockingChannel, name: str) -> int:
    """Return how many messages are in a queue."""
    return int(channel.queue_declare(name, passive=True).method.message_count)


def test_it_listens_on_loopback_alone(rabbitmq: RabbitMq) -> None:
    asked = "lists:usort([element(5, L) || L <- rabbit_networking:active_listeners()])."

    assert rabbitmq.nodes[0].ask(asked) == "[{127, 0, 0, 1}]"


def test_only_its_owner_reads_the_secrets(rabbitmq: RabbitMq) -> None:
    folder = rabbitmq.nodes[0].folder
    modes = {stat.S_IMODE((folder / name).stat().st_mode) for name in
             ("rabbitmq.conf", ".erlang.cookie")}  # fmt: skip

    assert modes <= {0o600, 0o400}


def test_a_guest_is_refused(rabbitmq: RabbitMq) -> None:
    with pytest.raises(AMQPConnectionError):
        connect(f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}/%2F")


def test_each_virtual_host_is_new_and_empty(rabbitmq: RabbitMq, vhost: str) -> None:
    with connect(rabbitmq.address(vhost)) as first:
        declare(first.channel(), "bell")
    other = rabbitmq.vhost()
    with connect(rabbitmq.address(other)) as second, pytest.raises(Exception, match="NOT_FOUND"):
        depth(second.channel(), "bell")

    rabbitmq.drop(other)


def test_what_was_confirmed_outlives_a_kill(rabbitmq: RabbitMq, vhost: str) -> None:
    with connect(rabbitmq.address(vhost)) as connection:
        channel = connection.channel()
        declare(channel, "bell")
        channel.confirm_delivery()
        channel.basic_publish("", "bell", b"1", pika.BasicProperties(delivery_mode=2))
    # A quorum queue is on record only half a second after it was made (ra's table of names).
    rabbitmq.nodes[0].ask("[dets:sync(Table) || Table <- dets:all()].")
    rabbitmq.kill()
    rabbitmq.start()
    with connect(rabbitmq.address(vhost)) as after:
        _, _, body = after.channel().basic_get("bell")

    assert body == b"1"


def test_nothing_of_it_runs_after_a_kill(rabbitmq: RabbitMq) -> None:
    family = rabbitmq.nodes[0].family()
    rabbitmq.kill()

    assert len(family) > 1
    assert not any(map(lives, family))


def test_it_comes_back_on_the_same_port(rabbitmq: RabbitMq) -> None:
    before = rabbitmq.url
    rabbitmq.restart()

    assert rabbitmq.answers()
    assert rabbitmq.url == before


def test_a_deleted_queue_is_gone(rabbitmq: RabbitMq, vhost: str) -> None:
    with connect(rabbitmq.address(vhost)) as connection:
        declare(connection.channel(), "bell")
        rabbitmq.delete_queue("bell", vhost)
        with pytest.raises(Exception, match="NOT_FOUND"):
            depth(connection.channel(), "bell")


def test_an_alarm_blocks_who_publishes(rabbitmq: RabbitMq, vhost: str) -> None:
    blocked: list[str] = []
    with connect(rabbitmq.address(vhost)) as connection:
        connection.add_on_connection_blocked_callback(lambda *_: blocked.append("blocked"))
        connection.add_on_connection_unblocked_callback(lambda *_: blocked.append("free"))
        channel = connection.channel()
        rabbitmq.alarm(True)
        channel.basic_publish("", "bell", b"1")
        connection.process_data_events(10)
        rabbitmq.alarm(False)
        connection.process_data_events(10)

    assert blocked == ["blocked", "free"]


def test_cut_closes_the_connections(rabbitmq: RabbitMq, vhost: str) -> None:
    connection = connect(rabbitmq.address(vhost))
    rabbitmq.cut()
    with pytest.raises(ConnectionClosedByBroker):
        connection.process_data_events(30)


def test_a_strange_name_is_refused(rabbitmq: RabbitMq) -> None:
    with pytest.raises(ConfigError, match="letters"):
        rabbitmq.vhost('x">>), init:stop(), y(<<"')


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "binaries", lambda: None)
    server = RabbitMq()
    with pytest.raises(ConfigError, match="rabbitmq-server"):
        server.start()
    server.close()

    assert not server.folder.exists()


def test_a_server_that_cannot_start_says_why(rabbitmq: RabbitMq) -> None:
    other = RabbitMq(settings={"no.such.setting": "1"})
    with pytest.raises(Unreachable, match=r"no\.such\.setting"):
        other.start()
    other.close()

    assert not other.folder.exists()


@pytest.mark.slow
def test_a_queue_finds_another_leader(rabbit_cluster: RabbitCluster, cluster_vhost: str) -> None:
    with connect(rabbit_cluster.addresses(cluster_vhost)[0]) as connection:
        declare(connection.channel(), "bell")
    first = rabbit_cluster.leader("bell", cluster_vhost)
    first.kill()
    rabbit_cluster.start()

    assert rabbit_cluster.leader("bell", cluster_vhost) is not first


@pytest.mark.slow
def test_a_parted_node_comes_back(rabbit_cluster: RabbitCluster) -> None:
    parted = rabbit_cluster.nodes[1]
    rabbit_cluster.part(parted)
    alone = parted.running()
    rabbit_cluster.heal()

    assert alone < 2
    assert rabbit_cluster.whole()


@pytest.mark.slow
def test_a_cluster_comes_back_after_all_were_killed(rabbit_cluster: RabbitCluster) -> None:
    for node in rabbit_cluster.nodes:
        node.kill()
    rabbit_cluster.start()

    assert [node.running() for node in rabbit_cluster.nodes] == [3, 3, 3]
