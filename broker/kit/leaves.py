"""What a document holds, field by field: XML, JSON, zip files and the formats of the adapters.

A path is written from the root's children on, without the root and without positions:
`xbau:antragsteller/natuerlichePerson/name/familienname/name`, `anhang/@filesize`.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree

from broker.document import split
from broker.errors import BrokerError
from broker.formats import Format
from broker.step import Step

#: They say which list a code is of: they go where the code goes.
_LISTS: Final = ("listURI", "listVersionID", "listURL")
_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"

Fields = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value in a document, and how to put another one there."""

    path: str
    value: str
    put: Callable[[str], None]


def of_tree(root: etree._Element, prefixes: Mapping[str, str]) -> Iterator[Leaf]:
    """Yield the texts and attributes below a root, and those of the root; an empty one is none."""
    names = {namespace: prefix for prefix, namespace in prefixes.items()}
    for element in root.iter(etree.Element):
        path = _path(element, root, names)
        yield from _attributes(element, path)
        if not len(element) and element is not root and (element.text or "").strip():
            yield Leaf(path, element.text or "", _text(element))


def of_json(value: Any, path: str = "") -> Iterator[Leaf]:
    """Yield the values below a JSON object or list."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        below = path if isinstance(value, list) else f"{path}/{key}".lstrip("/")
        if isinstance(inner, dict | list):
            yield from of_json(inner, below)
        elif inner not in (None, ""):
            yield Leaf(below, _written(inner), _entry(value, key))


def fields(data: bytes, last: Step | None, prefixes: Mapping[str, str]) -> Fields:
    """Return what a conversion wrote, by path; `last` is the step that wrote it, if one did."""
    found: dict[str, list[str]] = {}
    for leaf in _written_leaves(data, last, prefixes):
        found.setdefault(leaf.path, []).append(leaf.value.strip())
    return {path: tuple(values) for path, values in found.items()}


def kind(data: bytes) -> str:
    """Return the local name of the root of what was written, or nothing where it is no XML."""
    try:
        return split(str(etree.fromstring(data).tag))[1]
    except etree.XMLSyntaxError:
        return ""


def _written_leaves(data: bytes, last: Step | None, prefixes: Mapping[str, str]) -> Iterator[Leaf]:
    if isinstance(last, Format):
        yield from of_tree(last.read(data), prefixes)
    elif data.startswith(b"PK"):
        yield from _packed(data, prefixes)
    elif data.lstrip()[:1] in (b"{", b"["):
        yield from of_json(json.loads(data))
    elif data.lstrip().startswith(b"<"):
        yield from of_tree(etree.fromstring(data), prefixes)
    else:
        text = data.decode("utf-8", "replace")
        yield from (Leaf(f"line {n}", line, _nowhere) for n, line in enumerate(text.split("\n"), 1))


def _packed(data: bytes, prefixes: Mapping[str, str]) -> Iterator[Leaf]:
    """Yield what the files of a zip hold; a file that is no text counts as one value."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    for file, content in found:
        name = _file(file)
        yield Leaf(f"{name}!name", file, _nowhere)
        if not content.lstrip().startswith(b"<"):
            yield Leaf(f"{name}!content", content.hex(), _nowhere)
            continue
        for leaf in _written_leaves(content, None, prefixes):
            yield Leaf(f"{name}!{leaf.path}", leaf.value, _nowhere)


def _file(name: str) -> str:
    """Return a name that is the same in every sample: one with digits in it is made of an id."""
    return f"*.{name.rpartition('.')[2]}" if any(map(str.isdigit, name)) else name


def _path(element: etree._Element, root: etree._Element, names: Mapping[str, str]) -> str:
    steps = []
    while element is not root:
        steps.append(_name(element, names))
        parent = element.getparent()
        if parent is None:
            raise BrokerError("an element does not stand below the root it was found in")
        element = parent
    return "/".join(reversed(steps))


def _name(element: etree._Element, names: Mapping[str, str]) -> str:
    namespace, local = split(str(element.tag))
    prefix = names.get(namespace) or element.prefix
    return f"{prefix}:{local}" if prefix and namespace else local


def _attributes(element: etree._Element, path: str) -> Iterator[Leaf]:
    for name, value in element.attrib.items():
        local = split(str(name))[1]
        if local not in _LISTS and not str(name).startswith(_XSI):
            yield Leaf(f"{path}/@{local}".lstrip("/"), str(value), _attribute(element, str(name)))


def _text(element: etree._Element) -> Callable[[str], None]:
    def put(value: str) -> None:
        element.text = value

    return put


def _attribute(element: etree._Element, name: str) -> Callable[[str], None]:
    def put(value: str) -> None:
        element.set(name, value)

    return put


def _entry(holder: Any, key: Any) -> Callable[[str], None]:
    """Put a text where a text was; a number or a truth value stays one where it can."""
    before = holder[key]

    def put(value: str) -> None:
        if isinstance(before, str):
            holder[key] = value
            return
        try:
            holder[key] = json.loads(value)
        except ValueError:
            holder[key] = value

    return put


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _nowhere(_: str) -> None:
    """What was written is only looked at."""
