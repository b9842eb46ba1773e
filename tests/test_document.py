"""Parsing: what is taken, what is refused, and that refusals quote nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from broker.document import Limits, parse, split
from broker.errors import BrokerError, Exhausted, Forbidden, NotXml, Refusal


def test_a_document_keeps_its_bytes_and_knows_its_root() -> None:
    raw = b'<a:b xmlns:a="urn:x"/>'

    document = parse(raw)

    assert (document.raw, document.namespace, document.kind) == (raw, "urn:x", "b")


def test_a_root_without_namespace_has_an_empty_one() -> None:
    assert split("b") == ("", "b")


@pytest.mark.parametrize("raw", [b"", b"x", b"<a>", b"<a><b></a>", b"<a/><b/>", b"<a b=c/>"])
def test_what_is_not_well_formed_is_not_xml(raw: bytes) -> None:
    with pytest.raises(NotXml, match=r"not well-formed XML at line \d+, column \d+ \(\w+\)"):
        parse(raw)


def test_utf_8_with_and_without_declaration_and_byte_order_mark_is_taken() -> None:
    declared = b'<?xml version="1.0" encoding="utf-8"?><a>\xc3\xbc</a>'

    texts = [
        parse(raw).root.text for raw in (declared, b"\xef\xbb\xbf" + declared, b"<a>\xc3\xbc</a>")
    ]

    assert texts == ["ü", "ü", "ü"]


def test_one_byte_more_than_the_limit_is_refused() -> None:
    limits = Limits(bytes=4, large=4)

    assert parse(b"<a/>", limits).kind == "a"
    with pytest.raises(Forbidden, match="more than 4 bytes"):
        parse(b"<ab/>", limits)


def test_a_large_document_is_taken_where_its_standard_has_attachments() -> None:
    raw = b'<a xmlns="urn:x">' + b"Q" * 100 + b"</a>"

    document = parse(raw, Limits(bytes=50), lambda namespace: namespace == "urn:x")

    assert len(document.root.text or "") == 100


def test_a_text_above_ten_megabytes_is_taken_where_its_standard_has_attachments() -> None:
    raw = b'<a xmlns="urn:x">' + b"Q" * 10_000_001 + b"</a>"

    assert len(parse(raw, None, lambda _: True).root.text or "") == 10_000_001


@pytest.mark.parametrize("asked", [None, lambda _: False])
def test_a_large_document_is_refused_elsewhere(asked: None) -> None:
    with pytest.raises(Forbidden, match="takes no attachments"):
        parse(b"<a>" + b"Q" * 100 + b"</a>", Limits(bytes=50), asked)


def test_a_large_document_without_a_root_in_its_beginning_is_refused() -> None:
    raw = b"<?xml version='1.0'?>" + b" " * 70_000 + b"<a/>"

    with pytest.raises(Forbidden, match="no root element"):
        parse(raw, Limits(bytes=50), lambda _: True)


def test_a_large_document_that_breaks_at_once_is_not_xml() -> None:
    with pytest.raises(NotXml):
        parse(b"x" * 100, Limits(bytes=50), lambda _: True)


@pytest.mark.parametrize(
    ("raw", "limits", "text"),
    [
        (b"<a><b><c/></b></a>", Limits(depth=2), "deeper than 2"),
        (b"<a><b/><b/><b/></a>", Limits(elements=3), "more than 3 elements"),
        (
            b'<a>\n<b c="" d="" e=""/></a>',
            Limits(attributes=2),
            "line 2 has more than 2 attributes",
        ),
        (b"<a><b/><c/></a>", Limits(names=2), "more than 2 distinct names"),
        (b'<a b="" c=""/>', Limits(names=2), "more than 2 distinct names"),
        (b"<a>" + b"<b/>" * 2_000 + b"</a>", Limits(elements=10), "more than 10 elements"),
    ],
)
def test_each_limit_of_the_tree_is_checked(raw: bytes, limits: Limits, text: str) -> None:
    with pytest.raises(Forbidden, match=text):
        parse(raw, limits)


def test_what_is_exactly_at_the_limits_is_taken() -> None:
    limits = Limits(depth=2, elements=2, attributes=1, names=3)

    assert parse(b'<a><b c=""/></a>', limits).kind == "a"


def unknown(*_: object, **__: object) -> etree._Element:
    error: Any = etree.XMLSyntaxError
    raise error("unknown error", 0, 0, 0)


def test_an_exhausted_parser_is_not_blamed_on_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lxml.etree.fromstring", unknown)

    with pytest.raises(BrokerError, match="restart the broker") as caught:
        parse(b"<a/>")

    assert not isinstance(caught.value, Refusal)


def test_memory_that_the_parser_lacks_is_not_blamed_on_the_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lacking = SimpleNamespace(type_name="ERR_NO_MEMORY")
    monkeypatch.setattr("broker.document._last", lambda _error: lacking)

    with pytest.raises(Exhausted):
        parse(b"<a>")


def test_an_unknown_error_of_one_message_alone_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    real = etree.fromstring

    def once(raw: bytes, parser: etree.XMLParser) -> etree._Element:
        return unknown() if raw == b"<a/>" else real(raw, parser)

    monkeypatch.setattr("lxml.etree.fromstring", once)

    with pytest.raises(NotXml):
        parse(b"<a/>")
