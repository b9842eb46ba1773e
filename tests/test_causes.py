"""What is stuck is grouped by what a person would repair once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.causes import STUCK, Cause, advice, cause, causes, every, general
from broker.channels.channel import Incoming
from broker.errors import DeliveryUnclear
from broker.message import State
from broker.stores.contract import Filter
from tests import messages
from tests.fakes import Bench, Make, benches

ALL = Filter(states=STUCK)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def unmatched(broker: Bench, count: int) -> list[str]:
    return [
        broker.intake.reply(
            "procedure", Incoming("reply", str(n), messages.reply("0" * 13, number=f"N{n}"))
        )[0]
        for n in range(count)
    ]


def unclear(broker: Bench) -> str:
    broker.script.plan("procedure", DeliveryUnclear("the connection broke"))
    id = broker.accept(messages.request()).id
    broker.run()
    return id


def test_messages_with_one_cause_are_one_line(bench: Make) -> None:
    broker = bench()
    ids = unmatched(broker, 3)
    one = unclear(broker)

    first, second = causes(broker.app.store, ALL)

    assert (first.count, first.example, first.state) == (3, ids[0], State.DEAD)
    assert (second.count, second.example, second.route) == (1, one, "bau")


def test_a_cause_finds_its_messages_again(bench: Make) -> None:
    broker = bench()
    ids = unmatched(broker, 3)
    unclear(broker)
    key = cause(broker.row(ids[0])).key

    assert [row.id for row in every(broker.app.store, ALL, key)] == ids


def test_pages_are_read_until_the_last(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = bench()
    ids = unmatched(broker, 5)
    monkeypatch.setattr("broker.causes._PAGE", 2)

    assert [row.id for row in every(broker.app.store, ALL)] == ids
    assert causes(broker.app.store, ALL)[0].count == 5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/antrag/anlage[3]/code: unknown", "/antrag/anlage[17]/code: unknown"),
        ("given up after 7 attempts: no answer", "given up after 12 attempts: no answer"),
        ("line 12: no head", "line 400: no head"),
        (
            "no 01a20d27-94bb-743b-86d0-2235151ffc5f here",
            "no 01a20d27-95ab-7b69-b640-9e986d372770 here",
        ),
    ],
)  # fmt: skip
def test_what_differs_between_two_messages_is_no_cause(one: str, other: str) -> None:
    assert general(one) == general(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("to_legacy.xsl:12: no name", "to_legacy.xsl:40: no name"),
        ("the server answered 500", "the server answered 503"),
        ("/baugenehmigung.antrag.0200/a: x", "/baugenehmigung.bescheid.0205/a: x"),
    ],
)
def test_another_place_is_another_cause(one: str, other: str) -> None:
    assert general(one) != general(other)


def test_a_cause_is_told_to_machines_with_stable_keys(bench: Make) -> None:
    broker = bench()
    unclear(broker)

    (found,) = causes(broker.app.store, ALL)

    assert list(found.record()) == [
        "cause", "state", "reason", "route", "adapter", "channel", "place", "count", "example",
        "since", "until",
    ]  # fmt: skip


def test_every_cause_has_advice_in_both_languages(bench: Make) -> None:
    broker = bench()
    unclear(broker)
    unmatched(broker, 1)

    found = causes(broker.app.store, ALL)

    texts = [advice(one, "en") for one in found] + [advice(one, "de") for one in found]
    assert len(set(texts)) == 4
    assert any("settle --delivered" in text for text in texts)


def test_advice_about_an_unknown_error_names_the_way_on(bench: Make) -> None:
    broker = bench()
    known = cause(broker.row(unmatched(broker, 1)[0]))
    strange = Cause(**{name: getattr(known, name) for name in Cause.__slots__} | {"place": "?"})

    assert "xoev-broker trace" in advice(strange, "de")
