"""What could be there: the fields of a standard's schema, and those of a procedure's format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from broker.adapter import Adapter
from broker.catalog import Catalog
from broker.formats import Format
from broker.kit import planting, sheet
from broker.kit.drops import Drop
from broker.kit.experiment import BACK, FORTH, Trace, steps
from broker.stylesheet import Stylesheet
from broker.xoev.outline import Outline
from broker.xoev.particles import Use
from broker.xoev.standards import Standards

_DEEPEST: Final = 24
_MOST: Final = 20_000
_HEAD: Final = "nachrichtenkopf"


@dataclass(frozen=True, slots=True)
class Unproven:
    """A part of the standard that no sample holds: so many fields, how many of them would arrive,
    and the `reason` where it is dropped on purpose.
    """

    path: str
    fields: int
    arrive: int = 0
    reason: str = ""

    @property
    def state(self) -> str:
        """What would become of it: `reached` or `dropped`, or `lost` where a field is missing."""
        if self.arrive == self.fields:
            return "reached"
        return "dropped" if self.reason else "lost"


def official(standards: Standards, accepted: str) -> bool:
    """Whether the official schema of `standard/version` is installed here."""
    name, _, version = accepted.partition("/")
    return standards.installed(name, version) and not standards.bundle(name, version).profile


def unproven(
    catalog: Catalog,
    name: str,
    standards: Standards,
    declared: Iterable[Drop],
    traces: Iterable[Trace],
) -> tuple[int, tuple[Unproven, ...]]:
    """Return how many fields the official schemas know for these kinds of messages, and what of
    them no sample holds, by its topmost element; nothing where only profiles are installed.
    """
    adapter, traces = catalog.get(name), list(traces)
    held = {touch.path for trace in traces for touch in trace.touches}
    known: dict[str, None] = {}
    for accepted in adapter.accepts:
        if official(standards, accepted):
            standard, _, version = accepted.partition("/")
            outline = Outline(standards.bundle(standard, version))
            for kind in dict.fromkeys(trace.source for trace in traces):
                known |= dict.fromkeys(_known(outline, kind, adapter.prefixes))
    missing = _grouped(known, held)
    arriving = planting.arriving(catalog, name, standards, missing) if missing else frozenset()
    declared = tuple(declared)
    return len(known), tuple(
        Unproven(top, len(paths), len(arriving.intersection(paths)), _reason(top, declared))
        for top, paths in missing.items()
    )


def fields(adapter: Adapter, direction: str) -> Mapping[str, None]:
    """Return the target fields that an adapter can write: those of a layout (`K/referenz`), else
    the names of elements that its stylesheets hold; nothing where it is written in Python.
    """
    way = steps(adapter, direction)
    if way and isinstance(way[-1], Format):
        way[-1].load()
        return {
            f"{record.mark}/{column.name}": None
            for record in way[-1].layout.values()
            for column in record.columns
        }
    sheets = [step for step in way if isinstance(step, Stylesheet)]
    if direction == BACK or not sheets:
        return {}
    return dict.fromkeys(name for one in sheets for name in sheet.read(one).names)


def _known(outline: Outline, kind: str, prefixes: Mapping[str, str]) -> Iterator[str]:
    """Yield the paths of all fields of a kind of message; a type inside itself only once."""
    use = outline.messages.get(kind)
    if use is None:
        return
    names = {namespace: prefix for prefix, namespace in prefixes.items()}
    waiting: list[tuple[Use, str, tuple[str, ...]]] = [(use, "", ())]
    found = 0
    while waiting and found < _MOST:
        use, path, types = waiting.pop()
        content = outline.content(use.type)
        if content.text is not None or not content.elements:
            found += 1
            yield path
        if use.type not in types and len(types) <= _DEEPEST:
            inner = reversed(list(content.elements.values()))
            waiting += [(one, _below(path, one, names), (*types, use.type)) for one in inner]


def _below(path: str, use: Use, names: Mapping[str, str]) -> str:
    prefix = names.get(use.namespace)
    name = f"{prefix}:{use.name}" if prefix else use.name
    return f"{path}/{name}".lstrip("/")


def _grouped(known: Iterable[str], held: set[str]) -> dict[str, list[str]]:
    """Gather what no sample holds below the topmost element that none holds."""
    seen = {"/".join(path.split("/")[:n]) for path in held for n in range(1, path.count("/") + 2)}
    groups: dict[str, list[str]] = {}
    for path in known:
        if path in seen or not path or path.startswith(_HEAD):
            continue
        parts = path.split("/")
        tops = ("/".join(parts[:n]) for n in range(1, len(parts) + 1))
        groups.setdefault(next(top for top in tops if top not in seen), []).append(path)
    return groups


def _reason(path: str, declared: tuple[Drop, ...]) -> str:
    return next((drop.reason for drop in declared if drop.covers(path, FORTH)), "")
