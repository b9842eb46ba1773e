"""Deliveries in and after the regular window of a channel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from broker.channels.channel import Mark, Prepared, Sent
from broker.message import State, now
from broker.worker import Pace, Worker
from tests import hours, messages
from tests.fakes import WAIT, Bench, Make, benches, until

#: A Sunday morning.
BEFORE, DURING, AFTER = (
    datetime(2026, 11, 29, hour, 30, tzinfo=UTC) for hour in (0, 3, 5)
)  # fmt: skip
SUNDAY = "true, maintenance: Sun 02:00-06:00"


class Clock:
    """The time that the worker reads, and how often it did."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.looks = 0

    def __call__(self) -> datetime:
        self.looks += 1
        return self.at

    def looked(self) -> bool:
        """Whether the worker has looked twice more: what it could take is taken then."""
        seen = self.looks
        return until(lambda: self.looks > seen + 1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(DURING)
    monkeypatch.setattr("broker.worker.now", found)
    return found


def start(broker: Bench, workers: list[Worker]) -> None:
    workers.append(Worker(broker.app, Pace(threads=2, poll=0.02), broker.failures.append))
    workers[-1].start()


def test_what_comes_in_a_window_waits_and_goes_on_by_itself_at_its_end(
    bench: Make, clock: Clock, workers: list[Worker]
) -> None:
    broker = bench(test=SUNDAY)
    start(broker, workers)
    id = broker.accept(messages.request()).id

    assert clock.looked()
    assert (broker.state(id), broker.row(id).attempts) == (State.WAITING, 0)

    clock.at = AFTER
    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_a_window_that_was_over_before_the_start_stops_nothing(
    bench: Make, clock: Clock, workers: list[Worker]
) -> None:
    broker = bench(test=SUNDAY)
    id = broker.accept(messages.request()).id
    clock.at = AFTER

    start(broker, workers)

    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_what_is_in_hand_when_a_window_begins_is_finished(
    bench: Make, clock: Clock, workers: list[Worker]
) -> None:
    broker, begun, gate = bench(test=SUNDAY), Event(), Event()

    def slow(_prepared: Prepared, _mark: Mark) -> Sent:
        begun.set()
        gate.wait(WAIT)
        return Sent("taken")

    broker.script.plan("procedure", slow)
    clock.at = BEFORE
    id = broker.accept(messages.request()).id
    start(broker, workers)
    assert begun.wait(WAIT)
    clock.at = DURING
    assert clock.looked()

    gate.set()

    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_a_window_taken_out_of_the_file_ends_with_the_reload(
    bench: Make, workers: list[Worker]
) -> None:
    window = f", maintenance: {hours.running()}"
    broker = bench(test=f"true{window}")
    id = broker.accept(messages.request()).id
    start(broker, workers)

    file = broker.file.read_text("utf-8")
    broker.file.write_text(file.replace(window, ""), "utf-8")
    assert broker.app.site.maintenance.closed(now()) == {"procedure"}
    broker.app.reload()

    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_what_a_window_kept_for_longer_than_give_up_is_tried_once_afterwards(
    bench: Make, clock: Clock, workers: list[Worker]
) -> None:
    broker = bench(test=SUNDAY, give_up="0s")
    id = broker.accept(messages.request()).id
    start(broker, workers)
    assert clock.looked()
    assert broker.state(id) is State.WAITING

    clock.at = AFTER

    assert until(lambda: broker.state(id) is State.DELIVERED)
