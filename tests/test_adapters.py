"""Every golden sample of every adapter, by this project's judgement and by the official schemas."""

from __future__ import annotations

import csv
import re
import sqlite3
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from lxml import etree

from broker import samples
from broker.catalog import Catalog
from broker.formats import FixedWidth
from broker.samples import Sample
from broker.xoev.standards import Standards
from tests import needs

ROOT = Path(__file__).parents[1]
XSD = "http://www.w3.org/2001/XMLSchema"
OFFICIAL = {
    "http://www.xleitstelle.de/xbau/2/5": "xbau_2.5/xsd",
    "http://www.xleitstelle.de/xbau/2/6": "xbau_2.6/xsd",
    "http://www.xleitstelle.de/xbau/kernmodul/1/2/2": "xbau-kernmodul_1.2.2/xsd",
    "http://www.xleitstelle.de/xbau/kernmodul/1/3/0": "xbau-kernmodul_1.3.0/xsd",
    "urn:xoev-de:xdomea:schema:3.1.0": "xdomea_3.1.0/xsd",
}
#: No schema of these is public: only our profile can judge them.
UNPUBLISHED = {"http://www.xgewerbeanzeige.de/spezifikation/2.2"}


@cache
def catalog() -> Catalog:
    return Catalog.load([ROOT / "adapters"])


@cache
def standards() -> Standards:
    return Standards.load(ROOT / "schemas" / "xoev")


def every() -> list[Sample]:
    return [sample for name in catalog().names for sample in samples.find(catalog(), name)]


def messages() -> list[Path]:
    return [file for sample in every() for file in sorted(sample.folder.glob("[14]-*.xml"))]


def judged() -> list[Path]:
    """Return the messages whose standard has a public schema."""
    return [file for file in messages() if namespace(file) not in UNPUBLISHED]


def namespace(file: Path) -> str:
    return str(etree.QName(etree.parse(str(file)).getroot()).namespace)


class Local(etree.Resolver):
    """Takes every import from the reference data, by the whole address."""

    def __init__(self, shared: Path) -> None:
        listed = etree.parse(str(shared / "xoev" / "catalog.xml")).getroot()
        self.places = {
            entry.get("name"): shared / "xoev" / str(entry.get("uri"))
            for entry in listed.iter("{*}uri")
        }

    def resolve(self, url: str, _: str, context: Any = None) -> Any:
        place = self.places.get(url)
        return cast(Any, self).resolve_filename(str(place), context) if place else None


@cache
def official(namespace: str) -> etree.XMLSchema:
    folder = needs.SHARED / "xoev" / OFFICIAL[namespace]
    driver = etree.Element(f"{{{XSD}}}schema", targetNamespace=namespace)
    for file in sorted(folder.glob("*.xsd")):
        if etree.parse(str(file)).getroot().get("targetNamespace") == namespace:
            etree.SubElement(driver, f"{{{XSD}}}include", schemaLocation=file.as_uri())
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Local(needs.SHARED))
    return etree.XMLSchema(etree.fromstring(etree.tostring(driver), parser))


def test_no_adapter_of_this_repository_is_broken() -> None:
    assert catalog().findings == ()


@pytest.mark.parametrize("sample", every(), ids=lambda sample: sample.name)
def test_sample(sample: Sample) -> None:
    wrong = [
        result.difference
        for result in samples.check(catalog(), sample, standards())
        if not result.ok
    ]

    assert not wrong, "\n".join(wrong)


@needs.shared
@pytest.mark.parametrize("file", judged(), ids=lambda file: "/".join(file.parts[-5:]))
def test_a_sample_is_valid_by_the_official_schema(file: Path) -> None:
    schema = official(namespace(file))

    assert schema.validate(etree.parse(str(file))), str(schema.error_log)


@needs.shared
@pytest.mark.parametrize("file", messages(), ids=lambda file: "/".join(file.parts[-5:]))
def test_a_sample_holds_no_empty_element(file: Path) -> None:
    empty = [
        element.tag
        for element in etree.parse(str(file)).iter()
        if not len(element) and not (element.text or "").strip()
    ]

    assert not empty


@pytest.mark.parametrize("name", [name for name in catalog().names if name.endswith("/bau")])
def test_an_adapter_has_the_samples_that_a_building_application_needs(name: str) -> None:
    held = {sample.folder.name for sample in samples.find(catalog(), name)}

    assert held >= {
        "einfach",
        "mehrere-antragsteller",
        "sonderzeichen",
        "anlagen",
        "code-unbekannt",
        "bescheid",
        "rueckweisung",
    }


def test_what_wolfsburg_sends_and_gets_is_what_its_wsdl_says() -> None:
    folder = ROOT / "adapters" / "wolfsburg" / "bau"
    types = etree.parse(str(folder / "bau.wsdl")).find(f".//{{{XSD}}}schema")
    assert types is not None
    schema = etree.XMLSchema(etree.fromstring(etree.tostring(types)))

    wrong = [
        file
        for file in sorted(folder.glob("samples/*/[23]-*.xml"))
        if not schema.validate(etree.parse(str(file)))
    ]

    assert not wrong


def test_salzgitters_columns_are_those_of_its_tables() -> None:
    folder = ROOT / "adapters" / "salzgitter" / "bau"
    database = sqlite3.connect(":memory:")
    database.executescript((folder / "tables.sql").read_text("utf-8"))
    tables = {
        table: {row[1]: row[2] for row in database.execute(f"PRAGMA table_info({table})")}
        for table in ("ANTRAG_EINGANG", "ANTRAG_PERSON", "ANTRAG_ANLAGE")
    }
    database.close()

    with (folder / "spalten.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))

    assert {table: list(columns) for table, columns in tables.items()} == {
        table: [row["field"] for row in rows if row["record"] == table] for table in tables
    }
    for row in (row for row in rows if row["kind"] == "text"):
        assert tables[row["record"]][row["field"]] == f"VARCHAR({row['length']})"


def test_every_letter_of_din_91379_can_be_written_in_braunschweig(shared: Path) -> None:
    """Those of type C, single ones and sequences, as the official pattern counts them."""
    file = shared / "xoev" / "xoev-bibliothek" / "din-norm-91379-datatypes.xsd"
    pattern = etree.parse(str(file)).find(f".//*[@name='datatypeC']//{{{XSD}}}pattern")
    assert pattern is not None
    allowed = re.compile(str(pattern.get("value")))
    letters = [
        letter
        for letter in map(chr, range(0xA0, 0x2000))
        if letter.isalpha() and not unicodedata.category(letter).startswith("Lm")
        if allowed.fullmatch(letter)
    ]
    marks = [mark for mark in map(chr, range(0x300, 0x370)) if mark in allowed.pattern]
    step = FixedWidth("antrag.csv", encoding="iso8859-15", replace="zeichen.csv")
    step.place(ROOT / "adapters" / "braunschweig" / "bau")
    step.load()

    for text in [*letters, *(f"x{mark}" for mark in marks)]:
        records = etree.Element("records")
        etree.SubElement(etree.SubElement(records, "A"), "nachname").text = text
        assert step.write(records), text
