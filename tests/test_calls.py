"""The worker at a doorbell: it takes what is called for, and misses nothing without a call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from broker.channels.channel import Mark, Prepared, Sent
from broker.errors import Unreachable
from broker.intake import Intake
from broker.message import State
from broker.stores.contract import Job, Room
from broker.stores.doorbell import Call
from broker.stores.mending import Names
from broker.worker import Pace, Worker
from tests import messages
from tests.bells import House, MemoryDoorbell
from tests.fakes import WAIT, Bench, Make, benches, until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


class Spied:
    """What a worker asks of its store."""

    def __init__(self, broker: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rooms: list[Room] = []
        self.asked = 0
        store = broker.app.store
        take, due = store.take, store.due

        def spied(room: Room) -> list[Job]:
            self.rooms.append(room)
            return take(room)

        def counted(closed: Names = ()) -> bool:
            self.asked += 1
            return due(closed)

        monkeypatch.setattr(store, "take", spied)
        monkeypatch.setattr(store, "due", counted)


def start(broker: Bench, workers: list[Worker], bell: MemoryDoorbell, poll: float = 3600) -> Worker:
    worker = Worker(broker.app, Pace(2, poll=poll), broker.failures.append, None, bell)
    workers.append(worker)
    worker.start()
    assert until(lambda: not worker._more)  # the look at the start is over
    return worker


def ringing(broker: Bench, bell: MemoryDoorbell) -> Intake:
    return Intake(broker.app, ring=bell.ring)


def test_what_is_accepted_is_called_for_and_taken_by_its_id(
    bench: Make, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, bell = bench(), MemoryDoorbell()
    spied = Spied(broker, monkeypatch)
    start(broker, workers, bell)

    id = ringing(broker, bell).accept(messages.request(), "bauportal", "test").id

    assert until(lambda: broker.state(id) is State.DELIVERED)
    assert ("procedure", id) in bell.rung
    assert [room.ids for room in spied.rooms if room.ids] == [(id,)]
    assert spied.asked == 0


def test_a_repeat_and_what_no_route_takes_later_is_not_rung_for_twice(bench: Make) -> None:
    broker, bell, body = bench(), MemoryDoorbell(), messages.request()
    intake = ringing(broker, bell)
    for _ in range(2):
        intake.accept(body, "bauportal", "test")

    assert len(bell.rung) == 1


def test_the_answer_that_comes_with_a_delivery_is_called_for(
    bench: Make, workers: list[Worker]
) -> None:
    broker, bell = bench(), MemoryDoorbell()
    start(broker, workers, bell)

    def send(prepared: Prepared, _mark: Mark) -> Sent:
        return Sent("taken", messages.reply(prepared.reference))

    broker.script.plan("procedure", send)
    ringing(broker, bell).accept(messages.request(), "bauportal", "test")

    assert until(lambda: [row.state for row in broker.answers()] == [State.DELIVERED])
    assert ("return", broker.answers()[0].id) in bell.rung


def test_the_next_of_a_case_goes_on_without_a_call(bench: Make, workers: list[Worker]) -> None:
    broker, bell = bench(order="order: case"), MemoryDoorbell()
    start(broker, workers, bell)
    gate, begun = Event(), Event()

    def hang(_prepared: Prepared, _mark: Mark) -> Sent:
        begun.set()
        gate.wait(WAIT)
        return Sent("taken")

    broker.script.plan("procedure", hang)
    intake = ringing(broker, bell)
    first = intake.accept(messages.request(case="c-1"), "bauportal", "test").id
    assert begun.wait(WAIT)
    second = intake.accept(messages.request(case="c-1"), "bauportal", "test").id
    assert until(lambda: not bell.house.calls)

    gate.set()

    assert until(lambda: broker.state(second) is State.DELIVERED)
    assert broker.state(first) is State.DELIVERED


def test_what_a_channel_had_no_room_for_is_taken_once_it_has(
    bench: Make, workers: list[Worker]
) -> None:
    broker, bell = bench(first="0.01s"), MemoryDoorbell()
    start(broker, workers, bell)
    broker.script.plan("procedure", Unreachable("down"))
    intake = ringing(broker, bell)
    weak = intake.accept(messages.request(), "bauportal", "test").id
    assert until(lambda: broker.row(weak).error == "down")

    ids = [intake.accept(messages.request(), "bauportal", "test").id for _ in range(8)]

    assert until(lambda: all(broker.state(id) is State.DELIVERED for id in ids))


def test_without_a_connection_it_looks_by_itself(bench: Make, workers: list[Worker]) -> None:
    broker, bell = bench(), MemoryDoorbell()
    bell.connected = False
    start(broker, workers, bell, poll=0.02)

    id = broker.accept(messages.request()).id

    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_a_call_that_was_lost_is_made_good_by_a_seldom_look(
    bench: Make, workers: list[Worker]
) -> None:
    broker, bell = bench(), MemoryDoorbell()
    start(broker, workers, bell, poll=0.01)

    id = broker.accept(messages.request()).id

    assert bell.rung == []
    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_a_worker_that_is_woken_looks_although_nobody_rang(
    bench: Make, workers: list[Worker]
) -> None:
    broker, bell = bench(), MemoryDoorbell()
    worker = start(broker, workers, bell)
    id = broker.accept(messages.request()).id

    worker.wake()

    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_calls_for_nothing_and_calls_that_come_twice_do_no_harm(
    bench: Make, workers: list[Worker]
) -> None:
    broker, bell = bench(), MemoryDoorbell()
    start(broker, workers, bell)
    id = broker.accept(messages.request()).id
    for ids in ((id, id), ("nonsense",), (id,), ()):
        bell.house.calls.append(Call(ids))

    bell.house.tell()

    assert until(lambda: broker.state(id) is State.DELIVERED and not bell.house.calls)
    assert len(broker.script.sent["procedure"]) == 1
    assert until(lambda: not bell._hands)


def test_two_workers_share_what_is_called_for(bench: Make, workers: list[Worker]) -> None:
    broker, house = bench(), House()
    bells = [MemoryDoorbell(house), MemoryDoorbell(house)]
    for bell in bells:
        start(broker, workers, bell)
    intake = ringing(broker, bells[0])

    futures = [intake.begin(messages.request(), "bauportal")[1] for _ in range(200)]
    ids = {future.result().id for future in futures}

    assert until(lambda: all(broker.state(id) is State.DELIVERED for id in ids))
    sent = [one.key for one in broker.script.sent["procedure"]]
    assert sorted(sent) == sorted(ids)
