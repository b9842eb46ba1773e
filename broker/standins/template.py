"""Answers of a stand-in as a file with gaps, and what it reads from what it was sent.

`$reference`, `$number` (the file number), `$date`, `$time` and `$key` are filled in; any other
`$Name` is the first element or JSON field of that name in what was sent. `$$` is a dollar sign.
"""

from __future__ import annotations

import json
import re
import string
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from broker.errors import ConfigError
from broker.message import reference

KINDS: Mapping[str, str] = {
    ".json": "application/json",
    ".xml": "application/xml; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
}
_QUOTES = {'"': "&quot;"}
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REFERENCE = re.compile(r"[0-9A-HJKMNP-TV-Z]{13}")


class _Text(string.Template):
    idpattern = r"(?a:[_a-zA-ZäöüÄÖÜß][-._a-zA-Z0-9äöüÄÖÜß]*)"


class Template:
    """One answer, read from a file; the ending of its name says how values are written."""

    def __init__(self, file: Path) -> None:
        """Read the file; ConfigError if it cannot be read or has a `$` alone."""
        try:
            self._text = _Text(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the answer {file} cannot be read") from error
        if not self._text.is_valid():
            raise ConfigError(f"the answer {file} has a $ without a name; write $$ for the sign")
        self.suffix = file.suffix
        self._write = _writer(file.suffix)

    @property
    def kind(self) -> str:
        """The media type."""
        return KINDS.get(self.suffix, "text/plain; charset=utf-8")

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the answer; what is not among the values is left empty."""
        written = {name: self._write(text) for name, text in values.items()}
        return self._text.substitute(defaultdict(str, written))


def fields(body: bytes) -> dict[str, str]:
    """Return the texts of an XML or JSON document by name, the first of each; else nothing."""
    start = body.lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
    found: dict[str, str] = {}
    if start == b"<":
        _elements(body, found)
    elif start in (b"{", b"["):
        _values(body, found)
    return found


def referred(values: Mapping[str, str], name: str, key: str) -> str:
    """Return our reference: from the field of this name (in any case), else made of the key."""
    wanted = name.lower()
    given = (text.strip() for field, text in values.items() if field.lower() == wanted)
    found = next(given, "")
    if not found and _KEY.fullmatch(key):
        return reference(key)
    return found or (key if _REFERENCE.fullmatch(key) else "")


def _writer(suffix: str) -> Callable[[str], str]:
    if suffix == ".json":
        return lambda text: json.dumps(text, ensure_ascii=False)[1:-1]
    if suffix == ".xml":
        return lambda text: escape(text, _QUOTES)
    return lambda text: " ".join(text.split())


def _elements(body: bytes, found: dict[str, str]) -> None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        return
    for element in root.iter(etree.Element):
        found.setdefault(etree.QName(element).localname, (element.text or "").strip())


def _values(body: bytes, found: dict[str, str]) -> None:
    try:
        waiting: list[Any] = [json.loads(body)]
    except ValueError:
        return
    while waiting:
        value = waiting.pop(0)
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in pairs:
            if isinstance(inner, dict | list):
                waiting.append(inner)
            elif isinstance(name, str):
                found.setdefault(name, "" if inner is None else str(inner))
