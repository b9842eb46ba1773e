"""The daemon keeps watch by itself: it closes, tells, and goes on delivering."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.errors import ConfigError, Overloaded
from broker.message import State
from broker.roles import Role
from tests import messages
from tests.fakes import Make, benches, until
from tests.test_service import Daemon

Run = Callable[..., Daemon]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


@pytest.fixture
def daemon() -> Iterator[Run]:
    made: list[Daemon] = []

    def make(*args: object, **environ: str) -> Daemon:
        made.append(Daemon(*args, **environ))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        if one._thread.is_alive():
            one.stop()


def test_a_daemon_tells_what_it_sees_by_the_way_that_is_set(
    bench: Make, daemon: Run, tmp_path: Path
) -> None:
    script, heard = tmp_path / "alarm.py", tmp_path / "heard.json"
    script.write_text("import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')")
    command = f"{sys.executable} {script} {heard}"
    broker = bench()
    service = daemon(
        broker, XOEV_BROKER_DISK_WARN="99.99%", XOEV_BROKER_ALERT_COMMAND=command
    ).start()

    service._watch.look()
    service._watch.look()

    (line,) = heard.read_text().splitlines()
    assert '"cause": "disk:' in line
    assert [one.cause.partition(":")[0] for one in broker.app.store.alarms()] == ["disk"]


def test_a_daemon_on_a_full_disk_takes_nothing_and_delivers_what_it_has(
    bench: Make, daemon: Run
) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id

    service = daemon(broker, XOEV_BROKER_DISK_STOP="99.99%").start()

    with pytest.raises(Overloaded):
        service.intake.accept(messages.request(), "bauportal", "test")
    assert until(lambda: broker.state(id) is State.DELIVERED)


def test_an_intake_has_no_part_in_telling(bench: Make, daemon: Run) -> None:
    broker = bench()
    service = daemon(broker, Role.INTAKE, XOEV_BROKER_DISK_WARN="99.99%").start()

    service._watch.look()

    (alarm,) = broker.app.store.alarms()
    assert (alarm.process, dict(alarm.told)) == ("intake", {})


def test_a_way_that_cannot_work_is_found_at_the_start(bench: Make) -> None:
    with pytest.raises(ConfigError):
        Daemon(bench(), XOEV_BROKER_ALERT_WEBHOOK="http://hook.example/")
