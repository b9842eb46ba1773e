"""Outcomes are written once, also where the store goes away, and what came too late is told."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from broker.errors import StoreAway
from broker.journal.entry import decode
from broker.journal.rebuild import rebuild
from broker.journal.trail import Trail
from broker.message import State
from broker.outage import Outage
from broker.scribe import Scribe
from broker.stores.contract import Change, Job, Room
from tests import messages
from tests.births import birth
from tests.fakes import Bench, Make, benches


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def taken(broker: Bench) -> Job:
    broker.accept(messages.request())
    (job,) = broker.app.store.take(Room())
    return job


def outcome(job: Job, state: State = State.DELIVERED) -> Change:
    trail = Trail(job.id)
    trail.note(state.value, state=state.value, attempt=job.attempts, receipt="HTTP 200")
    return Change(job.id, job.token, state, trail.taken(), receipt="HTTP 200")


def scribe(broker: Bench, patience: float = 30, rung: list[Any] | None = None) -> Scribe:
    def ring(due: Iterable[tuple[str, str]]) -> None:
        if rung is not None:
            rung.extend(due)

    return Scribe(broker.app.store, Outage(), patience, ring)


def away(act: Callable[..., Future[Any]], times: int, written: bool) -> Callable[..., Future[Any]]:
    """Let a method of the store lose its answer so many times, after or before it was done."""
    left = [times]

    def call(*args: Any) -> Future[Any]:
        if not left[0]:
            return act(*args)
        left[0] -= 1
        if written:
            act(*args).result()
        lost: Future[Any] = Future()
        lost.set_exception(StoreAway("no answer from the database"))
        return lost

    return call


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("state", [State.DELIVERED, State.WORKING])
def test_an_outcome_without_an_answer_is_written_once(
    bench: Make, monkeypatch: pytest.MonkeyPatch, written: bool, state: State
) -> None:
    broker = bench()
    job = taken(broker)
    store = broker.app.store
    monkeypatch.setattr(store, "change", away(store.change, 1 if written else 3, written))

    assert scribe(broker).write([outcome(job, state)]) == [True]

    assert broker.state(job.id) is state
    assert broker.events(job.id).count(state.value) == 1


def test_of_several_only_what_is_missing_is_written_again(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    jobs = [taken(broker) for _ in range(3)]
    store, change = broker.app.store, broker.app.store.change
    calls: list[int] = []

    def half(changes: Sequence[Change]) -> Future[list[bool]]:
        calls.append(len(changes))
        return away(change, 1, True)(changes[:1]) if len(calls) == 1 else change(changes)

    monkeypatch.setattr(store, "change", half)

    assert scribe(broker).write([outcome(job) for job in jobs]) == [True] * 3
    assert calls == [3, 2]
    assert {broker.state(job.id) for job in jobs} == {State.DELIVERED}


def test_where_the_store_stays_away_the_outcome_is_given_up(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    job = taken(broker)
    monkeypatch.setattr(broker.app.store, "change", away(broker.app.store.change, 99, False))

    with pytest.raises(StoreAway):
        scribe(broker, patience=-1).write([outcome(job)])


def test_what_comes_after_the_lease_was_lost_is_in_the_journal_and_changes_nothing(
    bench: Make, quiet: io.BytesIO
) -> None:
    broker = bench()
    job = taken(broker)
    broker.crash()
    change = outcome(job)
    late = scribe(broker)

    done = late.write([change])
    late.say([(job, change, done[0])])

    assert done == [False]
    line = decode(list(broker.app.store.entries(job.id))[-1])
    assert (line.event, dict(line.facts)) == (
        "late",
        {"outcome": "delivered", "receipt": "HTTP 200"},
    )
    told = rebuild(broker.app.store.entries())[job.id]
    assert (told.state, told.attempts) == (State.WAITING, 1)
    assert broker.state(job.id) is State.WAITING
    assert "late" in [json.loads(text)["event"] for text in quiet.getvalue().splitlines()]


def test_what_is_born_in_a_commit_is_rung_for_after_it(bench: Make) -> None:
    broker, rung = bench(), list[tuple[str, str]]()
    job, lost = taken(broker), taken(broker)
    born, unborn = birth(channel="return"), birth(channel="return")
    changes = [outcome(job), outcome(lost)]
    changes[0] = Change(job.id, job.token, State.DELIVERED, changes[0].entries, births=(born,))
    changes[1] = Change(lost.id, "no token", State.DELIVERED, births=(unborn,))

    scribe(broker, rung=rung).write(changes)

    assert rung == [("return", born.message.id)]


def test_a_file_number_is_kept_although_the_store_went_away(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    job = taken(broker)
    monkeypatch.setattr(broker.app.store, "learn", away(broker.app.store.learn, 2, False))
    writer = scribe(broker)
    writer.learn(job.id, "63-WOB-1")

    writer.write([outcome(job)])

    assert broker.row(job.id).number == "63-WOB-1"


def test_a_message_has_one_line_in_the_log_when_it_is_done_with(
    bench: Make, quiet: io.BytesIO
) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    broker.run()

    told = [json.loads(line) for line in quiet.getvalue().splitlines()]
    (line,) = [one for one in told if one.get("message_id") == id]
    assert (line["event"], line["level"], line["route"], line["channel"], line["attempt"]) == (
        "delivered", "info", "bau", "procedure", 1,
    )  # fmt: skip
    assert line["milliseconds"] >= 0
