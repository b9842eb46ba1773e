"""Differences that a person can read: XML by its content, fixed width by field, CSV by column."""

from __future__ import annotations

import csv
import difflib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

from lxml import etree

from broker.formats import Csv, FixedWidth, Format, Record
from broker.step import path

#: Characters of a fixed-width line that are shown at once, and how many before what differs.
_WINDOW: Final = 100
_BEFORE: Final = 20
_CONTEXT: Final = 2

Where = Callable[[int], str]


def between(name: str, held: bytes, made: bytes, layout: Format | None = None) -> str:
    """Return how two files differ, empty if they do not; `layout` is the format that writes them.

    XML is compared without its layout, everything else byte by byte. The text holds values: it is
    meant for samples of invented people.
    """
    if held == made:
        return ""
    lines = _compared(name, held, made, layout)
    if not lines:
        return ""
    return "\n".join([f"--- {name} (expected)", f"+++ {name} (made)", *lines])


def pretty(content: bytes) -> str:
    """Return XML with one element a line, or raise ValueError where it is none."""
    root = _root(content)
    etree.indent(root)
    return str(etree.tostring(root, encoding="unicode"))


def text(content: bytes, encoding: str = "") -> str:
    """Return bytes as text to look at: in `encoding`, else UTF-8, else ISO-8859-15."""
    if encoding:
        return content.decode(encoding, "backslashreplace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("iso8859-15")


def ruler(start: int, length: int) -> str:
    """Return `........10` and so on: each number ends at the column it names (the first is 1)."""
    tens = range(start // 10 + 1, (start + length) // 10 + 2)
    whole = "".join(f"{10 * ten:.>10}" for ten in tens)
    return whole[start % 10 :][:length]


def _root(content: bytes) -> etree._Element:
    parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError("not XML") from error


def _normal(content: bytes) -> str:
    """Return XML with one element a line, attributes in order, no white space around texts."""
    root = etree.fromstring(str(etree.canonicalize(_root(content), strip_text=True)))
    etree.indent(root)
    return str(etree.tostring(root, encoding="unicode"))


def _compared(name: str, held: bytes, made: bytes, layout: Format | None) -> list[str]:
    if zipfile.is_zipfile(io.BytesIO(held)) and zipfile.is_zipfile(io.BytesIO(made)):
        return _archives(name, held, made)
    try:
        return _xml(_normal(held), _normal(made))
    except ValueError:
        pass
    if isinstance(layout, FixedWidth):
        return _fixed(text(held, layout.encoding), text(made, layout.encoding), layout)
    if isinstance(layout, Csv):
        return _csv(text(held, layout.encoding), text(made, layout.encoding), layout.delimiter)
    return _json(held, made) if name.endswith(".json") else _plain(text(held), text(made))


def _xml(held: str, made: str) -> list[str]:
    places: dict[int, str] = {}
    # Iterating over "*" leaves out comments, which have no name to make a path of.
    for element in etree.fromstring(held).iter("*"):
        line: Any = element.sourceline
        places.setdefault(line - 1, path(element))
    return list(_unified(held.split("\n"), made.split("\n"), lambda line: _nearest(places, line)))


def _nearest(places: dict[int, str], line: int) -> str:
    return places[max((place for place in places if place <= line), default=min(places))]


def _plain(held: str, made: str) -> list[str]:
    lines = _unified(held.splitlines(), made.splitlines(), lambda line: f"line {line + 1}")
    return list(lines) or ["the line ends differ"]


def _json(held: bytes, made: bytes) -> list[str]:
    try:
        values = [json.loads(content) for content in (held, made)]
    except ValueError:
        return _plain(text(held), text(made))
    if values[0] == values[1]:
        return ["the same values, written in another order or layout"]
    shown = [json.dumps(value, indent=2, ensure_ascii=False) for value in values]
    return _plain(*shown)


def _unified(held: Sequence[str], made: Sequence[str], where: Where) -> Iterator[str]:
    """Yield changed lines with a few around them, each group below the place of its first."""
    matcher = difflib.SequenceMatcher(None, held, made, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first = next(code for code in group if code[0] != "equal")
        yield f"@@ {where(min(first[1], len(held) - 1))}"
        for kind, start, end, from_, to in group:
            if kind == "equal":
                yield from (f" {line}" for line in held[start:end])
            else:
                yield from (f"-{line}" for line in held[start:end])
                yield from (f"+{line}" for line in made[from_:to])


def _paired(held: Sequence[Any], made: Sequence[Any]) -> Iterator[tuple[int, Any, Any]]:
    """Yield what differs, line by line: number in the expected file, expected, made, or None."""
    matcher = difflib.SequenceMatcher(None, held, made, autojunk=False)
    for kind, start, end, from_, to in matcher.get_opcodes():
        if kind != "equal":
            pairs = zip_longest(held[start:end], made[from_:to])
            yield from ((start + step + 1, *pair) for step, pair in enumerate(pairs))


def _fixed(held: str, made: str, layout: FixedWidth) -> list[str]:
    layout.load()
    lines: list[str] = []
    for number, expected, got in _paired(held.splitlines(), made.splitlines()):
        lines += _line(number, expected, got, layout)
    return lines or ["the line ends differ"]


def _line(number: int, held: str | None, made: str | None, layout: FixedWidth) -> list[str]:
    """Show one line of fixed width below a ruler, with the fields that differ by name."""
    record = _record(held or made or "", layout)
    mark = f', record "{record.mark}"' if record else ""
    if held is None or made is None:
        return _lone(f"@@ line {number}{mark}", held, made)
    differing = [
        place
        for place, pair in enumerate(zip_longest(held, made, fillvalue=""))
        if pair[0] != pair[1]
    ]
    start = max(0, differing[0] - _BEFORE) // 10 * 10
    end = min(start + _WINDOW, max(len(held), len(made)))
    marks = "".join("^" if place in differing else " " for place in range(start, end))
    return [
        f"@@ line {number}{mark}",
        *(_fields(held, made, record) if record else ()),
        f" {ruler(start, end - start)}",
        f"-{held[start:end].rstrip()}",
        f"+{made[start:end].rstrip()}",
        f" {marks.rstrip()}",
    ]


def _lone(head: str, held: str | None, made: str | None) -> list[str]:
    """Show a line that only one side has."""
    word, sign = ("too much", "+") if held is None else ("missing", "-")
    shown = (held or made or "")[:_WINDOW]
    return [f"{head} is {word}", f" {ruler(0, len(shown))}", f"{sign}{shown}"]


def _record(line: str, layout: FixedWidth) -> Record | None:
    marks = [mark for mark in layout.layout if line.startswith(mark)]
    return layout.layout[max(marks, key=len)] if marks else None


def _fields(held: str, made: str, record: Record) -> Iterator[str]:
    for column in record.columns:
        part = slice(column.start, column.start + column.length)
        if held[part] != made[part]:
            place = f"characters {column.start + 1} to {column.start + column.length}"
            values = f'expected "{held[part].rstrip()}", made "{made[part].rstrip()}"'
            yield f' field "{column.name}", {place}: {values}'
    if len(held) != len(made):
        yield f" the line has {len(made)} characters, expected are {len(held)}"


def _csv(held: str, made: str, delimiter: str) -> list[str]:
    tables = [
        [tuple(row) for row in csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)]
        for content in (held, made)
    ]
    names = tables[0][0] if tables[0] else ()
    lines: list[str] = []
    for number, expected, got in _paired(*tables):
        lines += _row(number, expected, got, names)
    return lines or ["the line ends or the quotes differ"]


def _row(
    number: int,
    held: tuple[str, ...] | None,
    made: tuple[str, ...] | None,
    names: tuple[str, ...],
) -> list[str]:
    if held is None or made is None:
        word, sign = ("too much", "+") if held is None else ("missing", "-")
        return [f"@@ row {number} is {word}", f"{sign}{' | '.join(held or made or ())}"]
    lines = [f"@@ row {number}"]
    for place, (expected, got) in enumerate(zip_longest(held, made)):
        if expected != got:
            name = names[place] if place < len(names) else str(place + 1)
            lines.append(f' column "{name}": expected {_cell(expected)}, made {_cell(got)}')
    return lines


def _cell(value: str | None) -> str:
    return "no cell" if value is None else f'"{value}"'


def _archives(name: str, held: bytes, made: bytes) -> list[str]:
    files = [_content(content) for content in (held, made)]
    lines: list[str] = []
    for entry in sorted(files[0].keys() | files[1].keys()):
        expected, got = files[0].get(entry), files[1].get(entry)
        if expected is None or got is None:
            lines.append(f"@@ {entry} is {'too much' if expected is None else 'missing'}")
        else:
            lines += between(f"{name}/{entry}", expected, got).splitlines()
    return lines or ["the same files; their order, times or compression differ"]


def _content(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {entry: archive.read(entry) for entry in archive.namelist()}
