"""The daemon: one at a time, drained on stop, reloaded only without findings."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from broker.app import KINDS
from broker.channels.channel import Mark, Prepared, Sent
from broker.errors import ConfigError, Exhausted, StoreAway, StoreError, Unreachable
from broker.journal.entry import decode
from broker.message import State
from broker.roles import Role, lock, unlock
from broker.service import LEAST, PATIENCE, Running, Service
from broker.settings import Settings
from broker.stores.contract import Room
from broker.stores.sqlite import SqliteStore
from broker.xoev.standards import Standards
from tests import messages
from tests.bells import MemoryDoorbell
from tests.fakes import WAIT, Bench, Make, benches, until
from tests.needs import ROOT


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


class Daemon:
    """A service in a thread of its own."""

    def __init__(self, bench: Bench, role: Role = Role.ALL, **environ: str) -> None:
        self.environ = {
            **bench.environ,
            "XOEV_BROKER_LISTEN": "",
            "XOEV_BROKER_POLL": "0.02s",
            **environ,
        }
        kinds = {**KINDS, "fake": bench.script.kind()}
        self.service = Service(Settings.load(self.environ), self.environ, kinds, role)
        self.errors: list[Exception] = []
        self.ready = Event()
        self._thread = Thread(target=self._run)

    def _run(self) -> None:
        def ready(_running: Running) -> None:
            self.ready.set()

        try:
            self.service.run(ready)
        except StoreError as error:
            self.errors.append(error)

    def start(self) -> Service:
        self._thread.start()
        assert self.ready.wait(WAIT)
        return self.service

    def stop(self) -> None:
        self.service.stop()
        self.wait()

    def wait(self) -> None:
        self._thread.join(WAIT)
        assert not self._thread.is_alive()


@pytest.fixture
def daemon(bench: Make) -> Iterator[Callable[..., Daemon]]:
    made: list[Daemon] = []

    def make(broker: Bench, role: Role = Role.ALL, **environ: str) -> Daemon:
        made.append(Daemon(broker, role, **environ))
        return made[-1]

    yield make
    for one in made:
        if one._thread.is_alive():
            one.stop()


Run = Callable[..., Daemon]


def send(service: Service, body: bytes | None = None) -> str:
    return service.intake.accept(body or messages.request(), "bauportal", "test").id


def events(quiet: io.BytesIO) -> list[str]:
    return [json.loads(line)["event"] for line in quiet.getvalue().splitlines()]


def journal(broker: Bench) -> list[str]:
    return [line.event for line in broker.app.store.entries() if not line.message]


def test_it_delivers_what_it_accepts_until_it_is_stopped(bench: Make, daemon: Run) -> None:
    broker = bench()
    running = daemon(broker)
    service = running.start()

    id = send(service)

    assert until(lambda: broker.state(id) is State.DELIVERED)
    running.stop()
    assert running.errors == []
    assert journal(broker) == ["started", "stopped"]


def test_the_table_in_force_is_in_the_journal(bench: Make, daemon: Run) -> None:
    broker = bench()
    running = daemon(broker)
    running.start()
    running.stop()

    line = decode(next(iter(broker.app.store.entries())))

    assert line.facts["table"] == broker.app.site.table.table.digest
    assert line.facts["routes"] == "1"


def test_what_an_earlier_start_had_in_hand_is_taken_up(
    bench: Make, daemon: Run, quiet: io.BytesIO
) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    broker.app.store.take(Room())

    running = daemon(broker)
    running.start()

    assert until(lambda: broker.state(id) is State.DELIVERED)
    assert "recovered" in broker.events(id)
    assert "recovered" in events(quiet)


def test_stopping_finishes_what_is_in_hand(bench: Make, daemon: Run, quiet: io.BytesIO) -> None:
    begun, gate = Event(), Event()

    def hang(_prepared: Prepared, _mark: Mark) -> Sent:
        begun.set()
        gate.wait(WAIT)
        return Sent("taken")

    broker = bench()
    broker.script.plan("procedure", hang)
    running = daemon(broker)
    id = send(running.start())
    assert begun.wait(WAIT)

    running.service.stop()
    gate.set()
    running.wait()

    assert broker.state(id) is State.DELIVERED
    assert "drained" in events(quiet)


def test_stopping_does_not_wait_for_ever_for_what_hangs(
    bench: Make, daemon: Run, quiet: io.BytesIO
) -> None:
    begun, gate = Event(), Event()

    def hang(_prepared: Prepared, _mark: Mark) -> Sent:
        begun.set()
        gate.wait(WAIT)
        return Sent("taken")

    broker = bench()
    broker.script.plan("procedure", hang)
    running = daemon(broker, XOEV_BROKER_DRAIN="0.1s")
    id = send(running.start())
    assert begun.wait(WAIT)

    running.stop()

    assert broker.state(id) is State.WAITING
    assert "drained" not in events(quiet)
    gate.set()


# one at a time


def test_a_second_run_on_the_same_store_is_refused_and_told_who_has_it(
    bench: Make, daemon: Run
) -> None:
    broker = bench()
    daemon(broker).start()

    with pytest.raises(ConfigError, match=f"another run .process {os.getpid()}. works on"):
        Daemon(broker)


def test_the_next_run_may_begin_when_the_one_before_has_ended(bench: Make, daemon: Run) -> None:
    broker = bench()
    for _ in range(2):
        running = daemon(broker)
        running.start()
        running.stop()

    assert journal(broker) == ["started", "stopped"] * 2


def test_the_lock_ends_with_its_process_however_it_ends(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from broker.roles import lock;"
        "held = lock(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        with pytest.raises(ConfigError, match=f"process {child.pid}"):
            lock(tmp_path)
        child.send_signal(signal.SIGKILL)

    unlock(lock(tmp_path))


def test_commands_work_beside_a_run(bench: Make, daemon: Run) -> None:
    broker = bench()
    daemon(broker).start()

    id = broker.accept(messages.request()).id

    assert until(lambda: broker.state(id) is State.DELIVERED)


# reload


def rewrite(broker: Bench, old: str, new: str) -> None:
    text = broker.file.read_text(encoding="utf-8")
    assert old in text
    broker.file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_table_without_findings_is_put_in_force(bench: Make, daemon: Run) -> None:
    broker = bench()
    service = daemon(broker).start()
    before = service.app.site.table.table.digest
    rewrite(broker, "name: bau\n", "name: bau-neu\n")

    assert service.reload()

    id = send(service)
    assert service.app.site.table.table.digest != before
    assert broker.row(id).route == "bau-neu"
    assert journal(broker) == ["started", "reloaded"]


def test_a_table_with_findings_is_reported_and_the_old_one_stays(
    bench: Make, daemon: Run, quiet: io.BytesIO
) -> None:
    broker = bench()
    service = daemon(broker).start()
    site = service.app.site
    rewrite(broker, "adapter: wolfsburg/bau", "adapter: wolfsburg/bauu")

    assert not service.reload()

    assert service.app.site is site
    assert events(quiet).count("kept") == 1
    assert journal(broker) == ["started"]
    id = send(service)
    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_a_stored_delivery_keeps_its_route_over_a_reload(bench: Make, daemon: Run) -> None:
    broker = bench(first="1h")
    broker.script.plan("procedure", Unreachable("no answer"))
    service = daemon(broker).start()
    id = send(service)
    assert until(lambda: broker.row(id).error == "no answer")
    before = broker.row(id)
    rewrite(broker, "name: bau\n", "name: bau-neu\n")

    assert service.reload()

    after = broker.row(id)
    assert (after.route, after.table, after.channel) == (
        before.route,
        before.table,
        before.channel,
    )


def test_a_file_that_is_gone_is_a_finding_too(bench: Make, daemon: Run) -> None:
    broker = bench()
    service = daemon(broker).start()
    broker.file.unlink()

    assert not service.reload()


@pytest.mark.parametrize("field", ["url: 'http://x/'", "url: 'amqp://x/', queue: x"])
def test_what_only_a_kind_of_channel_finds_is_reported_with_its_place(
    bench: Make, daemon: Run, quiet: io.BytesIO, field: str
) -> None:
    broker = bench()
    service = daemon(broker).start()
    site = service.app.site
    rewrite(broker, "channels:\n", f"channels:\n  amt: {{kind: amqp, {field}}}\n")

    assert not service.reload()

    assert service.app.site is site
    told = map(json.loads, quiet.getvalue().splitlines())
    (kept,) = [line for line in told if line["event"] == "kept"]
    at = broker.file.read_text("utf-8").splitlines().index("channels:") + 2
    assert kept["finding"].startswith(f"{broker.file}:{at}: channel amt: ")


# failures


def break_store(service: Service) -> None:
    store = service.app.store
    assert isinstance(store, SqliteStore)

    def fail(_connection: Connection) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    event.listen(store._writing, "commit", fail)


def test_a_failing_store_ends_the_process_with_the_cause(
    bench: Make, daemon: Run, quiet: io.BytesIO
) -> None:
    broker = bench()
    running = daemon(broker)
    service = running.start()
    break_store(service)

    with pytest.raises(StoreError):
        send(service)

    running.wait()
    assert [str(error) for error in running.errors] == [
        "stopped: the store failed in a commit: disk I/O error"
    ]
    assert "failed" in events(quiet)


def test_nothing_is_accepted_after_the_store_failed(bench: Make, daemon: Run) -> None:
    broker = bench()
    running = daemon(broker)
    service = running.start()
    break_store(service)
    for _ in range(3):
        with pytest.raises(StoreError):
            send(service)

    running.wait()
    assert broker.app.store.counts().accepted == 0


def test_a_configuration_with_findings_does_not_start_and_holds_no_lock(
    bench: Make, daemon: Run
) -> None:
    broker = bench()
    rewrite(broker, "adapter: wolfsburg/bau", "adapter: wolfsburg/bauu")
    with pytest.raises(ConfigError, match="did you mean"):
        Daemon(broker)
    rewrite(broker, "adapter: wolfsburg/bauu", "adapter: wolfsburg/bau")

    daemon(broker).start()


# roles, offices, renewal


def test_whoever_stops_a_process_that_is_about_to_begin_anew_ends_it(
    bench: Make, daemon: Run
) -> None:
    broker, hanging, begun = bench(), Event(), Event()

    def hang(_prepared: Prepared, _mark: Mark) -> Sent:
        begun.set()
        hanging.wait(WAIT)
        return Sent("taken")

    broker.script.plan("procedure", hang)
    running = daemon(broker)
    service = running.start()
    send(service)
    assert begun.wait(WAIT)
    service.renew()
    assert until(lambda: service.renewing)

    service._on_stop(signal.SIGTERM, None)
    hanging.set()
    running.wait()

    assert not service.renewing


def test_the_journal_tells_which_process_began_where(bench: Make, daemon: Run) -> None:
    broker = bench()
    running = daemon(broker)
    running.start()
    running.stop()

    facts = decode(next(iter(broker.app.store.entries()))).facts

    assert (facts["role"], facts["host"]) == ("all", socket.gethostname())


def test_a_start_without_its_database_tries_for_a_while_and_then_says_so(
    bench: Make, daemon: Run, monkeypatch: pytest.MonkeyPatch, quiet: io.BytesIO
) -> None:
    broker, tries = bench(), list[int]()

    def away(*_: object) -> object:
        tries.append(1)
        raise StoreAway('the database "xoev" at db.example cannot be opened')

    with monkeypatch.context() as patch:
        patch.setattr("broker.app.open_store", away)
        patch.setattr("broker.service.AGAIN", 0.001)
        # Half of the patience goes by with each try, however long it takes.
        patch.setattr(
            "broker.service.time", SimpleNamespace(monotonic=lambda: len(tries) * PATIENCE / 2)
        )
        with pytest.raises(StoreAway, match=r"db\.example cannot be opened"):
            Daemon(broker)
    assert len(tries) == 2
    assert events(quiet).count("away") == 1

    daemon(broker).start()


def test_an_intake_takes_over_and_delivers_nothing(bench: Make, daemon: Run) -> None:
    broker = bench()
    running = daemon(broker, role=Role.INTAKE)
    id = send(running.start())
    running.stop()

    assert broker.state(id) is State.WAITING
    assert running.errors == []


def test_a_worker_delivers_and_opens_no_port(bench: Make, daemon: Run) -> None:
    broker = bench()
    running = daemon(broker, role=Role.WORKER, XOEV_BROKER_LISTEN="127.0.0.1:0")
    service = running.start()

    id = broker.accept(messages.request()).id

    assert service.http is None
    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_a_worker_beside_an_intake_notices_what_that_one_writes(bench: Make, daemon: Run) -> None:
    broker = bench()
    daemon(broker, role=Role.WORKER, XOEV_BROKER_POLL="1h").start()
    intake = daemon(broker, role=Role.INTAKE).start()

    id = send(intake)

    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_the_offices_follow_the_role_and_the_table(bench: Make, daemon: Run) -> None:
    broker = bench()
    intake = daemon(broker, role=Role.INTAKE)
    worker = daemon(broker, role=Role.WORKER)

    assert intake.service._wanted() == ["seal", "receive:procedure"]
    assert worker.service._wanted() == ["seal", "upkeep", "sweep", "alerts"]
    for one in (intake, worker):
        one.start()


def test_a_parser_at_its_end_makes_the_process_begin_anew(
    bench: Make, daemon: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    running = daemon(broker)
    service = running.start()
    with monkeypatch.context() as patch:
        patch.setattr(Standards, "parse", raising(Exhausted()))
        with pytest.raises(Exhausted):
            send(service)
        running.wait()

    assert service.renewing
    assert running.errors == []
    assert journal(broker) == ["started", "stopped"]


def test_a_message_that_met_a_parser_at_its_end_is_not_blamed(
    bench: Make, daemon: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    with monkeypatch.context() as patch:
        patch.setattr(Standards, "parse", raising(Exhausted()))
        running = daemon(broker)
        running.start()
        running.wait()
    assert running.service.renewing
    assert broker.state(id) is State.WAITING

    daemon(broker).start()

    assert until(lambda: broker.state(id) is State.DELIVERED)


def raising(error: Exception) -> Callable[..., object]:
    def act(*_: object) -> object:
        raise error

    return act


def test_a_process_that_takes_too_much_memory_begins_anew_but_not_again_and_again(
    bench: Make, daemon: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    running = daemon(broker, XOEV_BROKER_RENEW_MEMORY="1 MB")
    service = running.start()

    service._weigh()
    assert not service._renew
    monkeypatch.setattr(service, "_began", service._began - LEAST - 1)
    service._weigh()

    running.wait()
    assert service.renewing


def test_a_renewal_waits_while_the_table_has_findings(
    bench: Make, daemon: Run, quiet: io.BytesIO
) -> None:
    broker = bench()
    running = daemon(broker)
    service = running.start()
    rewrite(broker, "adapter: wolfsburg/bau", "adapter: wolfsburg/bauu")
    service.renew()
    assert until(lambda: "kept" in events(quiet))
    assert not service.renewing

    rewrite(broker, "adapter: wolfsburg/bauu", "adapter: wolfsburg/bau")

    running.wait()
    assert service.renewing


def test_what_is_due_and_was_not_taken_is_rung_for(
    bench: Make, daemon: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    service = daemon(broker).service
    bell = MemoryDoorbell()
    monkeypatch.setattr(service, "doorbell", bell)
    monkeypatch.setattr("broker.service.OVERDUE", -1)
    id = send(service)

    service._sweep()

    assert bell.rung == [("procedure", id)]
    service.start()
    service.finish()
