"""The limit: parse, validate, transform and write in a bare loop, with nothing around it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from lxml import etree

from benchmarks import site
from benchmarks.effort import Effort
from benchmarks.failure import Failed
from benchmarks.figures import Figure, Part
from broker import pipeline
from broker.app import load_site
from broker.message import Facts, now
from broker.stylesheet import Stylesheet

OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "remove_comments": True,
    "remove_pis": True,
}


class Bare:
    """The product's own compiled schema and stylesheet, called as directly as lxml allows.

    Each thread has a parser of its own; schema, stylesheet and its parameters are shared and made
    once. What the product adds (size limits, the head, base64, facts per message) is left out.
    """

    def __init__(self, found: pipeline.Site) -> None:
        """Take schema and stylesheet out of a loaded site."""
        adapter = found.catalog.get("wolfsburg/bau")
        step = inspect.getattr_static(type(adapter), "to_legacy")
        assert isinstance(step, Stylesheet)
        envelope = found.standards.envelope(found.standards.parse(site.template()))
        facts = Facts("B" * 13, "", now(), envelope.recipient, envelope.sender, test=envelope.test)
        # The very objects that the product uses: any other schema or sheet would be another limit.
        version = found.standards._standards[envelope.standard].versions[envelope.version]
        validator = version.validators[envelope.namespace]
        self._validate: Any = validator._gate
        self._understood = validator._understood
        self._sheet: Any = step._sheet
        self._arguments = step._arguments(facts)
        self._within = step.functions.of(facts)

    def slow(self) -> Any:
        """Return the same schema as an object of xmlschema."""
        return self._understood()

    def convert(self, root: Any) -> bytes:
        """Run the stylesheet alone."""
        with self._within:
            return bytes(self._sheet(root, **self._arguments))

    def rate(self, messages: Sequence[bytes], threads: int) -> float:
        """Return messages per second; raises Failed where one is not valid."""
        start = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            shares = (messages[first::threads] for first in range(threads))
            good = sum(pool.map(self._loop, shares))
        seconds = time.perf_counter() - start
        if good < len(messages):
            raise Failed("a message of the benchmark is not valid")
        return len(messages) / seconds

    def _loop(self, messages: Sequence[bytes]) -> int:
        parser = etree.XMLParser(**OPTIONS)
        validate, sheet, arguments = self._validate.validate, self._sheet, self._arguments
        with self._within:
            for number, raw in enumerate(messages):
                root = etree.fromstring(raw, parser)
                if not validate(root):
                    return number
                bytes(sheet(root, **arguments))
        return len(messages)


def measure(effort: Effort, folder: Path) -> Part:
    """Measure it with one and with two threads, in turns."""
    place = site.build(folder / "bare")
    bare = Bare(load_site(place.settings, place.environ, site.BENCH_KINDS))
    messages = site.messages(effort.backlog)
    bare.rate(messages, 2)
    start = time.process_time()
    pairs = [(bare.rate(messages, 1), bare.rate(messages, 2)) for _ in range(effort.rounds)]
    spent = (time.process_time() - start) / (2 * effort.rounds * effort.backlog)
    return Part(
        "bare",
        "the XML work alone, in a bare loop",
        (
            Figure("one thread", median(one for one, _ in pairs), "msg/s"),
            Figure("two threads", median(two for _, two in pairs), "msg/s"),
            Figure("two threads to one", median(two / one for one, two in pairs)),
            Figure("processor a message", 1000 * spent, "ms"),
            Figure("message", len(messages[0]) / 1000, "KB"),
        ),
        (f"schema: {place.schema}",),
    )
