"""A period in numbers: counted right, drawn right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from broker.cli.chart import columns, lasted, page
from broker.cli.statistics import bar
from broker.errors import Refusal
from broker.message import Direction, State, now
from broker.statistics import Group, Statistics, collect, percentile, record
from broker.stores.contract import Filter
from tests import messages
from tests.fakes import Bench, Script

WORDS = {"days": "days"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, Script())
    yield made
    made.app.close()


@pytest.fixture
def worked(bench: Bench) -> Bench:
    """Deliver three, reject one that is invalid and one without a route, refuse one, leave one."""
    for body in (*[messages.request() for _ in range(3)], messages.invalid()):
        bench.accept(body)
    bench.accept(messages.request(key="bab:03999999"))
    with pytest.raises(Refusal):
        bench.accept(b"<a")
    bench.run()
    bench.accept(messages.request())
    return bench


def collected(bench: Bench, **wanted: object) -> Statistics:
    return collect(bench.app.store, Filter(**wanted))  # type: ignore[arg-type]


def test_requests_and_answers_are_counted_by_state(worked: Bench) -> None:
    found = collected(worked)
    total = found.total(Direction.REQUEST)

    assert total.states == {State.DELIVERED: 3, State.REJECTED: 2, State.WAITING: 1}
    assert (total.accepted, total.open) == (6, 1)
    assert found.total(Direction.ANSWER).states == {State.DELIVERED: 2}


def test_the_reasons_are_counted_apart_from_what_was_refused(worked: Bench) -> None:
    found = collected(worked)

    assert dict(found.reasons) == {"T080": 1, "X001": 1}
    assert dict(found.refused) == {"X000": 1}


def test_each_route_is_a_group_and_no_route_is_one_too(worked: Bench) -> None:
    groups = [(group.direction.value, group.route) for group in collected(worked).groups]

    assert groups == [("request", ""), ("request", "bau"), ("answer", ""), ("answer", "bau")]


def test_only_what_was_delivered_has_a_time(worked: Bench) -> None:
    times = collected(worked).total(Direction.REQUEST).times

    assert len(times) == 3
    assert all(time > 0 for time in times)


def test_a_period_counts_what_was_accepted_in_it(worked: Bench) -> None:
    later = now() + timedelta(hours=1)

    assert collected(worked, since=later).groups == ()
    assert collected(worked, since=later).refused == {}
    assert collected(worked, until=later).refused == {"X000": 1}
    assert collected(worked, route="bau").total(Direction.REQUEST).accepted == 5


def test_the_record_has_keys_that_stay_and_adds_up(worked: Bench) -> None:
    made = record(collected(worked))

    assert set(made) == {
        "since", "until", "requests", "answers", "routes", "days", "rejected_why", "refused",
        "refused_why",
    }  # fmt: skip
    parts = [one["accepted"] for one in made["routes"] if one["direction"] == "request"]
    assert sum(parts) == made["requests"]["accepted"] == made["days"][0]["accepted"] == 6


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([7], 95, 7),
        ([3, 1, 2], 50, 2),
        ([1, 2, 3, 4], 50, 2),
        (range(1, 101), 95, 95),
        (range(1, 21), 95, 19),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(
    values: list[float], percent: int, expected: float | None
) -> None:
    assert percentile(values, percent) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "-"),
        (0.0421, "42 ms"),
        (12.34, "12.3 s"),
        (119, "119.0 s"),
        (150, "2.5 min"),
        (9000, "2.5 h"),
        (260_000, "3.0 d"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float | None, expected: str) -> None:
    assert lasted(seconds) == expected


def test_a_bar_shows_what_is_there_at_all() -> None:
    assert (bar(0, 1000), bar(1, 1000), len(bar(1000, 1000))) == ("", "█", 40)


def days(count: int) -> dict[date, Counter[State]]:
    first = date(2026, 1, 1)
    return {
        first + timedelta(at): Counter({State.DELIVERED: at + 1, State.REJECTED: 1})
        for at in range(0, count, 2)
    }


@pytest.mark.parametrize("count", [1, 2, 31, 62, 63, 400])
def test_a_chart_is_well_formed_and_keeps_within_its_frame(count: int) -> None:
    drawn = ElementTree.fromstring(columns(days(count), WORDS))
    parts = drawn.findall("g/rect")

    assert drawn.get("viewBox") == "0 0 960 248"
    assert len(drawn.findall("g")) <= 62
    for part in parts:
        x, y, wide, high = (float(part.get(name, "")) for name in ("x", "y", "width", "height"))
        assert 48 <= x <= x + wide <= 960.1
        assert 0 <= y <= y + high <= 220.1


def test_days_without_messages_are_shown_as_gaps() -> None:
    drawn = ElementTree.fromstring(columns(days(5), WORDS))

    assert [len(part.findall("rect")) for part in drawn.findall("g")] == [2, 0, 2, 0, 2]


@pytest.mark.parametrize("lang", ["en", "de"])
def test_the_page_escapes_what_came_from_a_message(lang: str) -> None:
    group = Group(Direction.REQUEST, "<b>bau</b>")
    group.states[State.DELIVERED] = 1
    period = Filter(since=datetime(2026, 1, 1, tzinfo=UTC))
    made = Statistics(period, (group,), days(3), {"<i>": 1}, {})

    text = page(made, "de" if lang == "de" else "en")

    assert "<b>bau" not in text
    assert "<i>" not in text
    assert ("Nachrichten in Zahlen" in text) is (lang == "de")


def test_a_page_without_messages_says_so() -> None:
    assert "No message was accepted" in page(Statistics(Filter(), (), {}, {}, {}), "en")
