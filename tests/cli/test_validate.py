"""The commands `validate` and `codelists`, called as functions."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer import Exit

from broker.cli import codelists, validate
from broker.cli.validate import Report, Strictness
from broker.errors import BrokerError
from tests.needs import ROOT
from tests.xoev.letters import letter
from tests.xoev.lists import COLOURS, genericode, written


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with our profiles, a code list and a valid message in it."""
    for name in [name for name in os.environ if name.startswith("XOEV_BROKER_")]:
        monkeypatch.delenv(name)
    schemas = tmp_path / "xoev"
    schemas.mkdir()
    for path in (ROOT / "schemas/xoev").iterdir():
        (schemas / path.name).symlink_to(path)
    written(schemas / "codelists")
    written(schemas / "codelists", genericode(version="2.0"), "farben_2.0.xml")
    monkeypatch.setenv("XOEV_BROKER_SCHEMAS", str(schemas))
    (tmp_path / "antrag.xml").write_bytes(letter())
    return tmp_path


Told = pytest.CaptureFixture[str]


def test_a_message_is_judged_for_people(folder: Path, capsys: Told) -> None:
    validate.validate(str(folder / "antrag.xml"))

    out = capsys.readouterr().out.splitlines()
    assert out[0] == "antrag.xml: XBau 2.6 baugenehmigung.antrag.0200"
    assert out[-1] == "accept"


def test_a_message_that_is_wrong_ends_with_exit_code_1(folder: Path, capsys: Told) -> None:
    (folder / "b.xml").write_text("<a>", encoding="utf-8")

    with pytest.raises(Exit) as caught:
        validate.validate(str(folder / "b.xml"), report=Report.JSON)

    assert caught.value.exit_code == 1
    assert json.loads(capsys.readouterr().out)["reason"] == "X000"


@pytest.mark.parametrize(("report", "start"), [(Report.XML, "<?xml"), (Report.HTML, "<!DOCTYPE")])
def test_a_report_is_written_into_a_file(
    folder: Path, report: Report, start: str, capsys: Told
) -> None:
    target = folder / "report"
    validate.validate(
        str(folder / "antrag.xml"), report=report, output=target, codelists=Strictness.OFF
    )

    assert target.read_text(encoding="utf-8").startswith(start)
    assert capsys.readouterr().out == ""


def test_a_file_that_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(BrokerError, match=r"nichts\.xml cannot be read"):
        validate.validate(str(folder / "nichts.xml"))


def test_a_report_that_cannot_be_written_is_said(folder: Path) -> None:
    with pytest.raises(BrokerError, match="cannot be written"):
        validate.validate(str(folder / "antrag.xml"), output=folder / "no/report")


def test_code_lists_are_listed_with_their_versions(folder: Path, capsys: Told) -> None:
    codelists.listed(json=True)

    found = json.loads(capsys.readouterr().out)["codelists"]
    assert [(one["uri"], one["version"]) for one in found] == [(COLOURS, "1.0"), (COLOURS, "2.0")]


def test_code_lists_are_listed_for_people(folder: Path, capsys: Told) -> None:
    codelists.listed()

    assert f"{COLOURS}" in capsys.readouterr().out


def test_a_list_is_shown_in_its_newest_version(folder: Path, capsys: Told) -> None:
    codelists.shown(COLOURS)

    out = capsys.readouterr().out
    assert out.startswith(f"{COLOURS} version 2.0: Farben")
    assert "blau" in out


def test_a_list_is_shown_for_machines_in_a_version(folder: Path, capsys: Told) -> None:
    codelists.shown(f"{COLOURS}_1.0", json=True)

    found = json.loads(capsys.readouterr().out)
    assert (found["version"], found["key"]) == ("1.0", "code")
    assert found["rows"][0] == {"code": "rot", "name": "Rot"}


def test_a_code_is_looked_up(folder: Path, capsys: Told) -> None:
    codelists.looked(COLOURS, "rot")
    assert capsys.readouterr().out == "code: rot\nname: Rot\n"

    codelists.looked(COLOURS, "rot", json=True)
    assert json.loads(capsys.readouterr().out)["row"]["name"] == "Rot"


def test_a_code_or_a_list_that_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(BrokerError, match="the code is not in"):
        codelists.looked(COLOURS, "gelb")
    with pytest.raises(BrokerError, match="no such code list"):
        codelists.shown("urn:none")
