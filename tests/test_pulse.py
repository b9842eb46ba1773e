"""How the routes do at this moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.errors import Unreachable
from broker.maintenance import Maintenance
from broker.message import State, new_id, now
from broker.pulse import beats, before, pauses, stopped
from broker.repair import NotPossible, Repair
from broker.stores.mending import Window
from tests import messages
from tests.fakes import Bench, Make, benches

HOUR = timedelta(hours=1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def window(start: timedelta, until: timedelta) -> Window:
    return Window(new_id(), "bau", now() + start, now() + until, "erika", "update")


def daily(at: datetime) -> Maintenance:
    """Return windows of half an hour before to half an hour after a time, every day."""
    times = [f"{moment.astimezone(UTC):%H:%M}" for moment in (at - HOUR / 2, at + HOUR / 2)]
    return Maintenance({"procedure": [f"daily {'-'.join(times)}"]}, {"bau": "procedure"})


def halted(broker: Bench, at: datetime) -> dict[str, datetime | None]:
    return stopped(broker.app.store, Maintenance(), at)


def plan(broker: Bench, one: Window) -> None:
    Repair(broker.app, "erika").plan(one)


def test_a_route_that_is_disturbed_shows_what_failed_and_waits(bench: Make) -> None:
    broker = bench()
    broker.script.plan("procedure", Unreachable("no answer"))
    id = broker.accept(messages.request()).id
    broker.run()

    (beat,) = beats(broker.app.store, Maintenance(), now())

    assert (beat.lane.route, beat.count(State.WAITING), beat.lane.failing) == ("bau", 1, 1)
    assert beat.lane.oldest == broker.row(id).received
    assert (beat.came, beat.went, beat.paused) == (1, 0, False)


def test_what_came_and_went_lately_is_counted_by_route(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request())
    broker.run()

    (beat,) = beats(broker.app.store, Maintenance(), now())
    (later,) = beats(broker.app.store, Maintenance(), now() + HOUR, routes=["bau"])

    assert (beat.came, beat.went) == (1, 1)
    assert (later.came, later.went) == (0, 0)


def test_the_journal_is_searched_for_a_time(bench: Make) -> None:
    broker = bench()
    for _ in range(5):
        broker.accept(messages.request())
    newest = broker.app.store.newest()
    assert newest is not None

    assert before(broker.app.store, now() - HOUR) == 0
    assert before(broker.app.store, now() + HOUR) == newest.seq


def test_a_route_is_stopped_in_its_window_and_until_resumed(bench: Make) -> None:
    broker = bench()
    planned = window(HOUR, 2 * HOUR)
    plan(broker, planned)

    assert halted(broker, now()) == {}
    assert halted(broker, now() + 1.5 * HOUR) == {"bau": planned.until}

    Repair(broker.app, "erika").pause("other", "x")
    assert halted(broker, now()) == {"other": None}


def test_a_route_is_stopped_in_the_regular_window_of_its_channel(bench: Make) -> None:
    broker = bench()
    soon = now() + 1.5 * HOUR
    regular = daily(soon)
    over = regular.stops(soon)[0].span.until

    assert stopped(broker.app.store, regular, soon) == {"bau": over}
    assert stopped(broker.app.store, regular, over) == {}


def test_of_all_that_stops_a_route_the_last_end_counts(bench: Make) -> None:
    broker = bench()
    planned = window(timedelta(), 3 * HOUR)
    plan(broker, planned)
    regular = daily(now())

    assert stopped(broker.app.store, regular, now()) == {"bau": planned.until}

    Repair(broker.app, "erika").pause("bau", "x")
    assert stopped(broker.app.store, regular, now()) == {"bau": None}


def test_a_route_that_stands_shows_until_when_and_the_next_window(bench: Make) -> None:
    broker = bench()
    regular = daily(now())
    running, coming = regular.stops(now())

    (beat,) = beats(broker.app.store, regular, now())

    assert (beat.lane.route, beat.paused) == ("bau", True)
    assert (beat.until, beat.next) == (running.span.until, coming.span.start)


def test_what_stops_routes_is_told_with_its_times(bench: Make) -> None:
    broker = bench()
    Repair(broker.app, "erika").pause("other", "x")
    plan(broker, window(HOUR, 2 * HOUR))

    found = pauses(broker.app.store, daily(now()), now())

    assert [(one["route"], one["actor"]) for one in found["paused"]] == [("other", "erika")]
    assert [(one["route"], one["open"]) for one in found["windows"]] == [("bau", False)]
    assert [one["open"] for one in found["maintenance"]] == [True, False]
    assert found["maintenance"][0]["routes"] == ["bau"]


def test_resuming_ends_an_open_window_and_keeps_a_planned_one(bench: Make) -> None:
    broker = bench()
    later = window(HOUR, 2 * HOUR)
    plan(broker, window(timedelta(), HOUR))
    plan(broker, later)

    assert Repair(broker.app, "erika").resume("bau", "done early")

    assert [one.id for one in broker.app.store.windows()] == [later.id]


@pytest.mark.parametrize("times", [(2 * HOUR, HOUR), (-2 * HOUR, -HOUR)], ids=["none", "over"])
def test_a_pause_without_time_is_refused(bench: Make, times: tuple[timedelta, timedelta]) -> None:
    with pytest.raises(NotPossible, match="in the future"):
        plan(bench(), window(*times))
