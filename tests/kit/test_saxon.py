"""XSLT 2.0 and 3.0: existing stylesheets run as they are, sealed off from everything else."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from broker import saxon
from broker.document import parse
from broker.errors import ConfigError, ConversionFailed
from broker.message import Authority, Facts
from broker.saxon import SaxonStylesheet
from broker.sealed import run
from broker.stylesheet import Stylesheet

FACTS = Facts(
    "0123456789ABC", "m", datetime(2026, 5, 4, 8, 30, tzinfo=UTC), Authority("a"), Authority("b")
)
needed = pytest.mark.skipif(
    find_spec("saxonche") is None,
    reason='XSLT 2.0 and 3.0 need the extra "saxon" (pip install "xoev-broker[saxon]")',
)
SHEET = """<xsl:stylesheet version="3.0" expand-text="yes" exclude-result-prefixes="#all"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xsl:output method="{method}" encoding="{encoding}"/>
  <xsl:param name="amt" as="xs:integer" select="0"/>
  <xsl:param name="reference"/>
  <xsl:param name="testing" as="xs:boolean"/>
  <xsl:param name="received" as="xs:dateTime"/>
  <xsl:template match="/">{body}</xsl:template>
</xsl:stylesheet>
"""


def sheet(
    folder: Path, body: str, method: str = "text", encoding: str = "UTF-8", **params: str
) -> SaxonStylesheet:
    text = SHEET.replace("{method}", method).replace("{encoding}", encoding)
    (folder / "s.xsl").write_text(text.replace("{body}", body), "utf-8")
    made = SaxonStylesheet("s.xsl", **params)
    made.place(folder)
    return made


@needed
def test_a_stylesheet_of_version_3_runs_with_facts_and_parameters(tmp_path: Path) -> None:
    body = "{format-date(xs:date(/a/d), '[D01].[M01].[Y]')}|{$amt + 1}|{$reference}|{$testing}|"
    step = sheet(tmp_path, body + "{hours-from-dateTime($received)}", amt="63")

    made = step(parse(b"<a><d>2026-05-04</d></a>"), FACTS)

    assert made == b"04.05.2026|64|0123456789ABC|false|10"


@needed
def test_grouping_works_as_existing_stylesheets_do_it(tmp_path: Path) -> None:
    body = (
        '<xsl:for-each-group select="//p" group-by="@o"><g o="{current-grouping-key()}">'
        "{count(current-group())}</g></xsl:for-each-group>"
    )

    made = sheet(tmp_path, f"<all>{body}</all>", "xml")(b'<a><p o="x"/><p o="x"/></a>', FACTS)

    assert b'<all><g o="x">2</g></all>' in made


@needed
def test_another_encoding_in_the_stylesheet_loses_no_character(tmp_path: Path) -> None:
    made = sheet(tmp_path, "<v>{/a}</v>", "xml", "ISO-8859-1")("<a>Ł€</a>".encode(), FACTS)

    assert "<v>Ł€</v>" in made.decode()
    assert b"UTF-8" in made


@needed
def test_imports_beside_the_stylesheet_are_found(tmp_path: Path) -> None:
    step = sheet(tmp_path, '<xsl:call-template name="t"/>')
    text = (tmp_path / "s.xsl").read_text("utf-8")
    (tmp_path / "s.xsl").write_text(text.replace("<xsl:output", '<xsl:import href="t.xsl"/>'
                                                 "<xsl:output"), "utf-8")  # fmt: skip
    (tmp_path / "t.xsl").write_text(
        '<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        '<xsl:template name="t">imported</xsl:template></xsl:stylesheet>',
        "utf-8",
    )

    assert step(b"<a/>", FACTS) == b"imported"


@needed
def test_it_stands_in_a_chain_with_xslt_1(tmp_path: Path) -> None:
    (tmp_path / "one.xsl").write_text(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        '<xsl:template match="/"><end><xsl:value-of select="."/></end></xsl:template>'
        "</xsl:stylesheet>",
        "utf-8",
    )
    chain = sheet(tmp_path, "<m>{upper-case(/a)}</m>", "xml") | Stylesheet("one.xsl")
    chain.place(tmp_path)

    assert b"<end>ABC</end>" in chain(b"<a>abc</a>", FACTS)


FILE = "file:///etc/hostname"
READING = {
    "doc": f"{{doc('{FILE}')}}",
    "document": f"{{document('{FILE}')}}",
    "unparsed-text": f"{{unparsed-text('{FILE}')}}",
    "unparsed-text-lines": f"{{unparsed-text-lines('{FILE}')}}",
    "json-doc": f"{{serialize(json-doc('{FILE}'))}}",
    "collection": "{collection('file:///etc?select=hostname')}",
    "uri-collection": "{uri-collection('file:///etc?select=host*')}",
    "source-document": f'<xsl:source-document href="{FILE}">x</xsl:source-document>',
    "network": "{doc('http://127.0.0.1:9/x')}",
    "itself": "{doc('s.xsl')}",
    "transform": f"{{transform(map{{'stylesheet-location':'{FILE}','source-node':.}})?output}}",
    "entity": "{parse-xml('&lt;!DOCTYPE a [&lt;!ENTITY e SYSTEM &quot;" + FILE + "&quot;&gt;]&gt;"
    "&lt;a&gt;&amp;e;&lt;/a&gt;')}",
}


@needed
@pytest.mark.parametrize("body", READING.values(), ids=READING)
def test_nothing_is_read_from_files_or_network(tmp_path: Path, body: str) -> None:
    with pytest.raises(ConversionFailed, match=r"s\.xsl:\d+: the stylesheet failed"):
        sheet(tmp_path, body)(b"<a/>", FACTS)


@needed
@pytest.mark.parametrize(
    "body",
    [
        "{environment-variable('PATH')}",
        "{available-environment-variables()}",
        "{function-lookup(QName('http://www.w3.org/2005/xpath-functions',"
        "'environment-variable'), 1)('PATH')}",
        "{system-property('user.home')}",
        f"<xsl:if test=\"doc-available('{FILE}')\">there</xsl:if>",
    ],
)
def test_nothing_is_known_of_the_machine(tmp_path: Path, body: str) -> None:
    assert sheet(tmp_path, body)(b"<a/>", FACTS) == b""


@needed
def test_writing_a_second_document_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    body = f'<xsl:result-document href="file://{tmp_path}/out.txt">x</xsl:result-document>'

    with pytest.raises(ConfigError, match="result-document"):
        sheet(tmp_path, body).load()

    assert not (tmp_path / "out.txt").exists()


@needed
def test_an_error_at_loading_has_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        sheet(tmp_path, '<xsl:value-of selekt="1"/>').load()

    assert caught.value.findings[0].line == 9
    assert "selekt" in caught.value.findings[0].text


@needed
def test_a_value_is_in_no_error_text(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    step = sheet(tmp_path, "{xs:date(/a)}")

    with pytest.raises(ConversionFailed) as caught:
        step(b"<a>GEHEIM-1964</a>", FACTS)

    assert str(caught.value) == "s.xsl:9: the stylesheet failed with FORG0001"
    assert "GEHEIM" not in "".join(capfd.readouterr())


@needed
def test_a_fixed_sentence_becomes_the_text_of_the_error(tmp_path: Path) -> None:
    step = sheet(tmp_path, '<xsl:message terminate="yes">only dates of this year</xsl:message>')

    with pytest.raises(ConversionFailed, match=r"^only dates of this year$"):
        step(b"<a/>", FACTS)


@needed
def test_a_message_with_a_value_is_not_repeated(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    step = sheet(tmp_path, '<xsl:message terminate="yes">bad: {/a}</xsl:message>')

    with pytest.raises(ConversionFailed, match="XTMM9000") as caught:
        step(b"<a>GEHEIM</a>", FACTS)

    assert "GEHEIM" not in str(caught.value) + "".join(capfd.readouterr())


@needed
def test_it_goes_on_after_an_error(tmp_path: Path) -> None:
    step = sheet(tmp_path, "{xs:integer(/a)}")

    with pytest.raises(ConversionFailed):
        step(b"<a>x</a>", FACTS)

    assert step(b"<a>7</a>", FACTS) == b"7"


@needed
def test_a_process_that_ended_is_started_anew(tmp_path: Path) -> None:
    step = sheet(tmp_path, "{/a}")
    step.load()
    assert step._process is not None
    step._process._child.kill()
    step._process._child.wait()

    assert step(b"<a>7</a>", FACTS) == b"7"


def test_without_the_extra_the_finding_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saxon, "find_spec", lambda _: None)

    with pytest.raises(ConfigError, match=r"install the extra: pip install .xoev-broker\[saxon\]"):
        sheet(tmp_path, "x").load()


def test_a_stylesheet_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    step = SaxonStylesheet("none.xsl")
    step.place(tmp_path)

    with pytest.raises(ConfigError, match="cannot be read"):
        step.load()

    assert os.listdir(tmp_path) == []


def test_an_instruction_that_xslt_1_does_not_know_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "one.xsl").write_text(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">\n'
        '<xsl:template match="/"><xsl:apply-template select="a"/></xsl:template></xsl:stylesheet>',
        "utf-8",
    )
    step = Stylesheet("one.xsl")
    step.place(tmp_path)

    with pytest.raises(ConfigError, match=r"one\.xsl:2: xsl:apply-template: is no instruction"):
        step.load()


@needed
def test_samples_with_it_run_sealed(tmp_path: Path) -> None:
    step = sheet(tmp_path, "{upper-case(/a)}")
    step.load()

    assert run(step, parse(b"<a>abc</a>"), FACTS) == b"ABC"


@needed
def test_a_stylesheet_that_asks_for_the_time_is_found_by_running_twice(tmp_path: Path) -> None:
    step = sheet(tmp_path, "{current-dateTime()}")
    step.load()

    with pytest.raises(ConversionFailed, match="something else the second time"):
        run(step, parse(b"<a/>"), FACTS)
