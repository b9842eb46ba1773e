"""A YAML reader that takes every scalar as the text that was written, with its place.

YAML 1.1 turns `03103000` into a number, `2.10` into 2.1 and `no` into false; not here.
Aliases, anchors, tags, double keys and several documents are findings: a routing table must say
what it means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from broker.config.findings import Report
from broker.config.nodes import Block, Items, Node, Text

MAX_BYTES = 32 << 20
MAX_DEPTH = 16
MAX_NODES = 4_000_000

# Control characters and those that change the direction: what one sees must be what is read.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)
_VARIABLE = re.compile(r"\$\{([^}]*)(\}?)")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class Spot(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


class _Stop(Exception):
    """Reading on makes no sense; the reason is in the report."""


def read(data: bytes, report: Report, environ: Mapping[str, str]) -> Node | None:
    """Return the root node with `${NAME}` filled in, or None where the file cannot be read at all.

    Everything refused is added to the report; where reading can go on, it does.
    """
    text = _text(data, report)
    if text is None:
        return None
    builder = _Builder(report, environ)
    try:
        for event in _events(text, report):
            builder.take(event)
    except _Stop:
        return None
    return builder.root


def _text(data: bytes, report: Report) -> str | None:
    if len(data) > MAX_BYTES:
        report.add(Spot(1, 1), f"the file is larger than {MAX_BYTES >> 20} MB")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        report.add(_spot(data[: error.start].decode()), "not UTF-8, save the file as UTF-8")
        return None
    found = _FORBIDDEN.search(text)
    if found:
        report.add(_spot(text[: found.start()]), f"character U+{ord(found[0]):04X} is not allowed")
        return None
    return text


def _spot(before: str) -> Spot:
    return Spot(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _events(text: str, report: Report) -> Iterator[Any]:
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Spot(mark.line + 1, mark.column + 1) if mark else Spot(1, 1)
        report.add(place, f"not YAML: {_problem(error)}")
        raise _Stop from error
    except yaml.YAMLError as error:
        report.add(Spot(1, 1), "not YAML: it cannot be read at all")
        raise _Stop from error


def _problem(error: yaml.MarkedYAMLError) -> str:
    text = error.problem or "it cannot be read"
    start, end = error.context_mark, error.problem_mark
    if start and end and start.line < end.line:
        text += f" {error.context} that starts in line {start.line + 1}"
    return text


class _Frame:
    """A container being built, and in a mapping the key whose value comes next."""

    __slots__ = ("key", "node")

    def __init__(self, node: Items | Block) -> None:
        self.node = node
        self.key: Text | None = None


class _Builder:
    """Builds nodes from parser events without recursion."""

    def __init__(self, report: Report, environ: Mapping[str, str]) -> None:
        self.root: Node | None = None
        self._report = report
        self._environ = environ
        self._stack: list[_Frame] = []
        self._count = 0
        self._documents = 0
        self._takers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }

    def take(self, event: Any) -> None:
        taker = self._takers.get(type(event))
        if taker:
            taker(event)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._report.add(_at(event), "a second document starts here, one file holds one table")
            raise _Stop

    def _scalar(self, event: Any) -> None:
        mark = event.start_mark
        node: Text | None = Text(event.value, mark.line + 1, mark.column + 1)
        if event.tag is not None or event.anchor is not None:
            self._refuse(event)
        if "${" in event.value and not self._wants_key():
            node = self._fill(Text(event.value, *_at(event)))
        self._put(node)

    def _mapping(self, event: Any) -> None:
        self._open(event, Block({}, {}, *_at(event)))

    def _sequence(self, event: Any) -> None:
        self._open(event, Items([], *_at(event)))

    def _open(self, event: Any, node: Items | Block) -> None:
        if event.tag is not None or event.anchor is not None:
            self._refuse(event)
        self._put(node)
        self._stack.append(_Frame(node))
        if len(self._stack) > MAX_DEPTH:
            self._report.add(node, f"nested deeper than {MAX_DEPTH} levels")
            raise _Stop

    def _end(self, event: Any) -> None:
        self._stack.pop()

    def _alias(self, event: Any) -> None:
        self._report.add(_at(event), "aliases (*) are not allowed, write the text again")
        self._put(None)

    def _refuse(self, event: Any) -> None:
        if event.tag is not None:
            self._report.add(
                _at(event), "tags (!) are not allowed, every value is the text as written"
            )
        if event.anchor is not None:
            self._report.add(_at(event), "anchors (&) are not allowed")

    def _wants_key(self) -> bool:
        frame = self._stack[-1] if self._stack else None
        return frame is not None and frame.key is None and isinstance(frame.node, Block)

    def _put(self, node: Node | None) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            self._report.add(Spot(1, 1), f"more than {MAX_NODES} values")
            raise _Stop
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        if isinstance(frame.node, Items):
            frame.node.items.append(node)
        elif frame.key is None:
            frame.key = self._key(frame.node, node)
        else:
            frame.node.entries.setdefault(frame.key.text, node)
            frame.key = None

    def _key(self, block: Block, node: Node | None) -> Text:
        if not isinstance(node, Text):
            if node is not None:
                self._report.add(node, "a key must be a plain text")
            raise _Stop
        first = block.keys.setdefault(node.text, node)
        if first is not node:
            self._report.add(node, f'"{node.text}" stands twice, first in line {first.line}')
        return node

    def _fill(self, node: Text) -> Text | None:
        before = len(self._report)
        filled = _VARIABLE.sub(lambda found: self._variable(node, found), node.text)
        if len(self._report) > before:
            return None
        return Text(filled, node.line, node.column, filled=True)

    def _variable(self, node: Text, found: re.Match[str]) -> str:
        named = _NAME.fullmatch(found[1]) if found[2] else None
        if named is None:
            self._report.add(node, 'a variable is written "${NAME}" or "${NAME:-default}"')
            return ""
        value = self._environ.get(named[1])
        if named[2] is not None:
            return value or named[2]
        if value is None:
            self._report.add(node, f'environment variable "{named[1]}" is not set')
        return value or ""


def _at(event: Any) -> Spot:
    return Spot(event.start_mark.line + 1, event.start_mark.column + 1)
