"""What a simple type allows, as values that two versions of a standard can be compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

#: A built-in type and the one it restricts; whoever goes down this chain takes fewer texts.
_PARENT: Final = {
    "normalizedString": "string",
    "token": "normalizedString",
    "language": "token",
    "NMTOKEN": "token",
    "Name": "token",
    "NCName": "Name",
    "ID": "NCName",
    "IDREF": "NCName",
    "integer": "decimal",
    "nonNegativeInteger": "integer",
    "nonPositiveInteger": "integer",
    "positiveInteger": "nonNegativeInteger",
    "negativeInteger": "nonPositiveInteger",
    "long": "integer",
    "int": "long",
    "short": "int",
    "byte": "short",
    "unsignedLong": "nonNegativeInteger",
    "unsignedInt": "unsignedLong",
    "unsignedShort": "unsignedInt",
    "unsignedByte": "unsignedShort",
}
#: Whether a larger value of this facet takes fewer texts.
BOUNDS: Final[Mapping[str, bool]] = MappingProxyType(
    {
        "length": True,
        "minLength": True,
        "maxLength": False,
        "minInclusive": True,
        "minExclusive": True,
        "maxInclusive": False,
        "maxExclusive": False,
        "totalDigits": False,
        "fractionDigits": False,
    }
)


@dataclass(frozen=True, slots=True)
class Facets:
    """A simple type: built-in base, codes with what they mean, patterns and bounds as written.

    `codes` is None where no enumeration restricts the text. All `patterns` must match.
    """

    base: str
    codes: Mapping[str, str] | None = None
    patterns: frozenset[str] = frozenset()
    bounds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shift:
    """One difference of two simple types: `way` is -1 for narrower, 1 for wider, 0 for unknown."""

    aspect: str
    before: str
    after: str
    way: int


def compare(old: Facets, new: Facets) -> list[Shift]:
    """Return all differences but those of the codes."""
    found = [] if old.base == new.base else [_base(old.base, new.base)]
    if old.patterns != new.patterns:
        found.append(_patterns(old.patterns, new.patterns))
    names = [name for name in BOUNDS if old.bounds.get(name) != new.bounds.get(name)]
    return found + [
        _bound(name, old.bounds.get(name, ""), new.bounds.get(name, "")) for name in names
    ]


def _base(old: str, new: str) -> Shift:
    way = -1 if old in _above(new) else 1 if new in _above(old) else 0
    return Shift("type", old, new, way)


def _above(name: str) -> set[str]:
    found: set[str] = set()
    while name in _PARENT:
        name = _PARENT[name]
        found.add(name)
    return found


def _patterns(old: frozenset[str], new: frozenset[str]) -> Shift:
    way = -1 if old < new else 1 if new < old else 0
    return Shift("pattern", " & ".join(sorted(old)), " & ".join(sorted(new)), way)


def _bound(name: str, old: str, new: str) -> Shift:
    if not old or not new:
        return Shift(name, old, new, 1 if old else -1)
    try:
        larger = float(new) > float(old)
    except ValueError:  # dates and durations: only that it differs is certain
        return Shift(name, old, new, 0)
    return Shift(name, old, new, -1 if larger == BOUNDS[name] else 1)
