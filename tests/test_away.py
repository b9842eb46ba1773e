"""The worker while the store is away: it waits, and neither loses nor doubles nor doubts."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from broker.channels.channel import Mark, Prepared, Sent
from broker.errors import StoreAway
from broker.message import State
from broker.outage import Outage
from broker.stores.contract import Change
from broker.worker import Pace, Worker
from tests import messages
from tests.fakes import WAIT, Bench, Make, benches, until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


class Database:
    """Takes a store away and gives it back: whatever is asked meanwhile is not answered."""

    def __init__(self, broker: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.away = False
        for name in ("take", "due", "row", "payload", "entries"):
            monkeypatch.setattr(broker.app.store, name, self._asked(broker, name))
        for name in ("change", "note", "learn", "accept", "release", "renew"):
            monkeypatch.setattr(broker.app.store, name, self._handed(broker, name))

    def _asked(self, broker: Bench, name: str) -> Callable[..., Any]:
        act = getattr(broker.app.store, name)

        def ask(*args: Any) -> Any:
            if self.away:
                raise StoreAway("no answer from the database")
            return act(*args)

        return ask

    def _handed(self, broker: Bench, name: str) -> Callable[..., Any]:
        act = getattr(broker.app.store, name)

        def hand(*args: Any) -> Any:
            if not self.away:
                return act(*args)
            lost: Future[Any] = Future()
            lost.set_exception(StoreAway("no answer from the database"))
            return lost

        return hand


def worker(broker: Bench, term: float = 30.0) -> Worker:
    made = Worker(broker.app, Pace(2, poll=0.02, term=term), broker.failures.append, Outage())
    made.start()
    return made


def events(quiet: io.BytesIO) -> list[str]:
    return [json.loads(line)["event"] for line in quiet.getvalue().splitlines()]


def test_it_goes_on_when_the_store_is_back_and_says_both_once(
    bench: Make, monkeypatch: pytest.MonkeyPatch, quiet: io.BytesIO
) -> None:
    broker = bench()
    database = Database(broker, monkeypatch)
    running = worker(broker)
    id = broker.accept(messages.request()).id
    assert until(lambda: broker.state(id) is State.DELIVERED)
    database.away = True
    assert until(lambda: "away" in events(quiet))
    database.away = False

    again = broker.accept(messages.request()).id

    assert until(lambda: broker.state(again) is State.DELIVERED)
    assert running.stop(WAIT)
    assert [name for name in events(quiet) if name in ("away", "back")] == ["away", "back"]
    assert broker.failures == []


def test_an_outcome_waits_for_the_store(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = bench()
    database = Database(broker, monkeypatch)

    def send(_prepared: Prepared, mark: Mark) -> Sent:
        mark()
        database.away = True
        return Sent("taken")

    broker.script.plan("procedure", send)
    id = broker.accept(messages.request()).id
    running = worker(broker)
    assert until(lambda: database.away)
    assert until(lambda: running._outage.away)
    database.away = False

    assert until(lambda: broker.state(id) is State.DELIVERED)
    assert broker.events(id).count("delivered") == 1
    assert running.stop(WAIT)


def test_where_the_mark_cannot_be_written_nothing_is_sent_and_nothing_is_in_doubt(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench(first="0.01s")
    database = Database(broker, monkeypatch)
    passed: list[bool] = []

    def send(_prepared: Prepared, mark: Mark) -> Sent:
        database.away = True
        mark()
        passed.append(True)
        return Sent("taken")

    broker.script.plan("procedure", send)
    id = broker.accept(messages.request()).id
    running = worker(broker)
    assert until(lambda: running._outage.away)
    database.away = False

    assert until(lambda: broker.state(id) is State.DELIVERED)
    assert passed == []
    assert broker.script.asked == []
    assert broker.row(id).attempts == 2
    assert running.stop(WAIT)


def marking(_prepared: Prepared, mark: Mark) -> Sent:
    mark()
    return Sent("taken")


def test_a_mark_whose_answer_was_lost_is_taken_back(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench(first="0.01s")
    change, lost = broker.app.store.change, list[int]()

    def losing(changes: list[Change]) -> Future[list[bool]]:
        future = change(changes)
        if changes[0].sending and not lost:
            lost.append(1)
            future.result()
            future = Future()
            future.set_exception(StoreAway())
        return future

    monkeypatch.setattr(broker.app.store, "change", losing)
    broker.script.plan("procedure", marking)
    id = broker.accept(messages.request()).id
    running = worker(broker)

    assert until(lambda: broker.state(id) is State.DELIVERED)
    assert broker.script.asked == []
    assert running.stop(WAIT)


def test_what_was_being_prepared_is_prepared_again(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    database = Database(broker, monkeypatch)
    broker.script.plan("procedure", lambda one, _: Sent("taken", messages.reply(one.reference)))
    take, taken = broker.app.store.take, Event()

    def taking(*args: Any) -> Any:
        jobs = take(*args)
        if any(job.answers for job in jobs):
            # the answer is converted with the request, which has to be read
            database.away = True
            taken.set()
        return jobs

    monkeypatch.setattr(broker.app.store, "take", taking)
    broker.accept(messages.request())
    running = worker(broker)
    assert taken.wait(WAIT)
    assert until(lambda: running._outage.away)
    database.away = False

    assert until(lambda: [row.state for row in broker.answers()] == [State.DELIVERED])
    assert running.stop(WAIT)


def test_what_is_given_up_is_left_to_whoever_takes_it_over(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    database = Database(broker, monkeypatch)

    def send(_prepared: Prepared, mark: Mark) -> Sent:
        mark()
        database.away = True
        return Sent("taken")

    broker.script.plan("procedure", send)
    id = broker.accept(messages.request()).id
    running = worker(broker, term=0.01)
    assert until(lambda: database.away)
    assert running.idle(WAIT)
    assert running._hand.leased() == []
    assert running._hand.tokens() != []
    database.away = False

    assert running.stop(WAIT)
    # It was given back with its mark: the other side is asked before anything is sent again.
    assert broker.state(id) is State.WAITING
    broker.run()
    assert broker.script.asked == [id]
    assert broker.failures == []


def test_stopping_while_the_store_is_away_ends(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    database = Database(broker, monkeypatch)
    begun, gate = Event(), Event()

    def hang(_prepared: Prepared, _mark: Mark) -> Sent:
        begun.set()
        gate.wait(WAIT)
        return Sent("taken")

    broker.script.plan("procedure", hang)
    broker.accept(messages.request())
    running = worker(broker)
    assert begun.wait(WAIT)
    database.away = True
    gate.set()

    assert not running.stop(0.1)
    database.away = False


def test_leases_in_hand_are_renewed_on_a_shared_store(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    begun, gate = Event(), Event()
    renewed: list[tuple[str, ...]] = []
    renew = broker.app.store.renew

    def noting(tokens: list[str], term: float) -> Future[None]:
        renewed.append(tuple(tokens))
        return renew(tokens, term)

    def hang(_prepared: Prepared, _mark: Mark) -> Sent:
        begun.set()
        gate.wait(WAIT)
        return Sent("taken")

    monkeypatch.setattr(broker.app.store, "renew", noting)
    monkeypatch.setattr(broker.app.store, "shared", True)
    broker.script.plan("procedure", hang)
    id = broker.accept(messages.request()).id
    running = worker(broker, term=0.03)
    assert begun.wait(WAIT)

    assert until(lambda: len(renewed) > 3)
    assert len(set(renewed)) == 1
    assert len(renewed[0]) == 1
    gate.set()
    assert until(lambda: broker.state(id) is State.DELIVERED)
    assert running.stop(WAIT)
    assert not running._keeper.is_alive() or running._ended.is_set()
