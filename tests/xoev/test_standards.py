"""Recognising standards and versions, and the state of what is installed."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.document import Limits
from broker.errors import (
    BrokerError,
    ConfigError,
    Forbidden,
    NotXml,
    SchemaMissing,
    SchemaViolation,
    UnknownStandard,
    VersionExpired,
)
from broker.message import Envelope
from broker.xoev.standards import Artefact, Standards
from tests.xoev.folders import KERNMODUL, SCHEMAS, XBAU, official, samples
from tests.xoev.letters import CASE, UUID, letter

AT = datetime(2026, 11, 24, tzinfo=UTC)
XJUSTIZ = """standard: xjustiz
namespace: http://www\\.xjustiz\\.de
"""
JUSTICE = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
  targetNamespace="http://www.xjustiz.de"><xs:element name="nachricht.a.0005005"><xs:complexType>
  <xs:sequence><xs:element name="nachrichtenkopf"><xs:complexType>
  <xs:attribute name="xjustizVersion"/></xs:complexType></xs:element></xs:sequence>
  </xs:complexType></xs:element></xs:schema>"""


@pytest.fixture(scope="module")
def standards() -> Standards:
    found = Standards.load(SCHEMAS)
    found.compile_all()
    return found


def envelope(standards: Standards, raw: bytes) -> Envelope:
    return standards.envelope(standards.parse(raw))


def judge(standards: Standards, raw: bytes, at: datetime = AT) -> Artefact:
    document = standards.parse(raw)
    return standards.validate(document, standards.envelope(document), at)


def changed(target: Path, file: str, text: str) -> Standards:
    """Return our standards with one file more or other."""
    shutil.copytree(SCHEMAS, target)
    (target / file).parent.mkdir(parents=True, exist_ok=True)
    (target / file).write_text(text, encoding="utf-8")
    return Standards.load(target)


def test_an_envelope_says_what_the_head_and_the_namespace_say(standards: Standards) -> None:
    found = envelope(standards, letter(extra=' test="demo"'))

    assert (found.standard, found.version, found.kind) == (
        "xbau",
        "2.6",
        "baugenehmigung.antrag.0200",
    )
    assert (found.namespace, found.code, found.uuid, found.case) == (XBAU, "0200", UUID, CASE)
    assert (found.test, found.family, found.recipient.key) == ("demo", "g2g", "bab:03103000")


def test_an_unknown_namespace_gives_an_envelope_without_standard(standards: Standards) -> None:
    found = envelope(standards, letter(namespace="urn:x", standard="X", version="9"))

    assert (found.standard, found.version, found.recipient.key) == ("", "9", "bab:03103000")


def test_a_namespace_decides_and_not_the_attributes(standards: Standards) -> None:
    found = envelope(standards, letter(standard="XBau-Kernmodul", version="1.3.0"))

    assert (found.standard, found.version) == ("xbau", "2.6")


def test_a_version_that_is_not_installed_is_recognised_by_its_namespace(
    standards: Standards,
) -> None:
    found = envelope(standards, letter(namespace=XBAU.replace("/6", "/4"), version="2.4"))

    assert (found.standard, found.version) == ("xbau", "2.4")
    assert not standards.installed("xbau", "2.4")


def test_no_head_is_refused(standards: Standards) -> None:
    with pytest.raises(NotXml):
        envelope(standards, b"<xy/>")


@pytest.mark.parametrize(
    ("body", "case"),
    [
        ("<x:bezug><vorgang> 63-7 </vorgang></x:bezug>", "63-7"),
        (f"<x:bezug><referenz>{UUID}</referenz></x:bezug>", UUID),
        (f"<x:bezug><referenz>{UUID}</referenz><vorgang>63-7</vorgang></x:bezug>", "63-7"),
        ("<x:bezug/>", ""),
        ("<x:bezug><vorgang/></x:bezug>", ""),
        ("", ""),
    ],
)
def test_the_case_is_the_reference_of_the_application_or_the_file(
    standards: Standards, body: str, case: str
) -> None:
    assert envelope(standards, letter(body)).case == case


def test_what_judged_is_named_with_version_and_digest(standards: Standards) -> None:
    found = judge(standards, letter())

    assert (found.name, found.version, found.profile) == ("xbau/2.6/profile", "2.6", True)
    assert len(found.digest) == 64


def test_an_unknown_standard_is_told_apart(standards: Standards) -> None:
    with pytest.raises(UnknownStandard) as caught:
        judge(standards, letter(namespace="urn:x"))

    assert caught.value.reason == "V001"


def test_a_known_standard_in_another_version_waits_for_its_schema(standards: Standards) -> None:
    with pytest.raises(SchemaMissing, match=r"xbau 2\.4 is not installed"):
        judge(standards, letter(namespace=XBAU.replace("/6", "/4"), version="2.4"))


@pytest.mark.parametrize(("standard", "version"), [("XBau-Hochbau", "2.9"), ("XMeld", "2.6")])
def test_attributes_that_contradict_the_namespace_are_v000(
    standards: Standards, standard: str, version: str
) -> None:
    with pytest.raises(VersionExpired, match="contradicts the namespace") as caught:
        judge(standards, letter(standard=standard, version=version))

    assert caught.value.reason == "V000"
    assert version not in str(caught.value).replace("2.6", "")


@pytest.mark.parametrize(
    ("day", "text"), [("2025-12-31", "only from 2026-01-01"), ("2027-01-01", "until 2026-12-31")]
)
def test_outside_its_calendar_a_version_is_not_in_force(
    tmp_path: Path, day: str, text: str
) -> None:
    calendar = "valid_from: 2026-01-01\nvalid_until: 2026-12-31\n"
    standards = changed(tmp_path / "x", "xbau/2.6/standard.yaml", calendar)

    with pytest.raises(VersionExpired, match=text):
        judge(standards, letter(), datetime.fromisoformat(f"{day}T12:00:00+00:00"))


@pytest.mark.parametrize("day", ["2026-01-01", "2026-12-31"])
def test_on_the_first_and_last_day_a_version_is_in_force(tmp_path: Path, day: str) -> None:
    calendar = "valid_from: 2026-01-01\nvalid_until: 2026-12-31\n"
    standards = changed(tmp_path / "x", "xbau/2.6/standard.yaml", calendar)

    assert judge(standards, letter(), datetime.fromisoformat(f"{day}T12:00:00+00:00"))


def test_a_version_of_a_namespace_without_version_is_decided_by_the_message(
    tmp_path: Path,
) -> None:
    for version in ("3.5.1", "3.6.2"):
        folder = tmp_path / "x/xjustiz" / version / "profile"
        folder.mkdir(parents=True)
        (folder / "a.xsd").write_text(JUSTICE)
    (tmp_path / "x/xjustiz/standard.yaml").write_text(XJUSTIZ)
    standards = Standards.load(tmp_path / "x")
    raw = (
        b'<nachricht.a.0005005 xmlns="http://www.xjustiz.de">'
        b'<nachrichtenkopf xmlns="" xjustizVersion="3.6.2"/></nachricht.a.0005005>'
    )

    assert judge(standards, raw).name == "xjustiz/3.6.2/profile"
    with pytest.raises(SchemaMissing, match="xjustiz <version> is not installed"):
        judge(standards, raw.replace(b"3.6.2", b"GEHEIM-1964 und mehr"))


def test_what_is_installed_can_be_listed(standards: Standards) -> None:
    assert {"xbau", "xbau-kernmodul"} <= set(standards.names())
    assert "2.6" in standards.versions("xbau")
    assert "baugenehmigung.antrag.0200" in standards.kinds("xbau", "2.6")
    assert (standards.title("xbau"), standards.title("x")) == ("XBau", "x")


def test_an_empty_version_folder_is_not_installed(tmp_path: Path) -> None:
    standards = changed(tmp_path / "x", "xbau/2.7/standard.yaml", "written: 2.7\n")

    assert not standards.installed("xbau", "2.7")


def test_nothing_is_listed_of_what_is_not_installed(standards: Standards) -> None:
    assert (standards.versions("x"), standards.kinds("xbau", "2.4")) == ((), ())
    with pytest.raises(SchemaMissing):
        standards.bundle("xbau", "2.4")


def test_a_profile_alone_is_a_warning(standards: Standards) -> None:
    judged = {text.split(":")[0] for text in standards.warnings()}

    assert judged >= {"xbau 2.6", "xbau-kernmodul 1.3.0"}


def test_a_rejection_is_recognised(standards: Standards) -> None:
    rejection = letter(
        kind="prozessnachrichten.rueckweisung.G2G.1100",
        namespace=KERNMODUL,
        standard="XBau-Kernmodul",
        version="1.3.0",
    )

    assert standards.is_rejection(envelope(standards, rejection))
    assert not standards.is_rejection(envelope(standards, letter()))
    assert not standards.is_rejection(replace(envelope(standards, rejection), standard=""))


def test_only_standards_with_attachments_may_be_large(tmp_path: Path) -> None:
    standards = Standards.load(SCHEMAS, Limits(bytes=100))

    assert standards.parse(letter()).kind == "baugenehmigung.antrag.0200"
    with pytest.raises(Forbidden):
        standards.parse(letter(namespace="urn:x"))


def test_a_missing_folder_of_standards_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder of standards"):
        Standards.load(tmp_path / "none")


def test_all_findings_of_broken_manifests_are_told_at_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "standard.yaml").write_text("namespace: '('\n")

    with pytest.raises(ConfigError) as caught:
        Standards.load(tmp_path)

    assert len(caught.value.findings) == 2


def test_all_schemas_that_do_not_compile_are_told_at_once(tmp_path: Path) -> None:
    broken = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{}">'
    broken += '<xs:element name="a" type="xs:nothing"/></xs:schema>'
    for folder, namespace in (("xbau/2.6", XBAU), ("xbau-kernmodul/1.3.0", KERNMODUL)):
        path = tmp_path / "x" / folder / "official/a.xsd"
        path.parent.mkdir(parents=True)
        path.write_text(broken.format(namespace))
    for name in ("xbau", "xbau-kernmodul"):
        shutil.copy(SCHEMAS / name / "standard.yaml", tmp_path / "x" / name)

    with pytest.raises(ConfigError) as caught:
        Standards.load(tmp_path / "x").compile_all()

    assert len(caught.value.findings) == 2


def test_an_official_bundle_takes_precedence(shared: Path, tmp_path: Path) -> None:
    standards = Standards.load(official(shared, tmp_path / "x"))
    standards.compile_all()

    found = [judge(standards, path.read_bytes()).name for path in samples(shared)]

    assert set(found) == {"xbau/2.6/official", "xbau-kernmodul/1.3.0/official"}
    assert not [text for text in standards.warnings() if text.startswith("xbau 2.6")]


def test_an_official_bundle_with_absolute_imports_finds_its_neighbours(
    shared: Path, tmp_path: Path
) -> None:
    xoev = shared / "xoev"
    shutil.copytree(SCHEMAS, tmp_path / "x")
    shutil.copytree(xoev / "xbau_2.6/xsd", tmp_path / "x/xbau/2.6/official")
    kernmodul = tmp_path / "x/xbau-kernmodul/1.3.0/official"
    shutil.copytree(xoev / "xbau-kernmodul_1.3.0/xsd", kernmodul)
    library = tmp_path / "x/library/1/official"
    shutil.copytree(xoev / "xoev-bibliothek", library)
    for name in ("xlink.xsd", "gmlProfilexplan.xsd", "xml.xsd"):
        shutil.copy(xoev / "xbau_2.6/xsd_dev" / name, library)
    standards = Standards.load(tmp_path / "x")

    standards.compile_all()

    assert {judge(standards, path.read_bytes()).profile for path in samples(shared)} == {False}


def test_an_official_bundle_with_a_catalog_finds_what_it_names(
    shared: Path, tmp_path: Path
) -> None:
    xoev = shared / "xoev"
    shutil.copytree(SCHEMAS, tmp_path / "x")
    bundle = tmp_path / "x/xbau/2.6/official"
    shutil.copytree(xoev / "xbau_2.6/xsd", bundle)
    text = (xoev / "catalog.xml").read_text("utf-8")
    (bundle / "catalog.xml").write_text(text.replace(' uri="', f' uri="{xoev.as_posix()}/'))
    standards = Standards.load(tmp_path / "x")

    standards.compile_all()

    assert standards.installed("xbau", "2.6")


def test_an_official_bundle_with_a_missing_import_is_not_used(shared: Path, tmp_path: Path) -> None:
    shutil.copytree(SCHEMAS, tmp_path / "x")
    shutil.copytree(shared / "xoev/xbau_2.6/xsd", tmp_path / "x/xbau/2.6/official")

    with pytest.raises(ConfigError, match="is not here"):
        Standards.load(tmp_path / "x").compile_all()


def test_a_version_that_an_operator_drops_in_needs_no_yaml(shared: Path, tmp_path: Path) -> None:
    shutil.copytree(SCHEMAS, tmp_path / "x")
    shutil.copytree(shared / "xoev/xbau_2.5/xsd_dev", tmp_path / "x/xbau/2.5/official")
    standards = Standards.load(tmp_path / "x")
    standards.compile_all()
    raw = letter(namespace=XBAU.replace("/6", "/5"), version="2.5")

    with pytest.raises(SchemaViolation):
        judge(standards, raw)


def verdict(standards: Standards, raw: bytes) -> str:
    try:
        return judge(standards, raw).name
    except BrokerError as error:
        return "; ".join(map(str, error.findings))


def test_many_threads_get_the_same_verdicts_as_one(standards: Standards) -> None:
    raws = [letter(), letter().replace(b"<kennung>", b"<falsch/><kennung>", 1)]
    raws += [letter().replace(UUID.encode(), b"wrong")]
    expected = [verdict(standards, raw) for raw in raws]
    found: list[list[str]] = []

    def work() -> None:
        found.extend([verdict(standards, raw) for raw in raws] for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [expected] * 80
