"""Profiles of older and of other standards: nothing valid refused, wrong heads refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from broker.xoev.standards import Standards
from tests import needs
from tests.xoev.folders import SCHEMAS
from tests.xoev.generator import messages
from tests.xoev.test_profiles import accepted, explained

GEWERBE = "http://www.xgewerbeanzeige.de/spezifikation/2.2"
XDOMEA = "urn:xoev-de:xdomea:schema:3.1.0"
OFFICIAL = {
    ("xbau", "2.5", "http://www.xleitstelle.de/xbau/2/5"): "xbau_2.5/xsd_dev",
    (
        "xbau-kernmodul",
        "1.2.2",
        "http://www.xleitstelle.de/xbau/kernmodul/1/2/2",
    ): "xbau-kernmodul_1.2.2/xsd",
    ("xdomea", "3.1.0", XDOMEA): "xdomea_3.1.0",
}
SAMPLES = needs.SHARED / "xoev/xgewerbeanzeige/samples"
ADAPTERS = needs.ROOT / "adapters"


@pytest.fixture(scope="module")
def profiles() -> Standards:
    standards = Standards.load(SCHEMAS)
    standards.compile_all()
    return standards


@pytest.fixture(scope="module")
def officials(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Standards:
    folder = tmp_path_factory.mktemp("official") / "xoev"
    shutil.copytree(SCHEMAS, folder)
    for (name, version, _), bundle in OFFICIAL.items():
        shutil.copytree(shared / "xoev" / bundle, folder / name / version / "official")
    return Standards.load(folder)


@pytest.mark.parametrize(("name", "version", "namespace"), OFFICIAL)
def test_a_profile_refuses_no_generated_message_that_is_officially_valid(
    profiles: Standards, officials: Standards, name: str, version: str, namespace: str
) -> None:
    schema = explained(officials.bundle(name, version), namespace)
    made = messages(schema, officials.kinds(name, version), 1, 25)
    valid = [
        (root.tag, raw)
        for root, raw in ((root, etree.tostring(root)) for root in made)
        if accepted(officials, raw)
    ]

    assert [tag for tag, raw in valid if not accepted(profiles, raw)] == []
    assert {tag for tag, _ in valid} == {
        f"{{{namespace}}}{kind}" for kind in officials.kinds(name, version)
    }


@pytest.mark.parametrize(("name", "version", "namespace"), OFFICIAL)
def test_a_profile_knows_every_kind_of_the_official_schema(
    profiles: Standards, officials: Standards, name: str, version: str, namespace: str
) -> None:
    assert profiles.kinds(name, version) == officials.kinds(name, version)


def handover() -> Any:
    file = ADAPTERS / "braunschweig/akte/samples/einfach/1-request.xoev.xml"
    return etree.parse(str(file)).getroot()


def notice() -> Any:
    file = ADAPTERS / "salzgitter/gewerbe/samples/einfach/1-request.xoev.xml"
    return etree.parse(str(file)).getroot()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("{*}Kopf/{*}ProzessID", "keine-uuid"),
        ("{*}Kopf/{*}Nachrichtentyp/code", "401"),
        ("{*}Kopf/{*}Erstellungszeitpunkt", "gestern"),
        ("{*}Kopf/{*}Importbestaetigung", "0"),
    ],
)
def test_a_wrong_value_in_a_head_of_xdomea_is_refused(
    profiles: Standards, path: str, text: str
) -> None:
    root = handover()
    root.find(path).text = text

    assert not accepted(profiles, etree.tostring(root))


@pytest.mark.parametrize("name", ["ProzessID", "Absender", "Empfaenger", "Empfangsbestaetigung"])
def test_a_head_of_xdomea_with_a_missing_part_is_refused(profiles: Standards, name: str) -> None:
    root = handover()
    element = root.find(f"{{*}}Kopf/{{*}}{name}")
    element.getparent().remove(element)

    assert not accepted(profiles, etree.tostring(root))


def test_the_process_of_xdomea_is_the_case_and_no_message_id(profiles: Standards) -> None:
    envelope = profiles.envelope(profiles.parse(etree.tostring(handover())))

    assert (envelope.standard, envelope.version, envelope.family) == ("xdomea", "3.1.0", "xdomea")
    assert envelope.case
    assert not envelope.uuid


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".//{*}nachrichtenUUID", "keine-uuid"),
        (".//{*}nachrichtentyp/code", "20"),
        (".//{*}erstellungszeitpunkt", "gestern"),
        (".//{*}behoerdenkennung/{*}kennung/code", ""),
    ],
)
def test_a_wrong_value_in_a_head_of_xgewerbeanzeige_is_refused(
    profiles: Standards, path: str, text: str
) -> None:
    root = notice()
    root.find(path).text = text

    assert not accepted(profiles, etree.tostring(root))


@pytest.mark.parametrize("name", ["leser", "autor", "behoerdenkennung", "praefix", "behoerdenname"])
def test_a_head_of_xgewerbeanzeige_with_a_missing_part_is_refused(
    profiles: Standards, name: str
) -> None:
    root = notice()
    element = root.find(f"{{*}}nachrichtenkopf//{{*}}{name}")
    element.getparent().remove(element)

    assert not accepted(profiles, etree.tostring(root))


@pytest.mark.parametrize("name", ["produkt", "produkthersteller", "standard", "version"])
def test_a_notice_without_a_required_root_attribute_is_refused(
    profiles: Standards, name: str
) -> None:
    root = notice()
    del root.attrib[name]

    assert not accepted(profiles, etree.tostring(root))


@needs.shared
@pytest.mark.parametrize("file", sorted(SAMPLES.glob("xgwa2.*.xml")), ids=lambda file: file.name)
def test_every_public_sample_has_a_head_that_the_profile_takes(
    profiles: Standards, file: Path
) -> None:
    """What is wrong in the invalid ones stands in their content, which a profile leaves open."""
    raw = re.sub(rb"spezifikation/2\.[01]", b"spezifikation/2.2", file.read_bytes())
    raw = re.sub(rb'(?<!xml )version="2\.[01]"', b'version="2.2"', raw)

    assert accepted(profiles, raw)


def test_a_check_says_that_only_profiles_are_there(profiles: Standards) -> None:
    said = "\n".join(profiles.warnings())

    for name in ("XGewerbeanzeige 2.2", "xdomea 3.1.0", "xbau 2.5", "xbau-kernmodul 1.2.2"):
        assert f"{name.lower()}: only the profile is installed" in said
