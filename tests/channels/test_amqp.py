"""The amqp channel sends to a real RabbitMQ: confirms, returns, lost connections, many nodes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from broker.channels.amqp import Amqp
from broker.channels.channel import Declared, Prepared
from broker.errors import (
    Busy,
    ConfigError,
    DeliveryUnclear,
    Refused,
    Unreachable,
)
from broker.standins.daemon import port as free
from broker.standins.daemon import until
from broker.standins.node import REMEDY, binaries
from broker.standins.rabbitmq import RabbitCluster, RabbitMq
from tests import needs
from tests.channels.letters import (
    LETTER,
    PERSON,
    REFUSED,
    SECONDS,
    TAKEN,
    Build,
    nothing,
    received,
    sent,
)
from tests.servers.certs import Certs, make
from tests.servers.proxy import Proxy
from tests.servers.queues import Queues

# -- out


def test_a_message_says_who_it_is_and_what_it_is_about(queues: Queues, build: Build) -> None:
    queues.make("ausgang")

    receipt = build(routing_key="ausgang").send(LETTER, nothing).receipt

    (found,) = queues.take("ausgang")
    seen = found.properties
    assert found.body == LETTER.body
    assert (seen.message_id, seen.correlation_id) == ("0190-key", "uuid-1")
    assert (seen.content_type, seen.type, seen.app_id, seen.delivery_mode) == (
        "application/xml",
        "antrag.0200",
        "xoev-broker",
        2,
    )
    assert seen.headers["x-xoev-reference"] == "ABCDEFGHJKMNP"
    assert seen.headers["x-xoev-test"] is False
    assert receipt == "confirmed, queue ausgang"


def test_a_message_about_nothing_known_is_about_its_reference(queues: Queues, build: Build) -> None:
    queues.make("ausgang")

    build(routing_key="ausgang").send(Prepared("k", "ABCDEFGHJKMNP", "a", b"x"), nothing)

    assert queues.take("ausgang")[0].properties.correlation_id == "ABCDEFGHJKMNP"


def test_an_exchange_gets_the_kind_as_routing_key(queues: Queues, build: Build) -> None:
    queues.make("bau")
    with queues.channel() as channel:
        channel.exchange_declare("xoev", "topic", durable=True)
        channel.queue_bind("bau", "xoev", "wolfsburg.antrag.#")

    receipt = build(exchange="xoev", routing_key="wolfsburg.{kind}").send(LETTER, nothing).receipt

    assert [found.key for found in queues.take("bau")] == ["wolfsburg.antrag.0200"]
    assert receipt == "confirmed, exchange xoev, routing key wolfsburg.antrag.0200"


def test_what_no_queue_takes_is_not_delivered(queues: Queues, build: Build) -> None:
    with queues.channel() as channel:
        channel.exchange_declare("xoev", "topic", durable=True)

    with pytest.raises(Unreachable, match="no queue is bound"):
        build(exchange="xoev", routing_key="nirgends").send(LETTER, nothing)


def test_a_queue_that_was_removed_is_said_to_be_missing(queues: Queues, build: Build) -> None:
    queues.make("ausgang")
    channel = build(routing_key="ausgang")
    channel.send(LETTER, nothing)
    with queues.channel() as other:
        other.queue_delete("ausgang")

    with pytest.raises(Unreachable, match="no queue is bound"):
        channel.send(LETTER, nothing)


def test_a_full_queue_is_busy(queues: Queues, build: Build) -> None:
    with queues.channel() as channel:
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        channel.queue_declare("voll", durable=True, arguments=limits)
    out = build(routing_key="voll")
    out.send(LETTER, nothing)

    with pytest.raises(Busy, match="a queue is full"):
        out.send(LETTER, nothing)


def test_what_is_larger_than_the_server_takes_is_refused(queues: Queues, build: Build) -> None:
    queues.make("ausgang")
    node = queues.server.node
    node.ask("application:set_env(rabbit, max_message_size, 1000).")
    try:
        out = build(routing_key="ausgang")
        with pytest.raises(Refused, match="larger than the server takes"):
            out.send(Prepared("k", "R", "a", bytes(1001)), nothing)

        out.send(LETTER, nothing)
    finally:
        node.ask("application:set_env(rabbit, max_message_size, 134217728).")


def test_a_large_message_goes_out_whole(queues: Queues, build: Build) -> None:
    queues.make("ausgang")
    body = b"x" * 30_000_000

    build(routing_key="ausgang").send(Prepared("k", "R", "a", body), nothing)

    assert queues.take("ausgang")[0].body == body


@pytest.mark.parametrize(
    ("repeats", "error"), [("unknown", DeliveryUnclear), ("recognised", Unreachable)]
)
def test_a_connection_cut_before_the_confirm_leaves_doubt(
    queues: Queues, build: Build, repeats: str, error: type[Exception]
) -> None:
    queues.make("ausgang")
    with Proxy(queues.server.port) as proxy:
        url = queues.address.replace(str(queues.server.port), str(proxy.port))
        out = build(url=url, routing_key="ausgang", repeats=repeats)

        with pytest.raises(error, match="nothing came back") as caught:
            out.send(LETTER, proxy.doom)
        out.close()

    assert PERSON not in str(caught.value)
    assert until(lambda: queues.count("ausgang") == 1, SECONDS)


def test_a_server_that_falls_silent_leaves_doubt_at_the_deadline(
    queues: Queues, build: Build
) -> None:
    queues.make("ausgang")
    out = build(routing_key="ausgang", deadline=0.5)
    out.probe()

    with pytest.raises(DeliveryUnclear, match=r"no confirm within 0\.\d+ s"):
        out.send(LETTER, queues.server.pause)


def test_a_server_that_is_short_of_memory_is_busy_before_the_mark(
    queues: Queues, build: Build
) -> None:
    queues.make("ausgang")
    out = build(routing_key="ausgang", deadline=2.0)
    out.send(LETTER, nothing)
    queues.server.alarm(True)
    marks: list[int] = []

    def busy() -> bool:
        try:
            out.send(LETTER, lambda: marks.append(1))
        except Busy as error:
            return "memory" in str(error)
        except DeliveryUnclear:
            marks.clear()  # it was on its way when the alarm came
        return False

    assert until(busy, SECONDS)
    marks.clear()
    assert busy()
    assert marks == []
    queues.server.alarm(False)
    assert until(lambda: sent(out), SECONDS)


def test_after_a_restart_of_the_server_sending_goes_on(queues: Queues, build: Build) -> None:
    queues.make("ausgang")
    out = build(routing_key="ausgang")
    out.send(LETTER, nothing)

    queues.server.restart()

    assert until(lambda: sent(out), SECONDS)
    assert len(queues.take("ausgang")) >= 2


def test_the_next_node_is_taken_where_one_does_not_answer(queues: Queues, build: Build) -> None:
    queues.make("ausgang")
    url = queues.address.replace("127.0.0.1", "127.0.0.1:1,127.0.0.1")

    assert sent(build(url=url, routing_key="ausgang"))


def test_after_a_failure_nobody_runs_the_server_over(build: Build) -> None:
    out = build(url="amqp://broker@127.0.0.1:1", routing_key="x")
    reasons = set()

    for _ in range(100):
        with pytest.raises(Unreachable) as caught:
            out.send(LETTER, nothing)
        reasons.add(str(caught.value))

    assert reasons == {
        "amt: RabbitMQ at 127.0.0.1:1: the connection is refused; check url and "
        "whether it is running"
    }


def test_many_senders_share_one_connection(queues: Queues, build: Build) -> None:
    queues.make("ausgang")
    out = build(routing_key="ausgang")
    start = threading.Barrier(8)

    def run(first: int) -> None:
        start.wait()
        for number in range(first, 200, 8):
            out.send(Prepared(str(number), "R", "a", b"x"), nothing)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))

    keys = [int(found.properties.message_id) for found in queues.take("ausgang")]
    assert sorted(keys) == list(range(200))


def test_a_channel_without_a_routing_key_says_so(build: Build) -> None:
    with pytest.raises(Unreachable, match="set `routing_key`"):
        build().send(LETTER, nothing)


def test_a_routing_key_that_is_too_long_is_refused(build: Build) -> None:
    with pytest.raises(Refused, match="255 bytes"):
        build(routing_key="{kind}").send(Prepared("k", "R", "ä" * 200, b""), nothing)


def test_an_exchange_that_was_removed_is_missing_until_it_is_back(
    queues: Queues, build: Build
) -> None:
    queues.make("bau")
    out = build(exchange="xoev", routing_key="bau")

    def declare() -> None:
        with queues.channel() as channel:
            channel.exchange_declare("xoev", durable=True)
            channel.queue_bind("bau", "xoev", "bau")

    declare()
    out.send(LETTER, nothing)
    with queues.channel() as channel:
        channel.exchange_delete("xoev")
    with pytest.raises(Unreachable, match=r"turned it down .*no exchange"):
        out.send(LETTER, nothing)
    declare()

    assert until(lambda: sent(out), SECONDS)


@pytest.mark.parametrize("step", ["send", "receive", "probe"])
def test_every_call_has_a_deadline(queues: Queues, build: Build, step: str) -> None:
    queues.make("eingang", "eingang.quarantine")
    channel = build(queue="eingang", routing_key="eingang", deadline=1e-9, **{"from": "p"})
    steps: dict[str, Callable[[], object]] = {
        "send": lambda: channel.send(LETTER, nothing),
        "receive": channel.receive,
        "probe": channel.probe,
    }

    with pytest.raises(Unreachable, match="no answer within 1e-09 s"):
        steps[step]()


# -- how it is declared and probed


@pytest.mark.parametrize(
    "text",
    ["http://h/", "amqp://", "amqp://b:geheim@h/", "amqp://h:99999", "amqp://h,,g", "amqp://h/a/b"],
)
def test_another_address_is_a_finding_that_does_not_repeat_it(text: str) -> None:
    with pytest.raises(ConfigError, match="amt: url is not of the form") as caught:
        Amqp(Declared("amt", "amqp", {"url": text}))

    assert "geheim" not in str(caught.value)


def test_a_queue_without_a_party_is_a_finding() -> None:
    with pytest.raises(ConfigError, match="queue and from belong together"):
        Amqp(Declared("amt", "amqp", {"url": "amqp://h", "queue": "eingang"}))


def test_the_probe_names_what_is_read(inlet: Amqp) -> None:
    assert "reads eingang" in inlet.probe()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"routing_key": "fehlt"}, "for the queue fehlt: create it, or set `declare: true`"),
        ({"exchange": "fehlt"}, "no exchange 'fehlt'"),
        ({"replies": "da"}, "for the queue da.quarantine: create it"),
        ({"queue": "fehlt", "from": "p"}, "for the queue fehlt: create it"),
    ],
)
def test_the_probe_says_what_is_missing(
    queues: Queues, build: Build, values: dict[str, Any], text: str
) -> None:
    queues.make("da")

    with pytest.raises(Unreachable, match=text):
        build(**values).probe()


def test_missing_queues_are_made_where_that_is_wanted(queues: Queues, build: Build) -> None:
    build(routing_key="a", replies="b", quarantine="c", declare=True).probe()

    with queues.channel() as channel:
        for name in "abc":  # another type would be an error
            channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})


def test_a_queue_of_another_type_is_said_to_be_one(queues: Queues, build: Build) -> None:
    with queues.channel() as channel:
        channel.queue_declare("alt", durable=True)

    with pytest.raises(Unreachable, match=r"for the queue alt: it may exist as another type"):
        build(routing_key="alt", declare=True).probe()


def test_a_wrong_password_is_named_and_never_shown(
    queues: Queues, build: Build, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("geheim-4711", "utf-8")

    with pytest.raises(Unreachable, match="user or password is wrong") as caught:
        build(password_file=wrong).probe()

    assert "geheim" not in str(caught.value)
    assert queues.password not in str(caught.value)


def test_a_foreign_virtual_host_is_named(queues: Queues, build: Build) -> None:
    with pytest.raises(Unreachable, match="may not use this virtual host"):
        build(url=queues.address + "-other").probe()


def test_certificates_that_are_none_are_named(queues: Queues, build: Build, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate", "utf-8")

    with pytest.raises(Unreachable, match=r"ca\.pem cannot be read as certificates"):
        build(url=queues.address.replace("amqp:", "amqps:"), ca_file=file).probe()


RIGHTS = """
rabbit_auth_backend_internal:add_user(<<"{user}">>, <<"{password}">>, <<"xoev">>),
rabbit_auth_backend_internal:set_permissions(
    <<"{user}">>, <<"{vhost}">>, <<"^$">>, <<"^amq.default$">>, <<"^eingang$">>, <<"xoev">>).
"""


def test_few_rights_are_enough(queues: Queues, build: Build) -> None:
    queues.make("eingang", "eingang.quarantine", "ausgang")
    made = RIGHTS.format(user="wenig", password=queues.password, vhost=queues.vhost)
    queues.server.node.ask(made.replace("\n", " ").strip())
    url = queues.address.replace(f"{queues.user}@", "wenig@")
    channel = build(url=url, queue="eingang", routing_key="ausgang", **{"from": "p"})
    queues.put("eingang", b"1", b"2")

    first, second = channel.receive()
    channel.settle(first, TAKEN)
    channel.settle(second, REFUSED)
    channel.send(LETTER, nothing)

    assert len(queues.take("eingang.quarantine")) == len(queues.take("ausgang")) == 1


# -- several nodes, and TLS


def test_a_killed_node_of_a_cluster_is_replaced_by_another(
    rabbit_cluster: RabbitCluster, cluster_vhost: str, tmp_path: Path
) -> None:
    queues = Queues(rabbit_cluster, cluster_vhost, tmp_path)
    nodes = ",".join(f"127.0.0.1:{node.port}" for node in rabbit_cluster.nodes)
    url = f"amqp://{queues.user}@{nodes}/{cluster_vhost}"
    queues.make("ausgang")
    values = queues.values | {"url": url, "routing_key": "ausgang", "repeats": "recognised"}
    channel = Amqp(Declared("amt", "amqp", values | {"replies": "ausgang", "declare": True}))
    try:
        channel.send(LETTER, nothing)
        assert len(list(channel.receive())) == 1
        rabbit_cluster.nodes[0].kill()

        assert until(lambda: sent(channel), SECONDS)
        assert {each.body for each in received(channel, 2)} == {LETTER.body}
    finally:
        channel.close()


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certs:
    return make(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def encrypted(certs: Certs) -> Iterator[tuple[RabbitMq, int]]:
    """Run a server that speaks TLS on a second port, and return that too."""
    needs.server("RabbitMQ", binaries() is not None, REMEDY)
    port = free()
    settings = {
        "listeners.ssl.1": f"127.0.0.1:{port}",
        "ssl_options.cacertfile": str(certs.ca),
        "ssl_options.certfile": str(certs.server),
        "ssl_options.keyfile": str(certs.server),
    }
    for file in (certs.ca, certs.server):
        file.chmod(0o644)
    server = RabbitMq(settings=settings)
    server.start()
    yield server, port
    server.close()


@pytest.mark.parametrize(
    ("host", "trusted", "text"),
    [
        ("127.0.0.1", True, ""),
        ("127.0.0.1", False, "its certificate is not trusted"),
        ("localhost", True, "its certificate is not trusted"),
    ],
)
def test_tls_wants_a_certificate_that_is_trusted_and_names_the_host(
    encrypted: tuple[RabbitMq, int],
    certs: Certs,
    tmp_path: Path,
    host: str,
    trusted: bool,
    text: str,
) -> None:
    server, port = encrypted
    queues = Queues(server, "/", tmp_path)
    values = queues.values | {"url": f"amqps://{queues.user}@{host}:{port}"}
    channel = Amqp(Declared("amt", "amqp", values | ({"ca_file": certs.ca} if trusted else {})))
    try:
        if not text:
            assert channel.probe() == f"RabbitMQ at {host}:{port} answers"
        else:
            with pytest.raises(Unreachable, match=text):
                channel.probe()
    finally:
        channel.close()
