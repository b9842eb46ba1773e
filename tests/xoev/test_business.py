"""Business keys: what a standard says people look for, read from a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.document import parse
from broker.xoev.business import read
from broker.xoev.manifest import Manifest, read_standard
from broker.xoev.standards import Standards
from tests import messages
from tests.needs import ROOT

MANY = b"<r>" + b"".join(b"<a><n>%d</n></a>" % at for at in range(40)) + b"</r>"


def values(xml: bytes, *paths: str) -> list[str]:
    places = {"*": tuple(tuple(path.split("/")) for path in paths)}
    return [value for _, value in read(parse(xml), "r", {"key": places})]


def test_every_place_counts_and_every_value_once() -> None:
    assert values(b"<r><a>1</a><b>2</b><a>1</a><a>3</a></r>", "a", "b") == ["1", "3", "2"]


def test_a_star_stands_for_any_one_step() -> None:
    assert values(b"<r><x><n>1</n></x><y><n>2</n></y><n>3</n></r>", "*/n") == ["1", "2"]


def test_namespaces_do_not_matter() -> None:
    assert values(b"<r xmlns='urn:x'><a xmlns=''> 1 </a></r>", "a") == ["1"]


def test_what_is_empty_or_absurdly_long_is_left_out() -> None:
    assert values(b"<r><a/><a>" + b"x" * 201 + b"</a><a> </a></r>", "a") == []


def test_of_very_many_values_the_first_count() -> None:
    assert values(MANY, "a/n") == [str(at) for at in range(16)]


def test_places_of_a_kind_count_more_than_those_of_all_others() -> None:
    keys = {"key": {"r": (("a",),), "*": (("b",),)}}
    document = parse(b"<r><a>1</a><b>2</b></r>")

    assert read(document, "r", keys) == (("key", "1"),)
    assert read(document, "other", keys) == (("key", "2"),)


def test_an_application_has_the_keys_that_its_standard_declares() -> None:
    standards = Standards.load(ROOT / "schemas/xoev")
    document = standards.parse(messages.request())
    found = dict(standards.business(document, standards.envelope(document)))

    assert found == {
        "antragsteller": "Beispielmann",
        "gemarkung": "031234",
        "flurstueck": "117",
        "strasse": "Musterfeldweg",
    }
    assert set(found) <= set(standards.keys())


@pytest.mark.parametrize(
    ("sample", "name"),
    [
        ("wolfsburg/gewerbe/samples/einfach", "betrieb"),
        ("wolfsburg/gewerbe/samples/einfach", "meldung"),
        ("braunschweig/akte/samples/einfach", "kennzeichen"),
    ],
)
def test_every_declared_key_is_found_in_a_sample(sample: str, name: str) -> None:
    standards = Standards.load(ROOT / "schemas/xoev")
    file = ROOT / "adapters" / sample / "1-request.xoev.xml"
    document = standards.parse(file.read_bytes())

    assert dict(standards.business(document, standards.envelope(document)))[name]


def test_a_message_of_no_standard_here_has_no_keys() -> None:
    standards = Standards.load(ROOT / "schemas/xoev")
    document = standards.parse(messages.request(namespace="urn:example:unknown"))

    assert standards.business(document, standards.envelope(document)) == ()


def manifest(folder: Path, keys: str) -> tuple[Manifest | None, list[str]]:
    (folder / "standard.yaml").write_text(f"namespace: urn:(.)\n{keys}\n", "utf-8")
    findings: list[object] = []
    found = read_standard(folder, findings)  # type: ignore[arg-type]
    return found, [str(finding) for finding in findings]


def test_a_name_that_cannot_be_typed_is_a_finding(tmp_path: Path) -> None:
    _, findings = manifest(tmp_path, "keys: {Akten zeichen: a/b}")

    assert len(findings) == 1
    assert "not a name of small letters" in findings[0]


def test_keys_without_names_are_a_finding(tmp_path: Path) -> None:
    _, findings = manifest(tmp_path, "keys: [a/b]")

    assert [text.rpartition(": ")[2] for text in findings] == [
        "keys is not a mapping of names and paths"
    ]


@pytest.mark.parametrize("path", ["a/b[1]", "//a", "x:a", "a or b", "a']|//*['"])
def test_a_path_is_names_and_nothing_that_could_be_an_expression(tmp_path: Path, path: str) -> None:
    _, findings = manifest(tmp_path, f'keys: {{name: "{path}"}}')

    assert len(findings) == 1
    assert "neither the local name of an element nor *" in findings[0]
