"""Hardened parsing: bytes in, a tree that is safe to hand on, or a refusal that quotes nothing."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from lxml import etree

from broker.errors import Exhausted, Forbidden, NotXml, Refusal

_BOM: Final = b"\xef\xbb\xbf"
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<", b"\x00\x00")
_PEEK: Final = 65_536
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([^\"']*)[\"']")
#: libxml2 errors that mean "too big" or "not a construct we take" rather than "not well-formed".
_FORBIDDEN: Final = frozenset(
    (
        "ERR_RESOURCE_LIMIT",
        "ERR_ENTITY_LOOP",
        "ERR_ENTITY_PROCESSING",
        "ERR_UNDECLARED_ENTITY",
        "WAR_UNDECLARED_ENTITY",
        "ERR_UNSUPPORTED_ENCODING",
        "ERR_UNKNOWN_ENCODING",
    )
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How big a document may be.

    Bytes (ordinary, and with attachments), depth, elements, attributes of one element, distinct
    names of elements and attributes.
    """

    bytes: int = 10_000_000
    large: int = 64 * 1024 * 1024
    depth: int = 100
    elements: int = 100_000
    attributes: int = 64
    names: int = 2_000


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes as received and their tree, without comments and processing instructions."""

    raw: bytes
    root: etree._Element

    @property
    def namespace(self) -> str:
        """Namespace of the root element, empty if it has none."""
        return split(self.root.tag)[0]

    @property
    def kind(self) -> str:
        """Local name of the root element."""
        return split(self.root.tag)[1]


def parse(
    raw: bytes, limits: Limits | None = None, attachments: Callable[[str], bool] | None = None
) -> Document:
    """Parse bytes once for everybody.

    `attachments` says for a root namespace whether its messages may be as long as `limits.large`;
    without it nothing may. Raises NotXml (not well-formed), Forbidden (DTD, encoding, XML version,
    limits), and Exhausted when the parser of this process, not the message, is at its end.
    """
    limits = limits or Limits()
    _check_bytes(raw, limits)
    large = len(raw) > limits.bytes
    if large:
        _check_large(raw, limits, attachments)
    root = _tree(raw, large)
    _check_info(root.getroottree().docinfo)
    if not _ordinary(raw, root, limits):
        _check_size(root, limits)
    return Document(raw, root)


def split(tag: str) -> tuple[str, str]:
    """Split an lxml tag into namespace and local name."""
    namespace, brace, name = tag.rpartition("}")
    return namespace[1:] if brace else "", name


def _check_bytes(raw: bytes, limits: Limits) -> None:
    """Refuse what can be known without parsing, so that no tree is built of it."""
    if len(raw) > limits.large:
        raise Forbidden(f"the document has more than {limits.large} bytes")
    if raw.startswith(_WIDE):
        raise Forbidden("the document is UTF-16 or UTF-32; XÖV messages are UTF-8")
    declared = _DECLARED.match(raw, len(_BOM) if raw.startswith(_BOM) else 0)
    if declared and declared[1].lower() != b"utf-8":
        raise Forbidden("the XML declaration names another encoding; XÖV messages are UTF-8")
    # Each element has at most two "<"; counting them takes microseconds and bounds the memory.
    if raw.count(b"<") > 2 * limits.elements + 1_000:
        raise Forbidden(f"the document has more than {limits.elements} elements")


def _check_large(raw: bytes, limits: Limits, attachments: Callable[[str], bool] | None) -> None:
    """Look at the root alone: may this standard carry attachments?"""
    puller = etree.XMLPullParser(events=("start",), **_options(huge=False))
    try:
        puller.feed(raw[:_PEEK])
        root: Any = next((element for _, element in puller.read_events()), None)
    except etree.XMLSyntaxError as error:
        raise _refusal(error) from None
    if root is None:
        raise Forbidden(f"no root element in the first {_PEEK} bytes")
    _check_info(root.getroottree().docinfo)
    if attachments is None or not attachments(split(root.tag)[0]):
        raise Forbidden(
            f"the document has more than {limits.bytes} bytes and its standard takes no attachments"
        )


def _options(*, huge: bool) -> dict[str, Any]:
    # Never add collect_ids=False: with it lxml 6 loads external DTDs whatever load_dtd says.
    return {
        "resolve_entities": False,
        "no_network": True,
        "load_dtd": False,
        "dtd_validation": False,
        "attribute_defaults": False,
        "huge_tree": huge,
        "recover": False,
        "remove_comments": True,
        "remove_pis": True,
    }


def _tree(raw: bytes, huge: bool) -> etree._Element:
    # A parser of one's own costs 2 µs, is never waited for and keeps no errors of other messages.
    try:
        return etree.fromstring(raw, etree.XMLParser(**_options(huge=huge)))
    except etree.XMLSyntaxError as error:
        if _exhausted(error):
            raise Exhausted(
                "the XML parser of this process cannot take new names; restart the broker"
            ) from None
        raise _refusal(error) from None


def _refusal(error: etree.XMLSyntaxError) -> Refusal:
    """Say where it broke and which rule; libxml2's own text would quote the message."""
    last = _last(error)
    rule = last.type_name if last is not None else "ERR_DOCUMENT_EMPTY"
    line, column = error.position
    place = f"line {line}, column {column} ({rule})"
    if rule in _FORBIDDEN:
        return Forbidden(f"a construct or size that the broker does not take at {place}")
    return NotXml(f"not well-formed XML at {place}")


def _last(error: etree.XMLSyntaxError) -> Any:
    log: Any = error.error_log
    return log.last_error


def _exhausted(error: etree.XMLSyntaxError) -> bool:
    """Whether libxml2's dictionary is full: even an innocent document with a new name fails.

    Long names fill its memory, many short ones its table, and each is told in its own way.
    """
    last = _last(error)
    if last is not None and last.type_name == "ERR_NO_MEMORY":
        return True
    if last is not None and "unknown error" not in str(error):
        return False
    try:
        etree.fromstring(f"<n{uuid.uuid4().hex}/>".encode(), etree.XMLParser(no_network=True))
    except etree.XMLSyntaxError:
        return True
    return False


def _check_info(info: Any) -> None:
    if info.doctype or info.internalDTD is not None or info.externalDTD is not None:
        raise Forbidden("the document has a DOCTYPE; XÖV messages have none")
    if (info.encoding or "UTF-8").upper() != "UTF-8":
        raise Forbidden("the document is not UTF-8")
    if info.xml_version != "1.0":
        raise Forbidden("the document is not XML 1.0")


def _ordinary(raw: bytes, root: etree._Element, limits: Limits) -> bool:
    """Tell in C that a small document is within all limits: the walk in Python costs as much as
    the parse, and holds the interpreter's lock.

    An element has a "<" and an attribute a "=", so that few of them are few names.
    """
    attributes = raw.count(b"=")
    if raw.count(b"<") + attributes > min(limits.names, limits.elements):
        return False
    if attributes <= limits.attributes:
        return not _deeper(limits.depth)(root)
    return bool(_within(limits.depth, limits.attributes)(root))


def _check_size(root: etree._Element, limits: Limits) -> None:
    """Walk the tree once; `len(attrib)` comes before anything reads attributes (quadratic)."""
    names: set[str] = set()
    count = parents = 0
    for element in root.iter():
        count += 1
        names.add(element.tag)
        if len(element):
            parents += 1
        if size := len(element.attrib):
            _check_attributes(element, size, names, limits)
    # Few parents cannot nest deeply; asking only then spares a fight for the interpreter's lock.
    if parents >= limits.depth and _deeper(limits.depth)(root):
        raise Forbidden(f"elements are nested deeper than {limits.depth}")
    if count > limits.elements:
        raise Forbidden(f"the document has more than {limits.elements} elements")
    if len(names) > limits.names:
        raise Forbidden(f"the document has more than {limits.names} distinct names")


def _check_attributes(element: etree._Element, size: int, names: set[str], limits: Limits) -> None:
    if size > limits.attributes:
        raise Forbidden(
            f"an element in line {element.sourceline} has more than {limits.attributes} attributes"
        )
    names.update(map(str, element.attrib))


@lru_cache
def _within(depth: int, attributes: int) -> Any:
    many = f"/descendant::*/attribute::*[{attributes + 1}]"
    return etree.XPath(f"not({many}) and not(/*{'/*' * depth})")


@lru_cache
def _deeper(depth: int) -> Any:
    """Return a test in C for one level too many; in Python it costs ten times as much."""
    return etree.XPath(f"boolean(/*{'/*' * depth})")
