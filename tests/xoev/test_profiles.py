"""A profile refuses nothing that the official schema accepts, and refuses wrong heads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from broker.document import Document
from broker.errors import SchemaViolation
from broker.xoev.bundle import Bundle
from broker.xoev.standards import Standards
from tests.xoev.folders import KERNMODUL, SCHEMAS, XBAU, official, samples
from tests.xoev.generator import messages
from tests.xoev.letters import letter

AT = datetime(2026, 11, 24, tzinfo=UTC)
VERSIONS = (("xbau", "2.6", XBAU), ("xbau-kernmodul", "1.3.0", KERNMODUL))


@pytest.fixture(scope="module")
def profiles() -> Standards:
    standards = Standards.load(SCHEMAS)
    standards.compile_all()
    return standards


@pytest.fixture(scope="module")
def officials(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Standards:
    standards = Standards.load(official(shared, tmp_path_factory.mktemp("official") / "xoev"))
    standards.compile_all()
    return standards


def explained(bundle: Bundle, namespace: str) -> Any:
    import xmlschema

    places = bundle.places
    return xmlschema.XMLSchema10(
        bundle.driver(namespace).decode(),
        base_url=bundle.folder.as_uri() + "/",
        uri_mapper=lambda uri: places[uri].as_uri() if uri in places else uri,
        allow="local",
    )


def accepted(standards: Standards, raw: bytes) -> bool:
    document = standards.parse(raw)
    try:
        standards.validate(document, standards.envelope(document), AT)
    except SchemaViolation:
        return False
    return True


def generated(standards: Standards, seed: int) -> Iterator[tuple[str, bytes]]:
    for name, version, namespace in VERSIONS:
        bundle = standards.bundle(name, version)
        schema = explained(bundle, namespace)
        for root in messages(schema, standards.kinds(name, version), 4, seed):
            yield root.tag, etree.tostring(root)


def test_a_profile_refuses_no_generated_message_that_is_officially_valid(
    profiles: Standards, officials: Standards
) -> None:
    valid = [pair for pair in generated(officials, seed=26) if accepted(officials, pair[1])]

    assert [tag for tag, raw in valid if not accepted(profiles, raw)] == []
    assert len(valid) >= 200
    assert len({tag for tag, _ in valid}) == sum(
        len(profiles.kinds(name, version)) for name, version, _ in VERSIONS
    )


def test_a_profile_refuses_no_valid_sample(
    shared: Path, profiles: Standards, officials: Standards
) -> None:
    files = [path for path in samples(shared) if accepted(officials, path.read_bytes())]

    assert [path.name for path in files if not accepted(profiles, path.read_bytes())] == []
    assert len(files) >= 7


@pytest.mark.parametrize(("name", "version"), [("xbau", "2.6"), ("xbau-kernmodul", "1.3.0")])
def test_a_profile_knows_every_kind_of_the_official_schema(
    profiles: Standards, officials: Standards, name: str, version: str
) -> None:
    assert profiles.kinds(name, version) == officials.kinds(name, version)


def wrong(document: Document, path: str, text: str) -> bytes:
    found: Any = document.root.find(path)
    found.text = text
    return etree.tostring(document.root)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".//nachrichtenUUID", "keine-uuid"),
        (".//nachrichtentyp/code", "20"),
        (".//erstellungszeitpunkt", "gestern"),
    ],
)
def test_a_profile_refuses_a_wrong_value_in_the_head(
    profiles: Standards, path: str, text: str
) -> None:
    document = profiles.parse(letter())

    assert not accepted(profiles, wrong(document, path, text))


@pytest.mark.parametrize("path", [".//leser", ".//autor", ".//kennung", ".//verzeichnisdienst"])
def test_a_profile_refuses_a_head_with_a_missing_part(profiles: Standards, path: str) -> None:
    root: Any = profiles.parse(letter()).root
    element = root.find(path)
    element.getparent().remove(element)

    assert not accepted(profiles, etree.tostring(root))


def test_a_profile_refuses_a_head_with_an_unknown_part(profiles: Standards) -> None:
    root: Any = profiles.parse(letter()).root
    etree.SubElement(root.find(".//leser"), "geheim")

    assert not accepted(profiles, etree.tostring(root))


@pytest.mark.parametrize("name", ["produkt", "produkthersteller", "standard", "version"])
def test_a_profile_refuses_a_root_without_a_required_attribute(
    profiles: Standards, name: str
) -> None:
    root: Any = profiles.parse(letter()).root
    del root.attrib[name]

    assert not accepted(profiles, etree.tostring(root))


def test_a_profile_refuses_a_kind_it_does_not_know(profiles: Standards) -> None:
    raw = letter(kind="baugenehmigung.erfunden.0299")

    assert not accepted(profiles, raw)
