"""The report says the same in both languages, escapes everything and draws what happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from lxml import etree, html

from broker.evidence.page import Cover, page
from broker.evidence.parts import Bytes, Part, Proven
from broker.evidence.timeline import draw
from broker.evidence.words import WORDS
from broker.journal.checkpoint import Checkpoint
from broker.journal.entry import Line
from broker.message import Direction, State, new_id
from broker.stores.contract import Row
from broker.trace import Language
from tests.births import envelope

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
COVER = Cover("one", "Erika", "<script>why</script>", Checkpoint("o", 9, bytes(32)), "o+id+key")


def part(*events: tuple[str, timedelta], state: State = State.DELIVERED) -> Part:
    """Return a message with entries at these times after the start."""
    id = new_id()
    row = Row(
        id, Direction.REQUEST, envelope(), "bauportal", START, 10, state, "bau", "t" * 64,
        "wolfsburg/bau", "procedure", "REF", "63-1", 1, START, START, "", "", "taken", None, None,
        False,
    )  # fmt: skip
    entries = tuple(
        Proven(Line(id, START + after, event, "broker", MappingProxyType({}), at), b"", at, ())
        for at, (event, after) in enumerate(events)
    )
    return Part(row, entries, (Bytes("original", "messages/x", b"s", 10, "d" * 64),))


def drawn(parts: list[Part], language: Language = "en") -> list[str]:
    """Return all texts of a timeline, from a reader of XML."""
    return [str(text) for text in etree.fromstring(draw(parts, language)).itertext()]


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["de"].keys() == WORDS["en"].keys()


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_reason_cannot_become_markup(language: Language) -> None:
    assert "<script" not in page(COVER, [part(("accepted", timedelta()))], 0, language)


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_page_names_its_language(language: Language) -> None:
    assert html.fromstring(page(COVER, [], 0, language)).get("lang") == language


def test_what_became_of_each_message_stands_first_and_leads_to_it() -> None:
    parts = [part(("accepted", timedelta()), ("delivered", timedelta(hours=1))) for _ in range(2)]

    found = html.fromstring(page(COVER, parts, 0, "en"))

    (overview, *_) = found.iter("table")
    rows = list(overview.iterfind("tbody/tr"))
    assert [row.xpath("string(td[4])") for row in rows] == ["2026-03-02 09:00:00"] * 2
    links = [str(link.get("href")) for link in overview.iter("a")]
    assert links == ["#m1", "#m2"]
    assert [found.xpath(f"count(//h2[@id='{link[1:]}'])") for link in links] == [1, 1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("period 2026-01-01T00:00:00.000000+00:00 -", "eingegangen 2026-01-01 00:00 – … (UTC)"),
        ("case of 01a2", "der Vorgang von 01a2"),
        ("63-2026-00017", "63-2026-00017"),
        ("<b>", "<b>"),
    ],
)
def test_what_was_asked_for_is_said_in_the_language_of_the_page(asked: str, said: str) -> None:
    found = html.fromstring(page(replace(COVER, asked=asked), [], 0, "de"))

    assert found.xpath("string(//h1)") == f"Nachweis: {said}"
    assert found.xpath("string(//title)") == f"Nachweis: {said}"


def test_a_page_loads_nothing() -> None:
    text = page(COVER, [part(("accepted", timedelta()))], 0, "de")

    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "url(" not in text


def test_messages_that_are_not_told_are_counted() -> None:
    assert "<p>7 more messages" in page(COVER, [part(("accepted", timedelta()))], 7, "en")


def test_many_messages_have_a_timeline_each() -> None:
    parts = [part(("accepted", timedelta())) for _ in range(9)]
    assert page(COVER, parts, 0, "en").count("<svg") == 9


def test_few_messages_share_one_timeline() -> None:
    parts = [part(("accepted", timedelta())) for _ in range(3)]
    assert page(COVER, parts, 0, "en").count("<svg") == 1


def test_erased_bytes_are_called_erased() -> None:
    one = part(("accepted", timedelta()))
    gone = Part(one.row, one.entries, (Bytes("original", absent="erased"),))
    assert "gelöscht" in page(COVER, [gone], 0, "de")


@pytest.mark.parametrize(
    ("after", "text"),
    [
        (timedelta(milliseconds=12), "+12 ms"),
        (timedelta(seconds=3), "+3.0 s"),
        (timedelta(minutes=5), "+5 min"),
        (timedelta(hours=5), "+5 h"),
        (timedelta(days=3), "+3 d"),
    ],
)
def test_the_timeline_shows_how_long_each_step_took(after: timedelta, text: str) -> None:
    assert text in drawn([part(("accepted", timedelta()), ("delivered", after))])


def test_the_timeline_speaks_german() -> None:
    assert "angenommen und gespeichert" in drawn([part(("accepted", timedelta()))], "de")


def test_a_new_event_is_shown_by_its_name() -> None:
    assert "invented" in drawn([part(("invented", timedelta()))])


def test_more_messages_than_lanes_are_still_drawn() -> None:
    texts = drawn([part(("accepted", timedelta(seconds=at))) for at in range(12)])
    assert texts.count("taken over, on disk") == 12
