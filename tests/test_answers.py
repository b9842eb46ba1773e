"""What goes back to the sender, over which way, and what never goes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from broker.channels.channel import Incoming, Sent
from broker.errors import Refused, Unreachable
from broker.message import State
from broker.stores.contract import Room
from tests import messages
from tests.fakes import Bench, Make, benches


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def codes(body: bytes) -> list[str]:
    return [element.findtext("code") or "" for element in etree.fromstring(body).iter("{*}grund")]


def test_an_answer_at_once_goes_back_over_the_return_channel(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    reply = messages.reply(broker.row(request.id).reference)
    broker.script.plan("procedure", Sent("taken", reply))

    broker.run()

    (answer,) = broker.answers()
    assert (answer.answers, answer.state, answer.channel) == (
        request.id,
        State.DELIVERED,
        "return",
    )
    assert answer.envelope.recipient == broker.row(request.id).envelope.sender


def test_an_answer_carries_the_test_flag_and_the_case_of_its_request(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request(case="22222222-2222-4222-8222-222222222222"))
    reply = messages.reply(broker.row(request.id).reference)
    broker.script.plan("procedure", Sent("taken", reply))

    broker.run()

    (answer,) = broker.answers()
    assert answer.envelope.test is not None
    assert answer.envelope.case == "22222222-2222-4222-8222-222222222222"
    assert broker.script.sent["return"][0].test


def test_an_answer_at_once_without_any_reference_belongs_to_its_delivery(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    broker.script.plan("procedure", Sent("taken", messages.reply("")))

    broker.run()

    (answer,) = broker.answers()
    assert (answer.answers, answer.state) == (request.id, State.DELIVERED)


def test_an_answer_at_once_that_names_another_delivery_is_dead(bench: Make) -> None:
    broker = bench()
    other = broker.accept(messages.request())
    broker.run()
    request = broker.accept(messages.request())
    reply = messages.reply(broker.row(other.id).reference)
    broker.script.plan("procedure", Sent("taken", reply))

    broker.run()

    (answer,) = broker.answers()
    assert broker.state(request.id) is State.DELIVERED
    assert (answer.state, answer.answers) == (State.DEAD, request.id)
    assert answer.error == "the reply names another delivery than the one it answers"
    assert broker.script.sent.get("return") is None


def test_a_delivery_with_an_unreadable_answer_is_delivered_and_the_answer_is_dead(
    bench: Make,
) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    broker.script.plan("procedure", Sent("taken", b"\xff\xfe no answer at all"))

    broker.run()

    (answer,) = broker.answers()
    assert (broker.state(request.id), answer.state) == (State.DELIVERED, State.DEAD)


def test_an_adapter_that_fails_on_an_answer_does_not_undo_the_delivery(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    request = broker.accept(messages.request())

    def fail(_reply: bytes) -> object:
        raise ArithmeticError("Erika Planck")

    monkeypatch.setattr(broker.app.site.catalog.get("wolfsburg/bau"), "correlate", fail)
    broker.script.plan("procedure", Sent("taken", b"<answer/>"))
    broker.run()

    (answer,) = broker.answers()
    assert (broker.state(request.id), answer.state) == (State.DELIVERED, State.DEAD)
    assert answer.error.startswith("unexpected ArithmeticError at test_answers.py:")


def test_the_same_answer_at_once_after_a_repeat_is_one_answer(bench: Make) -> None:
    broker = bench()
    broker.script.repeats = True
    request = broker.accept(messages.request())
    reply = messages.reply(broker.row(request.id).reference)
    for _ in range(2):
        broker.app.store.take(Room())
        broker.crash()
        broker.script.plan("procedure", Sent("taken", reply))
        broker.run()

    assert len(broker.answers()) == 1


def test_a_rejection_has_the_reason_and_goes_to_the_sender_of_the_request(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request(key="bab:03999999"))

    broker.run()

    (answer,) = broker.answers()
    (sent,) = broker.script.sent["return"]
    assert (answer.answers, answer.party, answer.state) == (
        request.id,
        "broker",
        State.DELIVERED,
    )
    assert codes(sent.body) == ["T080"]


def test_a_refusal_of_the_procedure_is_a_rejection_to_the_sender(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request())
    broker.script.plan("procedure", Refused("the procedure said no", reason="S102"))

    broker.run()

    assert codes(broker.script.sent["return"][0].body) == ["S102"]


def test_the_rejection_of_an_unknown_standard_is_a_reason_document(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request(namespace="urn:example:unknown"))

    broker.run()

    (answer,) = broker.answers()
    (sent,) = broker.script.sent["return"]
    assert etree.fromstring(sent.body).tag == "{urn:xoev-broker:reason:1}reason"
    assert answer.state is State.DELIVERED


def rejection(broker: Bench) -> bytes:
    """Return a valid message 1100, as an online service might send one."""
    broker.accept(messages.request(key="bab:03999999"))
    broker.run()
    return broker.script.sent["return"][0].body


def test_a_rejection_is_never_rejected(bench: Make) -> None:
    broker = bench()
    body = rejection(broker)
    again = broker.accept(body)

    broker.run()

    assert broker.state(again.id) is State.REJECTED
    assert [row.answers for row in broker.answers()] != [again.id]
    assert len(broker.answers()) == len(broker.script.sent["return"]) == 1


def test_a_rejection_that_cannot_be_delivered_is_a_case_for_a_person(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request(key="bab:03999999"))
    broker.script.plan("return", Refused("no"))

    broker.run()

    (answer,) = broker.answers()
    assert answer.state is State.DEAD


def without_return(broker: Bench) -> Bench:
    text = broker.file.read_text(encoding="utf-8")
    broker.file.write_text(text.replace(", answer: return", ""), encoding="utf-8")
    broker.app.reload()
    return broker


def test_without_a_return_channel_a_rejected_message_tells_nobody(bench: Make) -> None:
    broker = without_return(bench())
    request = broker.accept(messages.request(key="bab:03999999"))

    broker.run()

    assert broker.state(request.id) is State.REJECTED
    assert broker.answers() == []


def test_without_a_return_channel_an_answer_is_dead_and_says_what_to_do(bench: Make) -> None:
    broker = without_return(bench())
    request = broker.accept(messages.request())
    reply = messages.reply(broker.row(request.id).reference)
    broker.script.plan("procedure", Sent("taken", reply))

    broker.run()

    (answer,) = broker.answers()
    assert (broker.state(request.id), answer.state) == (State.DELIVERED, State.DEAD)
    assert answer.error == (
        "no return channel for bauportal; give the party an answer: in routes.yaml"
    )


def test_answers_to_one_request_keep_their_order(bench: Make) -> None:
    broker = bench(order="order: case")
    request = broker.accept(messages.request(case="c-1"))
    reference = broker.row(request.id).reference
    broker.run()
    broker.script.plan("return", Unreachable("no answer"))
    for at, status in enumerate(("ANGENOMMEN", "GENEHMIGT")):
        body = messages.reply(reference, status=status)
        broker.intake.reply("procedure", Incoming("reply", f"{at}.xml", body))

    broker.run()

    first, second = broker.answers()
    assert (first.state, second.state) == (State.WAITING, State.WAITING)
    assert (first.attempts, second.attempts) == (1, 0)


def test_the_answer_to_a_request_does_not_wait_for_other_requests_of_its_case(
    bench: Make,
) -> None:
    broker = bench(order="order: case")
    first = broker.accept(messages.request(case="c-1"))
    broker.run()
    broker.script.plan("procedure", Unreachable("no answer"))
    broker.accept(messages.request(case="c-1"))
    broker.run()

    reply = messages.reply(broker.row(first.id).reference)
    (id,) = broker.intake.reply("procedure", Incoming("reply", "a.xml", reply))
    broker.run()

    assert broker.state(id) is State.DELIVERED
