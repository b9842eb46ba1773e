"""The field table: where every field of the procedure comes from, for a clerk to review."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from broker.catalog import Catalog
from broker.cli import coverage as commands
from broker.cli import spread
from broker.kit import sheet
from broker.kit.mapping import Condition, FieldMap, Row, Table, mapping
from broker.stylesheet import Stylesheet
from broker.xoev.standards import Standards
from tests.needs import ROOT

APPLICANT = "xbau:antragsteller/natuerlichePerson"


@cache
def made(name: str) -> FieldMap:
    standards = Standards.load(ROOT / "schemas/xoev")
    return mapping(Catalog.load([ROOT / "adapters"]), name, standards)


def table(name: str, target: str = "") -> Table:
    """Return the table of one target, by default the one of requests."""
    tables = made(name).tables
    return next(one for one in tables if one.target == target) if target else tables[0]


def row(name: str, field: str, target: str = "") -> Row:
    return next(one for one in table(name, target).rows if one.field == field)


def test_a_field_names_its_sources() -> None:
    found = row("wolfsburg/bau", "Antragsteller/Person/Anschrift/Strasse")

    assert found.sources == (f"{APPLICANT}/anschrift/strasse", f"{APPLICANT}/anschrift/hausnummer")


def test_a_field_names_its_code_list_and_the_table_holds_the_codes() -> None:
    found = row("wolfsburg/bau", "Art")

    assert found.lists == ("massnahme",)
    assert made("wolfsburg/bau").lists["massnahme"][0]["schluessel"] == "ERRICHTUNG"


def test_a_field_names_the_value_that_decides_whether_it_is_written() -> None:
    found = row("wolfsburg/bau", "Antragsteller/Person/EMail")

    assert found.conditions == (Condition(f"{APPLICANT}/kommunikation/kanal/code", ("01",)),)


def test_a_field_of_the_delivery_is_no_field_of_the_message() -> None:
    found = row("wolfsburg/bau", "Referenz")

    assert (found.origin, found.sources) == ("fact", ("reference",))


def test_a_parameter_of_the_adapter_is_fixed() -> None:
    found = row("wolfsburg/bau", "Mandant")

    assert (found.origin, found.example) == ("fixed", "103")


def test_what_the_adapter_counts_is_made_by_it() -> None:
    found = row("braunschweig/bau", "S/antragsteller")

    assert (found.origin, found.rules) == ("made", ("count(xbau:antragsteller)",))


def test_what_a_template_gets_as_a_parameter_is_not_fixed() -> None:
    assert row("braunschweig/bau", "I/nummer").origin == "made"


def test_a_field_of_fixed_width_shows_start_and_length() -> None:
    found = row("braunschweig/bau", "K/vorhaben")

    assert found.column is not None
    assert (found.column.start + 1, found.column.length) == (31, 120)
    assert table("braunschweig/bau").fixed


def test_two_tables_with_a_column_of_the_same_name_are_kept_apart() -> None:
    site, person = (
        row("salzgitter/bau", f"{one}/ORT") for one in ("ANTRAG_EINGANG", "ANTRAG_PERSON")
    )

    assert all(":grundstueck/" in source for source in site.sources)
    assert all("antragsteller" in source for source in person.sources)
    assert not table("salzgitter/bau").fixed


def test_a_table_says_which_reply_becomes_which_message() -> None:
    found = table("wolfsburg/bau", "baugenehmigung.bescheid.0205")

    assert found.chosen == (Condition("w:Status", ("ABGELEHNT", "GENEHMIGT")),)


def test_an_answer_says_what_it_takes_from_the_request() -> None:
    target = "prozessnachrichten.eingangsbestaetigung.1120"

    assert row("wolfsburg/bau", "bezug/referenz", target).sources == ("answered.case",)
    assert row("wolfsburg/bau", "bezug/vorgang", target).sources == ("w:Aktenzeichen",)


def test_every_field_of_the_interface_has_an_origin_and_an_example() -> None:
    rows = table("wolfsburg/bau").rows

    assert [one.field for one in rows if not one.example or one.origin == "empty"] == []


def test_the_table_of_wolfsburg_reads_like_a_specification() -> None:
    lines = list(spread.lines(made("wolfsburg/bau"), "de"))

    assert lines[0] == "Hin zum Fachverfahren: aus baugenehmigung.antrag.0200 wird AntragAnlegen"
    start = lines.index("  Antragsteller/Person/EMail")
    assert lines[start + 1 : start + 7] == [
        f"      Herkunft: {APPLICANT}/kommunikation/kennung",
        f"      Bedingung: wenn {APPLICANT}/kommunikation/kanal/code = 01",
        "      Regel: unverändert",
        "      Beispiel (erfunden): tilda@beispielmann.example",
        "      gefüllt in: 7/7",
        "      Fundstelle: to_legacy.xsl:69",
    ]


def test_markdown_holds_a_table_with_german_headings() -> None:
    page = spread.markdown(made("braunschweig/bau"), "de")

    assert "| Feld | Start | Länge | Art | Herkunft |" in page
    assert "| `K/klasse` | 30 | 1 | text |" in page


def test_csv_has_one_line_a_field_and_no_formula() -> None:
    rows = list(
        csv.DictReader(io.StringIO(spread.as_csv(made("salzgitter/bau"), "en")), delimiter=";")
    )

    assert {one["direction"] for one in rows} == {"to_legacy", "to_xoev"}
    assert not any(cell.startswith(("=", "+", "-", "@")) for one in rows for cell in one.values())


def test_the_page_shows_the_code_lists() -> None:
    page = spread.page(made("wolfsburg/bau"), "de")

    assert "Codelisten" in page
    assert "Nutzungsänderung mit Umbau" in page


def test_an_adapter_without_a_stylesheet_has_a_table_too() -> None:
    found = row("salzgitter/durchreichen", "xbau:bauvorhaben/xbau:bezeichnungDesBauvorhabens",
                "baugenehmigung.antrag.0200")  # fmt: skip

    assert found.sources == (found.field,)


@pytest.mark.parametrize(
    ("expression", "plain"),
    [
        ("normalize-space(ort)", "ort"),
        ("x:nfc(normalize-space($text))", "$text"),
        ("concat(normalize-space(a), normalize-space(b))",
         "concat(normalize-space(a), normalize-space(b))"),
        ("normalize-space(a) = normalize-space(b)", "normalize-space(a) = normalize-space(b)"),
    ],
)  # fmt: skip
def test_what_only_tidies_a_text_is_left_out(expression: str, plain: str) -> None:
    assert sheet.plain(expression) == plain


def test_a_template_that_is_overridden_does_not_count(tmp_path: Path) -> None:
    head = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
    (tmp_path / "shared.xsl").write_text(
        f'{head}<xsl:template match="a"><F><xsl:value-of select="old"/></F></xsl:template>'
        '<xsl:template match="b"><G><xsl:value-of select="kept"/></G></xsl:template>'
        "</xsl:stylesheet>"
    )
    (tmp_path / "own.xsl").write_text(
        f'{head}<xsl:import href="shared.xsl"/>'
        '<xsl:template match="a"><F><xsl:value-of select="new"/></F></xsl:template>'
        "</xsl:stylesheet>"
    )
    step = Stylesheet("own.xsl")
    step.place(tmp_path)

    written = [(one.field, one.expressions) for one in sheet.read(step).writings]

    assert written == [("F", ("new",)), ("G", ("kept",))]


@pytest.fixture
def type_(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Return what types `fields …` on the adapters of this repository."""
    monkeypatch.setenv("XOEV_BROKER_ADAPTERS", str(ROOT / "adapters"))
    monkeypatch.setenv("XOEV_BROKER_SCHEMAS", str(ROOT / "schemas/xoev"))
    app = Typer()
    app.command()(commands.fields)

    def run(*args: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, args)
        return result.exit_code, result.stdout

    return run


def test_the_command_prints_json(type_: Callable[..., tuple[int, str]]) -> None:
    code, out = type_("wolfsburg/bau", "--json")

    assert code == 0
    assert json.loads(out)["tables"][0]["rows"][0]["field"] == "Referenz"


def test_the_command_writes_files(tmp_path: Path, type_: Callable[..., tuple[int, str]]) -> None:
    page, sheet_ = tmp_path / "fields.html", tmp_path / "fields.csv"

    code, out = type_("wolfsburg/bau", "--html", str(page), "--csv", str(sheet_), "--lang", "de")

    assert (code, out) == (0, "")
    assert "Feldtabelle: wolfsburg/bau" in page.read_text("utf-8")
    assert sheet_.read_text("utf-8").startswith("\ufeffdirection;target;Feld;")


def test_the_command_prints_markdown(type_: Callable[..., tuple[int, str]]) -> None:
    code, out = type_("wolfsburg/bau", "--markdown", "--lang", "en")

    assert code == 0
    assert out.startswith("# Field table: wolfsburg/bau\n")


def test_the_command_prints_a_block_for_each_field(type_: Callable[..., tuple[int, str]]) -> None:
    _, out = type_("braunschweig/bau", "--lang", "en")

    assert "  K/ersetzt\n      start: 151\n      length: 1\n" in out
    assert "source: J where a character of the record was replaced, else N" in out
