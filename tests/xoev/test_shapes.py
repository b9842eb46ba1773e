"""Every public bundle installs without a change of code: one small bundle for each shape."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.errors import NotXml, SchemaMissing, SchemaViolation
from broker.message import Authority
from broker.xoev.install import install, listed
from broker.xoev.standards import Standards
from tests.xoev.bundles import (
    Shape,
    about,
    attributes,
    element,
    folder,
    imported,
    message,
    packed,
    root_type,
    sequence,
    shapes,
    text,
    xjustiz,
    xsd,
)

AT = datetime(2026, 11, 24, tzinfo=UTC)
SHAPES = shapes()
TOLD = Authority("ags:03103000")

each = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def installed(tmp_path: Path, *files: Shape) -> Standards:
    for number, shape in enumerate(files):
        install(folder(tmp_path / f"bundle-{number}", shape.files), tmp_path / "schemas")
    standards = Standards.load(tmp_path / "schemas")
    standards.compile_all()
    return standards


def judge(standards: Standards, raw: bytes) -> str:
    document = standards.parse(raw)
    return standards.validate(document, standards.envelope(document, TOLD), AT).name


@each
def test_a_bundle_of_this_shape_judges_its_messages(tmp_path: Path, shape: Shape) -> None:
    standards = installed(tmp_path, shape)

    assert judge(standards, shape.right) == f"{shape.name}/official"


@each
def test_a_bundle_of_this_shape_refuses_a_wrong_message(tmp_path: Path, shape: Shape) -> None:
    with pytest.raises(SchemaViolation):
        judge(installed(tmp_path, shape), shape.wrong)


@each
def test_the_head_of_this_shape_is_read(tmp_path: Path, shape: Shape) -> None:
    standards = installed(tmp_path, shape)

    found = standards.envelope(standards.parse(shape.right), TOLD)

    assert (found.family, f"{found.standard}/{found.version}") == (shape.family, shape.name)
    assert found.recipient.key == (shape.recipient or TOLD.key)


@each
def test_a_generated_description_knows_the_family(tmp_path: Path, shape: Shape) -> None:
    installed(tmp_path, shape)
    standard = shape.name.partition("/")[0]

    text = (tmp_path / "schemas" / standard / "standard.yaml").read_text("utf-8")

    assert f"family: {shape.family or chr(39) * 2}\n" in text


@each
def test_another_version_of_this_shape_waits_for_its_schema(tmp_path: Path, shape: Shape) -> None:
    standards = installed(tmp_path, shape)
    raw = shape.right
    for old, new in (("xmeld2611", "xmeld2705"), ("/12", "/13"), ("V1_0_0", "V1_1_0")):
        raw = raw.replace(old.encode(), new.encode())
    for old, new in (("3.5.1", "3.6.2"), ("gml/6/0", "gml/6/1"), ("1.0/xsd", "1.1/xsd")):
        raw = raw.replace(old.encode(), new.encode())
    raw = raw.replace(b"xga/1.6", b"xga/1.7")

    with pytest.raises(SchemaMissing):
        judge(standards, raw)


def test_all_shapes_live_together(tmp_path: Path) -> None:
    standards = installed(tmp_path, *SHAPES.values())

    assert [judge(standards, shape.right) for shape in SHAPES.values()] == [
        f"{name}/official" for name in SHAPES
    ]
    assert standards.installed("xinneres-rueckweisung", "6")


def test_a_rejection_of_a_generated_standard_is_known(tmp_path: Path) -> None:
    installed(tmp_path, SHAPES["xmeld/26.11"])

    text = (tmp_path / "schemas/xinneres-rueckweisung/standard.yaml").read_text("utf-8")

    assert "- rueckweisung.asynchron.0010" in text
    assert "attachments: 'true'" in text


@pytest.mark.parametrize("together", [False, True])
def test_two_versions_in_one_namespace_are_told_apart_by_the_message(
    tmp_path: Path, together: bool
) -> None:
    old, new = xjustiz(), xjustiz("3.6.2", "erstellungszeitpunkt")
    if together:
        old_files = {f"alt/{name}": text for name, text in old.files.items()}
        new_files = {f"neu/{name}": text for name, text in new.files.items()}
        both = Shape({**old_files, **new_files}, "", b"")
        standards = installed(tmp_path, both)
    else:
        standards = installed(tmp_path, old, new)

    assert judge(standards, old.right) == "xjustiz/3.5.1/official"
    assert judge(standards, new.right) == "xjustiz/3.6.2/official"
    with pytest.raises(SchemaViolation):
        judge(standards, old.right.replace(b"3.5.1", b"3.6.2"))


def test_a_message_without_head_needs_a_recipient_from_the_transport(tmp_path: Path) -> None:
    shape = SHAPES["xschule/1.0"]
    standards = installed(tmp_path, shape)

    with pytest.raises(NotXml):
        standards.envelope(standards.parse(shape.right))


def test_what_the_head_says_counts_before_what_the_transport_says(tmp_path: Path) -> None:
    shape = SHAPES["xbeteiligung/1.2"]
    standards = installed(tmp_path, shape)

    found = standards.envelope(standards.parse(shape.right), Authority("a:1"), Authority("b:1"))

    assert (found.recipient.key, found.sender.key) == ("ags:03103000", "mbp:03000001")


def test_a_zip_and_zips_in_it_install_like_a_folder(tmp_path: Path) -> None:
    shape = SHAPES["xwasser/1.0.0"]
    inner = packed(shape.files)
    (tmp_path / "b.zip").write_bytes(packed({"xsd.zip": inner, "wsdl/a.wsdl": "<a/>"}))

    install(tmp_path / "b.zip", tmp_path / "schemas")

    (found,) = listed(tmp_path / "schemas")
    assert set(found.files) == {f"xsd/{name}" for name in shape.files} | {"wsdl/a.wsdl"}
    assert found.services == ("wsdl/a.wsdl",)


def test_a_licence_is_written_down_as_stated(tmp_path: Path) -> None:
    installed(tmp_path, SHAPES["xmeld/26.11"])

    found = {one.standard: one for one in listed(tmp_path / "schemas")}

    assert found["xmeld"].licences == ("Muster-Lizenz",)
    assert found["xmeld"].urn == "urn:xoev-de:muster:standard:xmeld"


def test_two_standards_that_import_each_other_both_install(tmp_path: Path) -> None:
    first, second = "urn:muster:eins:1.0", "urn:muster:zwei:1.0"
    files = {
        f"{name}.xsd": xsd(
            own,
            imported(other, f"{beside}.xsd")
            + element("meldung.0001", sequence(f'<xs:element ref="o:{beside}"/>'))
            + text(name),
            f'xmlns:o="{other}"',
        )
        for name, own, beside, other in (
            ("eins", first, "zwei", second),
            ("zwei", second, "eins", first),
        )
    }

    done = install(folder(tmp_path / "a", files), tmp_path / "s")

    assert [change.record.name for change in done.changes] == ["eins/1.0", "zwei/1.0"]
    assert {change.record.part_of for change in done.changes} == {""}


def test_namespaces_of_one_standard_may_differ_in_the_attribute(tmp_path: Path) -> None:
    files = {
        f"{name}.xsd": xsd(
            f"urn:muster:{name}:7",
            about("XMuster", "7") + element(f"{name}.0001", root_type(text("a"), name, "7")),
        )
        for name in ("quittung", "rueckweisung")
    }
    standards = installed(tmp_path, Shape(files, "", b""))

    for name in ("quittung", "rueckweisung"):
        raw = message(f"{name}.0001", f"urn:muster:{name}:7", "<a/>", attributes(name, "7"))
        assert judge(standards, raw) == "xmuster/7/official"


def test_types_in_a_folder_of_their_own_belong_to_the_messages(tmp_path: Path) -> None:
    shape = xjustiz()
    more = xsd("http://www.xjustiz.de", text("weiteres"), version="1.0")

    install(folder(tmp_path / "a", {**shape.files, "cl/c.xsd": more}), tmp_path / "s")

    (found,) = listed(tmp_path / "s")
    assert found.name == "xjustiz/3.5.1"
    assert "cl/c.xsd" in found.entries["http://www.xjustiz.de"]


def test_where_neither_namespace_nor_message_names_a_version_the_newest_judges(
    tmp_path: Path,
) -> None:
    for number in ("2.9", "2.10"):
        kind = element("meldung.0001", sequence(text("wort")))
        files = {"a.xsd": xsd("urn:xohne", kind, version=number)}
        install(folder(tmp_path / number, files), tmp_path / "s")
    standards = Standards.load(tmp_path / "s")

    raw = message("meldung.0001", "urn:xohne", "<wort/>", "")

    assert judge(standards, raw) == "xohne/2.10/official"
