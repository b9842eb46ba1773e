"""What people are told, when, and that they are told once."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from broker import logs
from broker.alerts.news import Bulletin
from broker.alerts.watch import Senses, Watch
from broker.alerts.ways import Log, Way
from broker.errors import StoreAway, Unreachable
from broker.journal.trail import entry
from broker.message import State, new_id, now
from broker.pressure import Reading
from broker.roles import Role
from broker.settings import Settings
from broker.stores.contract import Pause
from tests import messages
from tests.births import birth
from tests.fakes import Bench, Make, benches
from tests.hours import daily

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass
class Ear:
    """A way that remembers what it was told; deaf, it fails."""

    name: str = "ear"
    heard: list[Bulletin] = field(default_factory=list)
    deaf: bool = False

    def tell(self, bulletin: Bulletin) -> None:
        if self.deaf:
            raise Unreachable("nobody listens")
        self.heard.append(bulletin)

    @property
    def causes(self) -> list[tuple[str, str]]:
        return [(one.state, one.alarm.cause) for each in self.heard for one in each.news]


@dataclass
class Body:
    """What a process feels."""

    holder: bool = True
    reading: Reading = field(default_factory=Reading)
    weak: frozenset[str] = frozenset()
    disturbed: frozenset[str] = frozenset()
    alive: tuple[str, ...] = ("all", "intake")

    def senses(self, process: str = "all", host: str = "host-a") -> Senses:
        return Senses(
            process, host, lambda: self.holder, lambda: self.reading, lambda: self.weak,
            lambda: self.disturbed, lambda: self.alive,
        )  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def body() -> Body:
    return Body()


def watch(broker: Bench, body: Body, *ways: Way, process: str = "all", **more: str) -> Watch:
    environ = broker.environ | {f"XOEV_BROKER_{name}": value for name, value in more.items()}
    return Watch(broker.app, Settings.load(environ), body.senses(process), ways)


def waiting(broker: Bench) -> datetime:
    """Let a message wait for an hour and more; return the time then."""
    broker.accept(messages.request())
    return now() + 1.1 * HOUR


def test_a_site_without_causes_tells_nothing(bench: Make, body: Body, ear: Ear) -> None:
    broker = bench()
    broker.accept(messages.request())

    watch(broker, body, ear).look()

    assert ear.heard == []


def test_how_long_a_cause_must_be_gone_can_be_set(bench: Make, body: Body, ear: Ear) -> None:
    broker = bench()
    at, looks = waiting(broker), watch(broker, body, ear, ALERT_OVER="10s")
    looks.look(at)
    broker.run()
    looks.look(at + MINUTE)
    looks.look(at + MINUTE + timedelta(seconds=10))

    assert ear.causes == [("raised", "waiting:bau"), ("cleared", "waiting:bau")]
    assert looks.period == 10


def test_a_cause_is_told_once_and_once_when_it_is_over(bench: Make, body: Body, ear: Ear) -> None:
    broker = bench()
    at, looks = waiting(broker), watch(broker, body, ear)
    for later in range(5):
        looks.look(at + later * MINUTE)
    broker.run()
    for later in range(5, 15):
        looks.look(at + later * MINUTE)

    assert ear.causes == [("raised", "waiting:bau"), ("cleared", "waiting:bau")]
    assert broker.app.store.alarms() == []


def test_neither_a_start_nor_another_holder_tells_again(bench: Make, body: Body, ear: Ear) -> None:
    broker = bench()
    at = waiting(broker)
    watch(broker, body, ear).look(at)
    watch(broker, body, ear).look(at + MINUTE)
    watch(broker, body, ear, process="other").look(at + 2 * MINUTE)

    assert ear.causes == [("raised", "waiting:bau")]


def test_what_comes_and_goes_is_told_once(bench: Make, body: Body, ear: Ear) -> None:
    looks, at = watch(bench(), body, ear), now()
    for minute in range(20):
        body.reading = Reading(little=minute % 2 == 0)
        looks.look(at + minute * MINUTE)

    assert ear.causes == [("raised", "disk:host-a")]


def test_all_that_is_new_at_once_is_one_bulletin(bench: Make, body: Body, ear: Ear) -> None:
    broker = bench()
    at = waiting(broker)
    body.reading = Reading(little=True, closed=("disk", "depth"), full=frozenset({"bau"}))

    watch(broker, body, ear).look(at)

    (bulletin,) = ear.heard
    causes = sorted(one.alarm.cause for one in bulletin.news)
    assert causes == ["closed:host-a", "disk:host-a", "full:bau", "waiting:bau"]


def test_who_has_no_office_tells_nobody_but_lets_the_holder_know(
    bench: Make, body: Body, ear: Ear
) -> None:
    broker, other = bench(), Body(holder=False, reading=Reading(little=True))
    silent = Ear()
    watch(broker, other, silent, process="intake").look()
    looks = watch(broker, body, ear)
    looks.look()
    looks.look()

    assert silent.heard == []
    assert ear.causes == [("raised", "disk:host-a")]


def test_what_only_a_dead_process_saw_is_over(bench: Make, body: Body, ear: Ear) -> None:
    broker, other, at = bench(), Body(holder=False, disturbed=frozenset({"share"})), now()
    theirs = watch(broker, other, process="process:intake:b:1")
    theirs.look(at)
    theirs.look(at + 20 * MINUTE)
    body.alive = ("process:intake:b:1",)
    looks = watch(broker, body, ear, process="process:worker:a:1")
    looks.look(at + 21 * MINUTE)
    body.alive = ()
    looks.look(at + 22 * MINUTE)
    looks.look(at + 22 * MINUTE + 5 * MINUTE)

    assert ear.causes == [("raised", "inlet:share"), ("cleared", "inlet:share")]


def test_a_way_that_fails_is_logged_once_and_tried_until_it_works(
    bench: Make, body: Body, ear: Ear
) -> None:
    stream = io.BytesIO()
    logs.configure("info", stream=stream)
    broker, other = bench(), Ear("other")
    at, looks = waiting(broker), watch(broker, body, ear, other)
    ear.deaf = True
    looks.look(at)
    looks.look(at + MINUTE)
    ear.deaf = False
    looks.look(at + 2 * MINUTE)

    assert ear.causes == other.causes == [("raised", "waiting:bau")]
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    events = [(line["event"], line["channel"]) for line in lines if "channel" in line]
    assert events == [("untold", "ear"), ("restored", "ear")]


def test_what_was_over_before_anybody_was_told_is_told_to_nobody(
    bench: Make, body: Body, ear: Ear
) -> None:
    broker, ear.deaf = bench(), True
    at, looks = waiting(broker), watch(broker, body, ear)
    looks.look(at)
    broker.run()
    looks.look(at + MINUTE)
    ear.deaf = False
    looks.look(at + 10 * MINUTE)

    assert ear.causes == []
    assert broker.app.store.alarms() == []


def test_an_open_alert_is_told_again_only_where_that_is_set(
    bench: Make, body: Body, ear: Ear
) -> None:
    broker = bench()
    at, looks = waiting(broker), watch(broker, body, ear, ALERT_REPEAT="24h")
    for hour in range(50):
        looks.look(at + hour * HOUR)

    states = [state for state, cause in ear.causes if cause == "waiting:bau"]
    assert states == ["raised", "repeated", "repeated"]


def test_the_log_has_one_line_for_each_cause(bench: Make, body: Body) -> None:
    stream = io.BytesIO()
    broker = bench()
    at = waiting(broker)
    logs.configure("info", stream=stream)
    looks = watch(broker, body, Log())
    looks.look(at)
    looks.look(at + MINUTE)

    (line,) = [json.loads(text) for text in stream.getvalue().splitlines()]
    assert (line["event"], line["level"], line["cause"]) == ("alarmed", "warning", "waiting:bau")


# the causes


def dead(broker: Bench) -> None:
    broker.script.plan("procedure", *[Unreachable("no answer")])
    broker.accept(messages.request())
    broker.run()


def test_new_dead_letters_are_told_by_cause(bench: Make, body: Body, ear: Ear) -> None:
    broker = bench(give_up="0s")
    looks = watch(broker, body, ear)
    dead(broker)
    looks.look()
    dead(broker)
    looks.look()

    ((state, cause),) = ear.causes
    assert (state, cause.partition(":")[0]) == ("raised", "dead")
    assert broker.app.store.alarms()[0].facts["count"] == "2"
    assert broker.app.store.alarms()[0].facts["state"] == State.DEAD


def test_a_late_request_is_told_by_route(bench: Make, body: Body, ear: Ear) -> None:
    broker = bench(order="deliver_within: 10m")
    broker.accept(messages.request())

    watch(broker, body, ear).look(now() + 20 * MINUTE)

    assert ear.causes == [("raised", "late:delivery:bau")]


def test_a_channel_is_told_where_it_fails_for_long(bench: Make, body: Body, ear: Ear) -> None:
    broker, at = bench(), now()
    looks, body.weak = watch(broker, body, ear), frozenset({"procedure"})
    looks.look(at)
    looks.look(at + 14 * MINUTE)
    assert ear.causes == []
    looks.look(at + 15 * MINUTE)

    assert ear.causes == [("raised", "channel:procedure")]


def test_after_a_start_a_failing_channel_stays_a_cause_while_its_messages_wait(
    bench: Make, body: Body, ear: Ear
) -> None:
    broker, at = bench(), now()
    broker.script.plan("procedure", Unreachable("no answer"))
    broker.accept(messages.request())
    broker.run()
    looks, body.weak = watch(broker, body, ear), frozenset({"procedure"})
    looks.look(at)
    looks.look(at + 15 * MINUTE)
    body.weak = frozenset()
    again = watch(broker, body, ear)
    again.look(at + 16 * MINUTE)
    again.look(at + 30 * MINUTE)

    assert ear.causes == [("raised", "channel:procedure")]


def test_what_a_person_has_stopped_is_known_to_people(bench: Make, body: Body, ear: Ear) -> None:
    broker = bench()
    at = waiting(broker)
    pause = Pause("bau", "erika", "repair", now())
    broker.app.store.pause(pause, entry("", "paused", "erika", route="bau")).result()

    watch(broker, body, ear).look(at)

    assert ear.causes == []


def test_what_a_regular_window_stops_is_told_to_nobody_and_has_its_time_afterwards(
    bench: Make, body: Body, ear: Ear
) -> None:
    broker = bench(test=f"true, maintenance: {daily(-30, 80)}")
    at = waiting(broker)
    seen = watch(broker, body, ear)

    seen.look(at)
    seen.look(at + 0.5 * HOUR)
    assert ear.causes == []

    seen.look(at + 1.5 * HOUR)
    assert ("raised", "waiting:bau") in ear.causes


def test_a_window_of_one_channel_hides_nothing_that_waits_for_another(
    bench: Make, body: Body, ear: Ear
) -> None:
    broker = bench(test=f"true, maintenance: {daily(-30, 80)}")
    at = waiting(broker)
    other = birth(channel="return", answers=new_id())
    broker.app.store.accept(other).result()

    watch(broker, body, ear).look(at)

    assert ear.causes == [("raised", "waiting:bau")]


def test_a_journal_that_is_not_sealed_is_told_long_before_intake_stops(
    bench: Make, body: Body, ear: Ear
) -> None:
    broker = bench()
    broker.accept(messages.request())
    broker.run()

    watch(broker, body, ear).look(now() + 3 * HOUR)

    assert ("raised", "sealing") in ear.causes


def test_a_store_that_is_away_is_told_and_that_it_is_back(
    bench: Make, body: Body, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, at = bench(), now()
    looks = watch(broker, body, ear)
    looks.look(at)

    def away() -> None:
        raise StoreAway

    with monkeypatch.context() as patch:
        patch.setattr(broker.app.store, "alarms", away)
        for minute in range(1, 5):
            with pytest.raises(StoreAway):
                looks.look(at + minute * MINUTE)
    assert ear.causes == [("raised", "store")]
    for minute in range(5, 15):
        looks.look(at + minute * MINUTE)

    assert ear.causes == [("raised", "store"), ("cleared", "store")]
    assert broker.app.store.alarms() == []


def test_who_does_not_tell_is_silent_where_the_store_is_away(
    bench: Make, body: Body, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, at, body.holder = bench(), now(), False
    looks = watch(broker, body, ear)
    looks.look(at)

    def away() -> None:
        raise StoreAway

    monkeypatch.setattr(broker.app.store, "alarms", away)
    for minute in range(5):
        with pytest.raises(StoreAway):
            looks.look(at + minute * MINUTE)
    assert ear.causes == []


def test_what_a_role_saw_that_is_there_no_more_is_over(bench: Make, body: Body, ear: Ear) -> None:
    broker, at = bench(), now()
    intake = Body(holder=False, reading=Reading(little=True))
    watch(broker, intake, process="intake").look(at)
    body.alive = Role.ALL.beside
    looks = watch(broker, body, ear)
    looks.look(at + MINUTE)
    looks.look(at + MINUTE + 5 * MINUTE)

    assert broker.app.store.alarms() == []
    assert ear.causes == []
