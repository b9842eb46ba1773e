"""The journal alone says what the store says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.channels.channel import Incoming, Mark, Prepared, Sent
from broker.errors import Conflict, DeliveryUnclear, Refused, StoreError, Unreachable
from broker.journal.rebuild import Rebuilt, rebuild
from broker.journal.trail import entry
from broker.message import State
from broker.repair import Repair
from broker.stores.contract import Change, Entry, Filter, Room
from broker.upkeep import expire
from tests import messages
from tests.fakes import Bench, Make, benches


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def stored(broker: Bench) -> dict[str, Rebuilt]:
    rows = broker.app.store.rows(Filter(limit=1000))
    return {
        row.id: Rebuilt(row.state, row.attempts, row.route, row.channel, row.answers, row.replays)
        for row in rows
    }


def written(broker: Bench) -> dict[str, Rebuilt]:
    return rebuild(broker.app.store.entries())


def marked(_prepared: Prepared, mark: Mark) -> Sent:
    mark()
    raise DeliveryUnclear("the connection broke")


def retries(broker: Bench, id: str) -> None:
    while broker.row(id).attempts < 3:
        broker.run()


def test_a_day_of_everything_can_be_rebuilt(bench: Make) -> None:
    broker = bench(first="0.001s", order="order: case")
    erika = Repair(broker.app, "erika")

    plain = broker.accept(messages.request()).id
    broker.run()
    broker.accept(messages.request(key="bab:03999999"))
    broker.accept(messages.request(namespace="urn:example:unknown"))
    broker.accept(messages.invalid())
    broker.run()
    broker.script.plan("procedure", Unreachable("a"), Unreachable("b"), Refused("no"))
    retries(broker, broker.accept(messages.request()).id)
    reply = messages.reply(broker.row(plain).reference)
    broker.intake.reply("procedure", Incoming("reply", "a", reply))
    broker.intake.reply("procedure", Incoming("reply", "a", reply))
    broker.intake.reply("procedure", Incoming("reply", "b", messages.reply("0" * 13)))
    broker.run()
    again = erika.replay(broker.row(plain), "lost there", again=True)
    broker.run()
    missing = "http://www.xleitstelle.de/xbau/2/9"
    held = [broker.accept(messages.request(namespace=missing)).id for _ in range(2)]
    broker.run()
    expire(broker.app, 0)
    erika.close(broker.row(held[0]), "sent by letter")
    broker.script.plan("procedure", marked, marked, marked)
    doubts = []
    for _ in range(3):
        doubts.append(broker.accept(messages.request()).id)
        broker.run()
    erika.settle(broker.row(doubts[0]), "found")
    erika.replay(broker.row(doubts[1]), "not there", again=True)
    broker.run()
    body = messages.request(name="11111111-1111-4111-8111-111111111111")
    broker.accept(body)
    broker.accept(body)
    with pytest.raises(Conflict):
        broker.accept(messages.request(name="11111111-1111-4111-8111-111111111111"))
    erika.pause("bau", "moving")
    erika.resume("bau", "moved")

    assert written(broker) == stored(broker)
    assert written(broker)[again].replays == plain
    states = {one.state for one in written(broker).values()}
    assert states == set(State) - {State.WORKING, State.HELD}


def test_crashes_can_be_rebuilt_up_to_the_one_that_is_the_end(bench: Make) -> None:
    broker = bench()
    ids = [broker.accept(messages.request()).id for _ in range(3)]
    broker.app.store.take(Room())
    broker.crash()
    assert written(broker) == stored(broker)
    while State.DEAD not in {broker.state(id) for id in ids}:
        (job,) = broker.app.store.take(Room())
        marking = Change(job.id, job.token, State.WORKING, sending=True)
        broker.app.store.change([marking]).result()
        broker.crash()
        assert written(broker) == stored(broker)

    assert [written(broker)[id].state for id in ids].count(State.DEAD) == 1
    broker.run()
    assert written(broker) == stored(broker)


def test_a_message_given_up_can_be_rebuilt(bench: Make) -> None:
    broker = bench(first="0.001s", give_up="0.001s")
    broker.script.plan("procedure", Unreachable("a"))
    id = broker.accept(messages.request()).id
    broker.run()

    assert written(broker) == stored(broker)
    assert written(broker)[id].state is State.DEAD


def test_a_new_route_can_be_rebuilt(bench: Make) -> None:
    broker = bench()
    broker.script.plan("procedure", marked)
    id = broker.accept(messages.request()).id
    broker.run()
    changed = broker.file.read_text(encoding="utf-8").replace("name: bau\n", "name: bau-neu\n")
    broker.file.write_text(changed, encoding="utf-8")
    broker.app.reload()
    Repair(broker.app, "erika").replay(broker.row(id), "moved", again=True, reroute=True)
    broker.run()

    assert written(broker) == stored(broker)
    assert written(broker)[id].route == "bau-neu"


def test_what_is_in_hand_stands_as_before_with_one_attempt_less(bench: Make) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    broker.app.store.take(Room())

    found = written(broker)[id]

    assert (found.state, found.attempts) == (State.WAITING, 0)


def test_an_entry_filed_under_another_message_is_refused() -> None:
    made = entry("m-1", "accepted", state="waiting")

    with pytest.raises(StoreError, match="another message"):
        rebuild([Entry("m-2", "accepted", made.body, 7)])


def test_a_move_of_a_message_that_was_never_accepted_is_refused() -> None:
    with pytest.raises(StoreError, match="never accepted"):
        rebuild([entry("m-1", "delivered", state="delivered")])


def test_entries_of_the_site_move_no_message() -> None:
    assert rebuild([entry("", "started", pid=1), entry("", "stopped", pid=1)]) == {}
