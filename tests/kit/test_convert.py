"""Converting one file to look at: before and after, differences, again on every save."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer import Exit

from broker.cli.convert import convert, rounds
from broker.errors import BrokerError
from tests.needs import ROOT

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two adapters that a test may spoil; the commands look there."""
    for part in ("shared/bau", "braunschweig/bau", "wolfsburg/bau"):
        shutil.copytree(ROOT / "adapters" / part, tmp_path / "adapters" / part)
    monkeypatch.setenv("XOEV_BROKER_SCHEMAS", str(ROOT / "schemas" / "xoev"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "adapters"


@pytest.fixture
def type_(place: Path, capsys: pytest.CaptureFixture[str]) -> Type:
    def run(file: Path, **options: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = 0
        try:
            convert(file, **options)  # type: ignore[arg-type]
        except Exit as end:
            code = end.exit_code
        out, err = capsys.readouterr()
        return code, out, err

    return run


def sample(place: Path, name: str, file: str) -> Path:
    return place / name.rpartition("/")[0] / "samples" / name.rpartition("/")[2] / file


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def test_a_sample_is_shown_before_and_after(place: Path, type_: Type) -> None:
    code, out, _ = type_(sample(place, "wolfsburg/bau/einfach", "1-request.xoev.xml"))

    before, _, after = out.partition("== after")
    assert code == 0
    assert "baugenehmigung.antrag.0200" in before
    assert "<Referenz>0123456789ABC</Referenz>" in after


def test_a_reply_is_converted_back_with_the_request_beside_it(place: Path, type_: Type) -> None:
    code, out, err = type_(
        sample(place, "wolfsburg/bau/bescheid", "3-reply.legacy.xml"), reverse=True
    )

    assert code == 0
    assert "59ca6945-0611-5162-9edf-638593fd4746" in out
    assert err == ""


def test_every_reply_of_a_batch_is_shown_below_its_reference(place: Path, type_: Type) -> None:
    file = sample(place, "braunschweig/bau/einfach", "3-reply.legacy.txt")

    _, out, _ = type_(file, reverse=True)

    assert "[0123456789ABC]" in out
    assert "[ZZZZZZZZZZZZZ]" in out


def test_a_reply_from_elsewhere_answers_an_invented_request(
    place: Path, tmp_path: Path, type_: Type
) -> None:
    file = tmp_path / "reply.xml"
    shutil.copy(sample(place, "wolfsburg/bau/rueckweisung", "3-reply.legacy.xml"), file)

    code, out, err = type_(file, adapter="wolfsburg/bau", reverse=True)

    assert code == 0
    assert "prozessnachrichten.rueckweisung.G2G.1100" in out
    assert "invented request" in err


def test_a_file_that_is_no_sample_needs_the_name_of_an_adapter(
    place: Path, tmp_path: Path, type_: Type
) -> None:
    file = tmp_path / "antrag.xml"
    shutil.copy(sample(place, "wolfsburg/bau/einfach", "1-request.xoev.xml"), file)

    assert "say it with --adapter" in type_(file)[2]
    assert type_(file, adapter="wolfsburg/bau")[0] == 0


def test_a_wrong_name_of_an_adapter_is_met_with_the_right_one(place: Path, type_: Type) -> None:
    file = sample(place, "wolfsburg/bau/einfach", "1-request.xoev.xml")

    code, _, err = type_(file, adapter="wolfsburg/bauu")

    assert code == 1
    assert 'did you mean "wolfsburg/bau"?' in err


def test_the_difference_to_the_sample_names_the_field(place: Path, type_: Type) -> None:
    spoil(place / "braunschweig/bau/to_legacy.xsl", 'mode="nachname"/>', 'mode="nachname"/>x')

    code, out, _ = type_(sample(place, "braunschweig/bau/einfach", "1-request.xoev.xml"), diff=True)

    assert code == 1
    assert 'field "nachname", characters 6 to 85' in out


def test_without_a_difference_the_sample_is_said_to_be_as_expected(
    place: Path, type_: Type
) -> None:
    code, out, _ = type_(
        sample(place, "braunschweig/bau/einfach", "3-reply.legacy.txt"), reverse=True, diff=True
    )

    assert (code, out) == (0, "output 1.xml: as expected\n")


def test_an_error_of_the_stylesheet_names_file_line_and_instruction(
    place: Path, type_: Type
) -> None:
    spoil(place / "wolfsburg/bau/to_legacy.xsl", '"$reference"', '"$reference["')

    code, _, err = type_(sample(place, "wolfsburg/bau/einfach", "1-request.xoev.xml"))

    assert code == 1
    assert "wolfsburg/bau/to_legacy.xsl:16: xsl:value-of" in err
    assert '16 | <Referenz><xsl:value-of select="$reference["/></Referenz>' in err


def test_an_error_while_it_runs_names_them_too_and_says_why(place: Path, type_: Type) -> None:
    spoil(place / "wolfsburg/bau/to_legacy.xsl", '"$reference"', '"nothing($reference)"')

    code, _, err = type_(sample(place, "wolfsburg/bau/einfach", "1-request.xoev.xml"))

    assert code == 1
    assert "to_legacy.xsl:16: xsl:value-of: Unregistered function" in err
    assert "16 | <Referenz>" in err


def test_an_error_in_a_shared_stylesheet_is_shown_where_it_stands(place: Path, type_: Type) -> None:
    spoil(place / "shared/bau/antrag.xsl", "familienname/name)", "familienname/name")

    _, _, err = type_(sample(place, "wolfsburg/bau/einfach", "1-request.xoev.xml"))

    assert "shared/bau/antrag.xsl:" in err
    assert "| <xsl:value-of" in err


def test_a_message_that_is_not_valid_is_converted_with_a_warning(place: Path, type_: Type) -> None:
    file = sample(place, "wolfsburg/bau/einfach", "1-request.xoev.xml")
    spoil(file, "<code>0200</code>", "<code>02000</code>")

    code, out, err = type_(file)

    assert code == 1
    assert "is not valid" in err
    assert "AntragAnlegen" in out


def test_a_file_that_is_not_there_is_named(place: Path, type_: Type) -> None:
    code, _, err = type_(place / "nothing.xml", adapter="wolfsburg/bau")

    assert code == 1
    assert "nothing.xml cannot be read" in err


def test_a_terminal_gets_both_sides_in_columns(
    place: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "160")

    _, out, _ = type_(sample(place, "wolfsburg/bau/einfach", "3-reply.legacy.xml"), reverse=True)

    assert any("AntragAngelegt" in line and "1120" in line for line in out.splitlines())


def test_a_very_long_line_is_cut_with_its_length(place: Path, type_: Type) -> None:
    file = sample(place, "wolfsburg/bau/einfach", "1-request.xoev.xml")
    spoil(file, "Neubau eines", "Neubau " * 1000)

    _, out, _ = type_(file)

    assert "characters)" in out
    assert max(map(len, out.splitlines())) < 2100


def act(what: Callable[[], object]) -> None:
    what()


def test_watching_tries_at_first_and_then_only_when_a_file_changed(tmp_path: Path) -> None:
    file = tmp_path / "a.xsl"
    file.write_text("1")
    (tmp_path / "b.csv").write_text("1")
    acts: Iterator[Callable[[], object]] = iter(
        (
            lambda: None,
            lambda: file.write_text("22"),
            lambda: None,
            (tmp_path / "b.csv").unlink,
            lambda: (tmp_path / "c.csv").write_text("1"),
        )
    )
    seen = rounds(tmp_path.iterdir, lambda: act(next(acts)))

    assert next(seen) == ()
    assert [file.name for file in next(seen)] == ["a.xsl"]
    assert [file.name for file in next(seen)] == ["b.csv"]
    assert [file.name for file in next(seen)] == ["c.csv"]


def test_watching_shows_what_a_save_changed_and_ends_cleanly(
    place: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place.parent / "antrag.xml"
    shutil.copy(sample(place, "wolfsburg/bau/einfach", "1-request.xoev.xml"), file)
    sheet = place / "wolfsburg/bau/to_legacy.xsl"
    acts = iter((lambda: spoil(sheet, "<Referenz>", "<Referenz>X-"),))

    def wait(_: float) -> None:
        act = next(acts, None)
        if act is None:
            raise KeyboardInterrupt
        act()

    monkeypatch.setattr("time.sleep", wait)

    code, out, _ = type_(file, adapter="wolfsburg/bau", diff=True, watch=True)

    assert code == 0
    assert "saved: to_legacy.xsl" in out
    assert "-  <Referenz>0123456789ABC</Referenz>" in out
    assert "+  <Referenz>X-0123456789ABC</Referenz>" in out
    assert out.rstrip().endswith("ended")


def test_watching_goes_on_after_a_mistake(
    place: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sample(place, "wolfsburg/bau/einfach", "1-request.xoev.xml")
    sheet = place / "wolfsburg/bau/to_legacy.xsl"
    acts = iter(
        (
            lambda: spoil(sheet, "<Referenz>", "<Referenzen>"),
            lambda: spoil(sheet, "<Referenzen>", "<Referenz>"),
        )
    )

    def wait(_: float) -> None:
        act = next(acts, None)
        if act is None:
            raise KeyboardInterrupt
        act()

    monkeypatch.setattr("time.sleep", wait)

    _, out, err = type_(file, watch=True)

    assert "is not well-formed: " in err
    assert out.count("== after") == 2


def test_watching_a_file_of_no_adapter_is_refused(place: Path, type_: Type) -> None:
    with pytest.raises(BrokerError, match="say it with --adapter"):
        type_(place / "antrag.xml", watch=True)
