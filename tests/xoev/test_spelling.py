"""How versions stand in namespaces."""

from __future__ import annotations

import re

import pytest

from broker.xoev.spelling import named, slug, spell, written


@pytest.mark.parametrize(
    ("namespace", "version", "next_one"),
    [
        ("http://www.xleitstelle.de/xbau/2/6", "2.6", "http://www.xleitstelle.de/xbau/3/10"),
        ("http://www.osci.de/xmeld2511a", "25.11a", "http://www.osci.de/xmeld2705"),
        ("https://www.xleitstelle.de/xbeteiligung/12", "1.2", "https://www.xleitstelle.de/xbeteiligung/13"),
        ("urn:xoev-de:xdomea:schema:3.1.0", "3.1.0", "urn:xoev-de:xdomea:schema:4.0.0"),
        ("https://example.org/raw/main/V1_0_0", "1.0.0", "https://example.org/raw/main/V1_2_0"),
        ("http://www.osci.de/xinneres/rueckweisung/6", "6", "http://www.osci.de/xinneres/rueckweisung/7"),
        ("http://xbildung.de/def/xschule/1.0/xsd", "1.0", "http://xbildung.de/def/xschule/1.1/xsd"),
    ],
)  # fmt: skip
def test_a_spelling_knows_other_versions(namespace: str, version: str, next_one: str) -> None:
    found = spell(namespace, version)

    assert found is not None
    pattern, template = found
    match = re.fullmatch(pattern, namespace)
    assert match is not None
    assert match.expand(template) == version
    assert re.fullmatch(pattern, next_one)


@pytest.mark.parametrize("namespace", ["http://www.xjustiz.de", "urn:x:13.5.12"])
def test_a_version_that_is_not_there_is_not_found(namespace: str) -> None:
    assert spell(namespace, "3.5.1") is None


def test_a_hostile_version_is_no_pattern() -> None:
    assert spell("urn:x:(a+)+", "(a+)+") is None


@pytest.mark.parametrize(
    ("namespace", "version"),
    [
        ("http://www.xplanung.de/xplangml/6/0", "6.0"),
        ("http://xbildung.de/def/xschule/1.0/xsd", "1.0"),
        ("http://www.xjustiz.de", ""),
        ("urn:xoev-de:kosit:xoev:datentyp:din-91379_2022-08", "91379.2022.08"),
    ],
)
def test_a_version_is_read_from_a_namespace(namespace: str, version: str) -> None:
    assert written(namespace) == version


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ("http://www.xjustiz.de", "xjustiz"),
        ("http://www.osci.de/xmeld2611", "xmeld"),
        ("https://gitlab.opencode.de/akdb/xoev/xwasser/-/raw/main/V1_0_0", "xwasser"),
        ("urn:muster", "muster"),
        ("urn:1", "standard"),
    ],
)
def test_a_standard_is_named_by_its_namespace(namespace: str, name: str) -> None:
    assert named(namespace) == name


def test_a_slug_is_safe_as_a_folder() -> None:
    assert slug("../XBau Hochbau/..") == "xbau-hochbau"
