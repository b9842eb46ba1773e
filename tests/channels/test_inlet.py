"""The amqp channel takes from a real RabbitMQ: acknowledgement, quarantine, lost connections."""

from __future__ import annotations

import pytest

from broker.amqp import Address
from broker.channels import session
from broker.channels.amqp import Amqp
from broker.channels.deadline import Deadline
from broker.channels.fate import Fate
from broker.channels.inlet import Inlet, Source
from broker.channels.link import Link
from broker.errors import (
    Busy,
    NotAllowed,
    StoreError,
    Unreachable,
)
from broker.standins.daemon import until
from tests.channels.letters import (
    LETTER,
    ONE,
    PERSON,
    REFUSED,
    SECONDS,
    TAKEN,
    Build,
    received,
)
from tests.servers.queues import Queues

# -- in


def test_what_is_not_settled_goes_back_to_its_queue(queues: Queues, inlet: Amqp) -> None:
    queues.put("eingang", b"1", b"2")
    first, second = inlet.receive()

    inlet.settle(first, TAKEN)
    inlet.close()

    (again,) = received(inlet)
    assert again.body == second.body
    inlet.settle(again, TAKEN)
    inlet.settle(again, TAKEN)
    inlet.close()
    assert queues.take("eingang") == []


def test_what_is_refused_lies_in_quarantine_with_the_reason(queues: Queues, inlet: Amqp) -> None:
    queues.put("eingang", b"<kaputt", message_id="m-1", headers={"x-xoev-reason": "gut"})
    (incoming,) = inlet.receive()

    inlet.settle(incoming, REFUSED)
    inlet.settle(incoming, REFUSED)

    (found,) = queues.take("eingang.quarantine")
    assert found.body == b"<kaputt"
    assert found.properties.headers["x-xoev-reason"] == "X000"
    assert found.properties.headers["x-xoev-text"] == "this is no XML document"
    assert found.properties.headers["x-xoev-queue"] == "eingang"
    assert found.properties.headers["x-xoev-message-id"] == "m-1"
    inlet.close()
    assert queues.take("eingang") == []


def test_what_lies_in_quarantine_is_counted_at_every_look(queues: Queues, inlet: Amqp) -> None:
    assert inlet.aside is None
    queues.put("eingang", b"<kaputt", b"<auch kaputt")
    counted: list[int | None] = []
    for incoming in inlet.receive():
        inlet.settle(incoming, REFUSED)
    for _ in range(2):
        assert inlet.receive() == []
        counted.append(inlet.aside)
        queues.take("eingang.quarantine")

    assert counted == [2, 0]


def test_a_probe_counts_what_lies_in_quarantine(queues: Queues, inlet: Amqp) -> None:
    queues.put("eingang.quarantine", b"1", b"2", b"3")

    assert inlet.probe().endswith("reads eingang; 3 in eingang.quarantine")
    assert inlet.aside == 3
    queues.take("eingang.quarantine")
    assert inlet.probe().endswith("reads eingang")
    assert inlet.aside == 0


def test_one_quarantine_of_two_queues_counts_once(queues: Queues, build: Build) -> None:
    queues.make("eingang", "antworten", "beiseite")
    queues.put("beiseite", b"1")
    both = build(
        queue="eingang", replies="antworten", quarantine="beiseite", **{"from": "bauportal"}
    )

    both.probe()

    assert both.aside == 1


def test_a_quarantine_that_is_missing_is_said_and_the_rest_goes_on(
    queues: Queues, inlet: Amqp
) -> None:
    inlet.probe()
    with queues.channel() as channel:
        channel.queue_delete("eingang.quarantine")

    with pytest.raises(Unreachable, match="404 NOT_FOUND"):
        inlet.receive()
    queues.put("eingang", b"weiter")
    (found,) = inlet.receive()
    inlet.settle(found, TAKEN)
    inlet.close()
    assert queues.count("eingang") == 0


def test_without_a_quarantine_nothing_refused_is_lost(queues: Queues, inlet: Amqp) -> None:
    queues.put("eingang", b"<kaputt", b"gut")
    bad, good = inlet.receive()
    with queues.channel() as channel:
        channel.queue_delete("eingang.quarantine")

    inlet.settle(bad, REFUSED)
    inlet.settle(good, TAKEN)
    with pytest.raises(Unreachable, match="a refused message stays in eingang"):
        inlet.receive()
    queues.put("eingang", b"weiter")
    assert [each.body for each in inlet.receive()] == [b"weiter"]
    queues.make("eingang.quarantine")

    assert [each.body for each in inlet.receive()] == [b"weiter"]
    assert [found.body for found in queues.take("eingang.quarantine")] == [b"<kaputt"]


def test_a_message_of_another_user_is_refused(queues: Queues, build: Build) -> None:
    queues.make("eingang", "eingang.quarantine")
    channel = build(queue="eingang", user="portal", **{"from": "bauportal"})
    queues.put("eingang", b"1")
    queues.put("eingang", b"2", user_id=queues.user)

    found = list(channel.receive())

    assert [type(each.refusal) for each in found] == [NotAllowed, NotAllowed]


def test_a_message_of_the_user_of_the_channel_is_taken(queues: Queues, build: Build) -> None:
    queues.make("eingang", "eingang.quarantine")
    channel = build(queue="eingang", user=queues.user, **{"from": "bauportal"})
    queues.put("eingang", b"2", user_id=queues.user)

    assert [each.refusal for each in channel.receive()] == [None]


def test_what_is_too_large_goes_to_quarantine_and_the_rest_goes_on(
    queues: Queues, build: Build
) -> None:
    queues.make("eingang", "eingang.quarantine")
    channel = build(queue="eingang", max=1, **{"from": "bauportal"})
    queues.put("eingang", bytes(1_000_001), b"klein")

    found = received(channel)

    assert [each.body for each in found] == [b"klein"]
    (moved,) = queues.take("eingang.quarantine")
    assert len(moved.body) == 1_000_001
    assert moved.properties.headers["x-xoev-text"] == (
        "larger than the 1 MB that this channel takes"
    )


def test_a_batch_has_a_limit(queues: Queues, inlet: Amqp) -> None:
    queues.put("eingang", *[b"x"] * 120)

    first = list(inlet.receive())
    for each in first:
        inlet.settle(each, TAKEN)

    assert (len(first), len(list(inlet.receive()))) == (100, 20)


def test_a_batch_of_large_messages_is_short(queues: Queues, build: Build) -> None:
    queues.make("eingang", "eingang.quarantine")
    channel = build(queue="eingang", max=1, **{"from": "bauportal"})
    queues.put("eingang", *[bytes(600_000)] * 4)

    assert len(list(channel.receive())) == 2
    assert len(list(channel.receive())) == 2


def test_a_large_message_comes_in_whole(queues: Queues, inlet: Amqp) -> None:
    body = b"x" * 30_000_000
    queues.put("eingang", body)

    assert [each.body for each in inlet.receive()] == [body]


def test_messages_and_replies_come_from_queues_of_their_own(queues: Queues, build: Build) -> None:
    queues.make("eingang", "antworten", "kaputt")
    channel = build(
        queue="eingang", replies="antworten", quarantine="kaputt", **{"from": "bauportal"}
    )
    queues.put("eingang", b"1")
    queues.put("antworten", b"2", message_id="a-1")

    assert [(each.role, each.name, each.body) for each in channel.receive()] == [
        ("message", f"sha256-{ONE}", b"1"),
        ("reply", "a-1", b"2"),
    ]


def test_one_queue_goes_on_while_the_other_is_missing(queues: Queues, build: Build) -> None:
    queues.make("antworten", "kaputt")
    channel = build(queue="fehlt", replies="antworten", quarantine="kaputt", **{"from": "p"})
    with pytest.raises(Unreachable, match="fehlt"):
        channel.receive()

    queues.put("antworten", b"2")

    assert [each.body for each in channel.receive()] == [b"2"]


def test_after_a_cut_what_was_in_hand_comes_again(queues: Queues, inlet: Amqp) -> None:
    queues.put("eingang", b"1", b"2")
    first, second = inlet.receive()
    inlet.settle(first, TAKEN)
    assert until(lambda: queues.count("eingang") == 0, SECONDS)

    queues.server.cut()

    (again,) = received(inlet)
    inlet.settle(second, REFUSED)  # of the old connection: nothing happens
    assert (again.body, queues.count("eingang.quarantine")) == (b"2", 0)


@pytest.mark.parametrize("error", [Busy("short of memory"), TimeoutError()])
def test_a_quarantine_that_cannot_be_asked_keeps_the_message(
    queues: Queues, error: Exception
) -> None:
    queues.make("eingang")
    queues.put("eingang", b"<kaputt")
    link = Link("amt", Address.read(queues.address, queues.file, None), lambda *_: None)

    def fails(*_: object) -> Fate:
        raise error

    inlet = Inlet("amt", Source("eingang", "message", "q", "", 100), link, fails)
    try:
        (incoming,) = inlet.receive(Deadline(SECONDS))
        inlet.settle(incoming, REFUSED, Deadline(SECONDS))
        with pytest.raises(Unreachable if isinstance(error, TimeoutError) else Busy):
            inlet.receive(Deadline(SECONDS))
    finally:
        link.close()

    assert until(lambda: queues.count("eingang") == 1, SECONDS)


def test_a_failure_inside_the_connection_ends_it_and_the_next_goes_on(
    queues: Queues, inlet: Amqp, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues.put("eingang", b"1")

    def fails(*_: object) -> None:
        raise ValueError(PERSON)

    with monkeypatch.context() as broken:
        broken.setattr(session.Session, "_next", fails)
        with pytest.raises(Unreachable, match=r"the connection failed \(ValueError\)") as caught:
            inlet.receive()

    assert PERSON not in str(caught.value)
    assert [each.body for each in received(inlet)] == [b"1"]


def test_what_nobody_asks_for_any_more_is_given_back(
    queues: Queues, inlet: Amqp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "IDLE", 0.05)
    queues.put("eingang", b"1")

    assert len(list(inlet.receive())) == 1

    assert until(lambda: queues.count("eingang") == 1, SECONDS)


def test_after_a_restart_of_the_server_receiving_goes_on(queues: Queues, inlet: Amqp) -> None:
    queues.put("eingang", b"1")
    assert len(list(inlet.receive())) == 1

    queues.server.restart()

    assert [each.body for each in received(inlet)] == [b"1"]


def test_a_frozen_server_ends_the_look_at_the_deadline(queues: Queues, build: Build) -> None:
    queues.make("eingang", "eingang.quarantine")
    channel = build(queue="eingang", deadline=0.5, **{"from": "bauportal"})
    assert list(channel.receive()) == []
    queues.server.pause()

    with pytest.raises(Unreachable, match="no answer within"):
        channel.receive()


def test_a_mark_that_fails_publishes_nothing(queues: Queues, build: Build) -> None:
    queues.make("ausgang")

    def dies() -> None:
        raise StoreError("the disk is gone")

    with pytest.raises(StoreError):
        build(routing_key="ausgang").send(LETTER, dies)

    assert queues.take("ausgang") == []
