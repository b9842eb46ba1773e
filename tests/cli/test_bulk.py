"""Many messages at once: filters, preview, a frozen list, a pace; and four eyes for new content."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from broker.cli.bulk import per_second
from broker.message import State
from tests import messages
from tests.cli.conftest import Type
from tests.site import Site

NEWER = "http://www.xleitstelle.de/xbau/2/9"


@pytest.fixture
def held(place: Site, type_: Type) -> list[str]:
    """Return the ids of three messages whose schema is not installed."""
    for n in range(3):
        place.file(f"{n}.xml", messages.request(namespace=NEWER))
    found = type_("submit", "0.xml", "1.xml", "2.xml", "--json").lines
    place.work()
    return [str(one["id"]) for one in found]


def states(type_: Type, ids: list[str]) -> set[str]:
    rows = type_("messages", "--json").json["messages"]
    return {row["state"] for row in rows if row["id"] in ids}


def frozen(type_: Type, *filters: str) -> None:
    ran = type_("replay", *filters, "--freeze", "outage", "--reason", "back")
    assert ran.code == 0, ran.err


def test_filters_show_what_would_happen_and_do_nothing(type_: Type, held: list[str]) -> None:
    ran = type_("replay", "--state", "held")

    assert ran.code == 0
    assert "3 would be replayed, 0 left out" in ran.out
    assert all(id in ran.out for id in held)
    assert states(type_, held) == {"held"}


def test_what_was_frozen_is_done(type_: Type, held: list[str]) -> None:
    frozen(type_, "--state", "held")

    ran = type_("replay", "--selection", "outage", "--rate", "1000/s")

    assert (ran.code, states(type_, held)) == (0, {"waiting"})
    assert "outage: 3 done (3 now), 0 refused, 0 cancelled, 0 pending" in ran.out


def test_a_list_of_ids_is_a_filter(place: Site, type_: Type, held: list[str]) -> None:
    place.file("ids.txt", f"{held[1]}\nunknown\n".encode())
    frozen(type_, "--ids", "ids.txt")
    type_("selection", "run", "outage")

    found = {row["id"]: row["state"] for row in type_("messages", "--json").json["messages"]}

    assert [found[id] for id in held] == ["held", "waiting", "held"]


def test_requests_are_sent_again_without_their_answers(
    place: Site, type_: Type, delivered: str
) -> None:
    (message,) = type_("trace", delivered, "--json").json["messages"]
    place.answer("wolfsburg", messages.reply(message["reference"]))
    place.work()
    every = type_("messages", "--state", "delivered", "--ids").out.split()

    asked = ("--state", "delivered", "--again", "--direction", "request", "--json")
    found = type_("replay", *asked).json["messages"]

    assert len(every) == 2
    assert [one["id"] for one in found] == [delivered]


def test_a_preview_for_machines_names_each_message(type_: Type, held: list[str]) -> None:
    found = type_("replay", "--state", "held", "--json").json

    assert [one["id"] for one in found["messages"]] == held
    assert {one["refused"] for one in found["messages"]} == {None}


def test_rerouting_shows_the_old_and_the_new_route(
    place: Site, type_: Type, delivered: str
) -> None:
    changed = place.routes.read_text("utf-8").replace("name: bau\n", "name: neubau\n")
    place.routes.write_text(changed, "utf-8")

    ran = type_("replay", "--state", "delivered", "--again", "--reroute")

    assert f"{delivered}  bau/wolfsburg → neubau/wolfsburg" in ran.out


def test_what_cannot_be_replayed_is_left_out_with_the_reason(type_: Type, delivered: str) -> None:
    ran = type_("replay", "--state", "delivered")

    assert "0 would be replayed, 1 left out" in ran.out
    assert "left out: 1: ID was delivered" in ran.err


def test_a_cancelled_selection_does_nothing(type_: Type, held: list[str]) -> None:
    frozen(type_, "--state", "held")
    cancelled = type_("selection", "cancel", "outage", "--reason", "wrong list")

    ran = type_("selection", "run", "outage")

    assert cancelled.out == "outage: 3 cancelled\n"
    assert (ran.code, states(type_, held)) == (0, {"held"})


def test_a_selection_shows_why_a_message_was_refused(type_: Type, held: list[str]) -> None:
    frozen(type_, "--state", "held")
    type_("close", held[0], "--reason", "by letter")

    ran = type_("selection", "run", "outage")
    shown = type_("selection", "show", "outage")

    assert ran.code == 1
    assert f"{held[0]}  refused: " in shown.out
    assert type_("selection", "list", "--json").json["selections"][0]["counts"] == {
        "pending": 0, "done": 2, "refused": 1, "cancelled": 0,
    }  # fmt: skip


def test_ctrl_c_stops_after_the_batch_and_calling_it_again_goes_on(
    place: Site, type_: Type, held: list[str]
) -> None:
    frozen(type_, "--state", "held")
    command = place.command("selection", "run", "outage", "--batch", "1", "--rate", "1/h")
    process = subprocess.Popen(
        command, env=place.process(), cwd=place.folder, stdout=subprocess.PIPE, text=True
    )
    app = place.app()
    while not app.store.selected("outage", "done"):
        os.sched_yield()
    app.close()

    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "1 done (1 now), 0 refused, 0 cancelled, 2 pending" in out
    assert "goes on with: xoev-broker selection run outage" in out
    assert type_("selection", "run", "outage").code == 0
    assert states(type_, held) == {"waiting"}


def test_a_killed_run_goes_on_and_does_nothing_twice(
    place: Site, type_: Type, delivered: str
) -> None:
    frozen(type_, "--state", "delivered", "--again")
    command = place.command("selection", "run", "outage", "--rate", "1/h")
    process = subprocess.Popen(command, env=place.process(), cwd=place.folder)
    app = place.app()
    while not app.store.selected("outage", "done"):
        os.sched_yield()
    process.kill()
    process.wait()
    app.close()

    type_("selection", "run", "outage")
    place.work()

    assert len(place.out("wolfsburg")) == 2


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("ID", "--state", "dead"),
        ("ID", "--selection", "x"),
        ("--ids", "x", "--route", "bau"),
        ("--state", "held", "--freeze", "x"),
        ("--selection", "x", "--rate", "quick"),
    ],
    ids=["nothing", "id-and-filter", "id-and-selection", "ids-and-filter", "no-reason", "rate"],
)
def test_wrong_usage_is_said(type_: Type, submitted: str, args: tuple[str, ...]) -> None:
    assert type_("replay", *args).code == 2


def test_unknown_names_and_files_are_said(type_: Type, submitted: str) -> None:
    for args in (("--selection", "x"), ("--ids", "nothing.txt"), ("x", "--reason", "y")):
        assert type_("replay", *args).code == 1


@pytest.mark.parametrize(("text", "rate"), [("", 0.0), ("10/s", 10.0), ("300/min", 5.0)])
def test_a_rate_is_messages_a_second(text: str, rate: float) -> None:
    assert per_second(text) == rate


def edited(place: Site, name: str = "edited.xml") -> Path:
    return place.file(name, messages.request())


def test_new_content_needs_a_second_person_who_has_looked(
    place: Site, type_: Type, held: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "erika")
    edited(place)
    ran = type_("replay", held[0], "--edited", "edited.xml", "--reason", "version corrected")
    (made,) = type_("proposals", "list", "--json").json["proposals"]
    alone = type_("confirm", made["id"], "--reason", "x", "--actor", "max")
    monkeypatch.setenv("SUDO_USER", "max")
    blind = type_("confirm", made["id"], "--reason", "x")
    shown = type_("proposals", "show", made["id"])
    done = type_("confirm", made["id"], "--reason", "compared")
    place.work()

    assert (ran.code, alone.code, blind.code, done.code) == (0, 1, 1, 0)
    assert "+++ proposed" in shown.out
    found = {row["id"]: row for row in type_("trace", held[0], "--json").json["messages"]}
    (new,) = (row for row in found.values() if row["replays"] == held[0])
    assert (found[held[0]]["state"], new["state"]) == ("closed", State.DELIVERED.value)
    assert type_("proposals", "list", "--json").json["proposals"] == []
    assert [one["decision"] for one in type_("proposals", "list", "--all", "--json").json[
        "proposals"]] == ["confirmed"]  # fmt: skip


def test_a_rejected_proposal_is_over(place: Site, type_: Type, held: list[str]) -> None:
    edited(place)
    type_("replay", held[0], "--edited", "edited.xml", "--reason", "version corrected")
    (made,) = type_("proposals", "list", "--json").json["proposals"]

    ran = type_("proposals", "reject", made["id"].lower(), "--reason", "wrong case")

    assert (ran.code, states(type_, held)) == (0, {"held"})
    assert "is declined" in ran.out


def test_an_unknown_proposal_or_file_is_said(type_: Type, held: list[str]) -> None:
    assert "proposals list --all" in type_("confirm", "X", "--reason", "y").err
    ran = type_("replay", held[0], "--edited", "nothing.xml", "--reason", "y")
    assert (ran.code, "cannot be read" in ran.err) == (1, True)
