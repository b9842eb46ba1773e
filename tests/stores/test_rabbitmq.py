"""The doorbell on a real RabbitMQ: whatever happens to the server, it is found again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pika
import pytest

from broker.amqp import Address
from broker.standins.rabbitmq import RabbitCluster, RabbitMq
from broker.stores import topology, wire
from broker.stores.doorbell import Doorbell
from broker.stores.rabbitmq import RabbitDoorbell
from tests.bells import Worker
from tests.contracts.test_doorbell import ids
from tests.servers import certs

Hang = Callable[[], RabbitDoorbell]
CHANNEL = "wolfsburg-bau"
QUEUE = wire.queues("xoev-broker")[wire.place(CHANNEL)]


@pytest.fixture
def address(rabbitmq: RabbitMq, vhost: str) -> Address:
    return Address.read(rabbitmq.address(vhost), None, None)


@pytest.fixture
def hang(address: Address) -> Iterator[Hang]:
    """Return what hangs up another doorbell."""
    hung: list[RabbitDoorbell] = []

    def one() -> RabbitDoorbell:
        hung.append(RabbitDoorbell(address))
        return hung[-1]

    yield one
    for bell in hung:
        bell.close()


def ring(bell: Doorbell, count: int = 1) -> list[str]:
    rung = ids(count)
    bell.ring((CHANNEL, id) for id in rung)
    return rung


def kill(rabbitmq: RabbitMq) -> None:
    """Kill it, but not in the half second in which RabbitMQ 3.10 forgets new queues by that."""
    rabbitmq.node.ask("[dets:sync(Table) || Table <- dets:all()], ok.")
    rabbitmq.kill()


def lines(quiet: io.BytesIO, *events: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in quiet.getvalue().splitlines()]
    return [line for line in found if line["event"] in events]


def channel(address: Address) -> Any:
    """Return a channel of a client that is not ours."""
    parameters = address.parameters(address.nodes[0], "somebody")
    return pika.BlockingConnection(parameters).channel()


def test_a_cut_connection_is_found_again(hang: Hang, rabbitmq: RabbitMq) -> None:
    worker, ringer = Worker(hang()).connected(), hang()
    rung = ring(ringer)
    worker.hear(rung)
    rabbitmq.cut()
    rung += ring(ringer, 100)

    worker.hear(rung[1:])
    assert set(worker.ids) == set(rung)


def test_a_call_in_hand_at_a_cut_comes_again(hang: Hang, rabbitmq: RabbitMq) -> None:
    worker = Worker(hang()).connected()
    rung = ring(hang(), 10)
    held = worker.hear(rung, take=False)
    rabbitmq.cut()

    worker.hear(rung)
    worker.bell.taken(held)
    assert sorted(worker.ids) == sorted([*rung, *rung])


def test_what_is_rung_while_the_node_is_down_is_heard_later(hang: Hang, rabbitmq: RabbitMq) -> None:
    worker = Worker(hang()).connected()
    rabbitmq.stop()
    worker.disconnected()
    rung = ring(worker.bell, 100)
    rabbitmq.start()

    worker.hear(rung)
    assert set(worker.ids) == set(rung)


def test_what_was_confirmed_outlives_the_node_being_killed(hang: Hang, rabbitmq: RabbitMq) -> None:
    ringer = hang()
    rung = ring(ringer, 1_000)
    ringer.close()
    kill(rabbitmq)
    rabbitmq.start()
    worker = Worker(hang())

    worker.hear(rung)
    assert set(worker.ids) == set(rung)


def test_the_log_says_once_that_the_node_is_gone_and_once_that_it_is_back(
    hang: Hang, rabbitmq: RabbitMq, quiet: io.BytesIO
) -> None:
    worker = Worker(hang()).connected()
    kill(rabbitmq)
    worker.disconnected()
    rabbitmq.start()
    worker.connected()

    told = [line["event"] for line in lines(quiet, "connected", "disconnected")]
    assert told == ["connected", "disconnected", "connected"]


def test_a_deleted_queue_is_made_anew_for_who_listens(
    hang: Hang, rabbitmq: RabbitMq, vhost: str
) -> None:
    worker = Worker(hang()).connected()
    rabbitmq.delete_queue(QUEUE, vhost)
    rung = ring(hang())

    assert [call.ids for call in worker.hear(rung)] == [tuple(rung)]


def test_a_deleted_queue_is_made_anew_for_who_only_rings(
    hang: Hang, rabbitmq: RabbitMq, vhost: str, address: Address
) -> None:
    ringer, worker = hang(), Worker(hang())
    worker.hear(ring(ringer))
    worker.bell.close()
    rabbitmq.delete_queue(QUEUE, vhost)
    rung = ring(ringer, 50)
    ringer.close()  # returns early only when all is confirmed
    worker = Worker(RabbitDoorbell(address))

    worker.hear(rung)
    worker.bell.close()
    assert sorted(worker.ids) == sorted(rung)


def test_a_call_of_a_deleted_queue_may_still_be_taken(
    hang: Hang, rabbitmq: RabbitMq, vhost: str
) -> None:
    worker = Worker(hang()).connected()
    calls = worker.hear(ring(worker.bell), take=False)
    rabbitmq.delete_queue(QUEUE, vhost)
    worker.bell.taken(calls)

    worker.hear(ring(worker.bell))
    assert worker.bell.connected


@pytest.mark.parametrize(
    ("durable", "arguments", "found"),
    [
        (True, {"x-queue-type": "classic"}, "x-max-length is none"),
        (True, {**topology.ARGUMENTS, "x-queue-type": "classic"}, "x-queue-type is 'classic'"),
        (False, {}, "durable is 'false'"),
        (True, {"x-queue-type": "quorum"}, "x-max-length is none"),
    ],
)
def test_a_queue_of_another_kind_is_refused_by_name_until_it_is_removed(
    hang: Hang, address: Address, quiet: io.BytesIO,
    durable: bool, arguments: dict[str, Any], found: str,
) -> None:  # fmt: skip
    stranger = channel(address)
    stranger.queue_declare(QUEUE, durable=durable, arguments=arguments)
    bell = hang()
    worker = Worker(bell)
    rung = ring(bell)
    worker.until(lambda: bool(lines(quiet, "disconnected")))
    told = lines(quiet, "disconnected")[0]["error"]
    seen = topology.look(address, "xoev-broker")
    stranger.queue_delete(QUEUE)

    worker.hear(rung)
    stranger.connection.close()
    assert f'queue "{QUEUE}" is not the durable quorum queue' in told
    assert found in told
    assert "rabbitmqctl delete_queue" in told
    assert not seen.well


def test_under_an_alarm_the_bell_counts_as_broken_until_it_is_over(
    hang: Hang, rabbitmq: RabbitMq
) -> None:
    worker = Worker(hang()).connected()
    rabbitmq.alarm(on=True)
    rung = ring(worker.bell)
    worker.disconnected()
    rung += ring(worker.bell, 50)
    rabbitmq.alarm(on=False)
    worker.hear(rung)

    worker.connected()
    assert set(worker.ids) == set(rung)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\x00" * 200_000,
        b"xoev-broker/2\n00000000-0000-0000-0000-000000000000",
        b"xoev-broker/1\n'; DROP TABLE deliveries; --aaaaaaaaaa",
        b"xoev-broker/1\n00000000-0000-0000-0000-00000000000\xff",
    ],
)
def test_what_is_no_call_is_ignored_with_a_line_in_the_log(
    hang: Hang, address: Address, quiet: io.BytesIO, body: bytes
) -> None:
    worker = Worker(hang()).connected()
    stranger = channel(address)
    stranger.basic_publish("", QUEUE, body)
    stranger.connection.close()

    worker.hear(rung := ring(worker.bell))
    (line,) = lines(quiet, "ignored")
    assert worker.ids == rung
    assert (line["queue"], line["size"]) == (QUEUE, len(body))


def test_a_wrong_password_is_told_without_it(
    address: Address, quiet: io.BytesIO, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("streng-geheim\n")
    wrong = Address(address.nodes, address.user, "", address.vhost, password_file=file)
    with closing(RabbitDoorbell(wrong)) as bell:
        Worker(bell).until(lambda: bool(lines(quiet, "disconnected")))

    (line,) = lines(quiet, "disconnected")
    assert "refused user or password" in line["error"]
    assert b"geheim" not in quiet.getvalue()


def test_a_password_that_came_late_is_read(address: Address, tmp_path: Path) -> None:
    file = tmp_path / "password"
    known = Address(address.nodes, address.user, "", address.vhost, password_file=file)
    with closing(RabbitDoorbell(known)) as bell:
        worker = Worker(bell)
        file.write_text(f"{address.password}\n")
        worker.connected()

        assert bell.connected


def test_an_unknown_virtual_host_is_told(address: Address, quiet: io.BytesIO) -> None:
    elsewhere = Address(address.nodes, address.user, address.password, "nowhere")
    with closing(RabbitDoorbell(elsewhere)) as bell:
        Worker(bell).until(lambda: bool(lines(quiet, "disconnected")))

    assert "check virtual host" in lines(quiet, "disconnected")[0]["error"]


def test_a_dead_node_of_several_is_passed_over(rabbitmq: RabbitMq, vhost: str) -> None:
    login, _, rest = rabbitmq.address(vhost).partition("@")
    address = Address.read(f"{login}@127.0.0.1:1,[::1]:1,{rest}", None, None)
    with closing(RabbitDoorbell(address)) as bell:
        worker = Worker(bell).connected()
        rung = ring(bell)

        worker.hear(rung)
        assert worker.ids == rung


def test_a_look_makes_nothing_and_says_what_is_missing(address: Address) -> None:
    first, second = (topology.look(address, "xoev-broker") for _ in range(2))

    assert first == second
    assert first.lines[0].finding == (
        'queue "xoev-broker.00" is not there; a running broker makes it'
    )


def test_a_look_counts_what_waits_and_who_listens(hang: Hang, address: Address) -> None:
    worker = Worker(hang()).connected()
    worker.hear(ring(worker.bell))
    found = topology.look(address, "xoev-broker")

    assert found.well
    assert {line.listeners for line in found.lines} == {1}
    assert [line.name for line in found.lines] == list(wire.queues("xoev-broker"))


def test_a_look_at_nothing_says_so() -> None:
    found = topology.look(Address.read("amqp://127.0.0.1:1", None, None), "x")

    assert found.finding == "127.0.0.1:1 cannot be reached (ECONNREFUSED)"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> certs.Certs:
    return certs.make(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def secure(authority: certs.Certs) -> Iterator[str]:
    """Return the address of a node that speaks TLS."""
    from broker.standins.daemon import port
    from broker.standins.node import REMEDY, binaries
    from tests import needs

    needs.server("RabbitMQ", binaries() is not None, REMEDY)
    number = port()
    server = RabbitMq(
        settings={
            "listeners.ssl.1": f"127.0.0.1:{number}",
            "ssl_options.cacertfile": str(authority.ca),
            "ssl_options.certfile": str(authority.server),
            "ssl_options.keyfile": str(authority.server),
        }
    )
    with closing(server):
        server.start()
        yield server.url.replace("amqp://", "amqps://").replace(f":{server.port}/", f":{number}/")


def test_calls_travel_over_tls(secure: str, authority: certs.Certs) -> None:
    address = Address.read(secure, None, authority.ca)
    with closing(RabbitDoorbell(address)) as bell:
        worker = Worker(bell).connected()
        rung = ring(bell)
        worker.hear(rung)

        assert worker.ids == rung
        assert topology.look(address, "xoev-broker").tls


def test_a_certificate_of_somebody_else_is_refused(secure: str, quiet: io.BytesIO) -> None:
    with closing(RabbitDoorbell(Address.read(secure, None, None))) as bell:
        Worker(bell).until(lambda: bool(lines(quiet, "disconnected")))

    assert "failed the check of TLS" in lines(quiet, "disconnected")[0]["error"]


def test_a_certificate_for_another_host_is_refused(
    secure: str, authority: certs.Certs, quiet: io.BytesIO
) -> None:
    address = Address.read(secure.replace("127.0.0.1", "localhost"), None, authority.ca)
    with closing(RabbitDoorbell(address)) as bell:
        Worker(bell).until(lambda: bool(lines(quiet, "disconnected")))

    assert "Hostname mismatch" in lines(quiet, "disconnected")[0]["error"]


@pytest.mark.slow
def test_the_death_of_the_node_that_leads_a_queue_costs_no_call(
    rabbit_cluster: RabbitCluster, cluster_vhost: str
) -> None:
    urls = rabbit_cluster.addresses(cluster_vhost)
    others = ",".join(f"127.0.0.1:{node.port}" for node in rabbit_cluster.nodes[1:])
    head, _, path = urls[0].rpartition("/")
    address = Address.read(f"{head},{others}/{path}", None, None)
    with closing(RabbitDoorbell(address)) as ringer, closing(RabbitDoorbell(address)) as bell:
        worker = Worker(bell).connected()
        rung = ring(ringer, 100)
        worker.hear(rung)
        rabbit_cluster.leader(QUEUE, cluster_vhost).kill()
        rung += ring(ringer, 500)
        worker.hear(rung[100:])
        worker.connected()

    assert set(worker.ids) == set(rung)
