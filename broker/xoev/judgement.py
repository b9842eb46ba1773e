"""All checks of one message, one after the other: what `validate` and its reports tell."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from broker.document import Document
from broker.errors import (
    BrokerError,
    ConfigError,
    Finding,
    MessageError,
    Refusal,
    SchemaMissing,
    UnknownStandard,
)
from broker.message import Envelope
from broker.xoev import coding
from broker.xoev.codelists import CodeLists
from broker.xoev.coding import Coded, Coding
from broker.xoev.remark import Level, Remark, weigh
from broker.xoev.rules import SECONDS, Rules, reason
from broker.xoev.standards import Standards

Outcome = Literal["passed", "failed", "skipped"]
Verdict = Literal["accept", "reject", "undecided"]

WELLFORMED: Final = "wellformed"
SCHEMA: Final = "schema"
CODES: Final = "codelists"
RULES: Final = "rules"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a step judged by: name, version, SHA-256 (hex)."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Step:
    """One check: `note` says why it was skipped, or what its outcome does not cover."""

    name: str
    outcome: Outcome
    remarks: tuple[Remark, ...] = ()
    basis: tuple[Basis, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Levels:
    """What a route wants of the checks beyond the schema (`checks:` in routes.yaml)."""

    codelists: Level = "error"
    rules: Level = "error"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was judged, by what, and the result.

    `digest` is the SHA-256 (hex) of the `size` bytes; `title`, `version` and `kind` are empty
    where the message was not recognised. `undecided` means that this version of its standard is
    not installed: no fault of the sender. `reason` is an XÖV reason code, empty if accepted.
    """

    file: str
    size: int
    digest: str
    at: datetime
    verdict: Verdict
    reason: str
    steps: tuple[Step, ...]
    title: str = ""
    version: str = ""
    kind: str = ""

    @property
    def matched(self) -> bool:
        """Whether an installed standard is in charge of the message."""
        return self.verdict != "undecided" and bool(self.title)


class Checks:
    """The checks beyond the schema, for all standards of an installation. Safe for threads."""

    def __init__(
        self, standards: Standards, lists: CodeLists, rules: Rules, seconds: float = SECONDS
    ) -> None:
        """Take what was loaded; `seconds` is what the rules may take for one message."""
        self.standards = standards
        self.lists = lists
        self.rules = rules
        self._seconds = seconds
        self._codings: dict[tuple[str, str, str], Coding] = {}
        self._lock = threading.Lock()
        self._compiling = threading.Lock()

    def compile_all(self) -> tuple[Finding, ...]:
        """Compile for all standards on the calling thread; return what rules cannot be used."""
        for name in self.standards.names():
            for version in self.standards.versions(name):
                self._compile(name, version)
        return self.rules.findings()

    def codes(
        self, document: Document, envelope: Envelope, level: Level = "error"
    ) -> tuple[Remark, ...]:
        """Check the codes of a valid message against the installed lists.

        A profile does not say which list an element of the body draws on: with nothing more than
        that installed, or without any list, nothing is checked.
        """
        if level == "off" or not self.lists or self.profiled(envelope):
            return ()
        found = self.coded(document, envelope)
        one = self._coding(envelope.standard, envelope.version, envelope.namespace)
        known = self.standards.bundle(envelope.standard, envelope.version).vocabulary
        remarks = coding.check(
            found, self.lists, one.fixed, coding.reasons(envelope.standard), known
        )
        return weigh(remarks, level)

    def profiled(self, envelope: Envelope) -> bool:
        """Whether only a profile of the standard is installed."""
        return self.standards.bundle(envelope.standard, envelope.version).profile

    def coded(self, document: Document, envelope: Envelope) -> list[Coded]:
        """Return the codes of a valid message that name a list."""
        one = self._coding(envelope.standard, envelope.version, envelope.namespace)
        return one.codes(document)

    def judged(
        self, document: Document, envelope: Envelope, level: Level = "error"
    ) -> tuple[Remark, ...]:
        """Apply the business rules to a valid message; errors carry the reason code."""
        if level == "off":
            return ()
        rules = self.rules.of(envelope.standard, envelope.version)
        known = self.standards.bundle(envelope.standard, envelope.version).vocabulary
        remarks = rules.check(document, self._seconds, known)
        return weigh(_coded(remarks, reason(envelope.standard)), level)

    def _compile(self, standard: str, version: str) -> None:
        for namespace in sorted(self.standards.bundle(standard, version).namespaces):
            # One that is no namespace of messages is never asked for; the schemas of the others
            # were compiled, and their faults told, by the standards themselves.
            with suppress(ConfigError):
                self._coding(standard, version, namespace).compile()

    def _coding(self, standard: str, version: str, namespace: str) -> Coding:
        key = (standard, version, namespace)
        with self._lock:
            if key not in self._codings:
                bundle = self.standards.bundle(standard, version)
                self._codings[key] = Coding(bundle, namespace, self._compiling)
            return self._codings[key]


def judge(
    raw: bytes, file: str, checks: Checks, at: datetime, levels: Levels | None = None
) -> Judgement:
    """Judge bytes that were received at a time, as an intake and a worker would; never raises a
    Refusal or a MessageError.

    A step is skipped where the one before it failed, as in the validator of KoSIT.
    """
    made = _Judge(checks, at, levels or Levels())
    made.look(raw)
    return made.judgement(raw, file)


@dataclass(slots=True)
class _Judge:
    checks: Checks
    at: datetime
    levels: Levels
    steps: list[Step] = field(default_factory=list)
    envelope: Envelope | None = None
    verdict: Verdict = "accept"
    reason: str = ""

    def look(self, raw: bytes) -> None:
        """Take the steps in their order."""
        document = self._parsed(raw)
        if document is None or self.envelope is None:
            self._skip(SCHEMA, CODES, RULES)
        elif not self._valid(document, self.envelope):
            self._skip(CODES, RULES)
        else:
            self._codes(document, self.envelope)
            self._rules(document, self.envelope)

    def judgement(self, raw: bytes, file: str) -> Judgement:
        """Put the result together."""
        head = self.envelope
        known = head is not None and bool(head.standard)
        standards = self.checks.standards
        return Judgement(
            file=file,
            size=len(raw),
            digest=hashlib.sha256(raw).hexdigest(),
            at=self.at,
            verdict=self.verdict,
            reason=self.reason,
            steps=tuple(self.steps),
            title=standards.title(head.standard) if head and known else "",
            version=head.version if head and known else "",
            kind=head.kind if head and known and self._is_kind(head) else "",
        )

    def _is_kind(self, head: Envelope) -> bool:
        """Whether a root name is one of the standard's own, and so may be shown."""
        return head.kind in self.checks.standards.kinds(head.standard, head.version)

    def _parsed(self, raw: bytes) -> Document | None:
        try:
            document = self.checks.standards.parse(raw)
            self.envelope = self.checks.standards.envelope(document)
        except Refusal as error:
            self._fail(WELLFORMED, error)
            return None
        self.steps.append(Step(WELLFORMED, "passed"))
        return document

    def _valid(self, document: Document, envelope: Envelope) -> bool:
        try:
            artefact = self.checks.standards.validate(document, envelope, self.at)
        except (SchemaMissing, UnknownStandard) as error:
            self._fail(SCHEMA, error)
            self.verdict = "undecided" if isinstance(error, SchemaMissing) else "reject"
            return False
        except MessageError as error:
            self._fail(SCHEMA, error, self._schemas(envelope))
            return False
        note = ""
        if artefact.profile:
            note = "only the profile is installed: the message head was checked, not the content"
        basis = (Basis(artefact.name, artefact.version, artefact.digest),)
        self.steps.append(Step(SCHEMA, "passed", (), basis, note))
        return True

    def _schemas(self, envelope: Envelope) -> tuple[Basis, ...]:
        bundle = self.checks.standards.bundle(envelope.standard, envelope.version)
        return (Basis(bundle.name, envelope.version, bundle.digest),)

    def _codes(self, document: Document, envelope: Envelope) -> None:
        if self.levels.codelists == "off":
            self.steps.append(Step(CODES, "skipped", note="switched off"))
            return
        if self.checks.profiled(envelope):
            self.steps.append(Step(CODES, "skipped", note="only the profile is installed"))
            return
        if not self.checks.lists:
            self.steps.append(Step(CODES, "skipped", note="no code lists are installed"))
            return
        lists = self.checks.lists
        used = {(one.uri, one.version) for one in self.checks.coded(document, envelope)}
        found = (lists.find(uri, version) for uri, version in sorted(used))
        basis = [Basis(one.identity.uri, one.identity.version, one.digest) for one in found if one]
        remarks = self.checks.codes(document, envelope, self.levels.codelists)
        self._close(CODES, remarks, basis)

    def _rules(self, document: Document, envelope: Envelope) -> None:
        if self.levels.rules == "off":
            self.steps.append(Step(RULES, "skipped", note="switched off"))
            return
        rules = self.checks.rules.of(envelope.standard, envelope.version)
        if not rules.paths:
            self.steps.append(Step(RULES, "skipped", note="no rules are installed"))
            return
        name = f"{rules.name}: {', '.join(path.name for path in rules.paths)}"
        remarks = self.checks.judged(document, envelope, self.levels.rules)
        self._close(RULES, remarks, [Basis(name, envelope.version, rules.digest)])

    def _close(self, name: str, remarks: tuple[Remark, ...], basis: Sequence[Basis]) -> None:
        errors = [remark.finding for remark in remarks if remark.severity == "error"]
        if errors:
            self.verdict = "reject"
            self.reason = self.reason or errors[0].code
        outcome: Outcome = "failed" if errors else "passed"
        self.steps.append(Step(name, outcome, remarks, tuple(basis)))

    def _fail(self, name: str, error: BrokerError, basis: tuple[Basis, ...] = ()) -> None:
        findings = error.findings or (Finding(str(error), code=error.reason),)
        remarks = tuple(Remark("error", finding) for finding in findings)
        self.steps.append(Step(name, "failed", remarks, basis))
        self.verdict = "reject"
        self.reason = error.reason

    def _skip(self, *names: str) -> None:
        note = "skipped, because the step before it failed"
        self.steps += [Step(name, "skipped", note=note) for name in names]


def _coded(remarks: Iterable[Remark], code: str) -> list[Remark]:
    """Give the errors the reason code of the standard."""
    return [
        replace(remark, finding=replace(remark.finding, code=code))
        if remark.severity == "error"
        else remark
        for remark in remarks
    ]
