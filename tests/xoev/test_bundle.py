"""Folders of schema files: contents, imports, digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.xoev.bundle import Bundle
from tests.xoev.folders import SCHEMAS, XBAU

REMOTE = "https://example.org/schemas/1/types.xsd"


def schema(namespace: str, inside: str = "") -> str:
    return (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{namespace}">'
        f"{inside}</xs:schema>"
    )


def imported(namespace: str, location: str) -> str:
    return f'<xs:import namespace="{namespace}" schemaLocation="{location}"/>'


def bundle(folder: Path, **files: str) -> Bundle:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.xsd").write_text(text)
    return Bundle("x/1/official", folder, False)


def test_our_profile_has_its_kinds_and_digest() -> None:
    found = Bundle("xbau/2.6/profile", SCHEMAS / "xbau/2.6/profile", True)

    assert found.namespaces == {XBAU}
    assert len(found.kinds(XBAU)) == 121
    assert len(found.digest) == 64


def test_the_digest_changes_with_names_and_contents(tmp_path: Path) -> None:
    digests = {
        bundle(tmp_path / "1", a=schema("urn:a")).digest,
        bundle(tmp_path / "2", a=schema("urn:b")).digest,
        bundle(tmp_path / "3", b=schema("urn:a")).digest,
    }

    assert len(digests) == 3


def test_the_digest_does_not_depend_on_the_place(tmp_path: Path) -> None:
    first, second = (bundle(tmp_path / name, a=schema("urn:a")) for name in "12")

    assert first.digest == second.digest


def test_an_absolute_import_is_found_by_name_and_namespace(tmp_path: Path) -> None:
    for version in "12":
        bundle(tmp_path / version, types=schema(f"urn:types:{version}"))
    own = bundle(tmp_path / "own", a=schema("urn:a", imported("urn:types:2", REMOTE)))

    found = Bundle(own.name, own.folder, False, (tmp_path / "1", tmp_path / "2"))

    assert found.places == {REMOTE: (tmp_path / "2/types.xsd").resolve()}


def test_a_catalog_says_where_an_address_lies(tmp_path: Path) -> None:
    bundle(tmp_path / "other", local=schema("urn:types"))
    own = bundle(tmp_path / "own", a=schema("urn:a", imported("urn:types", REMOTE)))
    (own.folder / "catalog.xml").write_text(
        '<catalog xmlns="urn:oasis:names:tc:entity:xmlns:xml:catalog">'
        f'<uri name="{REMOTE}" uri="../other/local.xsd"/>'
        '<uri name="urn:gone" uri="gone.xsd"/><uri name="urn:half"/></catalog>'
    )

    assert own.places == {REMOTE: (tmp_path / "other/local.xsd").resolve()}


@pytest.mark.parametrize("location", [REMOTE, "types.xsd", "../types.xsd"])
def test_a_missing_import_is_a_finding(tmp_path: Path, location: str) -> None:
    own = bundle(tmp_path, a=schema("urn:a", imported("urn:types", location)))

    with pytest.raises(ConfigError, match='namespace "urn:types"'):
        _ = own.places


def test_an_import_without_address_is_not_looked_for(tmp_path: Path) -> None:
    inside = '<xs:import namespace="urn:types"/>'

    assert bundle(tmp_path, a=schema("urn:a", inside)).places == {}


def test_a_file_that_is_not_xml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.xsd:1: is not well-formed"):
        _ = bundle(tmp_path, a="<xs:schema").files


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.xsd").mkdir()

    with pytest.raises(ConfigError, match=r"a\.xsd cannot be read"):
        _ = bundle(tmp_path).files


def test_a_name_counts_only_if_every_declaration_has_the_type(tmp_path: Path) -> None:
    first = '<xs:element name="{}" type="xs:base64Binary"/>'
    second = '<xs:element name="text" type="xs:string"/>'
    found = bundle(
        tmp_path,
        a=schema("urn:a", first.format("text") + first.format("data")),
        b=schema("urn:b", second),
    )

    assert found.names("base64Binary") == {"data"}
