"""The worker: nobody waits for another's channel, and stopping loses nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Thread

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from broker.app import KINDS, App
from broker.channels.channel import Channel, Mark, Prepared, Sent
from broker.errors import Exhausted, StoreError
from broker.intake import Intake
from broker.journal.trail import entry
from broker.message import State
from broker.settings import Settings
from broker.stores.contract import Change, Room
from broker.stores.sqlite import SqliteStore
from broker.worker import Pace, Worker
from broker.xoev.standards import Standards
from tests import messages
from tests.fakes import WAIT, Bench, Make, Script, benches, until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def start(broker: Bench, workers: list[Worker]) -> Worker:
    worker = Worker(broker.app, Pace(threads=2, poll=0.02), broker.failures.append)
    workers.append(worker)
    worker.start()
    return worker


class Hanging:
    """A send that begins, hangs until it is let go, and counts how many hang at once."""

    def __init__(self) -> None:
        self.begun, self.gate = Event(), Event()
        self.now = self.most = 0
        self._lock = Lock()

    def __call__(self, _prepared: Prepared, mark: Mark) -> Sent:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.begun.set()
        self.gate.wait(WAIT)
        mark()
        with self._lock:
            self.now -= 1
        return Sent("late but there")


def second_channel(broker: Bench) -> None:
    """Give the table a second procedure, for messages of the city itself."""
    text = broker.file.read_text(encoding="utf-8")
    channel = "  second: {kind: fake, test: true}\n  return:"
    route = text[text.index("  - name: bau") :].replace("name: bau\n", "name: zwei\n")
    route = route.replace("03103000", "03103999").replace("channel: procedure", "channel: second")
    broker.file.write_text(text.replace("  return:", channel) + route, encoding="utf-8")
    broker.app.reload()


def test_a_hanging_channel_does_not_delay_another(bench: Make, workers: list[Worker]) -> None:
    broker, hanging = bench(), Hanging()
    second_channel(broker)
    broker.script.plan("procedure", *[hanging] * 20)
    stuck = [broker.accept(messages.request()).id for _ in range(20)]
    worker = start(broker, workers)
    assert hanging.begun.wait(WAIT)

    others = [broker.accept(messages.request(key="bab:03103999")).id for _ in range(20)]
    worker.wake()

    assert until(lambda: all(broker.state(id) is State.DELIVERED for id in others))
    assert all(broker.state(id) is State.WORKING for id in stuck)
    hanging.gate.set()
    assert until(lambda: all(broker.state(id) is State.DELIVERED for id in stuck))


def test_no_more_are_on_their_way_than_the_channel_allows(
    bench: Make, workers: list[Worker]
) -> None:
    broker, hanging = bench(), Hanging()
    broker.script.plan("procedure", *[hanging] * 12)
    ids = [broker.accept(messages.request()).id for _ in range(12)]
    start(broker, workers)

    assert until(lambda: hanging.now == 4)
    hanging.gate.set()

    assert until(lambda: all(broker.state(id) is State.DELIVERED for id in ids))
    assert hanging.most == broker.app.site.channels["procedure"].inflight == 4


def test_stopping_finishes_what_is_in_hand_and_takes_nothing_new(bench: Make) -> None:
    broker, hanging = bench(), Hanging()
    broker.script.plan("procedure", hanging)
    first = broker.accept(messages.request()).id
    worker = Worker(broker.app, Pace(threads=2, poll=0.02), broker.failures.append)
    worker.start()
    assert hanging.begun.wait(WAIT)
    results: list[bool] = []
    stopping = Thread(target=lambda: results.append(worker.stop(WAIT)))
    stopping.start()
    assert until(worker._stopping.is_set)
    worker._thread.join(WAIT)
    second = broker.accept(messages.request()).id

    hanging.gate.set()
    stopping.join(WAIT)

    assert results == [True]
    assert (broker.state(first), broker.state(second)) == (State.DELIVERED, State.WAITING)


def test_what_hangs_at_the_stop_is_given_back_and_nobody_is_suspected(bench: Make) -> None:
    broker, hanging = bench(), Hanging()
    broker.script.plan("procedure", hanging)
    id = broker.accept(messages.request()).id
    worker = Worker(broker.app, Pace(threads=2, poll=0.02), broker.failures.append)
    worker.start()
    assert hanging.begun.wait(WAIT)

    assert not worker.stop(0.01)

    assert broker.state(id) is State.WAITING
    assert broker.events(id)[-1] == "recovered"
    assert broker.crash() == 0
    (job,) = broker.app.store.take(Room())
    assert not job.alone
    hanging.gate.set()


def test_what_may_arrive_at_any_moment_is_not_given_back_at_the_stop(bench: Make) -> None:
    broker, hanging = bench(), Hanging()

    def send(prepared: Prepared, mark: Mark) -> Sent:
        mark()
        return hanging(prepared, lambda: None)

    broker.script.plan("procedure", send)
    id = broker.accept(messages.request()).id
    worker = Worker(broker.app, Pace(threads=2, poll=0.02), broker.failures.append)
    worker.start()
    assert hanging.begun.wait(WAIT)

    assert not worker.stop(0.01)

    assert broker.state(id) is State.WORKING
    assert broker.crash() == 1
    hanging.gate.set()


def test_a_sender_that_comes_to_itself_after_the_end_does_not_send(bench: Make) -> None:
    broker, hanging = bench(), Hanging()
    ended, errors = Event(), list[BaseException]()

    def send(prepared: Prepared, mark: Mark) -> Sent:
        try:
            return hanging(prepared, mark)
        except StoreError as error:
            errors.append(error)
            raise
        finally:
            ended.set()

    broker.script.plan("procedure", send)
    broker.accept(messages.request())
    worker = Worker(broker.app, Pace(threads=2, poll=0.02), broker.failures.append)
    worker.start()
    assert hanging.begun.wait(WAIT)
    assert not worker.stop(0.01)
    broker.app.store.close()

    hanging.gate.set()

    assert ended.wait(WAIT)
    assert str(errors[0]) == "the store is closed"


def test_whoever_lost_the_lease_does_not_pass_the_mark(
    bench: Make, workers: list[Worker], quiet: io.BytesIO
) -> None:
    broker, hanging = bench(), Hanging()
    passed: list[str] = []

    def send(prepared: Prepared, mark: Mark) -> Sent:
        hanging(prepared, mark)
        passed.append(prepared.key)
        return Sent("twice!")

    broker.script.plan("procedure", send)
    id = broker.accept(messages.request()).id
    start(broker, workers)
    assert hanging.begun.wait(WAIT)
    broker.app.store.recover(lambda voided: entry(voided.message, "recovered"))

    hanging.gate.set()

    assert until(lambda: broker.state(id) is State.DELIVERED)
    assert passed == []
    assert "late" in [json.loads(line)["event"] for line in quiet.getvalue().splitlines()]


def test_an_unforeseen_error_of_a_channel_before_the_mark_is_tried_again(bench: Make) -> None:
    broker = bench()

    def fail(_prepared: Prepared, _mark: Mark) -> Sent:
        raise ValueError("Erika Planck")

    broker.script.plan("procedure", fail)
    id = broker.accept(messages.request()).id
    broker.run()

    row = broker.row(id)
    assert row.state is State.WAITING
    assert row.error.startswith("unexpected ValueError at test_worker.py:")


@pytest.mark.parametrize(("repeats", "state"), [(False, State.UNCLEAR), (True, State.WAITING)])
def test_an_unforeseen_error_after_the_mark_is_a_doubt_where_repeats_do_harm(
    bench: Make, repeats: bool, state: State
) -> None:
    broker = bench(Script(repeats=repeats))

    def fail(_prepared: Prepared, mark: Mark) -> Sent:
        mark()
        raise ValueError("Erika Planck")

    broker.script.plan("procedure", fail)
    id = broker.accept(messages.request()).id
    broker.run()

    assert broker.state(id) is state
    assert "Planck" not in broker.row(id).error


def test_an_adapter_that_fails_in_an_unforeseen_way_makes_a_case_for_a_person(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()

    def fail(_document: object, _facts: object) -> bytes:
        raise ZeroDivisionError("Erika Planck")

    monkeypatch.setattr(broker.app.site.catalog.get("wolfsburg/bau"), "to_legacy", fail)
    ids = [broker.accept(messages.request()).id for _ in range(2)]
    broker.run()

    assert {broker.state(id) for id in ids} == {State.DEAD}
    assert broker.row(ids[0]).error.startswith("unexpected ZeroDivisionError at ")


def test_a_payload_that_was_changed_is_a_case_for_a_person_and_stops_nobody_else(
    bench: Make,
) -> None:
    broker = bench()
    bad, good = (broker.accept(messages.request()).id for _ in range(2))
    store = broker.app.store
    assert isinstance(store, SqliteStore)
    with store._writing.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE payloads SET box = zeroblob(100) WHERE message = ?", (bad,)
        )

    broker.run()

    assert (broker.state(bad), broker.state(good)) == (State.DEAD, State.DELIVERED)


def test_a_process_at_its_end_buries_nothing_but_says_so(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id

    def parse(*_: object) -> object:
        raise Exhausted

    with monkeypatch.context() as patch:
        patch.setattr(Standards, "parse", parse)
        worker = Worker(broker.app, Pace(threads=2, poll=0.02), broker.failures.append)
        worker.start()
        assert until(lambda: bool(broker.failures))
        assert worker.stop(WAIT)
    assert isinstance(broker.failures.pop(), Exhausted)
    assert broker.state(id) is State.WAITING
    broker.run()

    assert broker.state(id) is State.DELIVERED


def fail_commits(broker: Bench) -> None:
    store = broker.app.store
    assert isinstance(store, SqliteStore)

    def fail(_connection: Connection) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    event.listen(store._writing, "commit", fail)


@pytest.mark.parametrize("alone", [False, True])
def test_a_failing_store_is_told_and_the_worker_can_be_stopped_at_once(
    bench: Make, alone: bool
) -> None:
    broker, hanging = bench(), Hanging()
    broker.script.plan("procedure", hanging)
    broker.accept(messages.request())
    if alone:
        broker.app.store.take(Room())
        broker.crash()
    worker = Worker(broker.app, Pace(threads=2, poll=0.02), broker.failures.append)
    worker.start()
    assert hanging.begun.wait(WAIT)
    fail_commits(broker)

    hanging.gate.set()

    assert until(lambda: any(isinstance(one, StoreError) for one in broker.failures))
    assert not worker.stop(0.01)


def test_a_store_that_cannot_be_read_ends_the_work_and_is_told(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()

    def due(_store: object, _closed: object) -> bool:
        raise StoreError("the store cannot be read: OperationalError")

    monkeypatch.setattr(SqliteStore, "due", due)
    worker = Worker(broker.app, Pace(threads=2, poll=0.02), broker.failures.append)
    worker.start()

    assert until(lambda: bool(broker.failures))
    assert worker.stop(WAIT)


def test_a_change_that_is_refused_does_not_leave_its_message_in_hand_unsaid(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    broker.accept(messages.request())
    change = broker.app.store.change

    def refuse(changes: list[Change]) -> object:
        return change([replace(one, error="\udcff") for one in changes])

    monkeypatch.setattr(broker.app.store, "change", refuse)
    worker = Worker(broker.app, Pace(threads=2, poll=0.02), broker.failures.append)
    worker.start()

    assert until(lambda: bool(broker.failures))
    assert not worker.stop(0.01)
    assert "refused to write (change)" in str(broker.failures[0])


def test_what_another_process_accepted_is_worked_on(bench: Make, workers: list[Worker]) -> None:
    broker = bench()
    start(broker, workers)
    other = App(Settings.load(broker.environ), broker.environ, None, kinds(broker))
    receipt = Intake(other).accept(messages.request(), "bauportal", "cli")
    other.close()

    assert until(lambda: broker.state(receipt.id) is State.DELIVERED)


def kinds(broker: Bench) -> dict[str, type[Channel]]:
    return {**KINDS, "fake": broker.script.kind()}


def test_a_large_batch_is_worked_off_whole(bench: Make) -> None:
    broker = bench()
    futures = [broker.intake.begin(messages.request(), "bauportal")[1] for _ in range(300)]
    ids = {future.result().id for future in futures}

    broker.run()

    sent = [one.key for one in broker.script.sent["procedure"]]
    assert len(sent) == len(set(sent)) == 300
    assert set(sent) == ids
    assert broker.app.store.counts().accepted == 300


def test_the_attempt_is_told_to_the_channel(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request())
    broker.app.store.take(Room())
    broker.crash()

    broker.run()

    (sent,) = broker.script.sent["procedure"]
    assert (sent.attempt, sent.kind, sent.test) == (2, "baugenehmigung.antrag.0200", True)


def test_a_job_for_a_channel_that_is_gone_waits_for_it(bench: Make) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    text = broker.file.read_text(encoding="utf-8")
    broker.file.write_text(text.replace("procedure", "renamed"), encoding="utf-8")
    broker.app.reload()

    broker.run()

    row = broker.row(id)
    assert row.state is State.WAITING
    assert row.error.endswith("the channel procedure is not in routes.yaml; see xoev-broker check")
