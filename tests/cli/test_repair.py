"""What a person does: every act with a reason, and never a second effect by accident."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from broker.cli.repair import ahead
from broker.maintenance import zone
from broker.message import now
from tests import hours, messages
from tests.cli.conftest import Type
from tests.site import Site

BERLIN = zone("Europe/Berlin")


@pytest.fixture
def dead(place: Site, type_: Type) -> str:
    """Return the id of a reply that matches no delivery."""
    place.answer("wolfsburg", messages.reply("0000000000000"))
    place.work()
    return str(type_("messages", "--state", "dead", "--json").json["messages"][0]["id"])


def state(type_: Type, id: str) -> str:
    return str(type_("messages", id, "--json").json["messages"][0]["state"])


def test_what_was_delivered_is_not_sent_again_by_accident(type_: Type, delivered: str) -> None:
    ran = type_("replay", delivered, "--reason", "try")

    assert ran.code == 1
    assert "--again" in ran.err


def test_a_replay_of_what_was_delivered_is_a_new_linked_message(
    place: Site, type_: Type, delivered: str
) -> None:
    ran = type_("replay", delivered, "--again", "--reason", "the procedure lost it")
    place.work()
    linked = type_("trace", delivered, "--json").json["messages"]

    assert ran.code == 0
    assert [one["replays"] for one in linked] == [None, delivered]
    assert len(place.out("wolfsburg")) == 2


def test_a_stuck_message_goes_back_to_waiting(place: Site, type_: Type) -> None:
    unknown = messages.request(namespace="http://www.xleitstelle.de/xbau/2/9")
    place.file("antrag.xml", unknown)
    held = str(type_("submit", "antrag.xml", "--json").lines[0]["id"])
    place.work()
    before = state(type_, held)

    ran = type_("replay", held, "--reason", "corrected")

    assert (ran.code, before, state(type_, held)) == (0, "held", "waiting")


def test_the_act_names_the_person_and_the_reason(type_: Type, dead: str) -> None:
    type_("close", dead, "--reason", "by telephone")
    last = type_("trace", dead, "--json").json["messages"][0]["entries"][-1]

    assert (last["event"], last["actor"]) == ("closed", getpass.getuser())
    assert last["facts"]["reason"] == "by telephone"
    assert state(type_, dead) == "closed"


@pytest.mark.parametrize("act", ["replay", "close", "settle", "pause"])
def test_no_act_without_a_reason(type_: Type, submitted: str, act: str) -> None:
    options = ["--delivered"] if act == "settle" else []
    without = type_(act, submitted, *options)
    empty = type_(act, "bau" if act == "pause" else submitted, *options, "--reason", " ")

    assert (without.code, empty.code) == (2, 2)
    assert "--reason" in without.err
    assert "--reason" in empty.err


def test_settle_wants_to_be_told_what_was_seen(type_: Type, submitted: str) -> None:
    ran = type_("settle", submitted, "--reason", "seen")

    assert ran.code == 2
    assert "--delivered" in ran.err


def test_only_an_unclear_delivery_is_settled(type_: Type, submitted: str) -> None:
    ran = type_("settle", submitted, "--delivered", "--reason", "seen")

    assert ran.code == 1
    assert "waiting, not unclear" in ran.err


def test_an_unknown_id_gets_a_hint(type_: Type, submitted: str) -> None:
    ran = type_("close", "nothing", "--reason", "x")

    assert ran.code == 1
    assert "xoev-broker messages" in ran.err


def test_reroute_decides_anew(place: Site, type_: Type) -> None:
    place.file("antrag.xml", messages.request())
    [receipt] = type_("submit", "antrag.xml", "--json").lines
    changed = place.routes.read_text("utf-8").replace("name: bau\n", "name: neubau\n")
    place.routes.write_text(changed, "utf-8")
    type_("replay", receipt["id"], "--reroute", "--reason", "new route")
    [row] = type_("messages", receipt["id"], "--json").json["messages"]

    assert row["route"] == "neubau/wolfsburg"


def test_a_paused_route_delivers_nothing_until_it_is_resumed(
    place: Site, type_: Type, submitted: str
) -> None:
    type_("pause", "bau/wolfsburg", "--reason", "maintenance")
    place.work()
    during = place.out("wolfsburg")
    type_("resume", "bau/wolfsburg")
    place.work()

    assert during == []
    assert len(place.out("wolfsburg")) == 1


def test_the_name_of_an_entry_means_all_its_routes(type_: Type) -> None:
    paused, resumed = type_("pause", "bau", "--reason", "maintenance"), type_("resume", "bau")

    assert paused.out.splitlines() == [
        f"bau/{city} is paused" for city in ("wolfsburg", "braunschweig", "salzgitter")
    ]
    assert len(resumed.out.splitlines()) == 3


def test_an_unknown_route_gets_a_suggestion(type_: Type) -> None:
    ran = type_("pause", "bau/wolfsburgg", "--reason", "x")

    assert ran.code == 1
    assert 'did you mean "bau/wolfsburg"?' in ran.err


def test_a_route_can_be_stopped_while_routes_yaml_is_broken(
    place: Site, type_: Type, submitted: str
) -> None:
    place.routes.write_text("broken: [", "utf-8")
    ran = type_("pause", "bau/wolfsburg", "--reason", "emergency")

    assert ran.code == 0
    assert "the name is not checked" in ran.err


def test_resuming_what_is_not_paused_is_said(type_: Type, submitted: str) -> None:
    ran = type_("resume", "bau/wolfsburg")

    assert ran.code == 1
    assert "is not paused" in ran.err


def test_a_pause_with_an_end_is_seen_and_ends_by_itself(
    place: Site, type_: Type, submitted: str
) -> None:
    ran = type_("pause", "bau/wolfsburg", "--until", "2h", "--reason", "update")
    place.work()
    status = type_("status")
    (window,) = type_("status", "--json").json["windows"]

    assert ran.out.startswith("bau/wolfsburg is paused until ")
    assert place.out("wolfsburg") == []
    assert (window["route"], window["open"]) == ("bau/wolfsburg", True)
    assert "paused   bau/wolfsburg by" in status.out


def test_a_planned_pause_stops_nothing_yet_and_can_be_taken_back(
    place: Site, type_: Type, submitted: str
) -> None:
    type_("pause", "bau/wolfsburg", "--from", "1h", "--until", "3h", "--reason", "maintenance")
    place.work()
    planned = type_("status").out
    kept = type_("resume", "bau/wolfsburg")
    gone = type_("resume", "bau/wolfsburg", "--planned")

    assert len(place.out("wolfsburg")) == 1
    assert "planned  bau/wolfsburg by" in planned
    assert (kept.code, gone.code) == (1, 0)
    assert type_("status", "--json").json["windows"] == []


@pytest.mark.parametrize(
    "options",
    [("--from", "1h"), ("--until", "yesterday"), ("--from", "later", "--until", "2h")],
    ids=["no-end", "no-time", "no-begin"],
)
def test_a_pause_with_wrong_times_is_wrong_usage(
    type_: Type, submitted: str, options: tuple[str, ...]
) -> None:
    assert type_("pause", "bau", "--reason", "x", *options).code == 2


def system() -> tzinfo:
    """Return the time zone of this machine."""
    return now().astimezone().tzinfo or UTC


@pytest.mark.parametrize("text", ["14:30", "2026-03-02T08:30", "2026-03-02"])
def test_a_time_of_day_or_a_date_is_meant_as_local_time(text: str) -> None:
    found = ahead(text, "--until", system)

    assert found.tzinfo is not None
    if text == "14:30":
        assert timedelta() < found - now() <= timedelta(days=1)


@pytest.mark.parametrize("begin", ["00:10", "05:00", "12:00", "23:30"])
def test_a_time_of_day_ends_a_planned_pause_the_next_time_after_its_begin(begin: str) -> None:
    start = ahead(begin, "--from", system)

    end = ahead("06:00", "--until", system, start)

    assert timedelta() < end - start <= timedelta(days=1, hours=1)
    assert (end.astimezone().hour, end.astimezone().minute) == (6, 0)


def test_local_time_is_that_of_the_setting(
    type_: Type, submitted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XOEV_BROKER_ZONE", "Asia/Tokyo")
    times = ("--from", "2126-12-01T22:00", "--until", "2126-12-01T23:00+01:00")
    type_("pause", "bau/wolfsburg", "--reason", "maintenance", *times)
    (window,) = type_("status", "--json").json["windows"]

    assert (window["start"][:16], window["until"][:16]) == ("2126-12-01T13:00", "2126-12-01T22:00")


def test_a_time_of_day_is_the_next_one_also_where_the_clock_changes() -> None:
    for day, long in (("2026-03-29", 23), ("2026-10-25", 25)):
        begin = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=BERLIN)
        end = ahead("00:00", "--until", lambda: BERLIN, begin)
        assert end - begin.astimezone(UTC) == timedelta(hours=long)


def test_what_a_regular_window_stops_cannot_be_resumed_and_it_is_said_why(
    place: Site, type_: Type, submitted: str
) -> None:
    place.window(hours.running())
    ran = type_("resume", "bau/wolfsburg")
    other = type_("resume", "bau/salzgitter")

    assert ran.code == 1
    assert "is not paused, its channel is in a regular window until " in ran.err
    assert 'take the window out of "maintenance" in routes.yaml' in " ".join(ran.err.split())
    assert "xoev-broker status lists those" in other.err


def test_a_time_that_is_over_is_refused(type_: Type, submitted: str) -> None:
    ran = type_("pause", "bau", "--until", "2020-01-01", "--reason", "x")

    assert (ran.code, "in the future" in ran.err) == (1, True)
