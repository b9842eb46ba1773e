"""Message Translators: what converts between XÖV and one procedure of one city."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lxml import etree

from broker.codes import Lists
from broker.document import Document
from broker.errors import (
    ConfigError,
    ConversionFailed,
    Finding,
    Refusal,
    ReplyError,
    SchemaViolation,
)
from broker.message import Facts
from broker.step import Converter, Step, tree


@dataclass(frozen=True, slots=True)
class Correlation:
    """What a reply says of itself: our 13-character reference, the file number, or neither."""

    reference: str = ""
    number: str = ""


class Adapter:
    """Converts both ways for one procedure in one city; pure: no network, clock, database or log.

    A subclass says what it `accepts` (`standard/version`) and gives both directions, as steps
    (`Stylesheet("to_legacy.xsl") | FixedWidth(…)`) or as methods. One instance serves all threads.

    `requires` are XPaths below the root, with `prefixes`, that must exist in a request. `reference`
    and `number` are the local names of the reply's elements that hold our reference and the file
    number. `suffix` is what files in the procedure's format end with.
    """

    accepts: ClassVar[tuple[str, ...]] = ()
    requires: ClassVar[tuple[str, ...]] = ()
    prefixes: ClassVar[Mapping[str, str]] = {"xbau": "http://www.xleitstelle.de/xbau/2/6"}
    reference: ClassVar[str] = "Referenz"
    number: ClassVar[str] = "Aktenzeichen"
    suffix: ClassVar[str] = ".xml"

    to_legacy: Converter
    to_xoev: Converter

    def __init__(self) -> None:
        """Compile everything; raise ConfigError with every finding."""
        folder = Path(inspect.getfile(type(self))).parent
        steps = [step for step in self._steps() if isinstance(step, Step)]
        self._placed = tuple(steps)
        findings: list[Finding] = [*self._missing()]
        for step in steps:
            step.place(folder)
            findings += _loaded(step)
        if findings:
            raise ConfigError("the adapter cannot be used", findings=findings)
        self._required = self._compile_required()
        self._reader = self.to_xoev if isinstance(self.to_xoev, Step) else None
        self._forth, self._back = self.to_legacy, self.to_xoev
        self.to_legacy, self.to_xoev = self._checked, self._answered

    def use(self, lists: Lists) -> None:
        """Let the steps find codes in the lists of the installation (`x:code('urn:…', node)`)."""
        for step in self._placed:
            step.use(lists)

    def check(self, document: Document) -> None:
        """Raise SchemaViolation (X001) with the paths that this adapter needs and does not find."""
        if not self._required or self._required[0](document.root):
            return
        findings = [
            Finding("is missing, this procedure needs it", path=path, code="X001")
            for path, present in zip(self.requires, self._required[1:], strict=True)
            if not present(document.root)
        ]
        paths = ", ".join(finding.path for finding in findings)
        raise SchemaViolation(f"this procedure needs {paths}", findings=findings)

    def replies(self, data: bytes) -> tuple[bytes, ...]:
        """Split what the procedure sent into single replies; here: it is one."""
        return (data,)

    def correlate(self, reply: bytes) -> Correlation:
        """Read our reference and the file number; ReplyError if it is unreadable or has several."""
        try:
            root = self._reader.read(reply) if self._reader else tree(reply)
        except (Refusal, ConversionFailed) as error:
            raise ReplyError(f"the reply cannot be read: {error}", reason=error.reason) from error
        return Correlation(_only(root, self.reference), _only(root, self.number))

    def _checked(self, source: Document | bytes, facts: Facts, /) -> bytes:
        if isinstance(source, Document):
            self.check(source)
        return self._forth(source, facts)

    def _answered(self, source: Document | bytes, facts: Facts, /) -> bytes:
        try:
            return self._back(source, facts)
        except (Refusal, ConversionFailed) as error:
            text = f"the reply cannot be converted: {error}"
            raise ReplyError(text, reason=error.reason, findings=error.findings) from error

    def _steps(self) -> list[Any]:
        """Return every attribute of the class, those of the bases first, each once."""
        names = {name: None for kind in reversed(type(self).__mro__) for name in vars(kind)}
        return [inspect.getattr_static(self, name) for name in names]

    def _missing(self) -> list[Finding]:
        gaps = [name for name in ("to_legacy", "to_xoev") if not hasattr(self, name)]
        gaps += [] if self.accepts else ["accepts"]
        return [Finding(f'class {type(self).__name__} has no "{name}"') for name in gaps]

    def _compile_required(self) -> tuple[etree.XPath, ...]:
        if not self.requires:
            return ()
        together = " and ".join(f"boolean({path})" for path in self.requires)
        try:
            return tuple(
                etree.XPath(path, namespaces=dict(self.prefixes), regexp=False)
                for path in (together, *self.requires)
            )
        except etree.XPathSyntaxError as error:
            findings = [Finding(f'a path of "requires" cannot be used ({error})')]
            raise ConfigError("the adapter cannot be used", findings=findings) from error


def _loaded(step: Step) -> tuple[Finding, ...]:
    try:
        step.load()
    except ConfigError as error:
        return error.findings
    return ()


def _only(root: etree._Element, name: str) -> str:
    found = {(element.text or "").strip() for element in root.iter(f"{{*}}{name}")} - {""}
    if len(found) > 1:
        raise ReplyError(f"the reply holds {len(found)} different {name}; nothing is guessed")
    return found.pop() if found else ""
