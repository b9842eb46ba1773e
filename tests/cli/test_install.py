"""Official bundles at the command line: put in, shown, taken away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer import BadParameter

from broker.cli import install
from broker.errors import ConfigError
from broker.journal.entry import decode
from tests.site import Site
from tests.xoev.bundles import folder, shapes

SHAPE = shapes()["xmeld/26.11"]


@pytest.fixture
def source(place: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a bundle, for a site whose standards are its own."""
    monkeypatch.setenv("XOEV_BROKER_SCHEMAS", str(tmp_path / "schemas"))
    return str(folder(tmp_path / "bundle", SHAPE.files))


def test_an_installation_is_told(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    install.install(source)

    out = capsys.readouterr().out
    assert "xmeld/26.11: installed, 1 message kinds, 3 files, digest " in out
    assert "licence: Muster-Lizenz" in out
    assert "SIGHUP" in out


def test_a_second_installation_asks_for_no_reload(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    install.install(source)
    capsys.readouterr()

    install.install(source)

    out = capsys.readouterr().out
    assert "already installed" in out
    assert "SIGHUP" not in out


def test_a_bundle_is_shown_for_machines(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    install.install(source)
    capsys.readouterr()

    install.shown("xmeld/26.11", json=True)

    found = json.loads(capsys.readouterr().out)
    assert found["standard"] == "xmeld"
    assert len(found["files"]) == 3


def test_a_bundle_is_shown_for_people(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    install.install(source)
    capsys.readouterr()

    install.shown("xmeld/26.11")

    out = capsys.readouterr().out
    assert "http://www.osci.de/xmeld2611" in out
    assert "xmeld-nachrichten.xsd" in out


def test_what_is_no_version_is_wrong_usage() -> None:
    with pytest.raises(BadParameter):
        install.shown("xmeld")


def test_a_bundle_that_is_not_here_is_told(source: str) -> None:
    with pytest.raises(ConfigError, match="has no official bundle here"):
        install.shown("xmeld/25.11")


def test_who_installed_and_who_removed_is_in_the_journal(source: str, place: Site) -> None:
    place.app().close()
    install.install(source, actor="erika")
    install.install(source, actor="otto")
    app = place.app()
    lines = [decode(entry) for entry in app.store.entries(events=("installed", "removed"))]
    app.close()

    assert {(line.actor, line.event, line.facts["artefact"]) for line in lines} == {
        ("erika", "installed", "xinneres-rueckweisung/6"),
        ("erika", "installed", "xmeld/26.11"),
    }
