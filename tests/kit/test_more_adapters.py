"""The worked examples beyond building control: what is special about each."""

from __future__ import annotations

import csv
import io
import json
import random
import struct
import tracemalloc
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from broker import samples
from broker.adapter import Adapter
from broker.catalog import Catalog
from broker.document import Document
from broker.errors import (
    ConversionFailed,
    MessageError,
    NoRoute,
    ReplyError,
    SchemaViolation,
    UnknownCode,
)
from broker.formats import Csv
from broker.kit import coverage
from broker.message import Envelope
from broker.stylesheet import Stylesheet
from broker.xoev.rejection import REASON, reject
from broker.xoev.standards import Standards
from tests import needs
from tests.needs import ROOT

ADAPTERS = ROOT / "adapters"
KERNMODUL = "http://www.xleitstelle.de/xbau/kernmodul/1/2/2"


@cache
def catalog() -> Catalog:
    return Catalog.load([ADAPTERS])


@cache
def standards() -> Standards:
    return Standards.load(ROOT / "schemas" / "xoev")


def adapter(name: str) -> Adapter:
    return catalog().get(name)


def request(name: str, case: str) -> tuple[Document, Envelope]:
    file = ADAPTERS / name / "samples" / case / "1-request.xoev.xml"
    document = standards().parse(file.read_bytes())
    return document, standards().envelope(document)


def converted(name: str, case: str) -> bytes:
    document, envelope = request(name, case)
    return adapter(name).to_legacy(document, samples.facts(envelope))


def edited(name: str, case: str, path: str, text: str) -> bytes:
    """Convert a sample in which one element holds another text."""
    document, envelope = request(name, case)
    root: Any = etree.fromstring(document.raw)
    root.find(path).text = text
    changed = standards().parse(etree.tostring(root))
    return adapter(name).to_legacy(changed, samples.facts(envelope))


def answered(name: str, case: str, reply: bytes) -> bytes:
    document, envelope = request(name, case)
    return adapter(name).to_xoev(reply, samples.reply_facts(envelope, document.raw, reply))


# Salzgitter: JSON.


def test_numbers_and_flags_of_json_are_no_texts() -> None:
    found = json.loads(converted("salzgitter/gewerbe", "einfach"))
    business = found["anzeigen"][0]["betrieb"]

    assert (found["test"], business["nebenerwerb"], business["teilzeit"]) == (True, True, 2)


def test_a_message_without_test_attribute_is_no_test_in_json() -> None:
    document, envelope = request("salzgitter/gewerbe", "einfach")
    facts = replace(samples.facts(envelope), test=None)

    assert json.loads(adapter("salzgitter/gewerbe").to_legacy(document, facts))["test"] is False


def test_every_notice_of_a_message_is_an_entry_of_json() -> None:
    found = json.loads(converted("salzgitter/gewerbe", "mehrere-anzeigen"))

    assert [one["art"] for one in found["anzeigen"]] == ["GewA2", "GewA3"]


@pytest.mark.parametrize("text", ["viele", "-1", "1.5", "9999999999", "²"])
def test_what_is_no_number_is_refused_with_its_field_and_without_its_value(text: str) -> None:
    with pytest.raises(ConversionFailed, match='field "teilzeit"') as caught:
        edited("salzgitter/gewerbe", "einfach", ".//{*}anzahlTeilzeitBeschaeftigte", text)

    assert text not in str(caught.value)


def test_what_is_neither_yes_nor_no_is_refused_with_its_field() -> None:
    with pytest.raises(ConversionFailed, match='field "korrektur": neither 0 nor 1'):
        edited("salzgitter/gewerbe", "einfach", ".//{*}istKorrektur/code", "2")


@pytest.mark.parametrize("text", ["1987-04-12", "12.04.87", "unbekannt"])
def test_a_date_of_birth_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConversionFailed, match="not eight digits"):
        edited("salzgitter/gewerbe", "einfach", ".//{*}geburtsdatum", text)


def test_what_the_profile_cannot_see_the_adapter_refuses() -> None:
    document, envelope = request("salzgitter/gewerbe", "betriebsart-fehlt")
    standards().validate(document, envelope, samples.REQUESTED)

    with pytest.raises(SchemaViolation, match="betriebArt") as caught:
        adapter("salzgitter/gewerbe").to_legacy(document, samples.facts(envelope))

    assert caught.value.reason == "X001"


def test_both_cities_read_a_notice_through_the_same_lists() -> None:
    for name in ("salzgitter/gewerbe", "wolfsburg/gewerbe"):
        with pytest.raises(UnknownCode):
            converted(name, "code-unbekannt")


@pytest.mark.parametrize("name", ["salzgitter/gewerbe", "wolfsburg/gewerbe"])
def test_a_reply_to_a_notice_is_never_guessed(name: str) -> None:
    with pytest.raises(ReplyError, match="no answers"):
        adapter(name).correlate(b'{"ok": true}')
    with pytest.raises(ReplyError, match="no answers"):
        answered(name, "einfach", b"ok")


def test_a_rejected_notice_goes_back_as_a_reason_document() -> None:
    document, envelope = request("salzgitter/gewerbe", "einfach")
    facts = samples.reply_facts(envelope, document.raw, b"")

    made = reject(envelope, document.raw, NoRoute(), facts)

    assert etree.fromstring(made.body).tag == f"{{{REASON}}}reason"


@needs.shared
@pytest.mark.parametrize("name", ["salzgitter/gewerbe", "wolfsburg/gewerbe"])
def test_a_public_sample_is_converted_and_the_broken_one_refused(name: str) -> None:
    folder = needs.SHARED / "xoev/xgewerbeanzeige/samples"
    valid, broken = (
        standards().parse((folder / f"xgwa2.2-{word}.xml").read_bytes())
        for word in ("valid", "invalid")
    )
    facts = samples.facts(standards().envelope(valid))

    assert b"Tibor" in adapter(name).to_legacy(valid, facts)
    with pytest.raises(MessageError):
        adapter(name).to_legacy(broken, facts)


@pytest.mark.parametrize(
    "name",
    ["salzgitter/gewerbe", "wolfsburg/gewerbe", "braunschweig/akte", "salzgitter/durchreichen"],
)
def test_nothing_is_lost_without_a_reason(name: str) -> None:
    report = coverage.report(catalog(), name, standards())

    assert [place.path for way in report.ways for place in way.of("lost")] == []
    assert report.stale == ()


# Wolfsburg: CSV.


def lines(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("cp1252")), delimiter=";"))


def test_each_person_of_each_notice_is_a_line() -> None:
    found = lines(converted("wolfsburg/gewerbe", "gesellschaft"))

    assert [(one["LFD_NR"], one["FAMILIENNAME"]) for one in found] == [
        ("1", "Musterplan"),
        ("2", "Probst-Beispiel"),
    ]


def test_a_company_without_persons_is_a_line_too() -> None:
    document, envelope = request("wolfsburg/gewerbe", "gesellschaft")
    root: Any = etree.fromstring(document.raw)
    for person in root.findall(".//{*}beteiligtePerson"):
        person.getparent().remove(person)
    changed = standards().parse(etree.tostring(root))

    made = adapter("wolfsburg/gewerbe").to_legacy(changed, samples.facts(envelope))

    assert [one["BETRIEB"] for one in lines(made)] == ["Musterfracht GmbH"]


def test_a_text_that_a_spreadsheet_would_run_is_quoted_where_the_adapter_says_so() -> None:
    found = lines(converted("wolfsburg/gewerbe", "formel"))[0]

    assert found["BETRIEB"].startswith("'@")
    assert found["TELEFON"].startswith("'+")


def test_a_text_that_a_spreadsheet_would_run_is_refused_where_nothing_is_said() -> None:
    document, envelope = request("wolfsburg/gewerbe", "formel")
    step = Stylesheet("to_legacy.xsl") | Csv("anzeige.csv", encoding="cp1252")
    step.place(ADAPTERS / "wolfsburg" / "gewerbe")
    step.load()

    with pytest.raises(ConversionFailed, match='field "BETRIEB": a spreadsheet would run it'):
        step(document, samples.facts(envelope))


def test_a_semicolon_in_a_name_stays_in_its_column() -> None:
    assert ";" in lines(converted("wolfsburg/gewerbe", "sonderzeichen"))[0]["BETRIEB"]


# Braunschweig: zip.


def test_the_same_handover_gives_the_same_bytes() -> None:
    assert converted("braunschweig/akte", "einfach") == converted("braunschweig/akte", "einfach")


def test_the_zip_holds_the_order_and_the_unchanged_message() -> None:
    document, _ = request("braunschweig/akte", "einfach")

    with zipfile.ZipFile(io.BytesIO(converted("braunschweig/akte", "einfach"))) as archive:
        assert archive.namelist() == ["auftrag.xml", "xdomea.xml"]
        assert archive.read("xdomea.xml") == document.raw


def test_every_object_names_the_one_above_it() -> None:
    with zipfile.ZipFile(io.BytesIO(converted("braunschweig/akte", "einfach"))) as archive:
        root: Any = etree.fromstring(archive.read("auftrag.xml"))
    objects = root.findall("{*}Objekt")

    assert [one.get("art") for one in objects] == ["AKTE", "VORGANG", "DOKUMENT", "DOKUMENT"]
    assert [one.get("oberhalb") for one in objects] == [
        None,
        objects[0].get("id"),
        objects[1].get("id"),
        objects[1].get("id"),
    ]


def test_an_answer_goes_on_with_the_process_and_swaps_the_offices() -> None:
    _, envelope = request("braunschweig/akte", "einfach")
    reply = (ADAPTERS / "braunschweig/akte/samples/einfach/3-reply.legacy.zip").read_bytes()

    made = standards().parse(answered("braunschweig/akte", "einfach", reply))
    found = standards().envelope(made)

    assert (found.kind, found.case) == ("Abgabe.EmpfangBestaetigen.0403", envelope.case)
    assert (found.sender, found.recipient) == (envelope.recipient, envelope.sender)


def receipt(content: bytes, name: str = "quittung.xml") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def test_a_receipt_is_not_unpacked_beyond_its_limit() -> None:
    with pytest.raises(ReplyError, match="larger than 1000000 bytes"):
        adapter("braunschweig/akte").correlate(receipt(b"<a>" + b" " * 2_000_000 + b"</a>"))


def test_a_receipt_among_too_many_files_is_refused_before_they_are_read() -> None:
    whole = receipt(b"<a/>")
    start, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    directory = whole[start:end] * 100_000
    tail = bytearray(whole[end:])  # its count still says one
    struct.pack_into("<I", tail, 12, len(directory))
    flood = whole[:start] + directory + tail

    tracemalloc.start()
    try:
        with pytest.raises(ReplyError, match="more than 1000 files"):
            adapter("braunschweig/akte").correlate(flood)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "reply", [b"", b"<Quittung/>", receipt(b"<a/>", "x.xml"), receipt(b"<a"), receipt(b"")]
)
def test_a_reply_that_is_no_receipt_is_a_case_for_a_person(reply: bytes) -> None:
    with pytest.raises(ReplyError):
        adapter("braunschweig/akte").correlate(reply)


def test_a_damaged_zip_file_never_raises_anything_else() -> None:
    whole = (ADAPTERS / "braunschweig/akte/samples/import/3-reply.legacy.zip").read_bytes()
    chance = random.Random(7)

    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            adapter("braunschweig/akte").correlate(bytes(damaged[: chance.randint(1, len(whole))]))
            adapter("braunschweig/akte").correlate(bytes(damaged))
        except ReplyError:
            continue


# Salzgitter: XBau 2.5 beside 2.6.


def canonical(content: bytes) -> str:
    return str(etree.canonicalize(content.decode(), strip_text=True))


@pytest.mark.parametrize("case", ["einfach", "rueckweisung", "bescheid"])
def test_an_application_of_either_version_gives_the_same_rows(case: str) -> None:
    new, old = (converted("salzgitter/bau", name) for name in (case, f"{case}-2-5"))

    assert canonical(new) == canonical(old)


@pytest.mark.parametrize(
    ("case", "version"), [("bescheid", "2.6"), ("bescheid-2-5", "2.5"), ("einfach-2-5", "1.2.2")]
)
def test_an_answer_has_the_version_of_the_application(case: str, version: str) -> None:
    file = ADAPTERS / "salzgitter/bau/samples" / case / "3-reply.legacy.xml"

    made = standards().parse(answered("salzgitter/bau", case, file.read_bytes()))

    assert standards().envelope(made).version == version


def test_what_is_missing_is_missing_in_either_version() -> None:
    for case in ("einfach", "einfach-2-5"):
        document, envelope = request("salzgitter/bau", case)
        root: Any = etree.fromstring(document.raw)
        for name in root.findall("{*}antragsteller/*/name"):
            name.getparent().remove(name)
        changed = standards().parse(etree.tostring(root))
        with pytest.raises(SchemaViolation, match="antragsteller"):
            adapter("salzgitter/bau").to_legacy(changed, samples.facts(envelope))


def test_what_2_6_wraps_is_wrapped() -> None:
    step = Stylesheet("aus_2_5.xsl")
    step.place(ADAPTERS / "shared" / "bau")
    older = b"""<o:antrag xmlns:o="http://www.xleitstelle.de/xbau/2/5" version="2.5">
      <o:berechtigung><o:berufsbezeichnung>Architektin</o:berufsbezeichnung></o:berechtigung>
      <anhangOderVerlinkung><uriVerlinkung>urn:x</uriVerlinkung></anhangOderVerlinkung>
    </o:antrag>"""
    _, envelope = request("salzgitter/bau", "einfach")

    root: Any = step.run(older, samples.facts(envelope))

    assert root.get("version") == "2.6"
    assert root.findtext(".//{*}berufsbezeichnung/{*}berufsbezeichnung") == "Architektin"
    assert root.findtext(".//verlinkung/uriVerlinkung") == "urn:x"


def test_an_application_of_2_5_is_rejected_in_the_kernmodul_of_2_5() -> None:
    document, envelope = request("salzgitter/bau", "einfach-2-5")
    facts = samples.reply_facts(envelope, document.raw, b"")

    made = reject(envelope, document.raw, NoRoute(), facts)

    assert (made.envelope.version, made.envelope.namespace) == ("1.2.2", KERNMODUL)
    parsed = standards().parse(made.body)
    standards().validate(parsed, standards().envelope(parsed), samples.REPLIED)


# Passing on.


@pytest.mark.parametrize("case", ["bauantrag", "gewerbeanzeige", "abgabe"])
def test_what_is_passed_on_is_unchanged(case: str) -> None:
    assert (
        converted("salzgitter/durchreichen", case)
        == request("salzgitter/durchreichen", case)[0].raw
    )


def test_an_answer_passes_unchanged_and_its_file_number_is_learnt() -> None:
    file = ADAPTERS / "salzgitter/durchreichen/samples/bauantrag/3-reply.legacy.xml"
    reply = file.read_bytes()

    assert answered("salzgitter/durchreichen", "bauantrag", reply) == reply
    found = adapter("salzgitter/durchreichen").correlate(reply)
    assert (found.reference, bool(found.number)) == ("", True)


def test_an_answer_to_another_message_is_not_passed_on() -> None:
    file = ADAPTERS / "salzgitter/durchreichen/samples/bauantrag/3-reply.legacy.xml"
    _, envelope = request("salzgitter/durchreichen", "bauantrag")
    reply = file.read_bytes().replace(
        envelope.uuid.encode(), b"0a1b2c3d-0000-4000-8000-0123456789ab"
    )

    with pytest.raises(ReplyError, match="another message"):
        answered("salzgitter/durchreichen", "bauantrag", reply)


def test_no_adapter_here_changes_a_message_that_it_was_given() -> None:
    for name, case in (("salzgitter/gewerbe", "einfach"), ("salzgitter/bau", "einfach-2-5")):
        document, envelope = request(name, case)
        before = etree.tostring(document.root)
        adapter(name).to_legacy(document, samples.facts(envelope))

        assert etree.tostring(document.root) == before


def test_every_folder_of_an_example_explains_itself() -> None:
    folders = [Path(catalog().folder(name)) for name in catalog().names]

    assert [folder.name for folder in folders if not (folder / "README.md").is_file()] == []
