"""The loss report: what arrives, what is left out on purpose, what is lost silently."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from broker.catalog import Catalog
from broker.cli import coverage as commands
from broker.cli import loss
from broker.errors import BrokerError, ConfigError
from broker.kit import coverage, drops, variants
from broker.kit.coverage import Place, Report, Way
from broker.xoev.standards import Standards
from tests import needs
from tests.needs import ROOT
from tests.xoev import folders

ADAPTERS = sorted("/".join(file.parts[-3:-1]) for file in ROOT.glob("adapters/*/*/adapter.py"))
ADDRESS = "xbau:antragsteller/natuerlichePerson/anschrift"
ZIP = '<PLZ><xsl:value-of select="normalize-space(postleitzahl)"/></PLZ>'
Measure = Callable[[Path], Report]


@pytest.fixture(scope="module")
def standards() -> Standards:
    return Standards.load(ROOT / "schemas/xoev")


@pytest.fixture
def measure(standards: Standards) -> Measure:
    def measured(adapters: Path) -> Report:
        return coverage.report(Catalog.load([adapters]), "muster/bau", standards)

    return measured


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    """Return a folder with Wolfsburg's adapter as that of another city, with two samples."""
    wolfsburg, here = ROOT / "adapters/wolfsburg/bau", tmp_path / "adapters/muster/bau"
    left = shutil.ignore_patterns("samples", "__pycache__")
    shutil.copytree(wolfsburg, here, ignore=left)
    shutil.copytree(ROOT / "adapters/shared/bau", tmp_path / "adapters/shared/bau", ignore=left)
    for case in ("bescheid", "mehrere-antragsteller"):
        shutil.copytree(wolfsburg / "samples" / case, here / "samples" / case)
    return tmp_path / "adapters"


def change(adapters: Path, file: str, old: str, new: str) -> None:
    place = adapters / "muster/bau" / file
    text = place.read_text("utf-8")
    assert text.count(old) == 1
    place.write_text(text.replace(old, new), "utf-8")


def declare(adapters: Path, line: str) -> None:
    with (adapters / "muster/bau/drops.csv").open("a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")


def forth(report: Report) -> Way:
    return next(way for way in report.ways if way.direction == "to_legacy")


def place(report: Report, path: str) -> Place:
    return next(one for way in report.ways for one in way.places if one.path == path)


@pytest.mark.parametrize("name", ADAPTERS)
def test_no_adapter_of_this_repository_loses_a_field_silently(
    name: str, standards: Standards
) -> None:
    report = coverage.report(Catalog.load([ROOT / "adapters"]), name, standards)

    assert ([one.path for one in report.lost], report.stale) == ([], ())


def test_a_planted_loss_is_found_in_every_address(adapters: Path, measure: Measure) -> None:
    change(adapters, "to_legacy.xsl", ZIP, "<PLZ>38440</PLZ>")

    lost = [one.path for one in measure(adapters).lost]

    assert lost == [
        f"{ADDRESS}/postleitzahl",
        "xbau:antragsteller/organisation/anschrift/postleitzahl",
    ]


def test_a_value_that_is_lost_in_one_sample_only_is_found(adapters: Path, measure: Measure) -> None:
    chosen = 'select="xbau:antragsteller"'
    change(adapters, "to_legacy.xsl", chosen, 'select="xbau:antragsteller[1]"')

    report = measure(adapters)

    found = place(report, "xbau:antragsteller/natuerlichePerson/name/familienname/name")
    assert (found.state, found.samples) == ("lost", ("mehrere-antragsteller",))
    assert 0 < found.arrived < found.total


def test_a_loss_on_the_way_back_is_found(adapters: Path, measure: Measure) -> None:
    text = '<xsl:with-param name="datum" select="w:Datum"/>'
    change(adapters, "to_xoev.xsl", text, '<xsl:with-param name="datum" select="\'2026-01-01\'"/>')
    change(adapters, "drops.csv", "to_xoev,w:Datum", "to_legacy,w:Datum")

    assert [one.path for one in measure(adapters).lost] == ["w:Datum"]


def test_what_is_left_out_on_purpose_is_shown_with_its_reason(
    adapters: Path, measure: Measure
) -> None:
    change(adapters, "to_legacy.xsl", ZIP, "<PLZ>38440</PLZ>")
    declare(adapters, "to_legacy,antragsteller/*/anschrift/postleitzahl,only one town is served")

    report = measure(adapters)

    found = place(report, f"{ADDRESS}/postleitzahl")
    assert (report.ok, found.state, found.reason) == (True, "dropped", "only one town is served")


def test_a_declaration_that_is_not_true_is_named_with_its_line(
    adapters: Path, measure: Measure
) -> None:
    declare(adapters, f"to_legacy,{ADDRESS}/ort,nobody needs it")

    report = measure(adapters)

    assert not report.ok
    assert [(one.file, one.line) for one in report.stale] == [("muster/bau/drops.csv", 6)]


def test_a_declaration_about_what_no_sample_holds_may_be_true(
    adapters: Path, measure: Measure
) -> None:
    declare(adapters, "to_legacy,xbau:baulast,kept in another register")

    assert measure(adapters).ok


def test_the_head_is_read_by_the_broker(adapters: Path, measure: Measure) -> None:
    report = measure(adapters)

    assert place(report, "nachrichtenkopf.g2g/leser/kennung").state == "kept"
    assert place(report, "xbau:referenzAntragsservice/referenzAntragsservice").state == "kept"
    assert place(report, "w:Referenz").state == "kept"


def test_a_code_is_followed_through_its_list(adapters: Path, measure: Measure) -> None:
    found = place(measure(adapters), "xbau:bauvorhaben/xbau:gegenstand/xbau:artDerMassnahme/code")

    assert (found.state, found.targets, found.lists) == ("reached", ("Art",), ("massnahme",))


def test_a_value_that_only_decides_counts_as_arrived(adapters: Path, measure: Measure) -> None:
    report = measure(adapters)

    found = place(report, "xbau:antragsteller/natuerlichePerson/kommunikation/kanal/code")
    assert found.steers == ("Antragsteller/Person/EMail",)
    assert place(report, "w:Status").arrived == place(report, "w:Status").total


def test_a_value_of_which_only_a_part_arrives_is_marked(adapters: Path, measure: Measure) -> None:
    whole = "normalize-space(kennung)"
    change(adapters, "to_legacy.xsl", whole, "substring(kennung, 1, 4)")

    found = place(measure(adapters), "xbau:antragsteller/natuerlichePerson/kommunikation/kennung")

    assert found.part


def test_a_target_field_that_no_sample_fills_is_named(adapters: Path, measure: Measure) -> None:
    added = f'{ZIP}<Land><xsl:value-of select="staat/kuerzel"/></Land>'
    change(adapters, "to_legacy.xsl", ZIP, added)

    assert "Land" in forth(measure(adapters)).empty


def test_an_adapter_in_python_is_measured_too(adapters: Path, measure: Measure) -> None:
    """It writes JSON, and reads JSON back."""
    (adapters / "muster/bau/adapter.py").write_text(
        "import json\n"
        "from broker import Adapter, Correlation\n"
        "class Bau(Adapter):\n"
        "    accepts = ('xbau/2.6',)\n"
        "    suffix = '.json'\n"
        "    def to_legacy(self, document, facts):\n"
        "        names = document.root.findall('.//{*}antragsteller//vorname/name')\n"
        "        return json.dumps({'names': [name.text for name in names]}).encode()\n"
        "    def to_xoev(self, reply, facts):\n"
        "        return f\"<x><n>{json.loads(reply)['number']}</n></x>\".encode()\n"
        "    def correlate(self, reply):\n"
        "        return Correlation('0123456789ABC')\n",
        "utf-8",
    )
    for file in adapters.glob("muster/bau/samples/*/3-reply.legacy.xml"):
        file.with_suffix(".json").write_text('{"number": 17, "unused": {"deep": "x"}}')
        file.unlink()

    report = measure(adapters)

    assert place(report, "xbau:antragsteller/natuerlichePerson/name/vorname/name").targets == (
        "names",
    )
    assert (place(report, "number").state, place(report, "unused/deep").state) == (
        "reached",
        "lost",
    )


def test_an_adapter_without_samples_cannot_be_measured(adapters: Path, measure: Measure) -> None:
    shutil.rmtree(adapters / "muster/bau/samples")

    with pytest.raises(BrokerError, match="has no sample"):
        measure(adapters)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("to_legacy,xbau:x,", "has no reason"),
        ("to_legacy,,why", "has no path"),
        ("sideways,xbau:x,why", "to_legacy, to_xoev or empty"),
    ],
)
def test_a_wrong_line_of_the_declarations_is_named(
    adapters: Path, measure: Measure, line: str, complaint: str
) -> None:
    declare(adapters, line)

    with pytest.raises(ConfigError, match=rf"muster/bau/drops.csv:6: .*{complaint}"):
        measure(adapters)


def test_declarations_with_other_columns_are_refused(adapters: Path, measure: Measure) -> None:
    (adapters / "muster/bau/drops.csv").write_text("field,why\nx,y\n", "utf-8")

    with pytest.raises(ConfigError, match="needs the columns"):
        measure(adapters)


@pytest.mark.parametrize(
    ("line", "path", "covered"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c/@d", True),
        ("a/b", "a/bc", False),
        ("xbau:a/xbau:b", "alt:a/alt:b", True),
        ("a/*/c", "a/b/c", True),
        ("a/*", "a/b/c", True),
        ("a/@*", "a/@size", True),
        ("//titel", "x/y/titel", True),
        ("titel", "x/y/titel", False),
    ],
)
def test_a_path_of_a_declaration_covers_what_lies_below(
    line: str, path: str, covered: bool
) -> None:
    assert drops.Drop(line, "why").covers(path, "to_legacy") is covered


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ("true", "false"),
        ("2026-02-18", "2027-02-11"),
        ("2026-03-11T09:00:00Z", "2027-03-12U10:11:11A"),
        ("12a", "23b"),
        ("ß–", "x–"),
    ],
)
def test_another_value_has_the_same_form(value: str, other: str) -> None:
    assert variants.whole(value) == other


@needs.shared
def test_what_no_sample_holds_is_planted_where_the_official_schema_is_installed(
    adapters: Path, shared: Path, tmp_path: Path
) -> None:
    official = Standards.load(folders.official(shared, tmp_path / "xoev"))
    report = coverage.report(Catalog.load([adapters]), "muster/bau", official)

    found = {one.path: one for one in forth(report).unproven}

    assert found[f"{ADDRESS}/postfach"].state == "reached"
    assert found[f"{ADDRESS}/zusatz"].state == "lost"
    assert found["xbau:bauvorhaben/xbau:beteiligte/xbau:nachbar"].state == "dropped"
    assert forth(report).fields > 1_000
    assert report.profiles == ()


def test_the_page_is_german_and_escapes_what_it_shows(adapters: Path, measure: Measure) -> None:
    change(adapters, "drops.csv", "das Fachverfahren kennt", "<b>das Fachverfahren</b> kennt")

    page = loss.page(measure(adapters), "de")

    assert "bewusst weggelassen" in page
    assert "&lt;b&gt;das Fachverfahren&lt;/b&gt;" in page
    assert "<script" not in page


@pytest.fixture
def type_(adapters: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Return what types `coverage …` on these adapters, in English."""
    for name, value in {
        "XOEV_BROKER_ADAPTERS": str(adapters),
        "XOEV_BROKER_SCHEMAS": str(ROOT / "schemas/xoev"),
        "LC_ALL": "C",
    }.items():
        monkeypatch.setenv(name, value)
    app = Typer()
    app.command()(commands.coverage)

    def run(*args: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, args)
        return result.exit_code, result.stdout

    return run


def test_the_command_ends_with_one_where_something_is_lost(
    adapters: Path, type_: Callable[..., tuple[int, str]]
) -> None:
    change(adapters, "to_legacy.xsl", ZIP, "<PLZ>38440</PLZ>")

    code, out = type_("muster/bau")

    assert code == 1
    assert f"lost silently: {ADDRESS}/postleitzahl (0/3)" in out
    assert f"to_legacy,{ADDRESS}/postleitzahl," in out


def test_the_command_writes_json_and_a_page(
    tmp_path: Path, type_: Callable[..., tuple[int, str]]
) -> None:
    code, out = type_("muster/bau", "--json", "--html", str(tmp_path / "loss.html"))

    found = json.loads(out)
    assert (code, found["ok"], found["ways"][0]["counts"]["lost"]) == (0, True, 0)
    assert (tmp_path / "loss.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_the_command_lists_everything_on_demand(type_: Callable[..., tuple[int, str]]) -> None:
    _, out = type_("muster/bau", "--all")

    assert "arrives: xbau:anlagen/anlage/bezeichnung" in out
    assert "→ Anlage/Bezeichnung" in out


@needs.shared
def test_strict_ends_with_one_where_the_standard_holds_more_than_the_samples(
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    type_: Callable[..., tuple[int, str]],
) -> None:
    schemas = folders.official(shared, tmp_path / "xoev")
    monkeypatch.setenv("XOEV_BROKER_SCHEMAS", str(schemas))

    code, out = type_("muster/bau", "--strict", "--html", str(tmp_path / "loss.html"))

    assert code == 1
    assert "lost silently: xbau:baulast (0 of " in out
    assert "xbau:<wbr>" not in (tmp_path / "loss.html").read_text("utf-8")
    assert "Parts of the standard that no sample holds" in (tmp_path / "loss.html").read_text()


def test_a_declaration_that_is_not_true_stands_on_the_page_and_in_the_text(
    adapters: Path, tmp_path: Path, type_: Callable[..., tuple[int, str]]
) -> None:
    declare(adapters, f"to_legacy,{ADDRESS}/ort,nobody needs it")

    code, out = type_("muster/bau", "--html", str(tmp_path / "loss.html"), "--lang", "de")

    assert code == 1
    assert f"muster/bau/drops.csv:6: {ADDRESS}/ort" in out
    assert "kommt aber an" in (tmp_path / "loss.html").read_text("utf-8")


def test_a_broken_adapter_is_named_with_its_finding(
    adapters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (adapters / "muster/bau/adapter.py").write_text("from broker import Adapter\nx = 1 / 0\n")
    monkeypatch.setenv("XOEV_BROKER_ADAPTERS", str(adapters))

    with pytest.raises(ConfigError, match=r"adapter muster/bau is broken\nmuster/bau/adapter.py:2"):
        commands.coverage("muster/bau")


def test_a_file_that_cannot_be_written_is_named(
    tmp_path: Path, adapters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XOEV_BROKER_ADAPTERS", str(adapters))
    monkeypatch.setenv("XOEV_BROKER_SCHEMAS", str(ROOT / "schemas/xoev"))

    with pytest.raises(BrokerError, match="cannot be written"):
        commands.coverage("muster/bau", html=tmp_path)
