"""The worked examples end to end: a message in, the procedure gets it, its answer goes back."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from lxml import etree

from broker.message import State
from broker.stores.contract import Filter, Row
from tests.needs import ROOT
from tests.site import Site, build

ADAPTERS = ROOT / "adapters"
ROUTES = """\
parties:
  salzgitter:   {name: Stadt Salzgitter, ags: 03102000}
  gewerbeportal: {name: Gewerbeportal, key: "xga:990300000001", answer: bauportal-return}
  bauaufsicht:   {name: Bauaufsicht, key: "bab:03101000", answer: wolfsburg-return}
channels:
  salzgitter-gewerbe: {kind: directory, out: salzgitter/out, suffix: .json, test: true}
  braunschweig-akte: {kind: directory, out: braunschweig/out, replies: braunschweig/in, settle: 0s,
                      suffix: .zip}
  salzgitter-in: {kind: directory, in: salzgitter/in, from: gewerbeportal, settle: 0s, test: true}
  wolfsburg-in:  {kind: directory, in: wolfsburg/in, from: bauaufsicht, settle: 0s}
  wolfsburg-return: {kind: directory, out: wolfsburg/out}
  bauportal-return: {kind: directory, out: bauportal/out, test: true}
routes:
  - name: gewerbe
    for: [salzgitter]
    match: {standard: xgewerbeanzeige, version: 2.2, recipient: "MELDID:{ags}"}
    adapter: "{city}/gewerbe"
    channel: "{city}-gewerbe"
    order: case
  - name: akte
    match: {standard: xdomea, version: 3.1.0, recipient: "akt:03101000"}
    adapter: braunschweig/akte
    channel: braunschweig-akte
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return build(tmp_path, ROUTES)


def sample(name: str, case: str) -> bytes:
    return (ADAPTERS / name / "samples" / case / "1-request.xoev.xml").read_bytes()


def rows(site: Site) -> list[Row]:
    app = site.app()
    try:
        return list(app.store.rows(Filter(limit=10)))
    finally:
        app.close()


def receipt(order: bytes) -> bytes:
    """Answer a delivered zip file as the document management system would: all taken over."""
    with zipfile.ZipFile(io.BytesIO(order)) as archive:
        root = etree.fromstring(archive.read("auftrag.xml"))
    space = "urn:braunschweig:ablage:1"
    made = etree.Element(f"{{{space}}}Quittung")
    etree.SubElement(made, f"{{{space}}}Referenz").text = root.findtext("{*}Referenz")
    etree.SubElement(made, f"{{{space}}}Art").text = "IMPORT"
    for one in root.iter("{*}Objekt"):
        etree.SubElement(made, f"{{{space}}}Objekt", id=str(one.get("id")))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("quittung.xml", etree.tostring(made))
    return packed.getvalue()


def test_a_handover_arrives_as_a_zip_and_its_receipt_as_a_message(site: Site) -> None:
    site.answer("wolfsburg", sample("braunschweig/akte", "einfach"), "abgabe.xml")
    site.work()
    (order,) = site.out("braunschweig")
    site.answer("braunschweig", receipt(order.read_bytes()), "quittung.zip")
    site.work()

    (answer,) = site.out("wolfsburg")
    root = etree.fromstring(answer.read_bytes())
    assert etree.QName(root).localname == "Abgabe.ImportBestaetigen.0402"
    assert root.xpath("count(//*[local-name() = 'Erfolgreich' and . = 'true'])") == 4
    assert {row.state for row in rows(site)} == {State.DELIVERED}


def test_a_handover_that_the_adapter_refuses_goes_back_as_a_reason_document(site: Site) -> None:
    site.answer("wolfsburg", sample("braunschweig/akte", "nur-papier"), "abgabe.xml")
    site.work()

    (answer,) = site.out("wolfsburg")
    assert etree.QName(etree.fromstring(answer.read_bytes())).localname == "reason"
    assert site.out("braunschweig") == []


def test_a_notice_arrives_as_json_and_nothing_goes_back(site: Site) -> None:
    site.answer("salzgitter", sample("salzgitter/gewerbe", "einfach"), "anzeige.xml")
    site.work()

    (order,) = site.out("salzgitter")
    assert json.loads(order.read_bytes())["anzeigen"][0]["art"] == "GewA1"
    assert site.out("bauportal") == []


def test_a_notice_with_a_gap_that_no_schema_sees_is_rejected(site: Site) -> None:
    site.answer("salzgitter", sample("salzgitter/gewerbe", "betriebsart-fehlt"), "anzeige.xml")
    site.work()

    (answer,) = site.out("bauportal")
    assert etree.fromstring(answer.read_bytes()).findtext("{*}code") == "X001"
    assert State.REJECTED in {row.state for row in rows(site)}
