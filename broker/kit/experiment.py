"""One conversion, repeated with other values: what does each of them change?

This works for any adapter, whatever it is written in, because it looks at nothing but what goes in
and what comes out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Final

from broker.adapter import Adapter
from broker.codes import Codes
from broker.errors import BrokerError
from broker.kit import leaves, variants
from broker.kit.leaves import Fields, Leaf
from broker.message import Authority, Facts
from broker.step import Chain, Step
from broker.stylesheet import Stylesheet

FORTH: Final = "to_legacy"
BACK: Final = "to_xoev"
#: Stands for a field where a value decides which message is written at all.
WHICH: Final = "/"

#: What the code of an adapter may raise on a value that it did not expect.
_STOPS: Final = (
    ArithmeticError, AttributeError, BrokerError, LookupError, TypeError, ValueError,
)  # fmt: skip
_MOST_CODES: Final = 12


@dataclass(frozen=True, slots=True)
class Touch:
    """What one value of a sample did: the target fields that took it, and those that it steered.

    `lists` are the code lists it was looked up in; `kept` says that the broker itself reads it;
    `part` that the output holds only a part of it; `stops` that another value ended the conversion.
    """

    path: str
    value: str
    fields: frozenset[str] = frozenset()
    steers: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    kept: bool = False
    part: bool = False
    stops: bool = False

    @property
    def arrives(self) -> bool:
        """Whether the output would be another without it."""
        return bool(self.fields or self.steers or self.lists or self.stops)


@dataclass(frozen=True, slots=True)
class Trace:
    """One conversion of one sample: what came out, and what each value that went in did.

    `source` and `target` are the local names of the roots; `facts` the target fields that a fact
    of the delivery (`reference`, `received` …) is written to.
    """

    sample: str
    direction: str
    source: str
    target: str
    fields: Fields
    touches: tuple[Touch, ...] = ()
    facts: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setup:
    """What an experiment needs: the values that can be replaced, how to convert what they stand in,
    and whether the broker itself reads a value that was just replaced.
    """

    adapter: Adapter
    sample: str
    direction: str
    kind: str
    leaves: tuple[Leaf, ...]
    convert: Callable[[Facts], bytes]
    facts: Facts
    kept: Callable[[Leaf], bool]


def steps(adapter: Adapter, direction: str) -> tuple[Step, ...]:
    """Return the steps of a direction, or none where the adapter has a method for it."""
    found = inspect.getattr_static(type(adapter), direction)
    if isinstance(found, Chain):
        return found.steps
    return (found,) if isinstance(found, Step) else ()


@dataclass(frozen=True, slots=True)
class _Made:
    """What one conversion wrote, and which codes it looked up (list, code)."""

    kind: str
    fields: Fields
    looked: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one conversion with another value did, next to the one without."""

    fields: frozenset[str] = frozenset()
    steers: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    stops: bool = False

    def __or__(self, other: _Seen) -> _Seen:
        return _Seen(
            self.fields | other.fields,
            self.steers | other.steers,
            self.lists | other.lists,
            self.stops or other.stops,
        )

    @property
    def anything(self) -> bool:
        return bool(self.fields or self.steers or self.lists or self.stops)


class Experiment:
    """One conversion that can be repeated with other values."""

    def __init__(self, setup: Setup) -> None:
        """Convert once, to have what the others are compared with; None where that fails."""
        self.setup = setup
        way = steps(setup.adapter, setup.direction)
        self._last = way[-1] if way else None
        self._sheets = [step for step in way if isinstance(step, Stylesheet)]
        self.baseline = self._attempt(setup.facts)

    def run(self, known: Mapping[str, set[str]]) -> Trace:
        """Try every value; `known` are the values that samples hold at a path."""
        assert self.baseline is not None
        touches = tuple(
            self.touch(leaf, known[f"{self.setup.direction} {leaf.path}"])
            for leaf in self.setup.leaves
        )
        return Trace(
            self.setup.sample, self.setup.direction, self.setup.kind, self.baseline.kind,
            self.baseline.fields, touches,
            {name: self._fact(other) for name, other in _others(self.setup.facts)},
        )  # fmt: skip

    def touch(self, leaf: Leaf, known: set[str]) -> Touch:
        """Put other values where one stands, and say what that did."""
        found, part = self._try(leaf, variants.whole(leaf.value)), False
        if found.stops or not found.anything:
            for value in self._alternatives(leaf, known):
                found |= self._try(leaf, value)
        if found.anything:
            pieces = [self._try(leaf, one) for one in variants.parts(leaf.value)]
            part = any(not one.anything for one in pieces)
            found = _exact(found, pieces)
        try:
            leaf.put(variants.whole(leaf.value))
            kept = self.setup.kept(leaf)
        finally:
            leaf.put(leaf.value)
        return Touch(
            leaf.path, leaf.value, found.fields, found.steers, found.lists, kept, part, found.stops
        )

    def _alternatives(self, leaf: Leaf, known: set[str]) -> Iterator[str]:
        """Yield values that mean something to the adapter: other codes, those of other samples."""
        others: dict[str, None] = {}
        for sheet in self._sheets:
            for codes in sheet.functions.codes.lists.values():
                if leaf.value in codes:
                    others |= dict.fromkeys(list(codes)[:_MOST_CODES])
        others |= dict.fromkeys(sorted(known)[:_MOST_CODES])
        yield from (value for value in others if value != leaf.value)

    def _try(self, leaf: Leaf, value: str) -> _Seen:
        try:
            leaf.put(value)
            return self._compare(self._attempt(self.setup.facts))
        except ValueError:
            return _Seen()  # not a value that the document could hold
        finally:
            leaf.put(leaf.value)

    def _fact(self, other: Facts) -> frozenset[str]:
        return self._compare(self._attempt(other)).fields

    def _compare(self, made: _Made | None) -> _Seen:
        assert self.baseline is not None
        if made is None:
            return _Seen(stops=True)
        looked = frozenset(name for name, _ in made.looked ^ self.baseline.looked)
        if made.kind != self.baseline.kind:
            return _Seen(steers=frozenset({WHICH}), lists=looked)
        before, after = self.baseline.fields, made.fields
        paths = before.keys() | after.keys()
        differ = {path for path in paths if before.get(path) != after.get(path)}
        steers = {
            path for path in differ if _filled(before.get(path, ())) != _filled(after.get(path, ()))
        }
        return _Seen(frozenset(differ - steers), frozenset(steers), looked)

    def _attempt(self, facts: Facts) -> _Made | None:
        """Convert and return what came out and which codes were looked up; None if it failed."""
        before = [sheet.functions.codes for sheet in self._sheets]
        spies = [_Spy(codes) for codes in before]
        try:
            for sheet, spy in zip(self._sheets, spies, strict=True):
                sheet.functions.codes = spy.codes
            data = self.setup.convert(facts)
            found = leaves.fields(data, self._last, self.setup.adapter.prefixes)
        except _STOPS:
            return None
        finally:
            for sheet, codes in zip(self._sheets, before, strict=True):
                sheet.functions.codes = codes
        looked = frozenset(pair for spy in spies for pair in spy.looked)
        return _Made(leaves.kind(data), found, looked)


def _exact(whole: _Seen, pieces: list[_Seen]) -> _Seen:
    """Join what the whole value did and its pieces; a piece says more exactly which field it is."""
    found = _Seen()
    for one in pieces:
        found |= one
    return replace(found | whole, fields=found.fields or whole.fields)


class _Spy:
    """Code lists that remember what was looked up in them."""

    def __init__(self, codes: Codes) -> None:
        self.looked: set[tuple[str, str]] = set()
        self.codes = Codes({
            name: _Watched(rows, name, self.looked) for name, rows in codes.lists.items()
        })  # fmt: skip


class _Watched(dict[str, Mapping[str, str]]):
    def __init__(
        self, rows: Mapping[str, Mapping[str, str]], name: str, looked: set[tuple[str, str]]
    ) -> None:
        super().__init__(rows)
        self._name = name
        self._looked = looked

    def __getitem__(self, code: str) -> Mapping[str, str]:
        self._looked.add((self._name, code))
        return super().__getitem__(code)

    def get(self, code: str, default: Any = None) -> Any:
        self._looked.add((self._name, code))
        return super().get(code, default)


def _others(facts: Facts) -> Iterator[tuple[str, Facts]]:
    """Yield each fact that a conversion may write, by name, with the facts where it is another."""
    for name in ("reference", "message", "test", "digest"):
        if value := getattr(facts, name):
            yield name, _with(facts, name, variants.whole(value))
    yield "received", replace(facts, received=facts.received.replace(year=2031, month=5, day=17))
    if facts.original:
        yield "original", replace(facts, original=b"<other/>")
    for name in ("reader", "author"):
        office = getattr(facts, name)
        changed = [variants.whole(text) if text else "" for text in astuple(office)]
        yield name, _with(facts, name, Authority(*changed))
    for name in ("uuid", "created", "code", "case"):
        if facts.answered is not None and (value := getattr(facts.answered, name)):
            other = _with(facts.answered, name, variants.whole(value))
            yield f"answered.{name}", replace(facts, answered=other)


def _with(value: Any, name: str, other: object) -> Any:
    return replace(value, **{name: other})


def _filled(values: tuple[str, ...]) -> int:
    return sum(1 for value in values if value)
