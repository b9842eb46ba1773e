"""Differences that a person can read, on the command line and for a CI server."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from lxml import etree
from typer import Exit

from broker.cli import adapters
from broker.difference import between, ruler
from broker.errors import Finding
from broker.formats import Csv, FixedWidth
from broker.kit.junit import report
from broker.samples import Result
from tests.needs import ROOT

LAYOUT = """record,field,length,kind
A,number,3,number
A,name,20,text
A,town,10,text
AB,text,5,text
"""


@pytest.fixture
def fixed(tmp_path: Path) -> FixedWidth:
    (tmp_path / "layout.csv").write_text(LAYOUT)
    step = FixedWidth("layout.csv", encoding="iso8859-15")
    step.place(tmp_path)
    return step


def line(number: str, name: str, town: str) -> bytes:
    return f"A{number}{name:<20}{town:<10}\r\n".encode("iso8859-15")


def test_files_with_the_same_bytes_do_not_differ() -> None:
    assert between("2.txt", b"a", b"a") == ""


def test_xml_differs_by_its_content_only() -> None:
    held = b'<a x="1" y="2"><b>text</b></a>'
    made = b'<?xml version="1.0"?>\n<a y="2"\n  x="1">\n  <b> text </b>\n</a>'

    assert between("2.xml", held, made) == ""


def test_a_difference_in_xml_names_the_path_of_the_element() -> None:
    held = b"<a><b><c>one</c></b><b><c>two</c><d/><e/><f/><g/></b></a>"

    difference = between("2.xml", held, held.replace(b"two", b"three"))

    assert "@@ /a/b[2]/c" in difference
    assert "-    <c>two</c>" in difference
    assert "+    <c>three</c>" in difference
    assert "<f/>" not in difference


def test_xml_against_what_is_no_xml_is_compared_as_text() -> None:
    assert "+nothing" in between("2.xml", b"<a/>", b"nothing")


def test_a_fixed_width_field_is_named_below_a_ruler(fixed: FixedWidth) -> None:
    held = line("001", "Beispielmann", "Musterdorf") + line("002", "Erfunden", "Musterdorf")
    made = line("001", "Beispielmann", "Musterdorf") + line("002", "Erfundene", "Musterdorf")

    assert between("2.txt", held, made, fixed).splitlines() == [
        "--- 2.txt (expected)",
        "+++ 2.txt (made)",
        '@@ line 2, record "A"',
        ' field "name", characters 5 to 24: expected "Erfunden", made "Erfundene"',
        " ........10........20........30....",
        "-A002Erfunden            Musterdorf",
        "+A002Erfundene           Musterdorf",
        "             ^",
    ]


def test_the_longest_mark_names_the_record(fixed: FixedWidth) -> None:
    assert 'record "AB"' in between("2.txt", b"ABone  \n", b"ABtwo  \n", fixed)


def test_a_line_that_is_missing_and_one_too_much_are_said_to_be(fixed: FixedWidth) -> None:
    one, two = line("001", "Erfunden", "Musterdorf"), line("002", "Erfunden", "Musterdorf")

    assert 'line 2, record "A" is missing' in between("2.txt", one + two, one, fixed)
    assert 'line 2, record "A" is too much' in between("2.txt", one, one + two, fixed)


def test_a_line_of_another_length_is_said_to_be(fixed: FixedWidth) -> None:
    held = line("001", "Erfunden", "Musterdorf")

    assert "the line has 35 characters" in between("2.txt", held, held[:-2] + b"x\r\n", fixed)


def test_line_ends_alone_are_a_difference_too(fixed: FixedWidth) -> None:
    held = line("001", "Erfunden", "Musterdorf")

    assert "line ends differ" in between("2.txt", held, held.replace(b"\r", b""), fixed)


def test_of_a_long_line_the_part_that_differs_is_shown() -> None:
    assert ruler(20, 25) == "........30........40....."
    assert ruler(95, 10) == "..100....."


def test_csv_differs_by_column() -> None:
    held = b"name;town\r\nErfunden;Musterdorf\r\nMuster;Anderswo\r\n"

    difference = between("2.csv", held, held.replace(b"Anderswo", b"Nirgendwo"), Csv("x.csv"))

    assert "@@ row 3" in difference
    assert ' column "town": expected "Anderswo", made "Nirgendwo"' in difference


def test_a_csv_row_too_much_and_another_quote_are_differences() -> None:
    held = b"name;town\r\nErfunden;Musterdorf\r\n"
    layout = Csv("x.csv")

    assert "row 3 is too much\n+a | b" in between("2.csv", held, held + b"a;b\r\n", layout)
    assert "quotes differ" in between("2.csv", held, b'"name"' + held[4:], layout)
    assert "made no cell" in between("2.csv", held, held.replace(b";Musterdorf", b""), layout)


def test_json_differs_by_its_values() -> None:
    held, made = ({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3]})

    difference = between("2.json", json.dumps(held).encode(), json.dumps(made).encode())

    assert "-    2" in difference
    assert "+    3" in difference


def test_json_with_the_same_values_in_other_bytes_is_a_difference() -> None:
    assert "another order or layout" in between("2.json", b'{"a": 1}', b'{"a":1}')


def packed(**files: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return stream.getvalue()


def test_of_an_archive_the_files_are_compared() -> None:
    held, made = packed(a="<a>1</a>", b="x"), packed(a="<a>2</a>", c="y")

    difference = between("2.zip", held, made)

    assert "+<a>2</a>" in difference
    assert "@@ b is missing" in difference
    assert "@@ c is too much" in difference


def test_an_answer_that_the_standard_refuses_is_shown_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = copied(tmp_path, monkeypatch)
    sheet = place / "shared/bau/antwort.xsl"
    sheet.write_text(
        sheet.read_text("utf-8").replace("x:head('proz", "x:head('', '')|x:head('proz")
    )

    with pytest.raises(Exit):
        adapters.compared("braunschweig/bau")

    out = capsys.readouterr().out
    assert "after 2-request.legacy.txt the sample ended with: " in out
    assert "WRONG  braunschweig/bau/einfach error.txt" in out


def copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for part in ("shared/bau", "braunschweig/bau"):
        shutil.copytree(ROOT / "adapters" / part, folder / "adapters" / part)
    monkeypatch.setenv("XOEV_BROKER_SCHEMAS", str(ROOT / "schemas" / "xoev"))
    monkeypatch.chdir(folder)
    return folder / "adapters"


def test_the_command_writes_junit_xml_for_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = copied(tmp_path, monkeypatch)
    file = place / "braunschweig/bau/samples/einfach/2-request.legacy.txt"
    file.write_bytes(file.read_bytes().replace(b"Beispielmann ", b"Beispielfrau "))

    with pytest.raises(Exit):
        adapters.compared("braunschweig/bau", junit=tmp_path / "junit.xml")

    top = etree.parse(str(tmp_path / "junit.xml")).getroot()
    failures = top.findall("testsuite/testcase/failure")
    assert (top.get("failures"), top.get("errors")) == ("1", "0")
    assert int(top.get("tests", "0")) == len(top.findall("testsuite/testcase")) > 5
    assert 'field "nachname"' in (failures[0].text or "")
    assert 'field "nachname"' in capsys.readouterr().out


def test_a_broken_adapter_is_an_error_of_the_report() -> None:
    top = etree.fromstring(report((), (Finding("is not Python", "a/b/adapter.py", 3),)))

    assert top.get("errors") == "1"
    assert top.findtext("testsuite/testcase/error") == "a/b/adapter.py:3: is not Python"


def test_characters_that_xml_does_not_know_do_not_spoil_the_report() -> None:
    result = Result("a/b/c", "2-request.legacy.txt", "expected \x00\x1b[31m, made \ud800")

    assert b"expected ??[31m, made ?" in report((result,))
