"""Schematron rules by id: which were added, removed or changed between versions.

Nothing is evaluated here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from broker.xoev import schematron
from broker.xoev.change import Change, Difference, What


@dataclass(frozen=True, slots=True)
class Assertion:
    """One assert or report: what it tests, where (contexts, sorted), and what people read."""

    test: str
    contexts: tuple[str, ...]
    text: str


def files(*folders: Path) -> list[Path]:
    """Return the Schematron files below some folders, which need not exist."""
    return [path for folder in folders for path in sorted(folder.rglob("*.sch"))]


def read(*folders: Path) -> dict[str, Assertion]:
    """Return all rules with an id below some folders; raises ConfigError where a file is broken."""
    found: dict[str, Assertion] = {}
    for path in files(*folders):
        for pattern in schematron.read(path).patterns:
            for rule in pattern.rules:
                _collect(rule, found)
    return found


def _collect(rule: schematron.Rule, found: dict[str, Assertion]) -> None:
    for one in rule.assertions:
        if one.id:
            known = found.get(one.id) or Assertion(_flat(one.test), (), one.text)
            contexts = tuple(sorted({*known.contexts, _flat(rule.context)}))
            found[one.id] = replace(known, contexts=contexts)


def compare(old: Mapping[str, Assertion], new: Mapping[str, Assertion]) -> list[Change]:
    """Return what changed, by id; `messages` holds the contexts, see `concerning`."""
    found: list[Change] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        contexts = tuple(c for one in (before, after) if one for c in one.contexts)
        found += [Change(one, contexts) for one in _compared(name, before, after)]
    return found


def concerning(change: Change, kinds: Iterable[str]) -> Change:
    """Return the change with the message kinds that its contexts name; none: it may be all."""
    names = {step for context in change.messages for step in _names(context)}
    return Change(change.difference, tuple(sorted(names & set(kinds))))


def _compared(name: str, old: Assertion | None, new: Assertion | None) -> Iterator[Difference]:
    if old is None and new is not None:
        yield Difference(What.ADDED, "rule", name, "", "rule", "", new.test, True)
    elif new is None and old is not None:
        yield Difference(What.REMOVED, "rule", name, "", "rule", old.test, "")
    elif old and new:
        wheres = "; ".join(old.contexts), "; ".join(new.contexts)
        for aspect, before, after in (
            ("test", old.test, new.test),
            ("context", *wheres),
            ("text", old.text, new.text),
        ):
            if before != after:
                strict = aspect != "text"
                yield Difference(What.CHANGED, "rule", name, "", aspect, before, after, strict)


def _names(context: str) -> Iterator[str]:
    for step in context.replace("|", "/").replace("[", "/").split("/"):
        yield step.strip().rpartition(":")[2]


def _flat(text: str) -> str:
    return " ".join(text.split())
