"""The state table is the contract: one test per arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from broker.channels.channel import Found, Incoming, Mark, Prepared, Sent
from broker.errors import Busy, DeliveryUnclear, Refused, Unreachable
from broker.message import State, now
from broker.repair import NotPossible, Repair
from broker.stores.contract import Change, Room
from broker.upkeep import expire, release
from tests import messages
from tests.fakes import Bench, Script

Make = Callable[..., Bench]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def bench(tmp_path: Path, script: Script) -> Iterator[Make]:
    made: list[Bench] = []

    def make(**fill: str) -> Bench:
        made.append(Bench(tmp_path, script, **fill))
        return made[-1]

    yield make
    for one in made:
        one.app.close()


def marked_then(error: BaseException) -> Callable[[Prepared, Mark], Sent]:
    """Return a send that marks and then ends like this."""

    def send(_prepared: Prepared, mark: Mark) -> Sent:
        mark()
        raise error

    return send


def test_an_accepted_message_waits(bench: Make) -> None:
    broker = bench()

    receipt = broker.accept(messages.request())

    assert broker.state(receipt.id) is State.WAITING


def test_a_leased_message_is_being_worked_on_and_its_attempt_is_counted(bench: Make) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())

    (job,) = broker.app.store.take(Room())

    row = broker.row(receipt.id)
    assert (job.id, row.state, row.attempts) == (receipt.id, State.WORKING, 1)


def test_a_message_that_the_procedure_took_is_delivered(bench: Make, script: Script) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())

    broker.run()

    assert broker.state(receipt.id) is State.DELIVERED
    assert [one.key for one in script.sent["procedure"]] == [receipt.id]


@pytest.mark.parametrize("error", [Unreachable("no answer"), Busy("later")])
def test_a_channel_error_sends_the_message_back_to_waiting(
    bench: Make, script: Script, error: Exception
) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())
    script.plan("procedure", error)

    broker.run()

    row = broker.row(receipt.id)
    assert (row.state, row.error) == (State.WAITING, str(error))
    assert row.due > now() + timedelta(minutes=30)


def test_a_retry_sends_the_bytes_of_the_first_attempt_under_the_same_key(
    bench: Make, script: Script
) -> None:
    broker = bench(first="0.01s")
    seen: list[Prepared] = []

    def refuse_once(prepared: Prepared, _mark: Mark) -> Sent:
        seen.append(prepared)
        raise Unreachable("no answer")

    script.plan("procedure", refuse_once)
    broker.accept(messages.request())

    while not script.sent:
        broker.run()

    again = script.sent["procedure"][0]
    assert (again.key, again.body) == (seen[0].key, seen[0].body)
    assert (seen[0].attempt, again.attempt) == (1, 2)


def test_a_lease_of_an_earlier_start_is_void(bench: Make) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())
    broker.app.store.take(Room())

    assert broker.crash() == 1

    assert broker.state(receipt.id) is State.WAITING
    assert broker.events(receipt.id) == ["accepted", "recovered"]


def test_a_message_without_its_schema_is_held(bench: Make) -> None:
    broker = bench()
    receipt = broker.accept(messages.request(namespace="http://www.xleitstelle.de/xbau/2/9"))

    broker.run()

    assert broker.state(receipt.id) is State.HELD


def held(broker: Bench) -> str:
    receipt = broker.accept(messages.request(namespace="http://www.xleitstelle.de/xbau/2/9"))
    broker.run()
    return receipt.id


def test_a_held_message_stays_held_while_its_schema_is_missing(bench: Make) -> None:
    broker = bench()
    id = held(broker)

    assert release(broker.app) == 0
    assert broker.state(id) is State.HELD


def test_a_person_lets_a_held_message_go_on(bench: Make) -> None:
    broker = bench()
    id = held(broker)

    Repair(broker.app, "erika").replay(broker.row(id), "schema came by mail")

    assert broker.state(id) is State.WAITING


def test_a_message_held_too_long_is_dead(bench: Make) -> None:
    broker = bench()
    id = held(broker)

    assert expire(broker.app, seconds=0) == 1

    assert broker.state(id) is State.DEAD


def test_a_send_without_known_outcome_is_unclear(bench: Make, script: Script) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())
    script.plan("procedure", marked_then(DeliveryUnclear("the connection broke")))

    broker.run()

    assert broker.state(receipt.id) is State.UNCLEAR


def unclear(broker: Bench) -> str:
    receipt = broker.accept(messages.request())
    broker.script.plan("procedure", marked_then(DeliveryUnclear("the connection broke")))
    broker.run()
    return receipt.id


def test_a_person_says_that_an_unclear_delivery_arrived(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)

    Repair(broker.app, "erika").settle(broker.row(id), "found under its reference")

    assert broker.state(id) is State.DELIVERED


def test_an_unclear_delivery_is_not_repeated_without_a_clear_word(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)

    with pytest.raises(NotPossible, match="may have arrived"):
        Repair(broker.app, "erika").replay(broker.row(id), "try")

    assert broker.state(id) is State.UNCLEAR


def test_a_person_has_an_unclear_delivery_sent_again(bench: Make, script: Script) -> None:
    broker = bench()
    id = unclear(broker)

    Repair(broker.app, "erika").replay(broker.row(id), "not there", again=True)
    broker.run()

    assert broker.state(id) is State.DELIVERED
    assert [one.key for one in script.sent["procedure"]] == [id]


def test_a_crash_after_the_mark_asks_the_other_side_and_believes_it(
    bench: Make, script: Script
) -> None:
    broker = bench()
    id = cut_off(broker)
    script.found = Found.THERE

    broker.run()

    assert broker.state(id) is State.DELIVERED
    assert (script.asked, script.sent) == ([id], {})


def test_a_crash_after_the_mark_sends_again_what_is_not_there(bench: Make, script: Script) -> None:
    broker = bench()
    id = cut_off(broker)
    script.found = Found.NOT_THERE

    broker.run()

    assert broker.state(id) is State.DELIVERED
    assert [one.key for one in script.sent["procedure"]] == [id]


def test_a_crash_after_the_mark_is_unclear_where_nobody_can_know(bench: Make) -> None:
    broker = bench()
    id = cut_off(broker)

    broker.run()

    assert broker.state(id) is State.UNCLEAR


def test_a_crash_after_the_mark_is_sent_again_where_repeats_are_recognised(
    bench: Make, script: Script
) -> None:
    script.repeats = True
    broker = bench()
    id = cut_off(broker)

    broker.run()

    assert broker.state(id) is State.DELIVERED


def cut_off(broker: Bench) -> str:
    """Leave a message as a kill -9 between mark and outcome leaves it."""
    receipt = broker.accept(messages.request())
    (job,) = broker.app.store.take(Room())
    worker_marks(broker, job.id, job.token)
    broker.crash()
    return receipt.id


def worker_marks(broker: Bench, id: str, token: str) -> None:
    change = Change(id, token, State.WORKING, sending=True)
    assert broker.app.store.change([change]).result() == [True]


def test_a_crash_before_the_mark_simply_sends(bench: Make, script: Script) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())
    broker.app.store.take(Room())
    broker.crash()

    broker.run()

    assert broker.state(receipt.id) is State.DELIVERED
    assert script.asked == []


def test_a_message_that_was_alone_in_hand_at_three_crashes_is_dead(bench: Make) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())
    broker.app.store.take(Room())
    broker.crash()
    states = []
    for _ in range(3):
        (job,) = broker.app.store.take(Room())
        assert job.alone
        broker.crash()
        states.append(broker.state(receipt.id))

    assert states == [State.WAITING, State.WAITING, State.DEAD]


def test_a_poisoned_message_does_not_take_its_batch_along(bench: Make) -> None:
    broker = bench()
    ids = [broker.accept(messages.request()).id for _ in range(3)]
    assert len(broker.app.store.take(Room())) == 3
    broker.crash()
    while broker.app.store.due():
        (job,) = broker.app.store.take(Room())
        if job.id == ids[0]:
            broker.crash()
        else:
            broker.app.store.change([Change(job.id, job.token, State.DELIVERED)]).result()

    states = [broker.state(id) for id in ids]
    assert states == [State.DEAD, State.DELIVERED, State.DELIVERED]


def test_a_message_is_given_up_when_its_time_is_over(bench: Make, script: Script) -> None:
    broker = bench(first="0.001s", give_up="0.001s")
    receipt = broker.accept(messages.request())
    script.plan("procedure", Unreachable("no answer"))

    broker.run()

    row = broker.row(receipt.id)
    assert (row.state, row.error) == (State.DEAD, "given up after 1 attempts: no answer")


def dead(broker: Bench) -> str:
    broker.script.plan("procedure", Unreachable("no answer"))
    receipt = broker.accept(messages.request())
    broker.run()
    return receipt.id


def test_a_person_replays_a_dead_message_as_the_same_message(bench: Make, script: Script) -> None:
    broker = bench(first="0.001s", give_up="0.001s")
    id = dead(broker)

    Repair(broker.app, "erika").replay(broker.row(id), "procedure is back")
    broker.run()

    assert broker.state(id) is State.DELIVERED
    assert [one.key for one in script.sent["procedure"]] == [id]


def test_a_person_closes_a_dead_message(bench: Make) -> None:
    broker = bench(first="0.001s", give_up="0.001s")
    id = dead(broker)

    Repair(broker.app, "erika").close(broker.row(id), "sent by letter")

    assert broker.state(id) is State.CLOSED


def test_an_answer_that_matches_nothing_is_dead(bench: Make) -> None:
    broker = bench()

    (id,) = broker.intake.reply("procedure", Incoming("reply", "a", messages.reply("0" * 13)))

    assert broker.state(id) is State.DEAD


def test_an_answer_that_cannot_be_converted_is_dead(bench: Make, script: Script) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())
    reply = messages.reply(broker.row(receipt.id).reference, status="ERFUNDEN")
    script.plan("procedure", Sent("taken", reply))

    broker.run()

    (answer,) = broker.answers()
    assert (broker.state(receipt.id), answer.state) == (State.DELIVERED, State.DEAD)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (messages.invalid(), "X001"),
        (messages.request(key="bab:03999999"), "T080"),
        (messages.request(namespace="urn:example:unknown"), "V001"),
        (messages.request(sender="bap:09999999"), "T070"),
        (messages.request(test=False), "S102"),
    ],
)
def test_a_message_that_can_never_succeed_is_rejected(
    bench: Make, body: bytes, reason: str
) -> None:
    broker = bench()
    receipt = broker.accept(body)

    broker.run()

    row = broker.row(receipt.id)
    assert (row.state, row.reason) == (State.REJECTED, reason)


def test_a_test_message_is_rejected_by_a_productive_channel(bench: Make) -> None:
    broker = bench(test="false")
    receipt = broker.accept(messages.request())

    broker.run()

    assert (broker.state(receipt.id), broker.row(receipt.id).reason) == (State.REJECTED, "S102")


def test_a_message_that_the_procedure_refuses_is_rejected(bench: Make, script: Script) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())
    script.plan("procedure", Refused("the procedure said no: ZUSTAENDIGKEIT"))

    broker.run()

    assert broker.state(receipt.id) is State.REJECTED


def test_a_delivered_message_is_sent_again_only_as_a_new_linked_one(
    bench: Make, script: Script
) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())
    broker.run()
    repair = Repair(broker.app, "erika")

    with pytest.raises(NotPossible, match="--again"):
        repair.replay(broker.row(receipt.id), "lost there")
    id = repair.replay(broker.row(receipt.id), "lost there", again=True)
    broker.run()

    assert (broker.row(id).replays, broker.state(id)) == (receipt.id, State.DELIVERED)
    assert [one.key for one in script.sent["procedure"]] == [receipt.id, id]


@pytest.mark.parametrize("act", ["close", "settle"])
def test_a_finished_message_cannot_be_moved(bench: Make, act: str) -> None:
    broker = bench()
    receipt = broker.accept(messages.request())
    broker.run()

    with pytest.raises(NotPossible, match="is delivered"):
        getattr(Repair(broker.app, "erika"), act)(broker.row(receipt.id), "because")


def test_a_paused_route_waits_and_goes_on_when_resumed(bench: Make) -> None:
    broker = bench()
    repair = Repair(broker.app, "erika")
    repair.pause("bau", "procedure is being moved")
    receipt = broker.accept(messages.request())

    assert broker.app.store.take(Room()) == []
    assert repair.resume("bau", "moved")
    broker.run()

    assert broker.state(receipt.id) is State.DELIVERED


def test_messages_of_one_case_go_one_after_the_other(bench: Make) -> None:
    broker = bench(order="order: case")
    first, second = (broker.accept(messages.request(case="c-1")) for _ in range(2))
    other = broker.accept(messages.request(case="c-2"))

    taken = [job.id for job in broker.app.store.take(Room())]

    assert taken == [first.id, other.id]
    assert broker.state(second.id) is State.WAITING


@pytest.mark.parametrize("error", [DeliveryUnclear("who knows"), Unreachable("no answer")])
def test_an_unfinished_message_holds_its_own_case_and_no_other(
    bench: Make, script: Script, error: Exception
) -> None:
    broker = bench(order="order: case")
    script.plan("procedure", error)
    broker.accept(messages.request(case="c-1"))
    broker.run()
    second, other = (broker.accept(messages.request(case=case)) for case in ("c-1", "c-2"))

    broker.run()

    assert broker.state(second.id) is State.WAITING
    assert broker.state(other.id) is State.DELIVERED


def test_a_rejected_message_frees_its_case(bench: Make, script: Script) -> None:
    broker = bench(order="order: case")
    script.plan("procedure", Refused("no"))
    broker.accept(messages.request(case="c-1"))
    second = broker.accept(messages.request(case="c-1"))

    broker.run()

    assert broker.state(second.id) is State.DELIVERED


def test_every_accepted_message_is_in_exactly_one_state(bench: Make, script: Script) -> None:
    broker = bench()
    script.plan("procedure", Refused("no"), Unreachable("later"))
    for _ in range(5):
        broker.accept(messages.request())
    broker.run()

    counts = broker.app.store.counts()

    assert counts.accepted == 5 + len(broker.answers())
