"""The story of a message, as people and machines get it."""

from __future__ import annotations

import pytest

from tests import messages
from tests.cli.conftest import Type
from tests.site import Site

NUMBER = "63-WOB-00123-26"


def test_the_story_goes_from_the_application_to_the_answer(type_: Type, answered: str) -> None:
    request, answer = type_("trace", answered, "--json").json["messages"]

    assert [entry["event"] for entry in request["entries"]] == [
        "submitted", "accepted", "validated", "converted", "sending", "delivered", "numbered",
        "answered",
    ]  # fmt: skip
    assert answer["answers"] == answered
    assert answer["state"] == "delivered"


@pytest.mark.parametrize("name", ["id", "uuid", "reference", "number", "answer"])
def test_every_name_of_a_message_leads_to_the_same_story(
    type_: Type, answered: str, name: str
) -> None:
    request, answer = type_("trace", answered, "--json").json["messages"]
    asked = answer["id"] if name == "answer" else request[name]
    found = type_("trace", asked, "--json").json["messages"]

    assert [one["id"] for one in found] == [request["id"], answer["id"]]


def test_a_case_shows_all_its_messages(place: Site, type_: Type) -> None:
    for number in "12":
        place.file(f"{number}.xml", messages.request(case="a-case"))
    type_("submit", "1.xml", "2.xml")

    assert len(type_("trace", "a-case", "--json").json["messages"]) == 2


def test_no_content_of_the_message_is_told(type_: Type, answered: str) -> None:
    told = type_("trace", answered).out + type_("trace", answered, "--json").out

    assert "Beispielmann" not in told
    assert "Erfundene" not in told


def test_people_read_what_happened_in_their_language(type_: Type, answered: str) -> None:
    english, german = type_("trace", NUMBER), type_("trace", NUMBER, "--lang", "de")

    assert f"file number    {NUMBER}" in english.out
    assert "the other side has it" in english.out
    assert f"Aktenzeichen   {NUMBER}" in german.out
    assert "die Gegenseite hat sie" in german.out


def test_the_language_follows_the_environment(
    type_: Type, answered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")

    assert type_("trace", NUMBER).out.startswith(f"Anfrage {answered}: zugestellt\n")


def test_another_language_is_a_wrong_usage(type_: Type, submitted: str) -> None:
    assert type_("trace", submitted, "--lang", "fr").code == 2


def test_a_rejection_is_told_with_reason_and_place(place: Site, type_: Type) -> None:
    place.file("invalid.xml", messages.invalid())
    [receipt] = type_("submit", "invalid.xml", "--json").lines
    place.work()
    ran = type_("trace", receipt["id"])

    assert "rejected" in ran.out.splitlines()[0]
    assert "X001" in ran.out
    assert "nachrichtenkopf.g2g" in ran.out


@pytest.mark.parametrize("text", ["nothing", "", " ", "%", "' or 1=1 --"])
def test_an_unknown_name_is_an_error_with_a_hint(type_: Type, submitted: str, text: str) -> None:
    ran = type_("trace", text)

    assert ran.code == 1
    assert "xoev-broker messages lists the newest" in ran.err
