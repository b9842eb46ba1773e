"""Attacks on whoever parses: every class of documents that bites somebody."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from broker.document import parse
from broker.errors import Forbidden, NotXml, Refusal

PLANTED = "GEHEIM-1964"
LAUGHS = b"<!DOCTYPE a [<!ENTITY a0 'ha'>%s]><a>&a9;</a>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 10)
)


def doctype(inside: str, body: str = "&e;") -> bytes:
    return f"<?xml version='1.0'?><!DOCTYPE a {inside}><a>{body}</a>".encode()


@pytest.mark.parametrize(
    "raw",
    [
        doctype('[<!ENTITY e SYSTEM "file:///etc/passwd">]'),
        doctype('[<!ENTITY e SYSTEM "http://127.0.0.1:9/x">]'),
        doctype('[<!ENTITY e "x">]'),
        doctype('[<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]', ""),
        doctype('SYSTEM "file:///etc/passwd"', ""),
        doctype('PUBLIC "x" "http://127.0.0.1:9/x.dtd"', ""),
        doctype('[<!ATTLIST a b CDATA "added">]', ""),
        doctype('[<!ATTLIST a xmlns CDATA #FIXED "urn:x">]', ""),
        doctype("", ""),
        b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a b='&e;'/>",
        b"<!DOCTYPE a [<!ENTITY e '" + b"x" * 40_000 + b"'>]><a>" + b"&e;" * 180 + b"</a>",
        LAUGHS,
    ],
    ids=range(12),
)
def test_every_doctype_and_entity_is_refused(raw: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse(raw)

    assert caught.value.reason == "X000"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_doctype_in_a_wide_encoding_is_refused(encoding: str) -> None:
    text = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>"

    with pytest.raises(Forbidden):
        parse(text.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("declared", ["", "UTF-8", "UTF-16"])
def test_wide_encodings_are_refused_whatever_they_declare(encoding: str, declared: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""

    with pytest.raises(Forbidden):
        parse(f"{declaration}<a/>".encode(encoding))


@pytest.mark.parametrize("declared", ["ISO-8859-1", "UTF-7", "US-ASCII", "windows-1252", "x-none"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_another_declared_encoding_is_refused(declared: str, mark: bytes) -> None:
    with pytest.raises(Forbidden):
        parse(mark + f"<?xml version='1.0'  encoding = '{declared}'?><a>ü</a>".encode())


def test_a_long_declaration_does_not_hide_its_encoding() -> None:
    raw = b"<?xml version='1.0'" + b" " * 5_000 + b"encoding='ISO-8859-1'?><a/>"

    with pytest.raises(Forbidden):
        parse(raw)


def test_ebcdic_is_refused() -> None:
    with pytest.raises(Forbidden):
        parse("<?xml version='1.0' encoding='cp037'?><a/>".encode("cp037"))


def test_xml_1_1_is_refused() -> None:
    with pytest.raises(Forbidden, match=r"XML 1\.0"):
        parse(b"<?xml version='1.1'?><a/>")


@pytest.mark.parametrize(
    "raw",
    [
        b"<a>\x00</a>",
        b"<a>\xff</a>",
        b"<a>\xc0\xaf</a>",
        b"<a>\xed\xa0\x80</a>",
        b"<a>\x1b[31m</a>",
        b"<a>&#0;</a>",
        b"<a>&#x1b;</a>",
        b"<a>&#xD800;</a>",
    ],
    ids=[
        "nul",
        "invalid",
        "overlong",
        "surrogate",
        "escape",
        "nul ref",
        "escape ref",
        "surrogate ref",
    ],
)
def test_illegal_characters_are_refused(raw: bytes) -> None:
    with pytest.raises(NotXml):
        parse(raw)


def test_gzip_is_not_unpacked() -> None:
    with pytest.raises(NotXml):
        parse(gzip.compress(b"<a/>"))


def test_a_gzip_bomb_is_not_unpacked() -> None:
    with pytest.raises(NotXml):
        parse(gzip.compress(b"<a>" + b"x" * 5_000_000 + b"</a>"))


@pytest.mark.parametrize("hidden", ["<!-- -->", "<?x y?>", "<![CDATA[]]>"])
def test_a_comment_or_instruction_does_not_cut_a_value(hidden: str) -> None:
    document = parse(f"<a>admin{hidden}istrator</a>".encode())

    assert document.root.text == "administrator"
    assert len(document.root) == 0


def test_xinclude_stays_an_ordinary_element(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(PLANTED)
    include = f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{secret.as_uri()}"'

    document = parse(f'<a>{include} parse="text"/></a>'.encode())

    assert PLANTED not in "".join(map(str, document.root.itertext()))
    assert len(document.root) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"<a>" * 101 + b"</a>" * 101,
        b"<a>" * 5_000 + b"</a>" * 5_000,
        b"<a " + b" ".join(b"b%d=''" % i for i in range(65)) + b"/>",
        b"<a " + b" ".join(b"b%d=''" % i for i in range(50_000)) + b"/>",
        b"<a>" + b"<b/>" * 100_000 + b"</a>",
        b"<a>" + b"<b/>" * 1_200_000 + b"</a>",
        b"<a>" + b"".join(b"<b%d/>" % i for i in range(2_000)) + b"</a>",
        b"<a>" + b"x" * 10_000_001 + b"</a>",
        b"<a b='" + b"x" * 10_000_001 + b"'/>",
        b"<a><!--" + b"x" * 10_000_001 + b"--></a>",
        b"<a xmlns:x='" + b"u" * 10_000_001 + b"'/>",
    ],
    ids=[
        "depth 101",
        "depth 5000",
        "65 attributes",
        "50000 attributes",
        "100001 elements",
        "1.2 million elements",
        "2001 names",
        "long text",
        "long attribute",
        "long comment",
        "long namespace",
    ],
)
def test_documents_beyond_the_limits_are_refused(raw: bytes) -> None:
    with pytest.raises(Forbidden):
        parse(raw)


def test_limits_hold_for_large_documents_too() -> None:
    deep = b"<a xmlns='urn:x'>" + b"<a>" * 200 + b"Q" * 10_000_000 + b"</a>" * 201

    with pytest.raises(Forbidden, match="deeper"):
        parse(deep, attachments=lambda _: True)


def test_an_escaped_doctype_in_a_value_is_just_text() -> None:
    text = "<!DOCTYPE a [<!ENTITY e 'x'>]>"

    assert parse(f"<a><![CDATA[{text}]]></a>".encode()).root.text == text


@pytest.mark.parametrize(
    "raw",
    [
        f"<a><{PLANTED}></a>",
        f"<a>&{PLANTED};</a>",
        f"<a {PLANTED}='1' {PLANTED}='2'/>",
        f"<{PLANTED}:a/>",
        f"<a>{PLANTED}",
        f"<a>{PLANTED}\x00</a>",
        f"<!DOCTYPE {PLANTED}><a/>",
        f"<?xml version='1.0' encoding='{PLANTED}'?><a/>",
        f"<?xml version='{PLANTED}'?><a/>",
        f"<{PLANTED} " + " ".join(f"b{i}=''" for i in range(65)) + "/>",
    ],
)
def test_a_refusal_never_quotes_the_document(raw: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(raw.encode())

    assert PLANTED not in f"{caught.value!r} {caught.value} {caught.value.findings}"
    assert caught.value.__cause__ is None
