"""`queue show`: what an operator sees of the queues."""

from __future__ import annotations

from contextlib import closing

import pytest

from broker.app import look_at_queue, open_doorbell
from broker.errors import ConfigError
from broker.settings import Settings
from broker.standins.rabbitmq import RabbitMq
from tests.bells import Worker
from tests.cli.conftest import Type


@pytest.fixture
def queue(rabbitmq: RabbitMq, vhost: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return settings with a queue, also for commands; nothing is declared yet."""
    environ = {"XOEV_BROKER_QUEUE": rabbitmq.address(vhost)}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return Settings.load(environ)


def test_without_a_queue_it_says_what_that_means(type_: Type) -> None:
    ran = type_("queue", "show")

    assert (ran.code, ran.out) == (
        0,
        "no queue is configured (XOEV_BROKER_QUEUE): workers look into the store themselves\n",
    )


def test_without_a_queue_machines_get_that_too(type_: Type) -> None:
    assert type_("queue", "show", "--json").json == {"configured": False}


def test_queues_that_are_not_there_are_findings(queue: Settings, type_: Type) -> None:
    ran = type_("queue", "show")

    assert ran.code == 1
    assert 'queue "xoev-broker.00" is not there; a running broker makes it' in ran.err


def test_what_works_is_listed_with_its_listeners(queue: Settings, type_: Type) -> None:
    bell = open_doorbell(queue)
    assert bell is not None
    with closing(bell):
        Worker(bell).connected()
        ran, told = type_("queue", "show"), type_("queue", "show", "--json").json

    assert ran.code == 0
    assert "xoev-broker.15  quorum  0        1" in ran.out
    assert "without TLS" in ran.out
    assert [line["finding"] for line in told["queues"]] == [None] * 16


def test_a_node_that_is_not_there_is_a_finding(
    type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XOEV_BROKER_QUEUE", "amqp://127.0.0.1:1")
    ran = type_("queue", "show")

    assert ran.code == 1
    assert ran.err == "127.0.0.1:1 cannot be reached (ECONNREFUSED)\n"


def test_an_address_that_cannot_be_read_is_a_finding_of_its_setting() -> None:
    settings = Settings.load({"XOEV_BROKER_QUEUE": "amqp://u:geheim@"})
    with pytest.raises(ConfigError) as caught:
        look_at_queue(settings)

    (finding,) = caught.value.findings
    assert finding.file == "XOEV_BROKER_QUEUE"
    assert "geheim" not in str(caught.value)


def test_without_a_queue_there_is_no_doorbell() -> None:
    assert open_doorbell(Settings.load({})) is None
