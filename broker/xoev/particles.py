"""How often an element may stand in a content, computed over sequences, choices and repetitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from lxml import etree


@dataclass(frozen=True, slots=True)
class Use:
    """An element or attribute where it is used: name, namespace (empty: unqualified), how often.

    `type` is the key of its type, `owner` the named type or message that declares it, `most` may
    be infinite.
    """

    name: str
    namespace: str
    least: int
    most: float
    type: str
    owner: str
    fixed: str | None = None

    @property
    def times(self) -> str:
        """How often it may stand, as XÖV writes it: `0..1`, `1..n`."""
        return f"{self.least}..{'n' if self.most == inf else int(self.most)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives of which one may stand, or must where it is `required`; each a set of names.

    One that `repeats` excludes nothing, but its names may stand in any order.
    """

    alternatives: frozenset[frozenset[str]]
    required: bool
    repeats: bool = False

    def parts(self, one: str, other: str) -> bool:
        """Whether two names stand in different alternatives."""
        return any(one in names for names in self.alternatives) and any(
            other in names and one not in names for names in self.alternatives
        )

    def of(self, names: frozenset[str]) -> Choice | None:
        """Return what is left of it for these names; None where nothing is left to choose."""
        left = frozenset(one & names for one in self.alternatives) - {frozenset()}
        return replace(self, alternatives=left) if len(left) > 1 else None

    def __str__(self) -> str:
        return " | ".join(sorted(" + ".join(sorted(one)) for one in self.alternatives))


@dataclass(frozen=True, slots=True)
class Group:
    """A model group: elements in order, the choices in it, whether any element may stand."""

    elements: Mapping[str, Use] = field(default_factory=dict)
    choices: frozenset[Choice] = frozenset()
    open: bool = False


def joined(parts: Sequence[Mapping[str, Use]]) -> dict[str, Use]:
    """Add up elements that stand one after the other."""
    found: dict[str, Use] = {}
    for part in parts:
        for name, use in part.items():
            other = found.get(name)
            found[name] = use if other is None else _plus(other, use)
    return found


def sequence(parts: Sequence[Group]) -> Group:
    """Combine what stands one after the other."""
    return Group(joined([part.elements for part in parts]), _choices(parts), _open(parts))


def choice(parts: Sequence[Group], required: bool = True) -> Group:
    """Combine alternatives: the fewest of all and the most of all."""
    found: dict[str, Use] = {}
    for name in dict.fromkeys(name for part in parts for name in part.elements):
        uses = [part.elements[name] for part in parts if name in part.elements]
        least = min(use.least for use in uses) if len(uses) == len(parts) else 0
        found[name] = replace(uses[0], least=least, most=max(use.most for use in uses))
    names = frozenset(frozenset(part.elements) for part in parts) - {frozenset()}
    needed = required and all(_needed(part) for part in parts)
    own = {Choice(names, needed)} if len(names) > 1 else set()
    return Group(found, _choices(parts) | own, _open(parts))


def unordered(parts: Sequence[Group]) -> Group:
    """Combine what stands in any order (`xs:all`)."""
    names = frozenset(frozenset(part.elements) for part in parts)
    group = sequence(parts)
    return replace(group, choices=group.choices | {Choice(names, False, repeats=True)})


def times(group: Group, node: etree._Element) -> Group:
    """Repeat a group as `minOccurs` and `maxOccurs` of its node say."""
    least = int(node.get("minOccurs", "1"))
    written = node.get("maxOccurs", "1")
    most = inf if written == "unbounded" else int(written)
    if most == 0:
        return Group()
    if (least, most) == (1, 1):
        return group
    elements = {
        name: replace(use, least=use.least * least, most=use.most * most)
        for name, use in group.elements.items()
    }
    choices = frozenset(
        replace(one, required=one.required and least > 0, repeats=one.repeats or most > 1)
        for one in group.choices
    )
    return Group(elements, choices, group.open)


def _needed(group: Group) -> bool:
    return any(use.least for use in group.elements.values()) or any(
        one.required for one in group.choices
    )


def _plus(one: Use, other: Use) -> Use:
    return replace(one, least=one.least + other.least, most=one.most + other.most)


def _choices(parts: Sequence[Group]) -> frozenset[Choice]:
    return frozenset(one for part in parts for one in part.choices)


def _open(parts: Sequence[Group]) -> bool:
    return any(part.open for part in parts)
