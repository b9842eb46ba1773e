"""Rejections: valid for the official schema whatever was wrong with the message."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from broker import errors
from broker.document import parse
from broker.errors import BrokerError, Finding, NoRoute, SchemaViolation
from broker.message import Authority, Facts
from broker.xoev import rejection
from broker.xoev.rejection import REASON, TEXTS, XBAU_KIND, Rejection, reject, sentence
from broker.xoev.standards import Standards
from tests.xoev.folders import SCHEMAS, official
from tests.xoev.letters import CASE, UUID, letter

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FACTS = Facts(
    "0123456789ABC",
    "m",
    AT,
    Authority("bap:03000001", "DVDV", "Bauportal"),
    Authority("bab:03103000", "DVDV", "Stadt Wolfsburg"),
    test="demo",
    digest="ab",
)
FOUND = Finding("wrong", line=7, path="/a[1]/b", rule="CVC_PATTERN_VALID", code="X001")
REASONS = sorted(
    {
        one.reason
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, BrokerError)
    }
)


@pytest.fixture(scope="module")
def profiles() -> Standards:
    return Standards.load(SCHEMAS)


@pytest.fixture(scope="module")
def officials(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Standards:
    return Standards.load(official(shared, tmp_path_factory.mktemp("official") / "xoev"))


def rejected(
    standards: Standards, raw: bytes, error: BrokerError, facts: Facts = FACTS
) -> Rejection:
    return reject(standards.envelope(standards.parse(raw)), raw, error, facts)


def find(made: Rejection, path: str) -> Any:
    return parse(made.body, attachments=lambda _: True).root.find(path)


def judged(standards: Standards, made: Rejection) -> str:
    document = standards.parse(made.body)
    return standards.validate(document, standards.envelope(document), AT).name


@pytest.mark.parametrize("reason", REASONS)
def test_a_rejection_is_officially_valid_for_every_reason(
    officials: Standards, reason: str
) -> None:
    made = rejected(officials, letter(), BrokerError("x", reason=reason))

    assert judged(officials, made) == "xbau-kernmodul/1.3.0/official"


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_in_the_official_list(shared: Path, profiles: Standards, reason: str) -> None:
    folder = shared / "xoev/genericode"
    (path,) = folder.glob("*xbau-fehlerkennzahlen_2.2.xml")
    official_codes = {one.text for one in parse(path.read_bytes()).root.iter("SimpleValue")}

    made = rejected(profiles, letter(), BrokerError("x", reason=reason))

    assert find(made, ".//grund/code").text in official_codes & set(TEXTS)


def test_a_rejection_of_a_message_with_a_broken_head_is_officially_valid(
    officials: Standards,
) -> None:
    raw = letter().replace(UUID.encode(), b"keine-uuid").replace(b"2026-05-04T", b"gestern")
    facts = replace(
        FACTS, reader=Authority("\u202e\U0001f600bap:1", "Д", "Gru\u0308n\u00adamt"), test="\u2028"
    )

    made = rejected(officials, raw, SchemaViolation("x", findings=[FOUND] * 50), facts)

    assert judged(officials, made) == "xbau-kernmodul/1.3.0/official"
    assert find(made, ".//leser/name").text == "Grünamt"


def test_a_rejection_carries_the_original_bytes(profiles: Standards) -> None:
    raw = letter()

    made = rejected(profiles, raw, NoRoute())

    assert base64.b64decode(find(made, ".//nachricht").text, validate=True) == raw


def test_a_rejection_names_the_message_it_is_about(profiles: Standards) -> None:
    made = rejected(profiles, letter(), NoRoute())
    about = {etree.QName(one).localname: one.text for one in find(made, ".//idNachricht").iter()}

    assert (about["nachrichtenUUID"], about["code"]) == (UUID, "0200")


def test_a_rejection_goes_back_to_the_sender(profiles: Standards) -> None:
    made = rejected(profiles, letter(), NoRoute())

    read_back = profiles.envelope(profiles.parse(made.body))
    assert made.envelope == replace(read_back, case=CASE)
    assert (made.kind, made.envelope.recipient.key) == (XBAU_KIND, "bap:03000001")


def test_a_rejection_is_itself_recognised_as_one(profiles: Standards) -> None:
    assert profiles.is_rejection(rejected(profiles, letter(), NoRoute()).envelope)


def test_every_finding_is_a_reason_with_its_place(profiles: Standards) -> None:
    made = rejected(profiles, letter(), SchemaViolation("x", findings=[FOUND, FOUND]))
    root = parse(made.body).root

    texts = [str(one.text) for one in root.iter("fehlertext")]
    assert texts == [f"{TEXTS['X001'][0]} Zeile 7: /a[1]/b (CVC_PATTERN_VALID)"] * 2


def test_the_text_of_an_error_is_never_told(profiles: Standards) -> None:
    error = SchemaViolation("GEHEIM-1964", findings=[replace(FOUND, text="GEHEIM-1964")])

    for raw in (letter(), letter(namespace="urn:x")):
        assert b"GEHEIM" not in rejected(profiles, raw, error).body


def test_the_same_message_and_facts_give_the_same_bytes(profiles: Standards) -> None:
    first, second = (rejected(profiles, letter(), NoRoute()) for _ in range(2))

    assert first == second


def test_a_name_that_looks_like_the_place_of_the_original_harms_nothing(
    profiles: Standards,
) -> None:
    facts = replace(FACTS, reader=Authority("bap:1", "DVDV", rejection._HOLE))

    made = rejected(profiles, letter(), NoRoute(), facts)

    assert find(made, ".//leser/name").text == rejection._HOLE
    assert base64.b64decode(find(made, ".//nachricht").text) == letter()


def test_an_original_that_is_too_large_is_left_out(
    officials: Standards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejection, "_EMBEDDED", 10)

    made = rejected(officials, letter(), NoRoute())

    assert not find(made, ".//nachricht").text
    assert judged(officials, made) == "xbau-kernmodul/1.3.0/official"


def test_a_large_original_comes_back_whole(profiles: Standards) -> None:
    raw = letter(f"<x:anlagen>{'QUJD' * 3_000_000}</x:anlagen>")

    made = rejected(profiles, raw, NoRoute())

    assert hashlib.sha256(base64.b64decode(find(made, ".//nachricht").text)).digest() == (
        hashlib.sha256(raw).digest()
    )
    assert judged(profiles, made) == "xbau-kernmodul/1.3.0/profile"


def test_an_unknown_standard_gets_a_reason_document(profiles: Standards) -> None:
    raw = letter(namespace="urn:x")

    made = rejected(profiles, raw, errors.UnknownStandard("x", findings=[FOUND]))
    root = parse(made.body).root

    assert (root.tag, made.kind, made.envelope.standard) == (f"{{{REASON}}}reason", "reason", "")
    assert root.findtext(f"{{{REASON}}}code") == "V001"
    assert [one.text for one in root.iter(f"{{{REASON}}}text")] == list(TEXTS["V001"])
    about: Any = root.find(f"{{{REASON}}}message")
    assert about.attrib == {
        "id": UUID,
        "kind": "baugenehmigung.antrag.0200",
        "sha256": hashlib.sha256(raw).hexdigest(),
    }
    assert root.find(f"{{{REASON}}}finding") is not None


def test_every_code_has_a_sentence_and_unknown_ones_the_general() -> None:
    assert sentence("S011") == TEXTS["X011"]
    assert sentence("Z999") == TEXTS["S999"]
