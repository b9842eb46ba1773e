"""Converting a message: what the product calls, against the same stylesheet called by lxml."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import site
from benchmarks.checks import turns
from benchmarks.effort import Effort
from benchmarks.figures import Figure, Part, least
from broker.app import load_site
from broker.document import Document, parse
from broker.message import Envelope, Facts
from broker.pipeline import Site
from broker.samples import facts, reply_facts
from broker.step import Chain
from broker.stylesheet import Stylesheet

_INDENT = re.compile(rb"\n +")


@dataclass(frozen=True, slots=True)
class Way:
    """One way of an adapter: where its stylesheet is, and what Python writes behind it."""

    adapter: str
    sheet: str = "to_legacy"
    written: str = ""

    @property
    def name(self) -> str:
        """How the figures of this way begin."""
        return f"{self.adapter}{f', {self.written}' if self.written else ''}"


#: From a parsed request to the procedure's bytes, one adapter for each format.
FORTH = (
    Way("wolfsburg/bau"),
    Way("braunschweig/bau", written="fixed width"),
    Way("salzgitter/bau", written="rows"),
    Way("wolfsburg/gewerbe", written="CSV"),
    Way("salzgitter/gewerbe", "anzeige", "JSON"),
)
#: From the procedure's bytes to the XÖV answer; both sides parse, with the limits of the intake.
BACK = (Way("wolfsburg/bau", "to_xoev"), Way("salzgitter/bau", "antwort"))


def measure(effort: Effort, folder: Path) -> Part:
    """Measure each way in turns with its bare loop, on one thread."""
    place = site.build(folder / "conversion")
    found = load_site(place.settings, place.environ, site.BENCH_KINDS)
    figures: list[Figure] = []
    for way in FORTH:
        figures += _compared(way.name, _forth(found, way, effort.judged), effort, not way.written)
    for way in BACK:
        figures += _compared(f"{way.name}, answer", _back(found, way, effort.judged), effort, True)
    notes = ("the goal is for XML; what other formats get is checked field by field, in Python",)
    return Part("conversion", "an adapter to its bare stylesheet", tuple(figures), notes)


def _compared(
    name: str, loops: Sequence[Callable[[], None]], effort: Effort, xml: bool
) -> list[Figure]:
    for loop in loops:
        loop()
    bare, whole = turns(loops, 3 * effort.rounds, effort.judged)
    goal = least(0.8) if xml else None
    return [Figure(f"{name}, to bare sheet", bare / whole, goal=goal), Figure(name, whole, "µs")]


def _forth(found: Site, way: Way, count: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return the bare loop and the product's, over requests that are parsed already."""
    raw, document, envelope = _request(found, way)
    documents = [document, *(found.standards.parse(raw) for _ in range(count - 1))]
    convert, known = found.catalog.get(way.adapter).to_legacy, facts(envelope)
    within, sheet, arguments = _bare(found, way, known)

    def alone() -> None:
        with within:
            for one in documents:
                bytes(sheet(one.root, **arguments))

    def whole() -> None:
        for one in documents:
            convert(one, known)

    return alone, whole


def _back(found: Site, way: Way, count: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return the bare loop and the product's, over the bytes of a reply."""
    raw, _, envelope = _request(found, way)
    reply = (_folder(way) / "3-reply.legacy.xml").read_bytes()
    convert, known = found.catalog.get(way.adapter).to_xoev, reply_facts(envelope, raw, reply)
    within, sheet, arguments = _bare(found, way, known)

    def alone() -> None:
        with within:
            for _ in range(count):
                bytes(sheet(parse(reply).root, **arguments))

    def whole() -> None:
        for _ in range(count):
            convert(reply, known)

    return alone, whole


def _bare(found: Site, way: Way, known: Facts) -> tuple[Any, Any, dict[str, Any]]:
    """Return what the bare loop calls: the very sheet of the product, its arguments made once."""
    step = inspect.getattr_static(type(found.catalog.get(way.adapter)), way.sheet)
    # The last sheet alone: the one before it in Salzgitter lets messages of XBau 2.6 pass.
    steps = step.steps if isinstance(step, Chain) else (step,)
    sheet = [one for one in steps if isinstance(one, Stylesheet)][-1]
    return sheet.functions.of(known), sheet._sheet, sheet._arguments(known)


def _request(found: Site, way: Way) -> tuple[bytes, Document, Envelope]:
    raw = _INDENT.sub(b"\n", (_folder(way) / "1-request.xoev.xml").read_bytes())
    document = found.standards.parse(raw)
    return raw, document, found.standards.envelope(document)


def _folder(way: Way) -> Path:
    return site.ROOT / "adapters" / way.adapter / "samples/einfach"
