"""What a person does: only where it applies, with name and reason, and never twice in effect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.channels.channel import Incoming, Sent
from broker.errors import DeliveryUnclear, Refused
from broker.journal.entry import decode
from broker.message import State
from broker.repair import NotPossible, Repair
from broker.stores.contract import Room
from broker.stores.sqlite import SqliteStore
from tests import messages
from tests.fakes import Bench, Make, benches


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def unclear(broker: Bench) -> str:
    broker.script.plan("procedure", DeliveryUnclear("the connection broke"))
    id = broker.accept(messages.request()).id
    broker.run()
    return id


def erika(broker: Bench) -> Repair:
    return Repair(broker.app, "erika")


def test_every_act_names_the_person_the_reason_and_both_states(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)

    erika(broker).close(broker.row(id), "sent by letter")

    line = decode(list(broker.app.store.entries(id))[-1])
    facts = line.facts
    assert (line.event, line.actor) == ("closed", "erika")
    assert (facts["reason"], facts["was"], facts["state"]) == (
        "sent by letter",
        "unclear",
        "closed",
    )


def test_a_message_that_was_moved_meanwhile_is_left_alone(bench: Make) -> None:
    broker = bench()
    row = broker.row(unclear(broker))
    erika(broker).settle(row, "found")

    with pytest.raises(NotPossible, match="not unclear any more; look at it again"):
        erika(broker).close(row, "sent by letter")

    assert broker.state(row.id) is State.DELIVERED


def test_a_reply_that_matches_nothing_cannot_be_replayed(bench: Make) -> None:
    broker = bench()
    incoming = Incoming("reply", "a", messages.reply("0" * 13))
    (id,) = broker.intake.reply("procedure", incoming)

    with pytest.raises(NotPossible, match="matches no delivery"):
        Repair(broker.app, "erika").replay(broker.row(id), "again")

    assert broker.state(id) is State.DEAD


def test_a_message_in_work_cannot_be_replayed(bench: Make) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    broker.app.store.take(Room())

    with pytest.raises(NotPossible, match="is working"):
        erika(broker).replay(broker.row(id), "hurry")


@pytest.mark.parametrize("again", [False, True])
def test_a_rejected_message_cannot_be_replayed(bench: Make, again: bool) -> None:
    broker = bench()
    broker.script.plan("procedure", Refused("no"))
    id = broker.accept(messages.request()).id
    broker.run()

    with pytest.raises(NotPossible, match="is rejected"):
        erika(broker).replay(broker.row(id), "because", again)


def test_a_message_sent_again_is_written_down_on_both_sides_at_once(bench: Make) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    broker.run()

    new = erika(broker).replay(broker.row(id), "lost there", again=True)

    assert broker.events(id)[-1] == "replayed"
    assert decode(list(broker.app.store.entries(id))[-1]).facts["name"] == new
    assert broker.events(new) == ["replayed", "accepted"]


def test_a_message_sent_again_has_a_key_and_a_reference_of_its_own(bench: Make) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    broker.run()
    new = erika(broker).replay(broker.row(id), "lost there", again=True)
    broker.run()

    first, second = broker.script.sent["procedure"]

    assert (first.key, second.key) == (id, new)
    assert first.reference != second.reference


def test_an_answer_sent_again_goes_over_the_return_channel_again(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    reply = messages.reply(broker.row(request.id).reference)
    broker.script.plan("procedure", Sent("taken", reply))
    broker.run()
    (answer,) = broker.answers()

    new = erika(broker).replay(answer, "lost there", again=True)
    broker.run()

    assert broker.state(new) is State.DELIVERED
    assert (broker.row(new).answers, broker.row(new).replays) == (request.id, answer.id)
    assert len(broker.script.sent["return"]) == 2


def test_a_rejection_sent_again_has_the_bytes_of_the_first(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request(key="bab:03999999"))
    broker.run()
    (answer,) = broker.answers()

    erika(broker).replay(answer, "lost there", again=True)
    broker.run()

    first, second = broker.script.sent["return"]
    assert first.body == second.body


def erase(broker: Bench, id: str) -> None:
    store = broker.app.store
    assert isinstance(store, SqliteStore)
    with store._writing.begin() as connection:
        connection.execute(text("DELETE FROM payloads WHERE message = :id"), {"id": id})


@pytest.mark.parametrize("again", [False, True])
def test_a_message_whose_payload_was_erased_cannot_be_replayed(bench: Make, again: bool) -> None:
    broker = bench()
    id = unclear(broker)
    if not again:
        erika(broker).settle(broker.row(id), "found")
    erase(broker, id)

    with pytest.raises(NotPossible, match="was erased"):
        erika(broker).replay(broker.row(id), "because", again=True)


def test_a_message_is_rerouted_by_the_table_in_force(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)
    changed = broker.file.read_text(encoding="utf-8").replace("name: bau\n", "name: bau-neu\n")
    broker.file.write_text(changed, encoding="utf-8")
    broker.app.reload()

    erika(broker).replay(broker.row(id), "new procedure", again=True, reroute=True)

    row, line = broker.row(id), decode(list(broker.app.store.entries(id))[-1])
    assert (row.route, row.ready) == ("bau-neu", False)
    assert (row.table, line.facts["table"]) == (broker.app.site.table.table.digest,) * 2
    assert line.facts["route"] == "bau-neu"
    broker.run()
    assert broker.state(id) is State.DELIVERED


def test_an_answer_is_not_rerouted(bench: Make) -> None:
    broker = bench()
    reference = broker.row(broker.accept(messages.request()).id).reference
    unknown = messages.reply(reference, status="ERFUNDEN")
    (id,) = broker.intake.reply("procedure", Incoming("reply", "a", unknown))
    broker.run()

    with pytest.raises(NotPossible, match="its way follows from its request"):
        erika(broker).replay(broker.row(id), "because", reroute=True)


def test_a_route_that_was_not_stopped_cannot_be_resumed(bench: Make) -> None:
    broker = bench()

    assert not erika(broker).resume("bau", "because")
    assert list(broker.app.store.entries()) == []


def test_an_answer_without_a_way_back_takes_the_one_it_was_given_since(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request()).id
    text = broker.file.read_text(encoding="utf-8")
    broker.file.write_text(text.replace(", answer: return", ""), encoding="utf-8")
    broker.app.reload()
    broker.script.plan("procedure", Sent("taken", messages.reply(broker.row(request).reference)))
    broker.run()
    (answer,) = broker.answers()
    assert (answer.state, answer.channel) == (State.DEAD, "")

    with pytest.raises(NotPossible, match="no return channel"):
        erika(broker).replay(answer, "repaired", reroute=True)
    broker.file.write_text(text, encoding="utf-8")
    broker.app.reload()
    with pytest.raises(NotPossible, match="replay --reroute"):
        erika(broker).replay(answer, "repaired")
    erika(broker).replay(answer, "repaired", reroute=True)
    broker.run()

    assert broker.state(answer.id) is State.DELIVERED
    assert len(broker.script.sent["return"]) == 1


def test_a_message_sent_again_can_take_the_route_of_today(bench: Make) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    broker.run()
    changed = broker.file.read_text(encoding="utf-8").replace("name: bau\n", "name: bau-neu\n")
    broker.file.write_text(changed, encoding="utf-8")
    broker.app.reload()

    old = erika(broker).replay(broker.row(id), "lost there", again=True)
    new = erika(broker).replay(broker.row(id), "lost there", again=True, reroute=True)

    assert (broker.row(old).route, broker.row(new).route) == ("bau", "bau-neu")
