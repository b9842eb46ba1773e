"""standard.yaml: text stays text, findings have a place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from broker.errors import Finding
from broker.xoev.manifest import Calendar, Manifest, read_standard, read_version

RIGHT = """standard: x
namespace: urn:x:(\\d+)_(\\d+)
version: \\1.\\2
attribute: X
attachments: true
rejections: [no.0001]
case:
  "*": [bezug/vorgang]
  a.0001: id
"""


def read(folder: Path, text: str) -> tuple[Manifest | None, list[Finding]]:
    (folder / "standard.yaml").write_text(text, encoding="utf-8")
    findings: list[Finding] = []
    return read_standard(folder, findings), findings


def test_a_right_file_is_read(tmp_path: Path) -> None:
    found, findings = read(tmp_path, RIGHT)

    assert findings == []
    assert found is not None
    assert (found.name, found.attribute, found.attachments) == (tmp_path.name, "X", True)
    assert found.case == {"*": (("bezug", "vorgang"),), "a.0001": (("id",),)}
    assert found.rejections == {"no.0001"}


def test_a_version_is_what_the_groups_say(tmp_path: Path) -> None:
    found, _ = read(tmp_path, RIGHT)

    assert found is not None
    assert found.version_of("urn:x:2_10", "") == "2.10"
    assert found.version_of("urn:y", "") is None


def test_without_groups_the_message_says_the_version(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "namespace: urn:x")

    assert found is not None
    assert found.version_of("urn:x", "3.5.1") == "3.5.1"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("namespace: '('", "namespace is not a regular expression"),
        ("title: x", "namespace is missing"),
        ("- a", "is not a mapping of fields"),
        ("namespace: a\nnamespace: b", "a key given twice"),
        ("a: &x b\nnamespace: *x", "an alias"),
        ("namespace: [", "expected"),
        ("namespace: a\ncolour: b", 'unknown field "colour"'),
    ],
)
def test_what_is_wrong_is_a_finding_with_its_file(tmp_path: Path, text: str, finding: str) -> None:
    _, (found,) = read(tmp_path, text)

    assert finding in found.text
    assert found.file.endswith("standard.yaml")


def test_a_file_in_another_encoding_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "standard.yaml").write_bytes(b"title: \xff")
    findings: list[Finding] = []

    assert read_standard(tmp_path, findings) is None
    assert findings[0].text == "is not YAML in UTF-8"


def test_a_missing_file_is_a_finding(tmp_path: Path) -> None:
    findings: list[Finding] = []

    assert read_standard(tmp_path, findings) is None
    assert "cannot be read" in findings[0].text


def test_a_version_needs_no_file(tmp_path: Path) -> None:
    assert read_version(tmp_path, []) == Calendar(written=tmp_path.name)


def test_the_dates_of_a_version_are_read(tmp_path: Path) -> None:
    (tmp_path / "standard.yaml").write_text("valid_from: 2026-11-01\nwritten: 25.11a\n")

    found = read_version(tmp_path, [])

    assert (found.valid_from, found.written) == (date(2026, 11, 1), "25.11a")


@pytest.mark.parametrize("text", ["valid_until: bald", "- a"])
def test_a_wrong_version_file_is_a_finding(tmp_path: Path, text: str) -> None:
    (tmp_path / "standard.yaml").write_text(text)
    findings: list[Finding] = []

    read_version(tmp_path, findings)

    assert len(findings) == 1


def test_spellings_may_be_several(tmp_path: Path) -> None:
    text = "namespace: ['urn:x:(.+)', 'urn:alt']\nversion: [\\1, '0.9']\n"

    found, findings = read(tmp_path, text)

    assert findings == []
    assert found is not None
    assert [found.version_of(one, "") for one in ("urn:x:2.1", "urn:alt")] == ["2.1", "0.9"]
    assert not found.message_decides("urn:alt")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("namespace: [a, b]\nversion: [\\1]", "as many versions as namespaces"),
        ("namespace: a\nversion: \\1", "is not a regular expression"),
    ],
)
def test_spellings_that_do_not_fit_are_a_finding(tmp_path: Path, text: str, finding: str) -> None:
    _, (found,) = read(tmp_path, text)

    assert finding in found.text


def test_days_of_grace_are_read(tmp_path: Path) -> None:
    (tmp_path / "standard.yaml").write_text("valid_until: 2026-10-31\ngrace: 28d\n")

    assert read_version(tmp_path, []).last == date(2026, 11, 28)
