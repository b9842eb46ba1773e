"""Judging a message: the schema against libxml2 alone, then code lists and business rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from lxml import etree

from benchmarks import bundles, site
from benchmarks.bare import OPTIONS
from benchmarks.effort import Effort
from benchmarks.figures import Figure, Part, least
from broker.app import load_site
from broker.document import Document
from broker.message import Envelope, now
from broker.pipeline import Site

_LISTS = ("xbau_2.6", "xbau-kernmodul_1.3.0", "genericode")
_REPLY = site.ROOT / "adapters/wolfsburg/bau/samples/einfach/4-reply.xoev.xml"


@dataclass(frozen=True, slots=True)
class Matter:
    """What is judged: the same messages as bytes, parsed, and with their heads read."""

    raw: Sequence[bytes]
    documents: Sequence[Document]
    envelopes: Sequence[Envelope]

    def each(self, work: Callable[[Document, Envelope], object]) -> Callable[[], None]:
        """Return what does some work for every message."""

        def loop() -> None:
            for document, envelope in zip(self.documents, self.envelopes, strict=True):
                work(document, envelope)

        return loop


def measure(effort: Effort, folder: Path) -> Part:
    """Measure in turns; rules and lists only where official bundles are."""
    place = site.build(folder / "checks")
    notes = [f"schema: {place.schema}"]
    if bundles.there():
        bundles.put(place.schemas, _LISTS)
    else:
        notes.append(f"code lists and rules left out: {bundles.ABSENT}")
    found = load_site(place.settings, place.environ, site.BENCH_KINDS)
    matter = _matter(found, site.messages(effort.judged))
    figures = _gate(found, matter, effort.rounds)
    if bundles.there():
        figures += _codes(found, matter, effort.rounds)
        for raw in (matter.raw[0], _REPLY.read_bytes()):
            few = _matter(found, [raw] * min(50, effort.judged))
            figures += _rules(found, few, effort.rounds)
    return Part("checks", "judging a message of 8 KB on one thread", tuple(figures), tuple(notes))


def _matter(found: Site, raw: Sequence[bytes]) -> Matter:
    documents = [found.standards.parse(one) for one in raw]
    return Matter(raw, documents, [found.standards.envelope(one) for one in documents])


def _gate(found: Site, matter: Matter, rounds: int) -> list[Figure]:
    """Compare the gate with the compiled schema that it uses, with and without parsing."""
    head, standards, at = matter.envelopes[0], found.standards, now()
    version = standards._standards[head.standard].versions[head.version]
    validator = version.validators[head.namespace]
    schema: Any = validator._gate

    def bare() -> None:
        parser = etree.XMLParser(**OPTIONS)
        for raw in matter.raw:
            schema.validate(etree.fromstring(raw, parser))

    def whole() -> None:
        for raw in matter.raw:
            document = standards.parse(raw)
            standards.validate(document, standards.envelope(document), at)

    alone, gate, bare_parsed, parsed = turns(
        (
            matter.each(lambda document, _: schema.validate(document.root)),
            matter.each(lambda document, _: validator.check(document)),
            bare,
            whole,
        ),
        rounds,
        len(matter.raw),
    )
    return [
        Figure("gate to bare lxml", alone / gate, goal=least(0.9)),
        Figure("with parse, head and calendar, to bare lxml", bare_parsed / parsed),
        Figure("gate", gate, "µs"),
        Figure("parse, head, calendar and gate", parsed, "µs"),
    ]


def _codes(found: Site, matter: Matter, rounds: int) -> list[Figure]:
    count = len(found.checks.coded(matter.documents[0], matter.envelopes[0]))
    (micros,) = turns((matter.each(found.checks.codes),), rounds, len(matter.raw))
    return [
        Figure("code lists", micros, "µs"),
        Figure("code lists, a code", micros / max(1, count), "µs"),
        Figure("codes a message", count),
    ]


def _rules(found: Site, matter: Matter, rounds: int) -> list[Figure]:
    head = matter.envelopes[0]
    rules = found.checks.rules.of(head.standard, head.version)
    (micros,) = turns((matter.each(found.checks.judged),), rounds, len(matter.raw))
    name = f"rules of {head.standard} {head.version}"
    return [
        Figure(name, micros / 1000, "ms"),
        Figure(f"{name}, an assertion", micros / max(1, rules.size), "µs"),
        Figure(f"{name}, assertions", rules.size),
    ]


def turns(loops: Sequence[Callable[[], None]], rounds: int, count: int) -> list[float]:
    """Return the median of each loop in µs a message, all taken in turns."""
    times: list[list[float]] = [[] for _ in loops]
    for _ in range(rounds):
        for loop, taken in zip(loops, times, strict=True):
            start = time.perf_counter()
            loop()
            taken.append(1e6 * (time.perf_counter() - start) / count)
    return [median(taken) for taken in times]
