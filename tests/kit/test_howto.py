"""The how-to pages for adapters: what they show is what comes out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lxml import etree

from broker.catalog import Catalog
from broker.document import parse
from broker.message import Authority, Facts
from broker.samples import REFERENCE, REQUESTED
from broker.sealed import run
from tests.needs import ROOT

PAGES = sorted((ROOT / "docs/howto").glob("adapter-*.md"))
FACTS = Facts(REFERENCE, "m", REQUESTED, Authority("bab:03999000"), Authority("bap:03000001"))
BLOCK = re.compile(r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
SHEET = (
    '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" '
    'xmlns:x="urn:xoev-broker:adapter" exclude-result-prefixes="x">'
    '<xsl:output omit-xml-declaration="yes"/>{}</xsl:stylesheet>'
)
ADAPTER = """from broker import Adapter, Stylesheet

class Bau(Adapter):
    accepts = ("xbau/2.6",)
    to_legacy = Stylesheet("to_legacy.xsl")
    to_xoev = Stylesheet("to_legacy.xsl")
"""


@dataclass
class Example:
    """Files of an adapter, what goes in, what comes out."""

    page: str
    files: dict[str, str] = field(default_factory=dict)
    given: str = ""
    made: str = ""
    xml: bool = False


def examples() -> Iterator[object]:
    """Yield every example: files, then a block `from` and a block `to`."""
    for page in PAGES:
        example = Example(page.stem)
        for language, remark, text in BLOCK.findall(page.read_text("utf-8")):
            if remark.startswith("file="):
                example.files[remark.removeprefix("file=")] = text
            elif language == "xsl":
                example.files |= {"to_legacy.xsl": SHEET.format(text), "adapter.py": ADAPTER}
            elif remark == "from":
                example.given = text
            elif remark == "to":
                example.made, example.xml = text, language == "xml"
                yield pytest.param(example, id=f"{page.stem}-{len(example.files)}")
                example = Example(page.stem, dict(example.files))


def built(example: Example, folder: Path) -> Catalog:
    for name, text in example.files.items():
        file = folder / "musterstadt/bau" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return Catalog.load([folder])


@pytest.mark.parametrize("example", list(examples()))
def test_what_comes_out_is_what_the_page_shows(example: Example, tmp_path: Path) -> None:
    catalog = built(example, tmp_path)
    assert catalog.findings == ()
    adapter = catalog.get("musterstadt/bau")

    made = run(adapter.to_legacy, parse(example.given.encode()), FACTS)

    if example.xml:
        assert _canonical(made) == _canonical(example.made.encode())
    else:
        encoding = "cp1252" if "csv" in example.page else "iso8859-15"
        text = made.decode("utf-8" if "json" in example.page else encoding)
        assert text.replace("\r\n", "\n") == example.made


def test_there_is_an_example_on_each_page_about_a_format() -> None:
    pages = {example.values[0].page for example in examples()}  # type: ignore[attr-defined]

    assert pages >= {f"adapter-{name}" for name in ("xslt", "fixed-width", "csv", "json", "rows")}


def _canonical(data: bytes) -> str:
    return str(etree.canonicalize(etree.fromstring(data), strip_text=True))
