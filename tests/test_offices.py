"""What one process at a time does, and what happens when it ends or the store goes away."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Event

import pytest

from broker.errors import StoreAway, StoreError
from broker.offices import Chore, Offices, Rota, process, processes
from broker.outage import Outage
from tests.fakes import WAIT, Bench, Make, benches, until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def offices(broker: Bench, owner: str, *names: str, term: float = 60) -> Offices:
    return Offices(broker.app.store, owner, lambda: names or ("seal",), term, Outage())


def test_an_office_has_one_holder(bench: Make) -> None:
    broker = bench()
    first, second = offices(broker, "a", "seal"), offices(broker, "b", "seal", "sweep")
    first.ask()
    second.ask()

    assert (first.has("seal"), second.has("seal"), second.has("sweep")) == (True, False, True)


def test_what_is_given_back_is_free_at_once(bench: Make) -> None:
    broker = bench()
    first, second = offices(broker, "a"), offices(broker, "b")
    first.start(broker.failures.append)
    first.stop()
    second.ask()

    assert (first.has("seal"), second.has("seal")) == (False, True)


def test_what_a_dead_holder_had_is_free_after_the_term(bench: Make) -> None:
    broker = bench()
    first, second = offices(broker, "a", term=-1), offices(broker, "b")
    first.ask()
    second.ask()

    assert (first.has("seal"), second.has("seal")) == (False, True)


def test_on_one_machine_a_killed_process_is_followed_without_waiting(bench: Make) -> None:
    broker = bench()
    offices(broker, "worker", "seal", "receive:gone").ask()
    after = offices(broker, "worker", "seal")
    after.start(broker.failures.append)
    other = offices(broker, "intake", "receive:gone")
    other.ask()

    assert (after.has("seal"), other.has("receive:gone")) == (True, True)
    after.stop()


def test_the_store_tells_who_holds_what(bench: Make) -> None:
    broker = bench()
    own = process("worker", "host-a", 7)
    offices(broker, "a", "seal", own).ask()
    offices(broker, "b", "sweep", term=-1).ask()

    held = broker.app.store.holders()

    assert held == {"seal": "a", own: "a"}
    assert processes(held) == ["worker:host-a:7"]


def test_it_asks_again_by_itself(bench: Make) -> None:
    broker = bench()
    first, second = offices(broker, "a"), offices(broker, "b", term=1.5)
    first.ask()
    second.start(broker.failures.append)
    assert not second.has("seal")
    broker.app.store.resign("a").result()

    assert until(lambda: second.has("seal"))
    second.stop()


def test_while_the_store_is_away_an_office_lasts_until_its_term(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    held, over = offices(broker, "a"), offices(broker, "b", "sweep", term=0)
    held.ask()
    over.ask()
    away: Future[frozenset[str]] = Future()
    away.set_exception(StoreAway())
    monkeypatch.setattr(broker.app.store, "elect", lambda *_: away)
    held.ask()
    over.ask()

    assert (held.has("seal"), over.has("sweep")) == (True, False)


def test_a_store_that_fails_is_told(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = bench()
    asking = offices(broker, "a", term=0.03)
    asking.start(broker.failures.append)
    failed: Future[frozenset[str]] = Future()
    failed.set_exception(StoreError("disk I/O error"))
    monkeypatch.setattr(broker.app.store, "elect", lambda *_: failed)

    assert until(lambda: bool(broker.failures))
    asking.stop()


def test_a_chore_is_done_by_the_holder_only() -> None:
    mine, others, everybody = Event(), Event(), Event()
    chores = [Chore("a", 0.001, mine.set), Chore("b", 0.001, others.set),
              Chore("", 0.001, everybody.set)]  # fmt: skip
    rota = Rota(lambda name: name == "a", chores, Outage())
    rota.start(lambda _error: None)

    assert mine.wait(WAIT)
    assert everybody.wait(WAIT)
    rota.stop(WAIT)
    assert not others.is_set()


def test_a_long_chore_delays_no_other() -> None:
    gate, begun, other = Event(), Event(), Event()

    def hang() -> None:
        begun.set()
        gate.wait(WAIT)

    rota = Rota(lambda _: True, [Chore("a", 0.001, hang), Chore("b", 0.001, other.set)], Outage())
    rota.start(lambda _error: None)

    assert begun.wait(WAIT)
    assert other.wait(WAIT)
    gate.set()
    rota.stop(WAIT)


def test_a_chore_goes_on_after_the_store_was_away_and_a_failure_is_told() -> None:
    told: list[BaseException] = []
    ends: list[Exception] = [StoreAway(), StoreAway(), StoreError("disk I/O error")]

    def act() -> None:
        raise ends.pop(0)

    rota = Rota(lambda _: True, [Chore("a", 0.001, act)], Outage())
    rota.start(told.append)

    assert until(lambda: bool(told))
    rota.stop(WAIT)
    assert [str(error) for error in told] == ["disk I/O error"]
    assert ends == []
