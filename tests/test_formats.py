"""Fixed width, CSV and rows: nothing is cut or replaced without a word, in neither direction."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from broker.errors import ConfigError, ConversionFailed, ReplyError
from broker.formats import Csv, FixedWidth, Format, Rows
from broker.message import Authority, Facts
from broker.step import Matter

LAYOUT = """record,field,start,length,kind
K,name,2,10,text
K,number,12,4,number
K,date,18,8,date
K,changed,26,1,flag
T,text,2,6,long
N,count,2,3,number
"""
ENCODING = "iso8859-15"
FACTS = Facts("R", "m", datetime(2026, 3, 2, tzinfo=UTC), Authority("a:1"), Authority("b:2"))


def placed(step: Format, folder: Path, layout: str = LAYOUT, **files: str) -> Format:
    (folder / "layout.csv").write_text(layout, "utf-8")
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    step.place(folder)
    step.load()
    return step


def written(step: Format, inner: str) -> bytes:
    made: Matter = step.run(etree.fromstring(f"<records>{inner}</records>"), FACTS)
    assert isinstance(made, bytes)
    return made


def read(step: Format, data: bytes) -> str:
    made = step.run(data, FACTS)
    assert not isinstance(made, bytes)
    return etree.tostring(made, encoding="unicode")


@pytest.fixture
def fixed(tmp_path: Path) -> Format:
    return placed(FixedWidth("layout.csv", encoding=ENCODING), tmp_path)


def test_a_record_is_a_line_with_every_field_in_its_place(fixed: Format) -> None:
    made = written(fixed, "<K><name>Käse</name><number>7</number><date>2026-05-04</date></K>")

    assert made == "KKäse      0007  20260504N\r\n".encode(ENCODING)


def test_a_missing_field_is_filled(fixed: Format) -> None:
    assert written(fixed, "<K/>") == b"K          0000          N\r\n"


def test_a_long_text_goes_on_in_further_records(fixed: Format) -> None:
    assert (
        written(fixed, "<T><text>abcdefghijklm</text></T>") == b"Tabcdef\r\nTghijkl\r\nTm     \r\n"
    )


@pytest.mark.parametrize(
    ("inner", "rule"),
    [
        ("<K><name>abcdefghijk</name></K>", 'record "K", field "name": longer than 10 characters'),
        ("<K><number>7a</number></K>", 'record "K", field "number": not a number'),
        ("<K><number>٣</number></K>", 'record "K", field "number": not a number'),
        ("<K><date>4.5.2026</date></K>", 'record "K", field "date": not a date as YYYY-MM-DD'),
        ("<K><name>a\nK</name></K>", 'record "K", field "name": a control character'),
        ("<K><name>a&#x85;K</name></K>", 'record "K", field "name": a control character'),
        ("<K><name>a&#x202E;</name></K>", 'record "K", field "name": a control character'),
        (
            "<K><name>Łu</name></K>",
            'record "K", field "name": a character is not in iso8859-15 and no',
        ),
        ("<X/>", 'layout.csv: there is no record "X"'),
        ("<K><name>a</name><Name>b</Name></K>", 'layout.csv: record "K" has no field "Name"'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_field_and_rule(
    fixed: Format, inner: str, rule: str
) -> None:
    with pytest.raises(ConversionFailed) as caught:
        written(fixed, inner)

    assert str(caught.value).startswith(rule)


def test_a_declared_replacement_is_made_and_flagged_in_its_record_only(tmp_path: Path) -> None:
    table = "from,to\nŁ,L\nẞ,SS\nU+0302,\n"
    step = placed(
        FixedWidth("layout.csv", encoding=ENCODING, replace="table.csv"), tmp_path, table=table
    )

    made = written(step, "<K><name>ŁẞM\u0302</name></K><K><name>Maß</name></K>")

    assert made.decode(ENCODING).splitlines() == [
        "KLSSM      0000          J",
        "KMaß       0000          N",
    ]


def test_a_replacement_that_becomes_too_long_is_refused(tmp_path: Path) -> None:
    step = placed(
        FixedWidth("layout.csv", encoding=ENCODING, replace="table.csv"),
        tmp_path,
        table="from,to\nẞ,SS\n",
    )

    with pytest.raises(ConversionFailed, match="longer than 10"):
        written(step, "<K><name>ẞẞẞẞẞẞ</name></K>")


def test_a_decomposed_letter_is_no_replacement(fixed: Format) -> None:
    made = written(fixed, "<K><name>Mu\u0308ller</name></K>")

    assert made.decode(ENCODING) == "KMüller    0000          N\r\n"


def test_lines_become_records_without_the_filling_spaces(fixed: Format) -> None:
    made = read(fixed, "KKäse      0007  20260504N\r\nTab cd \r\n".encode(ENCODING))

    assert made == (
        "<records><K><name>Käse</name><number>0007</number><date>2026-05-04</date>"
        "<changed>N</changed></K><T><text>ab cd </text></T></records>"
    )


def test_a_short_line_has_empty_fields(fixed: Format) -> None:
    assert "<number></number><date></date>" in read(fixed, b"KKaese")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"Q1", "line 1: layout.csv has no record"),
        (b"K\r\nKabc" + b" " * 40, 'line 2: record "K" is longer than 26'),
        (b"Ka\tb", 'line 1, field "name": a control character'),
        (b"K                0405202N", 'line 1, field "date": not a date as YYYYMMDD'),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_with_its_number(
    fixed: Format, data: bytes, rule: str
) -> None:
    with pytest.raises(ConversionFailed) as caught:
        read(fixed, data)

    assert str(caught.value).startswith(rule)


def test_bytes_of_another_encoding_are_refused(tmp_path: Path) -> None:
    step = placed(FixedWidth("layout.csv", encoding="utf-8"), tmp_path)

    with pytest.raises(ConversionFailed, match="is not utf-8"):
        read(step, "Kä".encode("latin-1"))


@pytest.fixture
def batch(tmp_path: Path) -> FixedWidth:
    step = FixedWidth("layout.csv", encoding=ENCODING)
    placed(step, tmp_path)
    return step


def test_a_batch_is_split_where_a_reply_begins(batch: FixedWidth) -> None:
    parts = batch.split(b"Ka\r\nTb\r\nKc\r\nN002\r\n", "K", drop=["N"], count=("N", "count"))

    assert parts == (b"Ka\r\nTb\r\n", b"Kc\r\n")


@pytest.mark.parametrize("end", [b"", b"N003\r\n", b"N   \r\n", b"Nxxx"])
def test_half_a_batch_is_never_taken_for_a_whole_one(batch: FixedWidth, end: bytes) -> None:
    with pytest.raises(ReplyError, match="announces others"):
        batch.split(b"Ka\r\nKc\r\n" + end, "K", drop=["N"], count=("N", "count"))


def test_an_empty_batch_that_says_so_has_no_replies(batch: FixedWidth) -> None:
    assert batch.split(b"N000\r\n", "K", drop=["N"], count=("N", "count")) == ()


def test_a_line_that_cannot_be_read_spoils_its_own_reply_only(batch: FixedWidth) -> None:
    parts = batch.split(b"Ka\r\n?\r\nKc\r\n", "K")

    assert parts == (b"Ka\r\n?\r\n", b"Kc\r\n")


def test_a_line_before_the_first_reply_is_refused(batch: FixedWidth) -> None:
    with pytest.raises(ReplyError, match="line 1: stands before"):
        batch.split(b"Tb\r\nKa\r\n", "K")


@given(st.text(alphabet=st.characters(codec=ENCODING, exclude_categories=["Cc"]), max_size=10))
def test_a_text_that_fits_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    step = placed(FixedWidth("layout.csv", encoding=ENCODING), tmp_path_factory.mktemp("x"))
    record = etree.Element("records")
    etree.SubElement(etree.SubElement(record, "K"), "name").text = text

    made = step.run(step.run(record, FACTS), FACTS)

    assert not isinstance(made, bytes)
    assert (made.findtext("K/name") or "") == text.rstrip(" ")


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        ("record,field,length\nK,a,1\n", 'layout.csv:2: needs the column "kind"'),
        ("record,field,length,kind\nK,a,1,tex\n", 'layout.csv:2: unknown kind "tex"'),
        ("record,field,length,kind\nK,a,x,text\n", "layout.csv:2: start and length are whole"),
        (
            "record,field,start,length,kind\nK,a,2,5,text\nK,b,4,5,text\n",
            'layout.csv:3: field "b" begins inside what stands before it',
        ),
        ("record,field,length,kind\nK,a\n", "layout.csv:2: has another number of columns"),
        ("record,field,length,kind\n", "layout.csv: holds no field"),
    ],
)
def test_a_wrong_layout_names_its_line(tmp_path: Path, layout: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        placed(FixedWidth("layout.csv"), tmp_path, layout)

    assert problem in str(caught.value)


SIMPLE = "record,field,length,kind\nrow,a,20,text\nrow,b,5,number\n"


def test_csv_has_a_header_and_a_line_per_record(tmp_path: Path) -> None:
    step = placed(Csv("layout.csv"), tmp_path, SIMPLE)

    made = written(step, '<row><a>x;"y"</a><b>7</b></row><row><b>8</b></row>')

    assert made == b'a;b\r\n"x;""y""";7\r\n;8\r\n'


def test_csv_is_read_back_into_the_same_records(tmp_path: Path) -> None:
    step = placed(Csv("layout.csv"), tmp_path, SIMPLE)

    assert read(step, b'a;b\r\n"x;y";7\r\n') == ("<records><row><a>x;y</a><b>7</b></row></records>")


@pytest.mark.parametrize("text", ["=1+1", "+49", "-1", "@x"])
def test_a_formula_is_refused(tmp_path: Path, text: str) -> None:
    step = placed(Csv("layout.csv"), tmp_path, SIMPLE)

    with pytest.raises(ConversionFailed, match="as a formula"):
        written(step, f"<row><a>{text}</a></row>")


def test_a_formula_is_quoted_where_the_adapter_says_so(tmp_path: Path) -> None:
    step = placed(Csv("layout.csv", formula="quote"), tmp_path, SIMPLE)

    assert b"'=1+1;" in written(step, "<row><a>=1+1</a></row>")


@pytest.mark.parametrize("data", [b"b;a\r\n", b"", b"a;b\r\n1\r\n", b"a;b\r\n1;2;3\r\n", b"\xff"])
def test_csv_of_another_shape_is_refused(tmp_path: Path, data: bytes) -> None:
    step = placed(Csv("layout.csv"), tmp_path, SIMPLE)

    with pytest.raises(ConversionFailed):
        read(step, data)


ROWS = "record,field,length,kind\nKOPF,NAME,5,text\nKOPF,DATEI,0,any\n"


def test_rows_keep_every_character_and_leave_out_what_is_empty(tmp_path: Path) -> None:
    step = placed(Rows("layout.csv"), tmp_path, ROWS)

    made = written(step, "<KOPF><NAME>Ł&amp;</NAME></KOPF><KOPF><NAME/><DATEI>QUJD</DATEI></KOPF>")

    rows = [[(cell.tag, cell.text) for cell in row] for row in etree.fromstring(made)]
    assert rows == [[("NAME", "Ł&")], [("DATEI", "QUJD")]]


def test_a_row_that_is_too_long_is_refused_with_table_and_column(tmp_path: Path) -> None:
    step = placed(Rows("layout.csv"), tmp_path, ROWS)

    with pytest.raises(ConversionFailed, match='record "KOPF", field "NAME": longer than 5'):
        written(step, "<KOPF><NAME>abcdef</NAME></KOPF>")
