"""Genericode: the head alone, the column of codes, rows, and what cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.xoev.genericode import peek, read, token
from tests import needs
from tests.xoev.lists import COLOURS, MARK, genericode, key, row, written


def test_the_head_says_which_list_it_is(tmp_path: Path) -> None:
    found = peek(written(tmp_path))

    assert found is not None
    assert (found.uri, found.version, found.name) == (COLOURS, "1.0", "Farben")


def test_another_xml_file_is_no_list(tmp_path: Path) -> None:
    assert peek(written(tmp_path, "<message/>")) is None


def test_a_file_that_is_not_xml_is_no_list(tmp_path: Path) -> None:
    assert peek(written(tmp_path, "code;name")) is None


def test_a_list_that_does_not_say_who_it_is_is_none(tmp_path: Path) -> None:
    assert peek(written(tmp_path, genericode(uri=""))) is None


def test_a_code_has_its_row_and_its_meaning(tmp_path: Path) -> None:
    found = read(written(tmp_path))

    assert found.row("rot") == {"code": "rot", "name": "Rot"}
    assert found.meaning("blau") == "Blau"
    assert found.valid_from == "2026-05-01"


def test_a_code_that_is_not_there_has_no_row(tmp_path: Path) -> None:
    found = read(written(tmp_path))

    assert "gelb" not in found
    assert found.row("gelb") is None
    assert found.meaning("gelb") == ""


def test_the_recommended_key_is_the_column_of_codes(tmp_path: Path) -> None:
    text = genericode(keys=key("code") + key("name", MARK))

    assert list(read(written(tmp_path, text)).rows) == ["Rot", "Blau"]


def test_without_a_mark_the_first_key_is_the_column_of_codes(tmp_path: Path) -> None:
    text = genericode(keys=key("name") + key("code"))

    assert list(read(written(tmp_path, text)).rows) == ["Rot", "Blau"]


def test_without_any_key_the_first_column_is_it(tmp_path: Path) -> None:
    assert list(read(written(tmp_path, genericode(keys=""))).rows) == ["rot", "blau"]


def test_a_value_without_a_column_belongs_to_the_next_one(tmp_path: Path) -> None:
    cells = (
        "<Value><SimpleValue>rot</SimpleValue></Value><Value><SimpleValue>R</SimpleValue></Value>"
    )
    found = read(written(tmp_path, genericode(rows=f"<Row>{cells}</Row>")))

    assert found.row("rot") == {"code": "rot", "name": "R"}


def test_a_value_of_no_declared_column_is_named_with_its_line(tmp_path: Path) -> None:
    rows = '\n<Row><Value ColumnRef="preis"><SimpleValue>1</SimpleValue></Value></Row>'

    with pytest.raises(ConfigError, match=r"farben_1\.0\.xml:3: .* does not declare"):
        read(written(tmp_path, genericode(rows=rows)))


def test_a_row_without_a_code_is_passed_over(tmp_path: Path) -> None:
    rows = row("", "nichts") + row("rot", "Rot")

    assert list(read(written(tmp_path, genericode(rows=rows))).rows) == ["rot"]


def test_of_two_rows_with_one_code_the_first_counts(tmp_path: Path) -> None:
    rows = row("rot", "Rot") + row("rot", "Ziegelrot")

    assert read(written(tmp_path, genericode(rows=rows))).meaning("rot") == "Rot"


def test_codes_are_compared_as_tokens(tmp_path: Path) -> None:
    found = read(written(tmp_path, genericode(rows=row("\n  hell  rot ", "Hellrot"))))

    assert "hell rot" in found
    assert " hell\trot" in found


def test_only_white_space_of_xml_is_collapsed() -> None:
    assert token("\u00a0a  b\n") == "\u00a0a b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<a>", "is not well-formed XML"),
        ("<a/>", "is not a Genericode 1.0 code list"),
        (genericode(version=""), "has no Identification with CanonicalUri and Version"),
        (genericode().replace("<ColumnSet>", "<ColumnSets>").replace("</ColumnSet>",
                                                                     "</ColumnSets>"),
         "has no columns"),
        (genericode().replace("<gc:", "<!DOCTYPE a><gc:", 1), "has a DOCTYPE"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(written(tmp_path, text))


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nichts\.xml: cannot be read"):
        read(tmp_path / "nichts.xml")


@needs.shared
def test_every_public_list_has_an_identity_codes_and_one_column_for_them() -> None:
    folder = needs.SHARED / "xoev/genericode"
    paths = sorted(folder.rglob("*.xml"))
    lists = [read(path) for path in paths]

    assert len(lists) == 110
    assert all(one.rows and one.identity == peek(one.identity.path) for one in lists)


@needs.shared
def test_the_key_of_official_lists_is_found_whatever_its_name() -> None:
    folder = needs.SHARED / "xoev/genericode"
    ags = read(next(folder.glob("*schluessel:ags_*.xml")))
    prefixes = read(next(folder.glob("*dvdv.praefix_51.xml")))
    states = read(next(folder.glob("*schluessel:bundesland_*.xml")))

    assert [ags.columns[ags.key], prefixes.columns[prefixes.key]] == ["SCHLUESSEL", "praefix"]
    assert ags.meaning("03103000").startswith("Wolfsburg")
    assert "MELDID" in prefixes
    assert "03" in states
