"""A new adapter: it passes its own samples at once, in a folder of its own."""

from __future__ import annotations

import csv
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from rich.prompt import Prompt

from broker import samples
from broker.app import KINDS, known
from broker.catalog import Catalog
from broker.cli import kit
from broker.config.load import load
from broker.errors import BrokerError, ConfigError
from broker.kit.scaffold import TARGETS, Made, Plan, installed, make
from broker.xoev.standards import Standards
from tests import needs
from tests.needs import ROOT
from tests.test_adapters import official

XSD = "{http://www.w3.org/2001/XMLSchema}"


@cache
def standards() -> Standards:
    return Standards.load(ROOT / "schemas" / "xoev")


def made(folder: Path, target: str, name: str = "musterstadt/bau", **more: Any) -> Made:
    folder.mkdir(exist_ok=True)
    return make(Plan(name, more.pop("standard", "xbau/2.6"), target, **more), folder, standards())


def message() -> bytes:
    """A message that no mapping is known for: a file number, of the Kernmodul."""
    file = ROOT / "adapters/wolfsburg/bau/samples/einfach/4-reply.xoev.xml"
    return file.read_bytes()


@pytest.mark.parametrize("target", TARGETS)
def test_a_new_adapter_passes_its_own_samples(tmp_path: Path, target: str) -> None:
    made(tmp_path / "adapters", target)
    catalog = Catalog.load([tmp_path / "adapters"])

    results = samples.run(catalog, "musterstadt/bau", standards())

    assert catalog.findings == ()
    assert {result.sample.rpartition("/")[2] for result in results} == {
        "einfach", "abgewiesen", "code-unbekannt",
    }  # fmt: skip
    assert all(result.ok for result in results)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_left_to_be_filled_in(tmp_path: Path, target: str) -> None:
    new = made(tmp_path / "adapters", target)

    texts = [(new.folder / file).read_text("iso8859-15") for file in new.files]

    assert not [text for text in texts if "@}" in text or _placeholders(text)]
    assert not _placeholders(new.routes)


def _placeholders(text: str) -> list[str]:
    words = text.split("@")[1::2]
    return [word for word in words if word.isalpha() and word.islower()]


@needs.shared
@pytest.mark.parametrize("target", TARGETS)
def test_its_messages_are_valid_by_the_official_schemas(tmp_path: Path, target: str) -> None:
    new = made(tmp_path / "adapters", target)
    roots = [etree.parse(str(file)).getroot() for file in new.folder.glob("samples/*/[14]-*.xml")]

    wrong = [
        str(official(etree.QName(root).namespace or "").error_log)
        for root in roots
        if not official(etree.QName(root).namespace or "").validate(root)
    ]

    assert len(roots) == 5
    assert wrong == []


@pytest.mark.parametrize("target", TARGETS)
def test_its_lines_for_routes_yaml_are_right(
    tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = made(tmp_path / "adapters", target)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/musterstadt-bau.url").write_text("sqlite:///x.sqlite")
    (tmp_path / "secrets/musterstadt-bau.url").chmod(0o600)
    (tmp_path / "routes.yaml").write_text(new.routes, "utf-8")
    monkeypatch.chdir(tmp_path)

    catalog = Catalog.load([tmp_path / "adapters"])
    table = load(tmp_path / "routes.yaml", known(catalog, standards(), KINDS), {})

    assert [route.adapter for route in table.routes] == ["musterstadt/bau"]


def test_what_a_soap_adapter_sends_and_gets_is_what_its_wsdl_says(tmp_path: Path) -> None:
    for number, sample in enumerate((b"", message())):
        standard = "xbau-kernmodul/1.3.0" if sample else "xbau/2.6"
        name = f"musterstadt/bau-{number}"
        new = made(tmp_path / "adapters", "soap", name, standard=standard, sample=sample)
        types = etree.parse(str(new.folder / "service.wsdl")).find(f".//{XSD}schema")
        assert types is not None
        schema = etree.XMLSchema(etree.fromstring(etree.tostring(types)))

        for file in new.folder.glob("samples/*/[23]-*.xml"):
            schema.assertValid(etree.parse(str(file)))


def test_the_columns_of_a_table_adapter_are_those_of_its_tables(tmp_path: Path) -> None:
    for number, sample in enumerate((b"", message())):
        standard = "xbau-kernmodul/1.3.0" if sample else "xbau/2.6"
        name = f"musterstadt/bau-{number}"
        new = made(tmp_path / "adapters", "table", name, standard=standard, sample=sample)
        database = sqlite3.connect(":memory:")
        database.executescript((new.folder / "tables.sql").read_text("utf-8"))
        with (new.folder / "spalten.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))

        for table in {row["record"] for row in rows}:
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            assert columns == [row["field"] for row in rows if row["record"] == table]
        database.close()


@pytest.mark.parametrize("target", TARGETS)
def test_for_another_standard_every_value_of_the_given_message_comes_out(
    tmp_path: Path, target: str
) -> None:
    new = made(tmp_path / "adapters", target, standard="xbau-kernmodul/1.3.0", sample=message())

    output = next(new.folder.glob("samples/einfach/2-*")).read_text("utf-8")

    values = [text for element in etree.fromstring(message()).iter() if not len(element)
              for text in [" ".join((element.text or "").split())] if text]  # fmt: skip
    assert new.cases == ("einfach",)
    assert [value for value in values if value not in output] == []


def test_without_a_message_of_the_standard_the_integrator_is_told_to_give_one(
    tmp_path: Path,
) -> None:
    new = made(tmp_path / "adapters", "rest", standard="xbau-kernmodul/1.3.0")

    assert new.cases == ()
    assert "1-request.xoev.xml" in new.remark
    assert Catalog.load([tmp_path / "adapters"]).names == ("musterstadt/bau",)


def test_a_message_of_ones_own_is_one_more_sample(tmp_path: Path) -> None:
    own = ROOT / "adapters/wolfsburg/bau/samples/mehrere-antragsteller/1-request.xoev.xml"

    new = made(tmp_path / "adapters", "rest", sample=own.read_bytes())

    assert new.cases[-1] == "eigener"
    assert (new.folder / "samples/eigener/2-request.legacy.xml").exists()


def test_a_message_of_another_standard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"of xbau-kernmodul/1\.3\.0, not of xbau/2\.6"):
        made(tmp_path / "adapters", "rest", sample=message())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    first = made(tmp_path / "adapters", "soap")
    (first.folder / "adapter.py").write_text("mine")

    with pytest.raises(BrokerError, match="is there already"):
        made(tmp_path / "adapters", "rest")

    assert (first.folder / "adapter.py").read_text() == "mine"
    assert [file.name for file in (tmp_path / "adapters").iterdir()] == ["musterstadt"]


def test_all_that_is_wrong_with_a_plan_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, "soup", "Musterstadt", standard="xbau/2.7", ags="3")

    text = str(caught.value)
    assert '"Musterstadt" is no name of an adapter' in text
    assert 'unknown standard "xbau/2.7", did you mean' in text
    assert 'unknown target "soup", did you mean "soap"?' in text
    assert "eight digits" in text


@pytest.mark.parametrize("name", ["shared/bau", "../bau", "a/b/c", "musterstadt/", "1/2"])
def test_a_name_that_is_no_folder_of_an_adapter_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        made(tmp_path, "soap", name)

    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_it_made_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XOEV_BROKER_SCHEMAS", str(ROOT / "schemas" / "xoev"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adapters").mkdir()

    kit.new("musterstadt/bau", "xbau/2.6", "directory")

    out = capsys.readouterr().out
    assert "samples: einfach, abgewiesen, code-unbekannt" in out
    assert "kind: directory" in out
    assert "README.md" in out


def test_at_a_terminal_one_is_asked_for_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XOEV_BROKER_SCHEMAS", str(ROOT / "schemas" / "xoev"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    said = iter(("musterstadt/bau", "soap", "03999000"))
    monkeypatch.setattr(Prompt, "ask", lambda *_, **__: next(said))

    kit.new(standard="xbau/2.6", folder=tmp_path / "mine")

    assert (tmp_path / "mine/musterstadt/bau/service.wsdl").exists()
    capsys.readouterr()


def test_elsewhere_a_missing_argument_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XOEV_BROKER_SCHEMAS", str(ROOT / "schemas" / "xoev"))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(Exception, match="is missing; there are soap"):
        kit.new("musterstadt/bau", "xbau/2.6")


def test_the_standards_that_can_be_named_are_the_installed_ones() -> None:
    assert "xbau/2.6" in installed(standards())
