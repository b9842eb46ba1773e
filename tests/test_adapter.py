"""What an adapter promises: pure, checked, both ways, and errors that quote nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker import Adapter, Document, parse
from broker.catalog import Catalog
from broker.errors import (
    ConfigError,
    ConversionFailed,
    ReplyError,
    SchemaMissing,
    SchemaViolation,
    UnknownCode,
)
from broker.message import Authority, Envelope, Facts
from broker.xoev.codelists import CodeLists
from tests.xoev import lists

SHEET = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:x="urn:xoev-broker:adapter" exclude-result-prefixes="x">
  <xsl:param name="reference"/><xsl:param name="received"/><xsl:param name="mandant"/>
  <xsl:param name="test"/><xsl:param name="testing"/><xsl:param name="case"/>
  {body}
</xsl:stylesheet>"""
MODULE = """from broker import Adapter, Stylesheet

class Probe(Adapter):
    accepts = ("xprobe/1.0",)
    requires = {requires!r}
    prefixes = {{"p": "urn:probe"}}
    to_legacy = Stylesheet("to_legacy.xsl", mandant="7")
    to_xoev = Stylesheet("to_xoev.xsl")
"""
COPY = '<xsl:template match="/"><out><xsl:value-of select="/*"/></out></xsl:template>'
READER = Authority("bab:03103000", name="Stadt Wolfsburg")
AUTHOR = Authority("bap:03000001", name="Bauportal")

Build = Callable[..., Adapter]


def facts(**changes: object) -> Facts:
    known = {
        "reference": "0123456789ABC",
        "message": "m-1",
        "received": datetime(2026, 3, 2, 8, 30, tzinfo=UTC),
        "reader": READER,
        "author": AUTHOR,
    }
    return Facts(**{**known, **changes})  # type: ignore[arg-type]


def document(text: str) -> Document:
    return parse(text.encode())


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write the folder of an adapter whose sheets have these bodies."""

    def make(
        forth: str = COPY, back: str = COPY, requires: tuple[str, ...] = (), **codes: str
    ) -> Path:
        folder = tmp_path / "adapters" / "probe" / "case"
        (folder / "codes").mkdir(parents=True)
        (folder / "to_legacy.xsl").write_text(SHEET.format(body=forth), "utf-8")
        (folder / "to_xoev.xsl").write_text(SHEET.format(body=back), "utf-8")
        (folder / "adapter.py").write_text(MODULE.format(requires=requires), "utf-8")
        for name, rows in codes.items():
            (folder / "codes" / f"{name}.csv").write_text(rows, "utf-8")
        return tmp_path / "adapters"

    return make


@pytest.fixture
def build(write: Callable[..., Path]) -> Build:
    """Build the adapter of such a folder."""

    def make(*args: str, **options: object) -> Adapter:
        catalog = Catalog.load([write(*args, **options)])
        assert not catalog.findings, catalog.findings
        return catalog.get("probe/case")

    return make


def test_a_stylesheet_gets_the_facts_and_its_own_texts_as_parameters(build: Build) -> None:
    adapter = build(
        '<xsl:template match="/"><out a="{$reference}" b="{$mandant}" c="{$received}"/>'
        "</xsl:template>"
    )

    made = adapter.to_legacy(document("<a/>"), facts())

    assert b'a="0123456789ABC" b="7" c="2026-03-02T09:30:00+01:00"' in made


def test_a_text_that_looks_like_an_expression_stays_a_text(build: Build) -> None:
    adapter = build('<xsl:template match="/"><out a="{$reference}"/></xsl:template>')

    made = adapter.to_legacy(document("<a>secret</a>"), facts(reference="string(/*)'\""))

    assert b"secret" not in made


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), b"2026-03-29T01:59:00+01:00"),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), b"2026-03-29T03:00:00+02:00"),
        (datetime(2026, 10, 25, 0, 59, tzinfo=UTC), b"2026-10-25T02:59:00+02:00"),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), b"2027-01-01T00:30:00+01:00"),
    ],
)
def test_the_time_of_receipt_is_german_time(
    build: Build, moment: datetime, expected: bytes
) -> None:
    adapter = build('<xsl:template match="/"><out c="{$received}"/></xsl:template>')

    assert expected in adapter.to_legacy(document("<a/>"), facts(received=moment))


def test_a_test_flag_reaches_the_stylesheet_even_when_it_is_empty(build: Build) -> None:
    adapter = build(
        '<xsl:template match="/"><out><xsl:value-of select="$testing"/></out></xsl:template>'
    )

    assert b"true" in adapter.to_legacy(document("<a/>"), facts(test=""))
    assert b"false" in adapter.to_legacy(document("<a/>"), facts())


def test_a_missing_path_is_a_schema_violation_that_names_it(build: Build) -> None:
    adapter = build(requires=("p:name", "p:place"))

    with pytest.raises(SchemaViolation, match="p:place") as caught:
        adapter.to_legacy(document('<a xmlns="urn:probe"><name>x</name></a>'), facts())

    assert [(found.path, found.code) for found in caught.value.findings] == [("p:place", "X001")]


def test_nothing_is_missing_where_all_paths_exist(build: Build) -> None:
    adapter = build(requires=("p:name",))

    adapter.check(document('<a xmlns="urn:probe"><name/></a>'))


def test_a_terminating_message_is_the_text_of_the_error(build: Build) -> None:
    adapter = build(
        '<xsl:template match="/"><xsl:message terminate="yes">this city\n  takes no such'
        " thing</xsl:message></xsl:template>"
    )

    with pytest.raises(ConversionFailed, match=r"^this city takes no such thing$"):
        adapter.to_legacy(document("<a/>"), facts())


def test_a_mistake_that_shows_only_in_use_names_file_line_and_instruction(build: Build) -> None:
    adapter = build(
        '<xsl:template match="/">\n<xsl:value-of select="/*[$nowhere]"/></xsl:template>'
    )

    with pytest.raises(ConversionFailed, match=r"to_legacy\.xsl:6: .* xsl:value-of") as caught:
        adapter.to_legacy(document("<a>secret</a>"), facts())

    assert "secret" not in str(caught.value)


def test_a_message_may_not_hold_a_value(write: Callable[..., Path]) -> None:
    folder = write('<xsl:template match="/"><xsl:message><xsl:value-of select="."/></xsl:message>'
                   "</xsl:template>")  # fmt: skip

    (finding,) = Catalog.load([folder]).findings

    assert str(finding).startswith("probe/case/to_legacy.xsl:5: xsl:message holds a fixed sentence")


def test_an_imported_sheet_may_not_hold_a_value_in_a_message_either(
    write: Callable[..., Path],
) -> None:
    folder = write('<xsl:import href="more.xsl"/>')
    body = '<xsl:template match="b"><xsl:message><xsl:copy-of/></xsl:message></xsl:template>'
    (folder / "probe" / "case" / "more.xsl").write_text(SHEET.format(body=body), "utf-8")

    findings = Catalog.load([folder]).findings

    assert "probe/case/more.xsl:5" in {f"{found.file}:{found.line}" for found in findings}


def test_a_stylesheet_that_cannot_be_compiled_names_file_line_and_instruction(
    write: Callable[..., Path],
) -> None:
    folder = write('<xsl:template match="/">\n<xsl:value-of select="a[["/></xsl:template>')

    finding = Catalog.load([folder]).findings[0]

    assert (finding.file, finding.line, finding.rule) == (
        "probe/case/to_legacy.xsl", 6, "xsl:value-of",
    )  # fmt: skip


def test_a_text_in_another_encoding_is_left_to_the_formats(write: Callable[..., Path]) -> None:
    folder = write('<xsl:output method="text" encoding="ISO-8859-15"/>')

    assert "FixedWidth or Csv" in str(Catalog.load([folder]).findings[0])


@pytest.mark.parametrize(
    "body",
    [
        '<xsl:template match="/"><o><xsl:copy-of select="document(\'{there}\')"/>'
        "</o></xsl:template>",
        '<xsl:template match="/"><exsl:document xmlns:exsl="http://exslt.org/common" '
        'extension-element-prefixes="exsl" href="{there}.out">x</exsl:document></xsl:template>',
    ],
)
def test_a_stylesheet_can_neither_read_nor_write_files(
    build: Build, tmp_path: Path, body: str
) -> None:
    there = tmp_path / "there.xml"
    there.write_text("<secret>found</secret>", "utf-8")
    adapter = build(body.replace("{there}", there.as_uri()))

    try:
        made = adapter.to_legacy(document("<a/>"), facts())
    except ConversionFailed:
        made = b""

    assert b"found" not in made
    assert not (tmp_path / "there.xml.out").exists()


CODE = (
    '<xsl:template match="/"><out><xsl:value-of select="x:code(\'{list}\', /a/b/code{column})"/>'
    "</out></xsl:template>"
)


def test_a_code_becomes_what_the_second_column_says(build: Build) -> None:
    adapter = build(CODE.format(list="art", column=""), art="code,to,text\n1,NEU,Neubau\n")

    made = adapter.to_legacy(document("<a><b><code> 1 </code></b></a>"), facts())

    assert b"<out>NEU</out>" in made


def test_a_code_becomes_what_a_named_column_says(build: Build) -> None:
    adapter = build(CODE.format(list="art", column=", 'text'"), art="code,to,text\n1,NEU,Neubau\n")

    assert b"<out>Neubau</out>" in adapter.to_legacy(
        document("<a><b><code>1</code></b></a>"), facts()
    )


@pytest.mark.parametrize("name", ["art", "unbekannt"])
def test_an_unknown_code_names_list_and_place_but_not_the_code(build: Build, name: str) -> None:
    adapter = build(CODE.format(list=name, column=""), art="code,to\n1,NEU\n")

    with pytest.raises(UnknownCode) as caught:
        adapter.to_legacy(document("<a><b><code>1</code><code>Geheim</code></b><b>"
                                   "<code>Geheim</code></b></a>".replace("<code>1</code>", "")),
                          facts())  # fmt: skip

    assert str(caught.value).startswith("/a/b[1]/code: the code ")
    assert f'"{name}"' in str(caught.value)
    assert "Geheim" not in str(caught.value)
    assert caught.value.reason == "S011"


INSTALLED = """<xsl:template match="/"><out><xsl:value-of
    select="x:code('urn:example:codeliste:farben{version}', //code{column})"/></out>
    </xsl:template>"""


def coloured(write: Callable[..., Path], version: str = "", column: str = "") -> Adapter:
    """Build an adapter that reads an installed list, whose newest version calls red crimson."""
    sheet = INSTALLED.format(version=version, column=column and f", '{column}'")
    folders = write(sheet)
    newest = lists.row("rot", "Purpur")
    lists.written(folders.parent / "xoev/codelists")
    lists.written(folders.parent / "xoev/codelists", lists.genericode(version="1.10", rows=newest),
                  "neu.xml")  # fmt: skip
    found = Catalog.load([folders], CodeLists.load(folders.parent / "xoev").entry)
    assert not found.findings
    return found.get("probe/case")


@pytest.mark.parametrize(
    ("version", "column", "expected"),
    [("", "", b">Purpur<"), ("_1.0", "", b">Rot<"), ("_1.0", "code", b">rot<")],
)
def test_a_code_of_an_installed_list_is_found_by_its_uri(
    write: Callable[..., Path], version: str, column: str, expected: bytes
) -> None:
    adapter = coloured(write, version, column)

    assert expected in adapter.to_legacy(document("<a><code>rot</code></a>"), facts())


def test_a_code_that_an_installed_list_lacks_is_told_without_it(
    write: Callable[..., Path],
) -> None:
    adapter = coloured(write)

    with pytest.raises(UnknownCode) as caught:
        adapter.to_legacy(document("<a><code>Geheim</code></a>"), facts())

    assert str(caught.value).startswith("/a/code: the code is not in the installed code list ")
    assert "Geheim" not in str(caught.value)


def test_a_column_that_an_installed_list_lacks_is_told_with_those_it_has(
    write: Callable[..., Path],
) -> None:
    adapter = coloured(write, column="farbe")

    with pytest.raises(ConversionFailed, match='no column "farbe"; it has code, name'):
        adapter.to_legacy(document("<a><code>rot</code></a>"), facts())


def test_what_needs_a_list_that_is_not_installed_waits_for_it(write: Callable[..., Path]) -> None:
    adapter = coloured(write, "_9")

    with pytest.raises(SchemaMissing, match=r"farben_9.* is not installed"):
        adapter.to_legacy(document("<a><code>rot</code></a>"), facts())


def test_an_adapter_without_an_installation_says_that_it_has_no_lists(build: Build) -> None:
    adapter = build(INSTALLED.format(version="", column=""))

    with pytest.raises(SchemaMissing, match="loaded without the lists of an installation"):
        adapter.to_legacy(document("<a><code>rot</code></a>"), facts())


def test_a_column_that_a_list_of_the_adapter_lacks_is_told(build: Build) -> None:
    adapter = build(
        "<xsl:template match=\"/\"><out><xsl:value-of select=\"x:code('art', //code, 'no')\"/>"
        "</out></xsl:template>",
        art="code,to\n1,A\n",
    )

    with pytest.raises(ConversionFailed, match='no column "no"; it has code, to'):
        adapter.to_legacy(document("<a><code>1</code></a>"), facts())


def test_a_code_list_with_a_double_code_names_its_line(write: Callable[..., Path]) -> None:
    finding = Catalog.load([write(art="code,to\n1,A\n1,B\n")]).findings[0]

    assert str(finding) == 'probe/case/codes/art.csv:3: code "1" stands there twice'


def test_a_head_and_the_relation_to_the_request_are_written_by_functions(build: Build) -> None:
    adapter = build(
        back="<xsl:template match=\"/\"><out><xsl:copy-of select=\"x:head('k.1120', '1120')\"/>"
        '<xsl:copy-of select="x:relation()"/></out></xsl:template>'
    )
    answered = Envelope(
        "xbau",
        "2.6",
        "k",
        "urn:x",
        AUTHOR,
        READER,
        code="0200",
        uuid="a1b40cd6-2693-5b37-9943-a12117b8d693",
    )

    made = adapter.to_xoev(b"<a/>", facts(answered=answered, digest="d"))

    assert b"<code>1120</code>" in made
    assert b"nachrichtenUUID>a1b40cd6-2693-5b37-9943-a12117b8d693</" in made


def test_the_same_reply_gives_the_same_bytes(build: Build) -> None:
    adapter = build(
        back='<xsl:template match="/"><out a="{x:uuid(\'k\')}" b="{x:original()}"/></xsl:template>'
    )
    known = facts(digest="d", original=b"<request/>")

    made = adapter.to_xoev(b"<a/>", known)

    assert made == adapter.to_xoev(b"<a/>", known)
    assert f'a="{known.uuid("k")}" b="PHJlcXVlc3QvPg=="'.encode() in made


def test_a_rejection_without_its_request_is_not_written(build: Build) -> None:
    adapter = build(back='<xsl:template match="/"><out b="{x:original()}"/></xsl:template>')

    with pytest.raises(ReplyError, match="is not there any more"):
        adapter.to_xoev(b"<a/>", facts())


def test_decomposed_letters_are_composed(build: Build) -> None:
    adapter = build(
        '<xsl:template match="/"><out><xsl:value-of select="x:nfc(/a)"/></out></xsl:template>'
    )

    assert (
        "<out>Müller</out>" in adapter.to_legacy(document("<a>Mu\u0308ller</a>"), facts()).decode()
    )


def test_content_that_is_not_base64_is_refused_with_its_place(build: Build) -> None:
    adapter = build(
        '<xsl:template match="/"><o><xsl:value-of select="x:base64(/a/b)"/></o></xsl:template>'
    )

    assert b"<o>QUJD</o>" in adapter.to_legacy(document("<a><b> QU\nJD </b></a>"), facts())
    with pytest.raises(ConversionFailed, match=r"^/a/b: the content is not base64$"):
        adapter.to_legacy(document("<a><b>QUJD!</b></a>"), facts())


def test_a_reply_that_cannot_be_converted_is_an_error_of_the_reply(build: Build) -> None:
    adapter = build(
        back='<xsl:template match="/"><xsl:message terminate="yes">not known'
        "</xsl:message></xsl:template>"
    )

    with pytest.raises(ReplyError, match="cannot be converted: not known"):
        adapter.to_xoev(b"<a/>", facts())


@pytest.mark.parametrize("reply", [b"", b"<a", b"<!DOCTYPE a><a/>"])
def test_a_reply_that_is_not_xml_is_an_error_of_the_reply(build: Build, reply: bytes) -> None:
    adapter = build()

    with pytest.raises(ReplyError):
        adapter.to_xoev(reply, facts())
    with pytest.raises(ReplyError):
        adapter.correlate(reply)


def test_a_reply_says_our_reference_and_the_file_number(build: Build) -> None:
    reply = (
        b'<r xmlns="urn:y"><Referenz> 0123456789ABC </Referenz>'
        b"<Aktenzeichen>7/26</Aktenzeichen></r>"
    )

    found = build().correlate(reply)

    assert (found.reference, found.number) == ("0123456789ABC", "7/26")


def test_a_reply_without_them_says_nothing(build: Build) -> None:
    found = build().correlate(b"<r><Referenz/></r>")

    assert (found.reference, found.number) == ("", "")


def test_a_reply_with_two_references_is_not_guessed(build: Build) -> None:
    with pytest.raises(ReplyError, match=r"2 different Referenz"):
        build().correlate(b"<r><Referenz>A</Referenz><Referenz>B</Referenz></r>")


def test_a_file_is_one_reply_unless_the_adapter_splits_it(build: Build) -> None:
    assert build().replies(b"<r/>") == (b"<r/>",)


def test_an_adapter_without_a_direction_cannot_be_built() -> None:
    class Half(Adapter):
        accepts = ("x/1",)

    with pytest.raises(ConfigError, match='has no "to_legacy"'):
        Half()


def test_threads_that_share_an_adapter_never_get_each_others_facts_or_errors(
    build: Build,
) -> None:
    adapter = build(
        '<xsl:template match="/"><out a="{x:uuid(/a)}"><xsl:if test="/a = \'bad\'">'
        '<xsl:message terminate="yes">bad</xsl:message></xsl:if></out></xsl:template>'
    )
    wrong: list[str] = []

    def work(number: int) -> None:
        for turn in range(150):
            known = facts(digest=f"{number}/{turn}")
            made = adapter.to_legacy(document(f"<a>{turn}</a>"), known).decode()
            if known.uuid(str(turn)) not in made:
                wrong.append(made)
            try:
                adapter.to_legacy(document("<a>bad</a>"), known)
                wrong.append("accepted")
            except ConversionFailed as error:
                if str(error) != "bad":
                    wrong.append(str(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
