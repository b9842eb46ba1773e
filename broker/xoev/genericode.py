"""Genericode 1.0, the format of XÖV code lists: who a list is, and what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from lxml import etree

from broker.document import split
from broker.errors import ConfigError, Finding
from broker.xoev.remark import line as line_of

_ROOT: Final = "{http://docs.oasis-open.org/codelist/ns/genericode/1.0/}CodeList"
#: How XÖV marks the column of codes, in both languages of its own additions.
_RECOMMENDED: Final = frozenset(("recommendedKeyColumn", "empfohleneCodeSpalte"))
_VALID_FROM: Final = frozenset(("validFrom", "datumGueltigkeitAb"))
_WHITE: Final = str.maketrans("\t\r\n", "   ")
_STEP: Final = 16_384
_HEAD: Final = 1_048_576  # a list that does not say who it is in its first megabyte is none
_LARGEST: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a list is: `uri` is what messages call `listURI`, `version` their `listVersionID`."""

    uri: str
    version: str
    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class CodeList:
    """One version of one list. `rows` gives the values of all columns by the code.

    `key` is the position of the code among `columns`; `valid_from` a date as written, or empty;
    `digest` the SHA-256 of the file (hex).
    """

    identity: Identity
    columns: tuple[str, ...]
    key: int
    rows: Mapping[str, tuple[str, ...]]
    valid_from: str
    digest: str

    def __contains__(self, code: str) -> bool:
        return token(code) in self.rows

    def row(self, code: str) -> dict[str, str] | None:
        """Return the values of a code by column; None if it is not in the list."""
        found = self.rows.get(token(code))
        return None if found is None else dict(zip(self.columns, found, strict=True))

    def meaning(self, code: str) -> str:
        """Return what a code means (the first column beside it); empty if it is not in the list."""
        found = self.rows.get(token(code), ())
        return next((value for at, value in enumerate(found) if at != self.key), "")


def token(text: str) -> str:
    """Collapse white space as `xs:token` does, so that codes compare as schemas compare them."""
    if text.isalnum():
        return text
    return " ".join(part for part in text.translate(_WHITE).split(" ") if part)


def peek(path: Path) -> Identity | None:
    """Say which list a file is by its head alone; None if it is not Genericode."""
    try:
        with path.open("rb") as stream:
            found = _head(stream)
    except (OSError, etree.XMLSyntaxError):
        return None
    return None if found is None else _identity(found, path)


def read(path: Path) -> CodeList:
    """Read a whole list; raises ConfigError with file, line and what is wrong."""
    raw, root = _parse(path)
    found = root.find("Identification")
    identity = None if found is None else _identity(found, path)
    if identity is None:
        raise _wrong(path, root, "has no Identification with CanonicalUri and Version")
    columns = tuple(column.get("Id", "") for column in root.iterfind("ColumnSet/Column"))
    if not columns:
        raise _wrong(path, root, "has no columns")
    key = _key(root, columns)
    rows: dict[str, tuple[str, ...]] = {}
    for values in _rows(root, columns, path):
        if values[key]:
            rows.setdefault(values[key], values)
    return CodeList(
        identity, columns, key, rows, _valid_from(root), hashlib.sha256(raw).hexdigest()
    )


def _head(stream: BinaryIO) -> etree._Element | None:
    """Read until the element that says who the list is; no further than the root of other files."""
    puller = etree.XMLPullParser(events=("start", "end"), **_options())
    root: Any = None
    for _ in range(_HEAD // _STEP):
        puller.feed(stream.read(_STEP) or b" ")
        events: Iterator[Any] = puller.read_events()
        for event, element in events:
            root = element if root is None else root
            if root.tag != _ROOT:
                return None
            if event == "end" and element.tag == "Identification":
                return cast(etree._Element, element)
    return None


def _options() -> dict[str, Any]:
    return {
        "resolve_entities": False,
        "no_network": True,
        "load_dtd": False,
        "remove_comments": True,
        "remove_pis": True,
    }


def _parse(path: Path) -> tuple[bytes, etree._Element]:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
        root = etree.fromstring(raw, etree.XMLParser(**_options()))
    except OSError as error:
        raise _wrong(path, None, f"cannot be read: {error.strerror}") from None
    except etree.XMLSyntaxError as error:
        finding = Finding("is not well-formed XML", file=str(path), line=error.lineno or 0)
        raise ConfigError("a code list cannot be used", findings=[finding]) from None
    if len(raw) > _LARGEST:
        raise _wrong(path, root, f"has more than {_LARGEST} bytes")
    info: Any = root.getroottree().docinfo
    if info.doctype:
        raise _wrong(path, root, "has a DOCTYPE; code lists have none")
    if root.tag != _ROOT:
        raise _wrong(path, root, "is not a Genericode 1.0 code list")
    return raw, root


def _identity(element: etree._Element, path: Path) -> Identity | None:
    uri = token(element.findtext("CanonicalUri") or "")
    version = token(element.findtext("Version") or "")
    name = token(element.findtext("LongName") or element.findtext("ShortName") or uri)
    return Identity(uri, version, name, path) if uri and version else None


def _key(root: etree._Element, columns: tuple[str, ...]) -> int:
    """Find the column of codes: the recommended key, else the first key of one column, else the
    first column.
    """
    keys = [
        (_is_recommended(key), columns.index(name))
        for key in root.iterfind("ColumnSet/Key")
        if len(refs := key.findall("ColumnRef")) == 1 and (name := refs[0].get("Ref")) in columns
    ]
    return max(keys, key=lambda one: one[0])[1] if keys else 0


def _is_recommended(key: etree._Element) -> bool:
    return any(split(element.tag)[1] in _RECOMMENDED for element in key.iter("{*}*"))


def _rows(root: etree._Element, columns: tuple[str, ...], path: Path) -> Iterator[tuple[str, ...]]:
    positions = {name: at for at, name in enumerate(columns)}
    for row in root.iterfind("SimpleCodeList/Row"):
        values = [""] * len(columns)
        at = -1
        for value in row.iterchildren("Value"):
            name = value.get("ColumnRef")
            # Without a name it is the column after the one before.
            at = at + 1 if name is None else positions.get(name, len(columns))
            if at >= len(columns):
                raise _wrong(path, value, "is a value of a column that the list does not declare")
            values[at] = token(value.findtext("SimpleValue") or "")
        yield tuple(values)


def _valid_from(root: etree._Element) -> str:
    for element in root.iterfind("Annotation/Description/*"):
        if split(element.tag)[1] in _VALID_FROM:
            return token(element.text or "")
    return ""


def _wrong(path: Path, element: etree._Element | None, text: str) -> ConfigError:
    line = 0 if element is None else line_of(element)
    finding = Finding(text, file=str(path), line=line)
    return ConfigError("a code list cannot be used", findings=[finding])
