"""Heads that are written: the official shape, the same for the same facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from lxml import etree

from broker.document import parse
from broker.head import attributes, head, identification, relation, stamp
from broker.message import Authority, Envelope, Facts
from broker.xoev import header
from broker.xoev.standards import Standards
from tests.xoev.folders import KERNMODUL, official
from tests.xoev.letters import CASE, UUID

PORTAL = Authority("bap:03000001", "DVDV", "Bauportal")
CITY = Authority("bab:03103000", "DVDV", "Stadt Wolfsburg")
AT = datetime(2026, 5, 4, 9, 30, 0, 45_678, tzinfo=timezone(timedelta(hours=2)))
FACTS = Facts("0123456789ABC", "m", AT, PORTAL, CITY, digest="ab")
REQUEST = Envelope(
    "xbau",
    "2.6",
    "baugenehmigung.antrag.0200",
    "urn:x",
    PORTAL,
    CITY,
    code="0200",
    uuid=UUID,
    created="2026-05-04T09:30:00.000+02:00",
    case=CASE,
)
KIND = "prozessnachrichten.eingangsbestaetigung.1120"


def receipt(facts: Facts, answered: Envelope) -> bytes:
    root = etree.Element(f"{{{KERNMODUL}}}{KIND}", attributes(facts, "XBau-Kernmodul", "1.3.0"))
    root.append(head(facts, KIND, "1120"))
    root.append(relation(answered))
    return etree.tostring(root)


def texts(element: etree._Element) -> dict[str, str]:
    return {str(etree.QName(one).localname): one.text or "" for one in element.iter()}


def test_a_written_head_is_read_back_as_it_was_meant() -> None:
    found = header.read(parse(receipt(FACTS, REQUEST)))

    assert (found.recipient, found.sender, found.code) == (PORTAL, CITY, "1120")
    assert (found.uuid, found.created) == (FACTS.uuid(KIND), "2026-05-04T07:30:00.045+00:00")


def test_the_elements_of_a_head_have_no_namespace() -> None:
    assert not any("}" in one.tag for one in head(FACTS, KIND, "1120").iter())


def test_the_same_facts_give_the_same_bytes() -> None:
    assert receipt(FACTS, REQUEST) == receipt(FACTS, REQUEST)


def test_a_time_of_creation_may_be_given() -> None:
    created = datetime(2026, 1, 2, tzinfo=UTC)

    assert texts(head(FACTS, KIND, "1120", created))["erstellungszeitpunkt"] == (
        "2026-01-02T00:00:00.000+00:00"
    )


def test_a_relation_names_the_message_and_its_case() -> None:
    found = texts(relation(REQUEST))

    assert (found["referenz"], found["nachrichtenUUID"], found["code"]) == (CASE, UUID, "0200")


def test_a_case_that_is_no_uuid_is_no_reference() -> None:
    assert "referenz" not in texts(relation(replace(REQUEST, case="63.1-2026-7")))


@pytest.mark.parametrize("created", ["", "gestern", "2026-13-01T00:00:00", "20260504T093000"])
def test_what_a_broken_head_did_not_say_validly_is_filled(created: str) -> None:
    broken = replace(REQUEST, uuid="keine-uuid", code="", created=created)

    found = texts(identification(broken, "idNachricht"))

    assert found["nachrichtenUUID"] == "00000000-0000-0000-0000-000000000000"
    assert (found["code"], found["erstellungszeitpunkt"]) == (
        "0000",
        "1970-01-01T00:00:00.000+00:00",
    )


def test_the_test_flag_is_an_attribute_only_where_there_is_one() -> None:
    assert "test" not in attributes(FACTS, "s", "1")
    assert attributes(replace(FACTS, test="demo"), "s", "1")["test"] == "demo"


def test_a_time_is_written_in_utc_with_milliseconds() -> None:
    assert stamp(AT) == "2026-05-04T07:30:00.045+00:00"


@pytest.mark.parametrize("answered", [REQUEST, replace(REQUEST, uuid="x", code="", created="")])
def test_a_written_message_is_valid_for_the_official_schema(
    shared: Path, tmp_path: Path, answered: Envelope
) -> None:
    standards = Standards.load(official(shared, tmp_path / "xoev"))
    document = standards.parse(receipt(replace(FACTS, test="demo"), answered))

    judged = standards.validate(document, standards.envelope(document), AT)

    assert judged.name == "xbau-kernmodul/1.3.0/official"


def test_an_answer_to_xdomea_goes_on_with_its_process() -> None:
    answered = replace(REQUEST, namespace="urn:d", family="xdomea", case="process")

    top = head(replace(FACTS, answered=answered), "x.EmpfangBestaetigen.0403", "0403")

    assert top.tag == "{urn:d}Kopf"
    assert top.findtext("{urn:d}ProzessID") == "process"
    assert top.findtext("{urn:d}Nachrichtentyp/code") == "0403"
    assert top.findtext("{urn:d}Empfaenger/{urn:d}Behoerdenkennung/{urn:d}Praefix/code") == "bap"


def test_an_office_of_xdomea_without_key_keeps_its_name() -> None:
    answered = replace(REQUEST, namespace="urn:d", family="xdomea")
    facts = replace(FACTS, answered=answered, reader=Authority("", "", "Archiv"))

    contact = head(facts, "x", "0403").find("{urn:d}Empfaenger")

    assert contact is not None
    assert texts(contact) == {"Empfaenger": "", "Institution": "", "Name": "Archiv"}
