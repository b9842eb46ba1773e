"""Cases for a person, by cause: how many, why, what to do, and their end."""

from __future__ import annotations

import pytest

from broker.causes import Cause
from broker.cli.dead import proposed
from broker.message import State, now
from tests import messages
from tests.cli.conftest import Type
from tests.site import Site


@pytest.fixture
def dead(place: Site, type_: Type) -> list[str]:
    """Return the ids of three replies that match no delivery."""
    for n in range(3):
        place.answer("wolfsburg", messages.reply("0000000000000", number=f"N{n}"), f"{n}.xml")
        place.work()
    rows = type_("messages", "--state", "dead", "--json").json["messages"]
    return [str(row["id"]) for row in rows][::-1]


def cause(type_: Type) -> str:
    (found,) = type_("dead", "list", "--json").json["causes"]
    return str(found["cause"])


def test_one_cause_is_one_line_with_its_count(type_: Type, dead: list[str]) -> None:
    ran = type_("dead", "list")
    (found,) = type_("dead", "list", "--json").json["causes"]

    assert (found["count"], found["example"], found["state"]) == (3, dead[0], "dead")
    assert f"{found['cause']}  3" in ran.out
    assert f"xoev-broker dead show {found['cause']}" in ran.out


def test_a_cause_says_what_happened_and_what_to_do_next(type_: Type, dead: list[str]) -> None:
    english = type_("dead", "show", cause(type_))
    german = type_("dead", "show", cause(type_), "--lang", "de")

    assert "the reply matches no delivery" in english.out
    assert all(id in english.out for id in dead)
    assert f"xoev-broker dead close {cause(type_)}" in english.out
    assert "Niemand wartet auf diese Rückmeldung" in german.out


def test_a_replay_that_changes_nothing_is_not_proposed(type_: Type, dead: list[str]) -> None:
    ran = type_("dead", "show", cause(type_))

    assert "replay --cause" not in ran.out
    assert f"xoev-broker replay {dead[0]} --edited FILE" in ran.out


@pytest.mark.parametrize(
    ("state", "place", "typed"),
    [
        (State.DEAD, "given up: …", "replay --cause 0123abcd"),
        (State.DEAD, "no return channel: …", "replay --cause 0123abcd --reroute"),
        (State.UNCLEAR, "no answer", "replay --cause 0123abcd --again"),
        (State.HELD, "xbau 2.9 is not installed", "schemas install BUNDLE"),
    ],
    ids=["given-up", "no-way-back", "unclear", "held"],
)
def test_what_is_proposed_fits_the_cause(state: State, place: str, typed: str) -> None:
    one = Cause("0123abcd", state, "", "bau", "", "", place, 2, "0", now(), now())

    lines = list(proposed(one))

    assert f"xoev-broker {typed}" in lines
    assert lines[-1] == 'xoev-broker dead close 0123abcd --reason "…"'


def test_a_message_leads_to_its_cause(type_: Type, dead: list[str]) -> None:
    found = type_("dead", "show", dead[1], "--json").json

    assert (found["cause"], found["messages"]) == (cause(type_), [dead[1]])


def test_one_message_is_closed(type_: Type, dead: list[str]) -> None:
    ran = type_("dead", "close", dead[0], "--reason", "by telephone")

    assert (ran.code, ran.out) == (0, f"{dead[0]} is closed\n")
    assert type_("dead", "list", "--json").json["causes"][0]["count"] == 2


def test_a_whole_cause_is_shown_first_and_closed_with_yes(type_: Type, dead: list[str]) -> None:
    key = cause(type_)
    shown = type_("dead", "close", key, "--reason", "test data")
    still = type_("dead", "list", "--json").json["causes"][0]["count"]
    done = type_("dead", "close", key, "--reason", "test data", "--yes")
    last = type_("trace", dead[0], "--json").json["messages"][0]["entries"][-1]

    assert ("3 would be closed" in shown.out, "--yes" in shown.out, still) == (True, True, 3)
    assert (done.code, type_("dead", "list").out) == (0, "nothing is stuck\n")
    assert (last["event"], last["facts"]["reason"]) == ("closed", "test data")


def test_rejections_are_grouped_in_the_same_way(place: Site, type_: Type) -> None:
    for n in range(2):
        place.file(f"{n}.xml", messages.request(key="bab:03999999"))
    type_("submit", "0.xml", "1.xml")
    place.work()

    (found,) = type_("dead", "list", "--state", "rejected", "--json").json["causes"]

    assert (found["count"], found["reason"]) == (2, "T080")


def test_an_unknown_name_gets_a_hint(type_: Type, submitted: str) -> None:
    for act in (("show", "x"), ("close", "01234567", "--reason", "y")):
        ran = type_("dead", *act)
        assert (ran.code, "dead list" in ran.err) == (1, True)


def test_a_wrong_language_is_wrong_usage(type_: Type, submitted: str) -> None:
    assert type_("dead", "list", "--lang", "fr").code == 2


def test_a_selection_to_close_is_not_replayed_by_mistake(type_: Type, dead: list[str]) -> None:
    type_("dead", "close", cause(type_), "--reason", "test data", "--yes")
    (made,) = type_("selection", "list", "--json").json["selections"]

    ran = type_("replay", "--selection", made["name"])

    assert (ran.code, "selection to close" in ran.err) == (1, True)
