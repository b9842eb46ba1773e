"""Rows as XML and back: what an adapter writes for a staging table, and what it reads from one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from broker.channels.envelope import read

if TYPE_CHECKING:
    from sqlalchemy import Column, Row, Table

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Unfit(Exception):
    """Something that does not fit; the text names table and column, never the value."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row as the adapter wrote it: table and columns in capitals, values as text."""

    table: str
    values: Mapping[str, str]


def lines(body: bytes) -> list[Line]:
    """Read `<zeilen><TABLE><COLUMN>value</COLUMN>…</TABLE>…</zeilen>`; raise Unfit."""
    try:
        root = read(body)
    except ValueError as error:
        raise Unfit(f"what the adapter made is not rows: {error}") from None
    found = [Line(_local(child).upper(), dict(_columns(child))) for child in root]
    if not found:
        raise Unfit("what the adapter made has no rows")
    return found


def _columns(row: Any) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for column in row:
        name = _local(column).upper()
        if name in seen or len(column):
            raise Unfit(f"{_local(row)}.{name} is there twice or has elements in it")
        seen.add(name)
        yield name, column.text or ""


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def values(table: Table, line: Line) -> dict[str, Any]:
    """Return a row's values by the names and with the types that the table has; raise Unfit."""
    columns = {column.name.upper(): column for column in table.columns}
    unknown = sorted(line.values.keys() - columns.keys())
    if unknown:
        raise Unfit(f"table {line.table} has no column {unknown[0]}")
    return {columns[name].name: value(columns[name], text) for name, text in line.values.items()}


def value(column: Column[Any], text: str) -> Any:
    """Return the text with the type of the column; empty is NULL where the column takes it."""
    kind = python(column)
    if not text and (column.nullable or kind is not str):
        return None
    length = getattr(column.type, "length", None)
    if kind is str and length is not None and len(text) > length:
        place = f"{column.table.name}.{column.name}"
        raise Unfit(f"{place} takes {length} characters, this has {len(text)}")
    try:
        return _READ.get(kind, str)(text)
    except (ValueError, KeyError, InvalidOperation, binascii.Error):
        raise Unfit(
            f"{column.table.name}.{column.name} does not take this as {kind.__name__}"
        ) from None


def python(column: Column[Any]) -> type:
    """Return the Python type of a column, str where the database does not say."""
    try:
        return column.type.python_type
    except NotImplementedError:
        return str


_READ: Mapping[type, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    Decimal: Decimal,
    bool: lambda text: BOOLEANS[text.strip().lower()],
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    time: time.fromisoformat,
    bytes: lambda text: base64.b64decode("".join(text.split()), validate=True),
}


def document(name: str, row: Row[Any], leave_out: str) -> bytes:
    """Return a row as `<NAME><COLUMN>value</COLUMN>…</NAME>`, in capitals, without NULLs.

    Characters that XML does not allow stay as they are: whoever parses the document refuses it, and
    a person sees the row as it was, instead of one that was changed in silence.
    """
    parts = [
        f"<{column.upper()}>{escape(_text(each), {chr(13): '&#13;'})}</{column.upper()}>"
        for column, each in row._mapping.items()
        if each is not None and column.upper() != leave_out.upper()
    ]
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}>{"".join(parts)}</{name}>'
    return text.encode("utf-8", "surrogatepass")


def _text(each: Any) -> str:
    if isinstance(each, bool):
        return "true" if each else "false"
    if isinstance(each, (datetime, date, time)):
        return each.isoformat()
    if isinstance(each, (bytes, memoryview)):
        return base64.b64encode(each).decode()
    return str(each)
