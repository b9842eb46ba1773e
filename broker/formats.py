"""Formats that are not XML, as steps: fixed-width lines, CSV, and rows of database tables.

A stylesheet makes simple records, the format writes them:

    <records><K><reference>…</reference><date>2026-05-04</date></K> <A>…</A></records>

Each child of the root is a record, its name the record's mark; its children are the fields. A
layout, a CSV file of the adapter with the columns `record,field,length,kind` and, where it matters,
`start` (the first character is 1; by default a field begins where the one before it ends), says how
they are written:

    text    left-aligned, filled with spaces      number  digits, right-aligned, zeros before them
    date    YYYY-MM-DD, written as YYYYMMDD       long    text that goes on in further records
    flag    written by the format: J if a character of the record was replaced, else N
    any     as text, no line break needed: not checked for its characters (rows only)

Nothing is ever cut or replaced silently: what does not fit ends the conversion with field and rule.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from xml.sax.saxutils import escape

from lxml import etree

from broker.codes import short, table
from broker.errors import ConfigError, Finding, ReplyError
from broker.message import Facts
from broker.step import Matter, Step, fail, tree

_KINDS: Final = ("text", "number", "date", "long", "flag", "any")
_UNMEASURED: Final = ("long", "date", "any")
_NUMBER: Final = re.compile("[0-9]*")
_DATE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_POINT: Final = re.compile(r"U\+[0-9A-F]{4,6}")
_FORMULA: Final = ("=", "+", "-", "@")
_MARKUP: Final = re.compile("[&<>\r]")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a record: name, first character (from 0), length in characters, kind."""

    name: str
    start: int
    length: int
    kind: str


@dataclass(frozen=True, slots=True)
class Record:
    """A kind of record: its mark, its fields in order, and what follows from them."""

    mark: str
    columns: tuple[Column, ...]

    blank: Mapping[str, str] = field(default_factory=dict)
    template: str = ""
    length: int = 0
    long: Column | None = None
    flags: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    measured: tuple[tuple[str, int], ...] = ()
    ruled: tuple[Column, ...] = ()

    @classmethod
    def of(cls, mark: str, columns: Sequence[Column]) -> Record:
        """Work out what every message needs again and again."""
        template, end = mark, len(mark)
        for column in columns:
            fill = "0>" if column.kind == "number" else "<"
            template += f"{' ' * (column.start - end)}{{:{fill}{column.length}}}"
            end = column.start + column.length
        return cls(
            mark,
            tuple(columns),
            dict.fromkeys((column.name for column in columns), ""),
            template,
            end,
            next((column for column in columns if column.kind == "long"), None),
            tuple(column.name for column in columns if column.kind == "flag"),
            tuple(column.name for column in columns if column.kind == "date"),
            tuple((one.name, one.length) for one in columns if one.kind not in _UNMEASURED),
            tuple(column for column in columns if column.kind in ("number", "date")),
        )

    def fits(self, fields: Mapping[str, str]) -> bool:
        """Whether no text breaks a rule of its field; which one does is a slower question."""
        for name, length in self.measured:
            if len(fields[name]) > length:
                return False
        return not any(_rule(column, fields[column.name]) for column in self.ruled)


Layout = Mapping[str, Record]


class Format(Step):
    """What all formats share: a layout, an encoding, a declared table of replacements."""

    def __init__(self, layout: str, *, encoding: str = "utf-8", replace: str = "") -> None:
        """Name the layout and, if characters may be replaced, the CSV file `from,to` for it."""
        self.name = layout
        self.encoding = encoding
        self.replace = replace
        self.layout: Layout = {}
        self.table: Mapping[str, str] = {}
        self._find = re.compile("(?!)")
        self._foreign_only = True

    def load(self) -> None:
        """Read layout and replacements; raise ConfigError with the lines that cannot be used."""
        if self.layout:
            return
        self.layout = _layout(self.folder / self.name)
        if self.replace:
            rows = table(self.folder / self.replace)
            self.table = {_nfc(_spelled(row["from"])): row["to"] for row in rows}
            self._foreign_only = not any(map(str.isascii, self.table))
            longest = sorted(self.table, key=len, reverse=True)
            self._find = re.compile("|".join(map(re.escape, longest)))

    def run(self, matter: Matter, _: Facts) -> Matter:
        """Read bytes into records, or write records as bytes."""
        self.load()
        return self.read(matter) if isinstance(matter, bytes) else self.write(matter)

    def write(self, root: etree._Element) -> bytes:
        """Return the bytes of these records."""
        raise NotImplementedError

    def read(self, data: bytes) -> etree._Element:
        """Return the records of these bytes."""
        raise NotImplementedError

    def _records(self, root: etree._Element) -> Iterator[tuple[Record, dict[str, str]]]:
        """Walk over the records with their checked texts."""
        found = [self._given(element) for element in root]
        # The space keeps a combining character from meeting the letter of another field.
        plain = self._is_plain(" ".join([" ".join(given.values()) for _, given in found]))
        for kind, given in found:
            replaced = not plain and self._replace(kind, given)
            fields = {**kind.blank, **given}
            if not (plain and kind.fits(fields)):
                self._check(kind, fields, plain)
            for name in kind.flags:
                fields[name] = "J" if replaced else "N"
            yield kind, fields

    def _given(self, element: etree._Element) -> tuple[Record, dict[str, str]]:
        """Return the texts of a record by field; only names with a namespace take a second pass."""
        kind = self.layout.get(_local(element))
        if kind is None:
            raise fail(f'{self.name}: there is no record "{_local(element)}"')
        given = {child.tag: child.text or "" for child in element}
        if not given.keys() <= kind.blank.keys():
            given = {_local(child): child.text or "" for child in element}
        if unknown := given.keys() - kind.blank.keys():
            raise fail(f'{self.name}: record "{kind.mark}" has no field "{min(unknown)}"')
        return kind, given

    def _is_plain(self, whole: str) -> bool:
        """Whether no text needs a second look: one pass over all is cheaper than one per field."""
        if _CONTROL.search(whole) or not unicodedata.is_normalized("NFC", whole):
            return False
        if self._foreign_only and whole.isascii():
            return True
        return not self._find.search(whole) and _encodes(whole, self.encoding)

    def _replace(self, kind: Record, given: dict[str, str]) -> bool:
        """Normalise the texts and replace what the adapter declared; say whether it did."""
        replaced = False
        for column in kind.columns:
            if column.name in given and column.kind != "any":
                text = unicodedata.normalize("NFC", given[column.name])
                given[column.name] = self._find.sub(lambda match: self.table[match[0]], text)
                replaced = replaced or given[column.name] != text
        return replaced

    def _check(self, kind: Record, fields: Mapping[str, str], plain: bool) -> None:
        for column in kind.columns:
            text = fields[column.name]
            rule = _rule(column, text)
            if not plain and not rule and column.kind != "any":
                rule = self._foreign(text)
            if rule:
                raise fail(f'record "{kind.mark}", field "{column.name}": {rule}')

    def _foreign(self, text: str) -> str:
        if _CONTROL.search(text):
            return "a control character or line break"
        if not _encodes(text, self.encoding):
            return f"a character is not in {self.encoding} and no replacement is declared"
        return ""


class FixedWidth(Format):
    """Lines of a fixed length; a record's mark stands at the start of its line.

    Written from records; read from bytes into the same records, texts without the filling spaces.
    """

    def __init__(
        self, layout: str, *, encoding: str = "utf-8", replace: str = "", newline: str = "\r\n"
    ) -> None:
        """Name the layout, the encoding of the file, the replacements, the line end."""
        super().__init__(layout, encoding=encoding, replace=replace)
        self.newline = newline

    def write(self, root: etree._Element) -> bytes:
        """Return one line per record, `long` fields over as many lines as they need."""
        lines: list[str] = []
        for kind, fields in self._records(root):
            for name in kind.dates:
                fields[name] = fields[name].replace("-", "")
            lines += [kind.template.format(*part) for part in _parts(kind, fields)]
        return self._bytes(lines)

    def read(self, data: bytes) -> etree._Element:
        """Return `<records>` with one element per line."""
        self.load()
        root = etree.Element("records")
        for number, line in enumerate(self._lines(data), 1):
            mark = self._mark(line, number)
            record = etree.SubElement(root, mark)
            for column in self.layout[mark].columns:
                self._cell(record, column, line, number)
        return root

    def split(
        self,
        data: bytes,
        first: str,
        drop: Sequence[str] = (),
        count: tuple[str, str] | None = None,
    ) -> tuple[bytes, ...]:
        """Split a batch into replies: each starts with a record `first`; `drop` belong to none.

        `count` names record and field that say how many replies there are. Raises ReplyError if
        they are others, so that half a file is never taken for a whole one. A line that cannot be
        read stays with its reply: it spoils that one alone.
        """
        self.load()
        groups: list[list[str]] = []
        announced = ""
        for number, line in enumerate(self._lines(data), 1):
            mark = self._starts(line)
            if count and mark == count[0]:
                announced = self._value(line, *count)
            if mark in drop:
                continue
            if mark == first:
                groups.append([])
            if not groups:
                raise ReplyError(f'line {number}: stands before the first record "{first}"')
            groups[-1].append(line)
        if count and announced.lstrip("0") != str(len(groups) or ""):
            raise ReplyError(f"the file holds {len(groups)} replies, its end announces others")
        return tuple(self._bytes(group) for group in groups)

    def _bytes(self, lines: Iterable[str]) -> bytes:
        return "".join(line + self.newline for line in lines).encode(self.encoding)

    def _starts(self, line: str) -> str:
        return max((mark for mark in self.layout if line.startswith(mark)), key=len, default="")

    def _value(self, line: str, mark: str, field: str) -> str:
        column = next(column for column in self.layout[mark].columns if column.name == field)
        return line[column.start : column.start + column.length].strip()

    def _lines(self, data: bytes) -> list[str]:
        try:
            text = data.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise fail(f"the file is not {self.encoding} (byte {error.start})") from None
        # Not splitlines(): it also splits at U+0085 and others, which are data here.
        lines = text.replace("\r\n", "\n").split("\n")
        return lines[:-1] if not lines[-1] else lines

    def _mark(self, line: str, number: int) -> str:
        mark = self._starts(line)
        if not mark:
            raise fail(f"line {number}: {self.name} has no record that starts like this")
        length = self.layout[mark].length
        if len(line) > length:
            raise fail(f'line {number}: record "{mark}" is longer than {length} characters')
        return mark

    def _cell(self, record: etree._Element, column: Column, line: str, number: int) -> None:
        text = line[column.start : column.start + column.length]
        # A text that goes on in the next record may end with a space that belongs to it.
        text = text if column.kind == "long" else text.rstrip(" ")
        if _CONTROL.search(text):
            raise fail(f'line {number}, field "{column.name}": a control character')
        if column.kind == "date" and text:
            if not re.fullmatch(r"\d{8}", text):
                raise fail(f'line {number}, field "{column.name}": not a date as YYYYMMDD')
            text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
        etree.SubElement(record, column.name).text = _nfc(text)


class Csv(Format):
    """A line per record, fields in the order of the layout; every record has the same layout.

    `formula` says what happens to a text that a spreadsheet would run (`=`, `+`, `-`, `@` at its
    start): `refuse` ends the conversion, `quote` puts an apostrophe before it. The first line holds
    the names.
    """

    def __init__(
        self,
        layout: str,
        *,
        encoding: str = "utf-8",
        replace: str = "",
        delimiter: str = ";",
        formula: Literal["refuse", "quote"] = "refuse",
    ) -> None:
        """Name the layout and the dialect."""
        super().__init__(layout, encoding=encoding, replace=replace)
        self.delimiter = delimiter
        self.formula = formula

    def write(self, root: etree._Element) -> bytes:
        """Return a header line and one line per record."""
        only = self._only()
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, delimiter=self.delimiter, lineterminator="\r\n")
        writer.writerow(column.name for column in only.columns)
        for _, fields in self._records(root):
            writer.writerow(self._safe(only.mark, name, text) for name, text in fields.items())
        return stream.getvalue().encode(self.encoding)

    def read(self, data: bytes) -> etree._Element:
        """Return `<records>` with one element per line behind the header."""
        try:
            stream = io.StringIO(data.decode(self.encoding), newline="")
            rows = list(csv.reader(stream, delimiter=self.delimiter, strict=True))
        except (UnicodeDecodeError, csv.Error):
            raise fail(f"the file is not CSV in {self.encoding}") from None
        only = self._only()
        names = [column.name for column in only.columns]
        if not rows or rows[0] != names:
            raise fail(f"line 1: the names of the columns are not those of {self.name}")
        root = etree.Element("records")
        for number, row in enumerate(rows[1:], 2):
            self._row(etree.SubElement(root, only.mark), row, number)
        return root

    def _row(self, record: etree._Element, row: Sequence[str], number: int) -> None:
        columns = self._only().columns
        if len(row) != len(columns) or _CONTROL.search("".join(row)):
            raise fail(f"line {number}: not {len(columns)} fields without control characters")
        for column, text in zip(columns, row, strict=True):
            etree.SubElement(record, column.name).text = _nfc(text)

    def _only(self) -> Record:
        self.load()
        if len(self.layout) != 1:
            raise fail(f"{self.name}: a CSV layout has exactly one kind of record")
        return next(iter(self.layout.values()))

    def _safe(self, mark: str, name: str, text: str) -> str:
        if not text.startswith(_FORMULA):
            return text
        if self.formula == "quote":
            return f"'{text}"
        raise fail(f'record "{mark}", field "{name}": a spreadsheet would run it as a formula')


class Rows(Format):
    """Rows of database tables, written as XML for the channel `table`; checked, not changed."""

    def write(self, root: etree._Element) -> bytes:
        """Return the records as UTF-8 XML below the same root, empty fields left out."""
        lines = ["<?xml version='1.0' encoding='UTF-8'?>", f"<{_local(root)}>"]
        for kind, fields in self._records(root):
            lines.append(f"  <{kind.mark}>")
            lines += [
                f"    <{name}>{_escaped(text)}</{name}>" for name, text in fields.items() if text
            ]
            lines.append(f"  </{kind.mark}>")
        lines += [f"</{_local(root)}>", ""]
        return "\n".join(lines).encode("utf-8")

    def read(self, data: bytes) -> etree._Element:
        """Return the tree of a row as the channel gives it."""
        return tree(data)


def _spelled(text: str) -> str:
    """Read `U+0302` as the character: alone, a combining one cannot be seen in a file."""
    return chr(int(text[2:], 16)) if _POINT.fullmatch(text) else text


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _local(element: etree._Element) -> str:
    tag = str(element.tag)
    return tag.rpartition("}")[2] if tag[0] == "{" else tag


def _escaped(text: str) -> str:
    return escape(text, {"\r": "&#13;"}) if _MARKUP.search(text) else text


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _rule(column: Column, text: str) -> str:
    """Name the rule of its field that a text breaks, or return nothing."""
    if len(text) > column.length and column.kind not in _UNMEASURED:
        return f"longer than {column.length} characters"
    if column.kind == "number" and not _NUMBER.fullmatch(text):
        return "not a number"
    if column.kind == "date" and text and not _DATE.fullmatch(text):
        return "not a date as YYYY-MM-DD"
    return ""


def _parts(kind: Record, fields: Mapping[str, str]) -> Iterator[Iterable[str]]:
    """Give the texts of a record, again and again until its `long` field is written."""
    if kind.long is None:
        yield fields.values()
        return
    text = fields[kind.long.name]
    for start in range(0, max(len(text), 1), kind.long.length):
        part = text[start : start + kind.long.length]
        yield {**fields, kind.long.name: part}.values()


def _layout(file: Path) -> Layout:
    layout: dict[str, list[Column]] = {}
    findings = []
    for number, row in enumerate(table(file), 2):
        problem = _problem(row)
        if not problem:
            before = layout.setdefault(row["record"], [])
            problem = _append(before, row)
        if problem:
            findings.append(Finding(problem, short(file), number))
    if findings or not layout:
        findings = findings or [Finding("holds no field", short(file))]
        raise ConfigError(f"layout {short(file)} cannot be used", findings=findings)
    return {mark: Record.of(mark, columns) for mark, columns in layout.items()}


def _append(before: list[Column], row: Mapping[str, str]) -> str:
    """Put a field behind those of its record, or say why it does not fit there."""
    end = before[-1].start + before[-1].length if before else len(row["record"])
    start = int(row["start"]) - 1 if row.get("start") else end
    if start < end:
        return f'field "{row["field"]}" begins inside what stands before it'
    before.append(Column(row["field"], start, int(row["length"]), row["kind"]))
    return ""


def _problem(row: Mapping[str, str]) -> str:
    missing = {"record", "field", "length", "kind"} - row.keys()
    if missing:
        return f'needs the column "{min(missing)}"'
    if row["kind"] not in _KINDS:
        return f'unknown kind "{row["kind"]}"; known are {", ".join(_KINDS)}'
    if not row["length"].isdecimal() or not (row.get("start") or "1").isdecimal():
        return "start and length are whole numbers"
    return ""
