"""Regular maintenance windows: what can be written, and when they are."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import ConfigError
from broker.maintenance import DAYS, PATTERN, WEEKS, Maintenance, Slot, endless, zone

BERLIN = zone("Europe/Berlin")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
HOUR = timedelta(hours=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def when(text: str, day: date) -> tuple[datetime, datetime]:
    span = Slot.read(text).span(day, BERLIN)
    return span.start, span.until


def windows(*texts: str) -> Maintenance:
    return Maintenance({"amt": texts}, {"bau": "amt", "other": "elsewhere"}, BERLIN)


def wrong(text: str) -> str:
    """Return what the broker says against a window."""
    try:
        Slot.read(text)
    except ConfigError as error:
        return str(error)
    return ""


def spans(*texts: str, at: datetime) -> list[tuple[str, str]]:
    found = windows(*texts)
    return [(found.local(one.span.start), found.local(one.span.until)) for one in found.stops(at)]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("daily 22:30-23:15", "Mon Tue Wed Thu Fri Sat Sun"),
        ("Sun 02:00-06:00", "Sun"),
        ("Mon-Fri 02:00-06:00", "Mon Tue Wed Thu Fri"),
        ("Fri-Mon 02:00-06:00", "Mon Fri Sat Sun"),
        ("first Sat 20:00-24:00", "Sat"),
    ],
)
def test_a_window_begins_on_the_days_that_it_names(text: str, days: str) -> None:
    assert [DAYS[one] for one in sorted(Slot.read(text).days)] == days.split()


@pytest.mark.parametrize(
    ("text", "days"),
    [("first Sat", [7]), ("second Sat", [14]), ("fourth Sat", [28]), ("last Sat", [28]),
     ("last Mon", [30]), ("third Sun", [15])],
)  # fmt: skip
def test_a_window_can_be_one_of_a_month(text: str, days: list[int]) -> None:
    slot = Slot.read(f"{text} 20:00-24:00")

    assert [day for day in range(1, 31) if slot.on(date(2026, 11, day))] == days


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("Sonntag 02:00-06:00", 'did you mean "Sun"'),
        ("täglich 02:00-06:00", 'did you mean "daily"'),
        ("sun 02:00-06:00", 'did you mean "Sun"'),
        ("Sun-Freitag 02:00-06:00", 'did you mean "Fri"'),
        ("fifth Sat 02:00-06:00", "first Sat"),
        ("first Mon-Fri 02:00-06:00", "a day such as"),
        ("daily 06:00-06:00", "not the begin"),
        ("daily 24:00-06:00", "two times"),
        ("daily 22:60-23:00", "two times"),
        ("daily 2:00-6:00", "two times"),
        ("daily", "two times"),
        ("daily  02:00-06:00", "a day such as"),
        ("daily ٠٢:٠٠-٠٦:٠٠", "two times"),
        ("", "two times"),
    ],
)
def test_what_is_no_window_is_refused_with_what_is_needed(text: str, needed: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(needed)):
        Slot.read(text)


CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 24), st.integers(0, 60))
DAY = st.sampled_from([*DAYS, "daily", "Mon-Fri", "first Sat", "last Mon", "first", "Mo", "x y"])


@given(st.builds("{} {}-{}".format, DAY, CLOCKS, CLOCKS) | st.text(max_size=20))
def test_an_editor_refuses_only_what_the_broker_refuses(text: str) -> None:
    found = wrong(text)

    assert bool(re.search(PATTERN, text)) == (not found or "not the begin" in found)


def test_a_window_over_midnight_ends_on_the_next_day() -> None:
    found = spans("Sat 22:00-04:00", at=berlin("2026-11-29T01:00"))

    assert found[0] == ("2026-11-28 22:00 CET", "2026-11-29 04:00 CET")


def test_at_its_begin_a_window_is_open_and_at_its_end_it_is_not() -> None:
    found = windows("Sun 02:00-06:00")
    start, until = berlin("2026-11-29T02:00"), berlin("2026-11-29T06:00")
    moment = timedelta(microseconds=1)

    times = (start - moment, start, until - moment, until)
    assert [found.closed(at) for at in times] == [set(), {"amt"}, {"amt"}, set()]


def test_windows_that_touch_are_one() -> None:
    found = spans("Sat 22:00-24:00", "Sun 00:00-02:00", "Sun 01:00-04:00",
                  at=berlin("2026-11-29T00:30"))  # fmt: skip

    assert found[0] == ("2026-11-28 22:00 CET", "2026-11-29 04:00 CET")
    assert found[1][0] == "2026-12-05 22:00 CET"


def test_days_that_follow_each_other_are_one_window_of_days() -> None:
    found = spans("Mon-Sat 00:00-24:00", at=berlin("2026-11-27T12:00"))

    assert found[0] == ("2026-11-23 00:00 CET", "2026-11-29 00:00 CET")


def test_where_the_clock_is_put_forward_a_window_is_an_hour_shorter() -> None:
    start, until = when("Sun 01:00-06:00", SPRING)

    assert (start, until) == (utc("2026-03-29T00:00"), utc("2026-03-29T04:00"))


def test_where_the_clock_is_put_back_a_window_is_an_hour_longer() -> None:
    start, until = when("Sun 01:00-06:00", AUTUMN)

    assert (start, until) == (utc("2026-10-24T23:00"), utc("2026-10-25T05:00"))


@pytest.mark.parametrize(
    ("times", "start", "until"),
    [
        ("02:00-06:00", "01:00", "04:00"),
        ("02:30-03:15", "01:00", "01:15"),
        ("01:30-02:30", "00:30", "01:00"),
        ("02:10-02:50", "01:00", "01:00"),
    ],
)
def test_a_time_that_the_clock_skips_is_the_moment_in_which_it_does(
    times: str, start: str, until: str
) -> None:
    found = when(f"Sun {times}", SPRING)

    assert found == (utc(f"2026-03-29T{start}"), utc(f"2026-03-29T{until}"))


@pytest.mark.parametrize(
    ("times", "start", "until"),
    [("02:30-02:45", "00:30", "01:45"), ("02:00-03:00", "00:00", "02:00"),
     ("01:00-02:15", "-23:00", "01:15"), ("02:45-04:00", "00:45", "03:00")],
)  # fmt: skip
def test_of_two_times_the_first_begins_a_window_and_the_second_ends_it(
    times: str, start: str, until: str
) -> None:
    begin = f"2026-10-24T{start[1:]}" if start[0] == "-" else f"2026-10-25T{start}"

    assert when(f"Sun {times}", AUTUMN) == (utc(begin), utc(f"2026-10-25T{until}"))


def test_a_window_within_the_skipped_hour_is_left_out() -> None:
    found = spans("last Sun 02:10-02:50", at=berlin("2026-03-28T12:00"))

    assert found == [("2026-04-26 02:10 CEST", "2026-04-26 02:50 CEST")]


def test_a_nightly_window_is_at_the_same_time_of_the_clock_all_year() -> None:
    days = [SPRING, AUTUMN, date(2026, 6, 1), date(2026, 12, 1)]

    shown = {f"{when('daily 22:30-23:15', day)[0].astimezone(BERLIN):%H:%M}" for day in days}
    assert shown == {"22:30"}


@given(
    st.sampled_from(["daily 22:00-04:00", "Sun 02:30-02:45", "last Sun 01:00-03:00",
                     "Mon-Fri 12:00-12:30", "first Sat 00:00-24:00"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
)  # fmt: skip
def test_inside_a_window_the_clock_shows_a_time_of_it(text: str, at: datetime) -> None:
    found, slot = windows(text), Slot.read(text)
    clock = at.astimezone(BERLIN)
    minute = clock.hour * 60 + clock.minute
    today = slot.on(clock.date()) and slot.start <= minute < slot.end
    before = slot.on(clock.date() - timedelta(days=1)) and minute + 1440 < slot.end

    closed = bool(found.closed(at))

    assert closed or not (today or before)
    if clock.date() != AUTUMN and clock.date() != date(2027, 10, 31):
        assert closed == (today or before)


@given(st.lists(st.datetimes(datetime(2026, 10, 20), datetime(2026, 11, 2),
                             timezones=st.just(UTC)), min_size=1))  # fmt: skip
def test_what_is_known_of_an_earlier_look_changes_nothing(times: list[datetime]) -> None:
    texts = ("daily 22:00-04:00", "Sun 02:30-02:45")
    one = windows(*texts)

    assert [one.closed(at) for at in times] == [windows(*texts).closed(at) for at in times]


def test_every_channel_has_its_own_windows() -> None:
    found = Maintenance(
        {"a": ["Sun 02:00-06:00"], "b": ["Mon 02:00-06:00"], "c": ["Sun 02:00-06:00"]},
        {"x": "a", "y": "a", "z": "b"},
        BERLIN,
    )
    at, end = berlin("2026-11-29T03:00"), berlin("2026-11-29T06:00")

    assert found.closed(at) == {"a", "c"}
    assert found.routes(at) == {"x": end, "y": end}
    assert found.coming(at)["z"] == berlin("2026-11-30T02:00")
    assert [one.channel for one in found.stops(at, "b")] == ["b"]
    assert found.stops(at)[0].routes == ("x", "y")


def test_a_channel_stood_lately_until_so_long_after_its_window() -> None:
    found, end = windows("Sun 02:00-06:00"), berlin("2026-11-29T06:00")

    asked = [(end - HOUR, end - HOUR / 2), (end - HOUR, end + HOUR), (end, end + HOUR)]
    assert [found.recent(*times) for times in asked] == [{"amt"}, {"amt"}, set()]


def test_without_windows_nothing_stands() -> None:
    found = Maintenance({}, {"bau": "amt"})

    assert (found.closed(utc("2026-11-29T03:00")), found.stops(utc("2026-11-29T03:00"))) == (
        frozenset(),
        [],
    )


@pytest.mark.parametrize(
    ("texts", "all_"),
    [
        (["daily 00:00-24:00"], True),
        (["daily 12:00-11:00", "Mon-Sun 11:00-12:00"], True),
        (["daily 00:00-23:59"], False),
        (["Mon-Sat 00:00-24:00"], False),
        (["first Sat 00:00-24:00"], False),
    ],
)
def test_windows_that_leave_nothing_of_a_week_are_found(texts: list[str], all_: bool) -> None:
    assert endless(texts) is all_


@pytest.mark.parametrize("name", ["Europe/Berln", "Europe", "../etc/passwd", "/etc/passwd", "x\0y"])
def test_what_is_no_time_zone_is_refused_with_its_setting(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        zone(name)

    (finding,) = caught.value.findings
    assert str(finding).startswith("XOEV_BROKER_ZONE: ")
    assert "a time zone such as Europe/Berlin" in str(finding)


def test_every_ordinal_is_a_week_of_the_month() -> None:
    assert sorted(WEEKS.values()) == [-1, 1, 2, 3, 4]
