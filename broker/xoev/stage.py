"""Judges messages of older versions as if they had been written for a newer one; nothing is sent.

The namespace carries the version, so it is rewritten, in memory only, and so is the version in the
root or head. Everything else stays as it was: what is then refused is what the sender must change.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from typing import Any, Final

from lxml import etree

from broker.document import Document, split
from broker.errors import Finding, MessageError, Refusal
from broker.message import Authority, Envelope
from broker.xoev.bundle import Bundle
from broker.xoev.diff import successors
from broker.xoev.judgement import Checks, Levels
from broker.xoev.outline import Outline
from broker.xoev.standards import Standards
from broker.xoev.validation import Validator

_DECLARED: Final = re.compile(rb"""(xmlns(?::[^\s=<>'"]+)?\s*=\s*)(["'])([^"'<>]*)\2""")


class Stage:
    """A newer version, ready to judge messages of older ones; its calendar does not matter."""

    def __init__(
        self,
        bundle: Bundle,
        name: tuple[str, str],
        standards: Standards,
        checks: Checks | None = None,
    ) -> None:
        """Take the schemas, `(standard, version)`, and what checks codes and rules, if anything."""
        self.bundle = bundle
        self.standard, self.version = name
        self._standards = standards
        installed = standards.installed(*name) and standards.bundle(*name) is bundle
        self._written = standards.calendar(*name).written if installed else self.version
        # A profile knows no code lists, and the rules of another installation prove nothing.
        self._checks = checks if installed and not bundle.profile else None
        self._fixed: dict[str, str] | None = None
        self._known = {file.namespace for file in bundle.closure}
        self._lock = threading.Lock()
        self._validators: dict[str, Validator] = {}

    def takes(self, raw: bytes) -> bool:
        """Whether a message is of a namespace whose newer version is here."""
        try:
            document = self._rewritten(raw)
        except Refusal:
            return False
        return document.namespace in self.bundle.namespaces

    def judge(self, raw: bytes, levels: Levels | None = None) -> tuple[Finding, ...]:
        """Return why the newer version would refuse a message; no finding holds a value.

        `levels` says whether codes and rules can refuse (default: both). Raises ConfigError where
        its schemas do not compile.
        """
        try:
            document = self._rewritten(raw)
            self._validator(document.namespace).check(document)
        except (Refusal, MessageError) as error:
            return error.findings or (Finding(str(error), code=error.reason),)
        return self._beyond(document, levels or Levels())

    def _beyond(self, document: Document, levels: Levels) -> tuple[Finding, ...]:
        """Check codes and rules of a valid message."""
        if self._checks is None:
            return ()
        # Some standards have no head: who writes to whom does not matter here.
        nobody = Authority("")
        envelope = Envelope(
            self.standard, self.version, document.kind, document.namespace, nobody, nobody
        )
        remarks = (
            *self._checks.codes(document, envelope, levels.codelists),
            *self._checks.judged(document, envelope, levels.rules),
        )
        return tuple(remark.finding for remark in remarks if remark.severity == "error")

    def _validator(self, namespace: str) -> Validator:
        if namespace not in self._validators:
            self._validators[namespace] = Validator(self.bundle, namespace, self._lock)
        return self._validators[namespace]

    def _rewritten(self, raw: bytes) -> Document:
        renamed = rewritten(raw, self._known)
        document = self._standards.parse(renamed)
        for element, name in _versions(document.root):
            element.set(name, self._version(document.kind))
        return document

    def _version(self, kind: str) -> str:
        """Return what a message of this kind must call its version: imported ones differ."""
        if self._fixed is None:
            outline = Outline(self.bundle)
            found = {
                name: outline.content(use.type).attributes.get("version")
                for name, use in outline.messages.items()
            }
            self._fixed = {name: use.fixed for name, use in found.items() if use and use.fixed}
        return self._fixed.get(kind, self._written)


def rewritten(raw: bytes, known: Iterable[str]) -> bytes:
    """Return a message whose namespaces are replaced by their newer versions among `known`."""
    declared = {match[3].decode("utf-8", "replace") for match in _DECLARED.finditer(raw)}
    news = {old.encode(): new.encode() for old, new in successors(declared, known).items()}

    def replaced(match: re.Match[bytes]) -> bytes:
        return match[1] + match[2] + news.get(match[3], match[3]) + match[2]

    return _DECLARED.sub(replaced, raw)


def _versions(root: etree._Element) -> Iterable[tuple[Any, str]]:
    """Find where a message says its version: at the root, or in the head (XJustiz)."""
    if root.get("version") is not None:
        yield root, "version"
    for child in root.iterchildren():
        if split(child.tag)[1] == "nachrichtenkopf" and child.get("xjustizVersion") is not None:
            yield child, "xjustizVersion"
