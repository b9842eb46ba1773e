"""What changed between two versions of a standard, said in the language of the standard.

Messages are compared from their roots down, pair by pair of types; a type that many messages use is
compared once. A type that only got another name is followed, so that a rename alone is no change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.errors import ConfigError
from broker.values import closest
from broker.xoev import assertions
from broker.xoev.bundle import Bundle
from broker.xoev.change import Change, Lists, Track
from broker.xoev.comparison import Comparison
from broker.xoev.outline import Outline
from broker.xoev.place import OFFICIAL, PREVIOUS
from broker.xoev.rules import FOLDER as RULES

#: Notes of a diff; a page says them in its own language.
NO_RULES: Final = "neither version has Schematron files here, so rules were not compared"
ONE_SIDED: Final = " has no Schematron files here, so every rule of the other version is told"

_DIGITS: Final = re.compile(r"\d+(?:[./_-]\d+)*[a-z]?(?![a-z])")


@dataclass(frozen=True, slots=True)
class Diff:
    """All changes from one version to another.

    `spaces` maps each old namespace to the new one, `kinds` are the messages of both.
    """

    old: str
    new: str
    spaces: Mapping[str, str]
    kinds: tuple[str, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    def of(self, kinds: Iterable[str]) -> tuple[Change, ...]:
        """Return the changes that concern these message kinds; rules concern all."""
        wanted = set(kinds)
        return tuple(one for one in self.changes if not one.messages or wanted & {*one.messages})

    @property
    def strict(self) -> tuple[Change, ...]:
        """The changes that can refuse a message which was valid before."""
        return tuple(change for change in self.changes if change.difference.strict)


def compare(
    old: Bundle,
    new: Bundle,
    kind: str = "",
    lists: Lists | None = None,
    track: Track | None = None,
) -> Diff:
    """Compare two bundles, or one message kind of them.

    Raises ConfigError where schemas are broken or incomplete, or neither version has the kind.
    """
    before, after = Outline(old), Outline(new)
    spaces = successors(before.namespaces, after.namespaces)
    comparison = Comparison(before, after, spaces, lists or _none)
    pairs = _pairs([*before.messages], [*after.messages])
    found = comparison.messages(_chosen(pairs, kind), track or _silent)
    rules = assertions.compare(assertions.read(*_rules(old)), assertions.read(*_rules(new)))
    kinds = tuple(sorted({*before.messages, *after.messages}))
    changes = [*found, *(assertions.concerning(rule, kinds) for rule in rules)]
    chosen = [one for one in changes if not (kind and one.messages) or kind in one.messages]
    return Diff(
        old.name, new.name, spaces, kinds, tuple(sorted(chosen, key=_order)), _notes(old, new)
    )


def successors(old: Iterable[str], new: Iterable[str]) -> dict[str, str]:
    """Return for each old namespace its successor: the same, else the same but for its version."""
    before, after = set(old), set(new)
    found = {name: name for name in before & after}
    rest: dict[str, list[str]] = {}
    for name in sorted(after - before, key=natural):
        rest.setdefault(_DIGITS.sub("#", name), []).append(name)
    for name in sorted(before - after, key=natural):
        if left := rest.get(_DIGITS.sub("#", name)):
            found[name] = left.pop(0)
    return found


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts versions as people do: 2.9 before 2.10."""
    parts = re.split(r"(\d+)", text)
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)


def _pairs(old: list[str], new: list[str]) -> dict[str, str]:
    """Return which old kind became which new one: the same name, else the same four digits."""
    pairs = {name: name for name in old if name in new}
    digits = {name[-4:]: name for name in new if name not in pairs and name[-4:].isdigit()}
    for name in old:
        if name not in pairs:
            pairs[name] = digits.pop(name[-4:], "")
    gone = set(pairs.values())
    return pairs | {"+" + name: name for name in new if name not in gone}


def _chosen(pairs: dict[str, str], kind: str) -> list[tuple[str, str]]:
    """Return pairs of old and new kind, either may be empty."""
    found = [("" if old.startswith("+") else old, new) for old, new in pairs.items()]
    if not kind:
        return found
    chosen = [pair for pair in found if kind in pair]
    if not chosen:
        near = closest(kind, {name for pair in found for name in pair if name})
        raise ConfigError(f'neither version has a message "{kind}"{near}')
    return chosen


def _order(change: Change) -> tuple[int, bool, str, str, str, str]:
    one = change.difference
    areas = ("message", "element", "attribute", "type", "codelist", "rule")
    return areas.index(one.area), not one.strict, one.owner, one.path, one.what, one.aspect


def _rules(bundle: Bundle) -> tuple[Path, ...]:
    """Return where rules lie: an operator may add some beside an installed bundle."""
    installed = bundle.profile or bundle.folder.name in (OFFICIAL, PREVIOUS)
    return (bundle.folder, bundle.folder.parent / RULES) if installed else (bundle.folder,)


def _notes(old: Bundle, new: Bundle) -> tuple[str, ...]:
    bare = [one.name for one in (old, new) if not assertions.files(*_rules(one))]
    if len(bare) == 2:
        return (NO_RULES,)
    return tuple(f"{name}{ONE_SIDED}" for name in bare)


def _none(_uri: str, _version: str) -> None:
    return None


def _silent(items: Sequence[str], _label: str) -> Iterable[str]:
    return items
