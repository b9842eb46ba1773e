"""The field table of an adapter: where every field of the other side comes from, for review.

Sources, conditions and code lists are measured with the samples (see lineage); how a stylesheet
writes it (`rule`) and its line are read from it. Examples are from the samples: invented people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from broker.adapter import Adapter
from broker.catalog import Catalog
from broker.errors import BrokerError
from broker.formats import Column, FixedWidth, Format
from broker.kit import expected, lineage, sheet
from broker.kit.experiment import BACK, FORTH, WHICH, Touch, Trace, steps
from broker.kit.sheet import Sheet, Writing
from broker.stylesheet import Stylesheet
from broker.xoev.standards import Standards

_LONGEST: Final = 60
_LONGEST_VALUE: Final = 24
_MOST_VALUES: Final = 4


@dataclass(frozen=True, slots=True)
class Condition:
    """A value that decides whether a field is written: where it stands and what it was then."""

    path: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One field of the target.

    `origin` is `field` (of the source), `fact` (of the delivery; `sources` names it), `fixed`,
    `made` (by the adapter from the shape of the message) or `empty` in all samples. `column` holds
    start, length and kind where the target has a layout. `filled` says in how many of the samples
    with this target the field holds a value.
    """

    field: str
    origin: str
    sources: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    rules: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    example: str = ""
    filled: int = 0
    samples: int = 0
    column: Column | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of one kind of target: its root, the kinds of source it is made from, the values
    of the source that chose it, and whether its columns have a fixed start.
    """

    direction: str
    target: str
    sources: tuple[str, ...]
    rows: tuple[Row, ...]
    chosen: tuple[Condition, ...] = ()
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class FieldMap:
    """All tables of an adapter, and the code lists that they name (code, text of each column)."""

    adapter: str
    accepts: tuple[str, ...]
    tables: tuple[Table, ...]
    lists: Mapping[str, tuple[Mapping[str, str], ...]]


def mapping(catalog: Catalog, name: str, standards: Standards) -> FieldMap:
    """Make the field table of an adapter; BrokerError where there is no sample to make it from."""
    adapter = catalog.get(name)
    traces = lineage.traces(catalog, name, standards)
    if not traces:
        raise BrokerError(f"{name} has no sample that can be converted; a field table needs one")
    tables = tuple(
        _table(adapter, direction, target, found)
        for direction in (FORTH, BACK)
        for target, found in _by_target(traces, direction).items()
    )
    used = {one for table in tables for row in table.rows for one in row.lists}
    return FieldMap(name, adapter.accepts, tables, _lists(adapter, used))


def _by_target(traces: Iterable[Trace], direction: str) -> dict[str, list[Trace]]:
    groups: dict[str, list[Trace]] = {}
    for trace in traces:
        if trace.direction == direction:
            groups.setdefault(trace.target, []).append(trace)
    return groups


def _table(adapter: Adapter, direction: str, target: str, traces: Sequence[Trace]) -> Table:
    way = steps(adapter, direction)
    sheets = [sheet.read(step) for step in way if isinstance(step, Stylesheet)]
    columns = _columns(way[-1]) if way and isinstance(way[-1], Format) else {}
    paths = list(columns) or _ordered(traces)
    if not columns and direction == FORTH:
        paths += _unwritten(paths, expected.fields(adapter, direction))
    rows = tuple(_row(path, traces, sheets, columns.get(path)) for path in paths)
    kinds = tuple(dict.fromkeys(trace.source for trace in traces if trace.source))
    choosing = [touch for trace in traces for touch in trace.touches if WHICH in touch.steers]
    fixed = bool(way) and isinstance(way[-1], FixedWidth)
    return Table(direction, target, kinds, rows, _conditions(choosing, ()), fixed)


def _columns(step: Format) -> dict[str, Column]:
    step.load()
    return {
        f"{record.mark}/{column.name}": column
        for record in step.layout.values()
        for column in record.columns
    }


def _ordered(traces: Iterable[Trace]) -> list[str]:
    """Return all fields in the order of the outputs; one that a sample lacks at its place."""
    found: list[str] = []
    for trace in traces:
        at = 0
        for path in trace.fields:
            if path in found:
                at = found.index(path) + 1
            else:
                found.insert(at, path)
                at += 1
    return found


def _unwritten(paths: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the names of fields that the stylesheet can write and no sample does."""
    written = {path.rpartition("/")[2].rpartition(":")[2] for path in paths}
    return [name for name in names if name not in written]


def _row(path: str, traces: Sequence[Trace], sheets: Sequence[Sheet], column: Column | None) -> Row:
    touches = [touch for trace in traces for touch in trace.touches if path in touch.fields]
    steering = [
        touch
        for trace in traces
        for touch in trace.touches
        if path in touch.steers and WHICH not in touch.steers
    ]
    values = [value for trace in traces for value in trace.fields.get(path, ()) if value]
    facts = tuple(sorted(
        {name for trace in traces for name, written in trace.facts.items() if path in written}
    ))  # fmt: skip
    sources = tuple(dict.fromkeys(touch.path for touch in touches))
    writings = [
        writing for one in sheets for writing in one.of(path) if writing.fits(path, sources)
    ]
    return Row(
        path,
        _origin(bool(sources), bool(facts), values, _said(writings, sheets)),
        sources or facts,
        tuple(sorted({one for touch in touches for one in touch.lists})),
        _conditions(steering, sources),
        tuple(dict.fromkeys(text for writing in writings for text in writing.expressions)),
        tuple(dict.fromkeys(text for writing in writings for text in writing.conditions)),
        tuple(f"{_near(writing.file)}:{writing.line}" for writing in writings),
        _example(values),
        sum(1 for trace in traces if any(trace.fields.get(path, ()))),
        len(traces),
        column,
    )


def _origin(sources: bool, facts: bool, values: Sequence[str], said: bool) -> str:
    if sources:
        return "field"
    if facts:
        return "fact"
    if not values:
        return "empty"
    return "fixed" if len(set(values)) == 1 and said else "made"


def _near(file: str) -> str:
    """Return the name alone of a file of the adapter's own."""
    return file if file.startswith("shared/") else file.rpartition("/")[2]


def _said(writings: Iterable[Writing], sheets: Iterable[Sheet]) -> bool:
    """Whether the stylesheet writes nothing but texts and parameters of the adapter."""
    passed = {f"${name}" for one in sheets for name in one.passed}
    texts = [text for writing in writings for text in writing.expressions]
    return all(text.startswith(("$", '"')) and text not in passed for text in texts)


def _conditions(steering: Iterable[Touch], sources: Iterable[str]) -> tuple[Condition, ...]:
    values: dict[str, Counter[str]] = {}
    for touch in steering:
        if touch.path not in sources:
            values.setdefault(touch.path, Counter())[_short(touch.value, _LONGEST_VALUE)] += 1
    return tuple(
        Condition(path, tuple(value for value, _ in found.most_common(_MOST_VALUES)))
        for path, found in values.items()
    )


def _example(values: Sequence[str]) -> str:
    """Return a value of a sample, a short one rather than the content of an attachment."""
    if not values:
        return ""
    shortest = min(values, key=len)
    chosen = values[0] if len(values[0]) <= _LONGEST else shortest
    return _short(chosen)


def _short(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _lists(adapter: Adapter, used: Iterable[str]) -> dict[str, tuple[Mapping[str, str], ...]]:
    """Return the rows of the code lists that the tables name."""
    known = {
        name: tuple(rows.values())
        for direction in (FORTH, BACK)
        for step in steps(adapter, direction)
        if isinstance(step, Stylesheet)
        for name, rows in step.functions.codes.lists.items()
    }
    return {name: known[name] for name in sorted(used) if name in known}
