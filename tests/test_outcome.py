"""The branch of the error tree decides the next state, and what becomes of a mark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.channels.channel import Found, Mark, Prepared, Sent
from broker.errors import (
    BrokerError,
    Busy,
    ConversionFailed,
    DeliveryUnclear,
    Exhausted,
    Finding,
    Refused,
    ReplyError,
    SchemaMissing,
    SchemaViolation,
    StoreError,
    Unreachable,
)
from broker.journal.entry import decode
from broker.journal.trail import Trail
from broker.message import Direction, State
from broker.outcome import Step, failed, unreadable
from broker.repair import Repair
from broker.stores.contract import Change, Room
from tests import messages
from tests.fakes import Bench, Make, benches


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def step(broker: Bench, direction: Direction = Direction.REQUEST, marked: bool = False) -> Step:
    receipt = broker.accept(messages.request())
    (job,) = broker.app.store.take(Room())
    job = replace(job, direction=direction)
    return Step(job, messages.request(), Trail(receipt.id), broker.app, marked=marked)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Unreachable("x"), State.WAITING),
        (Busy("x"), State.WAITING),
        (SchemaMissing("x"), State.HELD),
        (DeliveryUnclear("x"), State.UNCLEAR),
        (SchemaViolation("x"), State.REJECTED),
        (ConversionFailed("x"), State.REJECTED),
        (Refused("x"), State.REJECTED),
        (ReplyError("x"), State.DEAD),
        (BrokerError("x"), State.DEAD),
    ],
)
def test_the_branch_of_the_error_decides(bench: Make, error: BrokerError, state: State) -> None:
    one = step(bench())

    change = failed(one, error)

    assert (change.state, change.token, change.error) == (state, one.job.token, "x")
    assert decode(change.entries[-1]).facts["state"] == state.value
    assert decode(change.entries[-1]).facts["attempt"] == "1"


def test_an_answer_is_never_rejected_but_a_case_for_a_person(bench: Make) -> None:
    change = failed(step(bench(), Direction.ANSWER), ConversionFailed("x"))

    assert (change.state, change.births) == (State.DEAD, ())


def test_a_rejection_is_born_in_the_change_of_its_request(bench: Make) -> None:
    one = step(bench())

    change = failed(one, SchemaViolation("x"))

    (born,) = change.births
    assert (born.message.answers, born.way.ready) == (one.job.id, True)
    assert decode(change.entries[-1]).facts["name"] == born.message.id


def test_the_first_finding_is_written_down_with_its_place(bench: Make) -> None:
    finding = Finding("x", line=12, path="/a/b", rule="cvc-type")

    change = failed(step(bench()), SchemaViolation("x", findings=[finding]))

    facts = decode(change.entries[-1]).facts
    assert (facts["line"], facts["path"], facts["rule"]) == ("12", "/a/b", "cvc-type")


@pytest.mark.parametrize("error", [Unreachable("x"), Refused("x"), ReplyError("x")])
def test_a_certain_outcome_settles_the_mark_of_its_own_attempt(
    bench: Make, error: BrokerError
) -> None:
    change = failed(step(bench(), marked=True), error)

    assert change.sending is False or change.state is State.REJECTED


@pytest.mark.parametrize("error", [Unreachable("x"), ReplyError("x"), SchemaMissing("x")])
def test_an_outcome_without_a_send_leaves_an_older_mark(bench: Make, error: BrokerError) -> None:
    assert failed(step(bench()), error).sending is None


def test_an_unclear_send_keeps_its_mark(bench: Make) -> None:
    assert failed(step(bench(), marked=True), DeliveryUnclear("x")).sending is None


# a doubt stays until it is settled: once in effect


def doubtful(broker: Bench) -> str:
    """Leave a message as a kill between the mark and the outcome leaves it."""
    receipt = broker.accept(messages.request())
    (job,) = broker.app.store.take(Room())
    marked = Change(job.id, job.token, State.WORKING, sending=True)
    assert broker.app.store.change([marked]).result() == [True]
    broker.crash()
    return receipt.id


def until(broker: Bench, done: Callable[[], bool]) -> None:
    for _ in range(200):
        if done():
            return
        broker.run()
    raise AssertionError("it never came to that")


def test_a_doubt_survives_that_the_other_side_cannot_be_asked(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench(first="0.001s")
    id = doubtful(broker)
    channel = broker.app.site.channels["procedure"]
    answers: list[Found | Unreachable] = [Unreachable("down"), Unreachable("down"), Found.THERE]

    def find(_key: str) -> Found:
        said = answers.pop(0)
        if isinstance(said, Unreachable):
            raise said
        return said

    monkeypatch.setattr(channel, "find", find)
    until(broker, lambda: broker.state(id) is not State.WAITING)

    assert broker.state(id) is State.DELIVERED
    assert broker.script.sent == {}


def test_a_doubt_survives_that_the_channel_was_missing_from_the_table(bench: Make) -> None:
    broker = bench(first="0.001s")
    id = doubtful(broker)
    site = broker.app.site
    broker.app._site = replace(site, channels={})
    until(broker, lambda: broker.row(id).attempts >= 3)
    broker.app._site = site
    broker.script.found = Found.THERE

    until(broker, lambda: broker.state(id) is not State.WAITING)

    assert broker.state(id) is State.DELIVERED
    assert broker.script.sent == {}


def test_a_doubt_survives_that_a_person_hurries_the_message(bench: Make) -> None:
    broker = bench()
    id = doubtful(broker)

    Repair(broker.app, "erika").replay(broker.row(id), "hurry")
    broker.run()

    assert broker.state(id) is State.UNCLEAR
    assert broker.script.sent == {}


def test_a_doubt_survives_that_the_message_was_buried_as_poison(bench: Make) -> None:
    broker = bench()
    id = doubtful(broker)
    for _ in range(3):
        broker.app.store.take(Room())
        broker.crash()
    assert broker.state(id) is State.DEAD

    Repair(broker.app, "erika").replay(broker.row(id), "procedure was updated")
    broker.run()

    assert broker.state(id) is State.UNCLEAR
    assert broker.script.sent == {}


def test_what_is_certainly_not_there_is_sent_and_may_fail_and_be_sent_again(bench: Make) -> None:
    broker = bench(first="0.001s")
    id = doubtful(broker)
    broker.script.found = Found.NOT_THERE

    def refuse(_prepared: Prepared, mark: Mark) -> Sent:
        mark()
        raise Unreachable("not accepted")

    broker.script.plan("procedure", refuse)
    until(broker, lambda: broker.state(id) is State.DELIVERED)

    assert [one.key for one in broker.script.sent["procedure"]] == [id]
    assert broker.script.asked == [id]


def test_a_person_who_knows_ends_the_doubt(bench: Make) -> None:
    broker = bench()
    id = doubtful(broker)
    broker.run()

    Repair(broker.app, "erika").replay(broker.row(id), "looked: not there", again=True)
    broker.run()

    assert broker.state(id) is State.DELIVERED


# texts


def test_a_failing_store_or_process_is_no_fault_of_a_reply() -> None:
    for error in (StoreError("down"), Exhausted()):
        with pytest.raises(type(error)):
            unreadable(error)
