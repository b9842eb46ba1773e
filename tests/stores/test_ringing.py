"""Ringing without a server: window, refusals, queues that rest, limits of memory."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from broker.stores import ringing as module
from broker.stores import wire
from broker.stores.ringing import WINDOW, Ringing
from tests.contracts.test_doorbell import ids

NAMES = wire.queues("x")
CHANNEL = "wolfsburg-bau"
QUEUE = wire.place(CHANNEL)


class Wire:
    """A channel that confirms when it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, tuple[str, ...]]] = []
        self._confirmed: Callable[[Any], None] = print
        self.returned: Callable[..., None] = print

    def confirm_delivery(self, confirmed: Callable[[Any], None], callback: Any) -> None:
        self._confirmed = confirmed

    def add_on_return_callback(self, returned: Callable[..., None]) -> None:
        self.returned = returned

    def basic_publish(
        self, _exchange: str, name: str, body: bytes, *_: Any, mandatory: bool
    ) -> None:
        assert mandatory
        self.sent.append((name, wire.decode(body)))

    def confirm(self, tag: int, *, name: str = "Basic.Ack", multiple: bool = False) -> None:
        method = SimpleNamespace(delivery_tag=tag, multiple=multiple, NAME=name)
        self._confirmed(SimpleNamespace(method=method))

    def give_back(self, name: str, body: bytes) -> None:
        self.returned(self, SimpleNamespace(routing_key=name), None, body)


class House:
    """Remembers what it was told; time passes when a test says so."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.timers: list[Callable[[], object]] = []

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        self.timers.append(act)

    def changed(self) -> None:
        self.told.append("changed")

    def renew(self) -> None:
        self.told.append("renew")

    def missing(self, queue: int) -> None:
        self.told.append(f"missing {queue}")

    def alive(self, queue: int) -> None:
        self.told.append(f"alive {queue}")

    def emptied(self) -> None:
        self.told.append("emptied")

    def pass_time(self) -> None:
        timers, self.timers = self.timers, []
        for act in timers:
            act()


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def line() -> Wire:
    return Wire()


@pytest.fixture
def ringing(house: House, line: Wire) -> Ringing:
    made = Ringing(NAMES, house)
    connect(made, line)
    return made


def connect(ringing: Ringing, line: Wire) -> None:
    ringing.confirming(line, print)
    ringing.open(line)
    for queue in range(len(NAMES)):
        ringing.awake(queue)


def ring(ringing: Ringing, count: int, channel: str = CHANNEL) -> list[str]:
    rung = ids(count)
    ringing.add((channel, id) for id in rung)
    ringing.pump()
    return rung


def test_ids_of_a_queue_travel_together(ringing: Ringing, line: Wire) -> None:
    rung = ring(ringing, 25)

    assert line.sent == [(NAMES[QUEUE], tuple(rung[:20])), (NAMES[QUEUE], tuple(rung[20:]))]


def test_an_id_that_waits_already_is_rung_once(ringing: Ringing, line: Wire) -> None:
    ringing.add([(CHANNEL, "a" * 36)] * 3)
    ringing.pump()

    assert len(line.sent) == 1


def test_no_more_than_a_window_is_unconfirmed(ringing: Ringing, line: Wire) -> None:
    for number in range(40):
        ringing.add((f"channel-{number}", id) for id in ids(400))
    ringing.pump()
    first = len(line.sent)
    line.confirm(10, multiple=True)

    assert (first, len(line.sent)) == (WINDOW, WINDOW + 10)


def test_a_queue_that_confirms_nothing_leaves_room_for_others(ringing: Ringing, line: Wire) -> None:
    ring(ringing, 10_000)
    other = next(f"c{n}" for n in range(99) if wire.place(f"c{n}") != QUEUE)
    ring(ringing, 1, other)

    assert line.sent[-1][0] == NAMES[wire.place(other)]


def test_what_is_confirmed_is_done(ringing: Ringing, line: Wire, house: House) -> None:
    ring(ringing, 45)
    line.confirm(2)
    line.confirm(3, multiple=True)

    assert ringing.idle
    assert house.told == ["emptied"]


def test_what_is_refused_is_rung_again_after_a_rest(
    ringing: Ringing, line: Wire, house: House
) -> None:
    ring(ringing, 1)
    line.confirm(1, name="Basic.Nack")
    before = len(line.sent)
    house.pass_time()

    assert before == 1
    assert line.sent == [line.sent[0]] * 2


def test_what_comes_back_waits_for_its_queue(ringing: Ringing, line: Wire, house: House) -> None:
    rung = ring(ringing, 1)
    line.give_back(NAMES[QUEUE], wire.encode(rung))
    line.confirm(1)
    before = len(line.sent)
    ringing.awake(QUEUE)

    assert before == 1
    assert line.sent == [line.sent[0]] * 2
    assert house.told == [f"missing {QUEUE}"]


def test_a_probe_tells_that_a_queue_works(ringing: Ringing, line: Wire, house: House) -> None:
    ringing.probe(3)
    line.confirm(1)

    assert house.told == ["alive 3", "emptied"]


def test_a_probe_that_comes_back_tells_nothing_good(
    ringing: Ringing, line: Wire, house: House
) -> None:
    ringing.probe(3)
    line.give_back(NAMES[3], wire.PROBE)
    line.confirm(1)

    assert house.told == ["missing 3", "emptied"]


def test_what_was_not_confirmed_is_rung_over_the_next_connection(
    ringing: Ringing, line: Wire
) -> None:
    rung = ring(ringing, 30)
    line.confirm(1)
    ringing.lost()
    second = Wire()
    connect(ringing, second)
    line.confirm(1)

    assert second.sent == [(NAMES[QUEUE], tuple(rung[20:]))]
    assert not ringing.idle


def test_beyond_a_limit_ids_are_forgotten_which_is_said_once(
    house: House, quiet: io.BytesIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 50)
    ringing, line = Ringing(NAMES, house), Wire()
    for _ in range(3):
        ring(ringing, 40)
    connect(ringing, line)

    said = [json.loads(text) for text in quiet.getvalue().splitlines()]
    assert [text["event"] for text in said] == ["forgotten"]
    assert sum(len(sent) for _, sent in line.sent) == 50


def test_a_queue_that_confirms_nothing_is_named_until_it_does(
    ringing: Ringing, line: Wire, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0)
    ring(ringing, 1)
    house.pass_time()
    stalled = ringing.stalled
    line.confirm(1)

    assert (stalled, ringing.stalled) == (NAMES[QUEUE], "")
    assert house.told == ["changed", "renew", "changed", "emptied"]


def test_a_queue_that_refuses_every_probe_is_named(
    ringing: Ringing, line: Wire, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0)
    ringing.probe(3)
    line.confirm(1, name="Basic.Nack")
    house.pass_time()

    assert ringing.stalled == NAMES[3]
    assert "renew" in house.told
