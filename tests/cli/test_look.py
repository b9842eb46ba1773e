"""Counting and listing messages."""

from __future__ import annotations

import fcntl
import os
import re
import socket
from pathlib import Path

import pytest

from broker.cli.look import running
from broker.message import State
from broker.roles import Role, lock, unlock
from tests import hours, messages
from tests.cli.conftest import Type
from tests.site import CITIES, Site


def test_without_a_store_the_place_is_named_and_nothing_is_made(place: Site, type_: Type) -> None:
    ran = type_("status")

    assert ran.code == 1
    assert "there is no store at" in ran.err
    assert not (place.folder / "var").exists()


def test_the_states_add_up_to_what_was_accepted(place: Site, type_: Type) -> None:
    for city in CITIES:
        place.file(f"{city}.xml", messages.request(city))
    place.file("invalid.xml", messages.invalid())
    type_("submit", *(f"{name}.xml" for name in (*CITIES, "invalid")))
    place.work()
    place.file("later.xml", messages.request())
    type_("submit", "later.xml")
    ran = type_("status")

    # The rejection of the invalid one is a message of its own, and was delivered.
    assert "accepted 6 = 4 delivered + 1 rejected + 1 waiting" in ran.out
    assert "oldest waiting" in ran.out


def test_requests_and_answers_are_added_up_apart(type_: Type, answered: str) -> None:
    states = type_("status", "--json").json["states"]

    assert (states["request"]["delivered"], states["answer"]["delivered"]) == (1, 1)
    assert set(states["answer"]) == {state.value for state in State}


def test_an_empty_store_adds_up_to_nothing(place: Site, type_: Type) -> None:
    place.app().close()

    assert "accepted 0 = 0" in type_("status").out


def test_the_seal_of_the_journal_is_told(type_: Type, submitted: str) -> None:
    before = type_("status", "--json").json["journal"]
    type_("checkpoint", "--now")
    after = type_("status", "--json").json["journal"]

    assert (before["sealed"], before["checkpoint"]) == (0, None)
    assert before["unsealed"] > 0
    assert before["unsealed_since"]
    assert after["sealed"] == after["checkpoint"] == before["unsealed"]
    assert f"journal  {after['sealed']} entries sealed until " in type_("status").out


def test_payloads_in_the_clear_are_said_at_every_look(
    type_: Type, submitted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XOEV_BROKER_ENCRYPTION", "off")

    assert "payloads are stored in the clear" in type_("status").out
    assert "warning: XOEV_BROKER_ENCRYPTION=off" in type_("check").out
    assert type_("check").code == 0


def test_a_broken_routes_file_does_not_prevent_looking(
    place: Site, type_: Type, submitted: str
) -> None:
    place.routes.write_text("broken: [", "utf-8")

    assert type_("status").code == 0
    assert type_("trace", submitted).code == 0


def test_a_paused_route_is_shown_with_person_and_reason(type_: Type, submitted: str) -> None:
    type_("pause", "bau/wolfsburg", "--reason", "maintenance", "--actor", "jo")
    [pause] = type_("status", "--json").json["paused"]

    assert (pause["route"], pause["actor"], pause["reason"]) == (
        "bau/wolfsburg",
        "jo",
        "maintenance",
    )


def test_a_running_window_and_the_next_one_are_shown(
    place: Site, type_: Type, submitted: str
) -> None:
    place.window(hours.running())
    found = type_("status", "--json").json["maintenance"]
    told = type_("status").out

    assert [(one["channel"], one["open"]) for one in found] == [
        ("wolfsburg-bau", True), ("wolfsburg-bau", False),
    ]  # fmt: skip
    assert found[0]["routes"] == ["bau/wolfsburg"]
    assert found[0]["start"] < found[0]["until"] < found[1]["start"]
    assert re.search(r"^paused   channel wolfsburg-bau until .* CES?T: daily ", told, re.MULTILINE)
    assert re.search(r"^planned  channel wolfsburg-bau from .* until ", told, re.MULTILINE)


def test_of_many_next_windows_the_first_are_shown(place: Site, type_: Type, submitted: str) -> None:
    names = [f"amt-{number}" for number in range(8)]
    more = "".join(
        f"  {name}: {{kind: directory, out: {name}, maintenance: {hours.coming()}}}\n"
        for name in names
    )
    text = place.routes.read_text("utf-8")
    place.routes.write_text(text.replace("channels:\n", "channels:\n" + more), "utf-8")

    told = type_("status").out

    assert told.count("planned  channel ") == 5
    assert "planned  windows of 3 more channels: xoev-broker check" in told


def test_what_waits_for_a_person_is_said_with_the_command(place: Site, type_: Type) -> None:
    place.answer("wolfsburg", messages.reply("0000000000000"))
    place.work()
    ran = type_("status")

    assert "1 wait for a person: xoev-broker messages --state dead" in ran.out


def test_an_intake_and_a_worker_beside_it_are_both_shown(
    place: Site, type_: Type, submitted: str
) -> None:
    held = lock(place.folder / "var", Role.INTAKE)
    os.pwrite(held[0], b"1234567", 0)  # in truth another process
    alone = type_("status")
    held += lock(place.folder / "var", Role.WORKER)
    both = type_("status")
    unlock(held)

    host = socket.gethostname()
    assert f"running: intake:{host}:1234567\n" in alone.out
    assert f"intake:{host}:1234567, worker:{host}:{os.getpid()}\n" in both.out
    assert type_("status", "--json").json["processes"] == []


def test_a_daemon_is_seen_by_its_lock(tmp_path: Path) -> None:
    file = os.open(tmp_path / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(file, b"4711", 0)
    before = running(tmp_path)
    fcntl.flock(file, fcntl.LOCK_EX)
    during = running(tmp_path)
    os.close(file)

    assert (before, during, running(tmp_path)) == (None, 4711, None)


@pytest.fixture
def mixed(place: Site, type_: Type) -> list[str]:
    """Submit one application for each city, and return their ids in that order."""
    for city in CITIES:
        place.file(f"{city}.xml", messages.request(city, case=f"case-{city}"))
    lines = type_("submit", *(f"{city}.xml" for city in CITIES), "--json").lines
    return [line["id"] for line in lines]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), [2, 1, 0]),
        (("--route", "bau/braunschweig"), [1]),
        (("--case", "case-salzgitter"), [2]),
        (("--state", "delivered"), []),
        (("--state", "waiting", "--state", "dead"), [2, 1, 0]),
        (("--direction", "answer"), []),
        (("--party", "bauportal"), [2, 1, 0]),
        (("--since", "1h"), [2, 1, 0]),
        (("--since", "2099-01-01"), []),
        (("--limit", "2"), [2, 1]),
    ],
)
def test_messages_are_filtered(
    type_: Type, mixed: list[str], options: tuple[str, ...], expected: list[int]
) -> None:
    found = type_("messages", *options, "--json").json

    assert [row["id"] for row in found["messages"]] == [mixed[number] for number in expected]
    assert found["more"] == ("--limit" in options)


def test_ids_alone_are_all_of_them_oldest_first_and_made_for_replay(
    type_: Type, mixed: list[str]
) -> None:
    listed = type_("messages", "--json").json["messages"]

    every = type_("messages", "--ids").out.split()
    newest = type_("messages", "--ids", "--limit", "1")

    assert every == [row["id"] for row in listed][::-1]
    assert (newest.out.split(), "more than 1" in newest.err) == (every[-1:], True)


def test_a_message_is_listed_by_its_id(type_: Type, mixed: list[str]) -> None:
    ran = type_("messages", mixed[1])

    assert [line.split()[0] for line in ran.out.splitlines()] == ["id", mixed[1]]


def test_a_time_that_is_none_is_a_wrong_usage(type_: Type, submitted: str) -> None:
    ran = type_("messages", "--since", "yesterday")

    assert ran.code == 2
    assert "2d or 12h" in ran.err


def test_a_hostile_name_in_a_message_cannot_act_on_the_terminal(place: Site, type_: Type) -> None:
    hostile = messages.request().replace(b"<kennung>bab:03103000", "<kennung>a\u009b31m".encode())
    place.file("hostile.xml", hostile)
    type_("submit", "hostile.xml")
    [row] = type_("messages", "--json").json["messages"]
    ran = type_("trace", row["id"])

    assert "\x9b" not in ran.out
    assert "a\\x9b31m" in ran.out
