"""Business rules of a standard (Schematron): compiled once, judged within a budget of time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lxml import etree

from broker.document import Document, split
from broker.errors import ConfigError, Finding
from broker.xoev import context, schematron
from broker.xoev.context import Context, Index
from broker.xoev.expression import Compiler, Expression, Failed, Late, Tree, Unsupported
from broker.xoev.place import current
from broker.xoev.remark import MOST, Remark, place
from broker.xoev.remark import line as line_of

FOLDER: Final = "rules"  #: Where rules lie that came without a bundle, in a version's folder.
SECONDS: Final = 2.0  #: So long the rules may take for one message.

Variables = tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class _Assertion:
    written: schematron.Assertion
    test: Expression


@dataclass(frozen=True, slots=True)
class _Rule:
    context: Context
    lets: Variables
    assertions: tuple[_Assertion, ...]


@dataclass(frozen=True, slots=True)
class _Pattern:
    lets: Variables
    rules: tuple[_Rule, ...]


@dataclass(frozen=True, slots=True)
class _File:
    lets: Variables
    patterns: tuple[_Pattern, ...]


@dataclass(frozen=True)
class RuleSet:
    """The compiled rules of one version of a standard.

    `digest` is over the bytes of its files (SHA-256, hex); `findings` names, with file, line and
    expression, what cannot be evaluated here. Safe for threads: one message at a time.
    """

    name: str
    files: tuple[_File, ...]
    paths: tuple[Path, ...]
    digest: str
    findings: tuple[Finding, ...]
    lock: threading.Lock

    @property
    def size(self) -> int:
        """How many assertions there are, each counted once for each context."""
        return sum(len(rule.assertions) for file in self.files for pattern in file.patterns
                   for rule in pattern.rules)  # fmt: skip

    def check(
        self, document: Document, seconds: float = SECONDS, known: Set[str] | None = None
    ) -> tuple[Remark, ...]:
        """Return what the rules find in a message; no value of it is repeated.

        Rules that cannot be evaluated, here or on this message, and rules that the time did not
        suffice for are warnings. `known` are the element names that may be repeated.
        """
        if not self.files and not self.findings:
            return ()
        with self.lock:
            run = _Run(document.root, seconds, known)
            if self.findings:
                text = f"{len(self.findings)} rules of {self.name} cannot be evaluated here"
                run.remarks.append(Remark("warning", Finding(text, rule="rules not supported")))
            run.all(self.files)
        return tuple(run.remarks)


def compiled(name: str, paths: Sequence[Path]) -> RuleSet:
    """Read and compile files; raises ConfigError where a file cannot be read at all."""
    findings: list[Finding] = []
    files: list[_File] = []
    total = hashlib.sha256()
    seen: dict[str, Path] = {}
    for path in paths:
        schema = schematron.read(path)
        digest = schema.digest
        # The same file lies in a bundle twice where it has a folder for developers.
        if digest not in seen:
            seen[digest] = path
            total.update(f"{path.name}\0{digest}\n".encode())
            files.append(_file(schema, findings))
    return RuleSet(name, tuple(files), tuple(seen.values()), total.hexdigest() if seen else "",
                   tuple(findings), threading.Lock())  # fmt: skip


class Rules:
    """The rule sets of all installed standards; each is compiled when it is first asked for."""

    def __init__(self, paths: Mapping[tuple[str, str], Sequence[Path]] | None = None) -> None:
        """Take what `load` found: files by standard and version."""
        self._paths = dict(paths or {})
        self._done: dict[tuple[str, str], RuleSet] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(cls, folder: Path) -> Rules:
        """Find the .sch files of `schemas/xoev/<standard>/<version>`: those of the official bundle
        and those that the operator put into `rules/` beside it.
        """
        found: dict[tuple[str, str], list[Path]] = {}
        for version in sorted(folder.glob("[!.]*/[!.]*")):
            for source in (current(version), version / FOLDER):
                if paths := sorted(source.rglob("*.sch")):
                    found.setdefault((version.parent.name, version.name), []).extend(paths)
        return cls(found)

    def of(self, standard: str, version: str) -> RuleSet:
        """Return the rules of a version; an empty set if there are none. Raises ConfigError."""
        key = (standard, version)
        found = self._done.get(key)
        if found is None:
            with self._lock:
                found = self._done.get(key)
                if found is None:
                    paths = self._paths.get(key, ())
                    found = self._done[key] = compiled(f"{standard}/{version}", paths)
        return found

    def findings(self) -> tuple[Finding, ...]:
        """Compile all sets, and return all that cannot be evaluated or read; for `check`."""
        found: list[Finding] = []
        for standard, version in sorted(self._paths):
            try:
                found += self.of(standard, version).findings
            except ConfigError as error:
                found += error.findings
        return tuple(found)


def reason(standard: str) -> str:
    """Return the reason code for broken rules: XBau's list knows no X002."""
    return "S999" if standard.startswith("xbau") else "X002"


class _Run:
    """The rules applied to one message."""

    def __init__(self, root: etree._Element, seconds: float, known: Set[str] | None) -> None:
        self._tree = Tree(root, seconds)
        self._index = Index(root)
        self._seconds = seconds
        self._known = known
        self._failed: set[str] = set()
        self.remarks: list[Remark] = []

    def all(self, files: Iterable[_File]) -> None:
        """Judge everything, or as much as the time allows."""
        try:
            for file in files:
                self._file(file)
        except Late:
            text = f"the rules were not finished within {self._seconds:g} s; not all were judged"
            self.remarks.append(Remark("warning", Finding(text, rule="rules not finished")))

    def _file(self, file: _File) -> None:
        given = self._outer(file.lets, {})
        for pattern in file.patterns if given is not None else ():
            self._pattern(pattern, given or {})

    def _pattern(self, pattern: _Pattern, given: Mapping[str, Any]) -> None:
        variables = self._outer(pattern.lets, given)
        if variables is None:
            return
        taken: set[Any] = set()
        for rule in pattern.rules:
            if rule.context.misses(self._index):
                continue
            judge = self._bind if rule.lets else self._rule
            for item in self._selected(rule, variables):
                if item not in taken:
                    taken.add(item)
                    judge(rule, item, variables)

    def _selected(self, rule: _Rule, variables: Mapping[str, Any]) -> Iterator[Any]:
        try:
            yield from rule.context.select(self._index, self._tree, variables)
        except Failed as error:
            for assertion in rule.assertions:
                self._fail(assertion.written, error, None)

    def _bind(self, rule: _Rule, item: Any, given: Mapping[str, Any]) -> None:
        try:
            node = self._tree.node(item) if etree.iselement(item) else item
            variables = self._bound(rule.lets, lambda: node, given)
        except Failed as error:
            for assertion in rule.assertions:
                self._fail(assertion.written, error, _element(item))
            return
        self._rule(rule, item, variables)

    def _rule(self, rule: _Rule, item: Any, variables: Mapping[str, Any]) -> None:
        for one in rule.assertions:
            try:
                if self._tree.test(one.test, item, variables) == one.written.fires:
                    self._note(one.written, _element(item))
            except Failed as error:
                self._fail(one.written, error, _element(item))

    def _outer(self, lets: Variables, given: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Bind variables of a file or a pattern; None, and a warning, where one has no value."""
        try:
            return self._bound(lets, self._tree.document, given)
        except Failed as error:
            names = ", ".join(f"${name}" for name, _ in lets)
            text = f"rules were not judged: one of {names} has no value on this message ({error})"
            self.remarks.append(Remark("warning", Finding(text, rule="rules not finished")))
            return None

    def _bound(self, lets: Variables, item: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if not lets:
            return given
        variables = dict(given)
        for name, expression in lets:
            variables[name] = self._tree.value(expression, item(), variables)
        return variables

    def _note(self, written: schematron.Assertion, element: etree._Element | None) -> None:
        if len(self.remarks) < MOST:
            text = written.text.replace(schematron.NAME, self._name(element))
            self._add(written, text, element, written.severity)

    def _fail(
        self, written: schematron.Assertion, error: Failed, element: etree._Element | None
    ) -> None:
        """Note, once for each rule, that it had no value on this message."""
        if written.id not in self._failed:
            self._failed.add(written.id)
            text = f"the rule could not be evaluated on this message ({error})"
            self._add(written, text, element, "warning")

    def _add(self, written: schematron.Assertion, text: str, element: etree._Element | None,
             severity: Any) -> None:  # fmt: skip
        line = 0 if element is None else line_of(element)
        path = "" if element is None else place(element, self._known)
        finding = Finding(text, line=line, path=path, rule=written.id)
        self.remarks.append(Remark(severity, finding))

    def _name(self, element: etree._Element | None) -> str:
        name = "" if element is None else split(element.tag)[1]
        return name if self._known is None or name in self._known else "*"


def _element(item: Any) -> etree._Element | None:
    """Return an element, or the element that another node (an attribute, a text) belongs to."""
    while item is not None and not etree.iselement(item):
        value = getattr(item, "value", None)
        if etree.iselement(value):
            return value
        item = getattr(item, "parent", None)
    return item


def _file(schema: schematron.Schema, findings: list[Finding]) -> _File:
    findings += schema.findings
    maker = _Maker(schema, findings)
    lets = maker.lets(schema.lets, set())
    scope = {let.name for let in schema.lets}
    return _File(lets, tuple(maker.pattern(one, scope) for one in schema.patterns))


class _Maker:
    """Compiles one file; what is not supported becomes a finding and is left out."""

    def __init__(self, schema: schematron.Schema, findings: list[Finding]) -> None:
        self._path = schema.path
        self._compiler = Compiler(schema.xpath, schema.namespaces)
        self._findings = findings

    def pattern(self, pattern: schematron.Pattern, scope: Set[str]) -> _Pattern:
        """Compile a pattern; after a context that cannot be compiled it ends.

        Which nodes the rules after it may judge depends on that context.
        """
        lets = self.lets(pattern.lets, scope)
        inner = {*scope, *(let.name for let in pattern.lets)}
        rules: list[_Rule] = []
        for number, rule in enumerate(pattern.rules):
            try:
                found = context.compiled(rule.context, self._compiler, inner)
            except Unsupported as error:
                rest = len(pattern.rules) - number - 1
                more = f"; so the {rest} rules after it are not checked either" if rest else ""
                self._note(rule.line, rule.context, f"{error}{more}")
                break
            rules.append(self._rule(rule, found, inner))
        return _Pattern(lets, tuple(rules))

    def lets(self, lets: Iterable[schematron.Let], scope: Set[str]) -> Variables:
        """Compile variables in their order; one that cannot be is missing in all that need it."""
        known = set(scope)
        done = []
        for let in lets:
            if (value := self._expression(let.value, known, let.line)) is not None:
                done.append((let.name, value))
                known.add(let.name)
        return tuple(done)

    def _rule(self, rule: schematron.Rule, found: Context, scope: Set[str]) -> _Rule:
        lets = self.lets(rule.lets, scope)
        known = {*scope, *(name for name, _ in lets)}
        assertions = [
            _Assertion(one, test)
            for one in rule.assertions
            if (test := self._expression(one.test, known, one.line)) is not None
        ]
        return _Rule(found, lets, tuple(assertions))

    def _expression(self, source: str, scope: Set[str], line: int) -> Expression | None:
        try:
            return self._compiler.compile(source, scope)
        except Unsupported as error:
            self._note(line, source, str(error))
            return None

    def _note(self, line: int, source: str, text: str) -> None:
        finding = Finding(f"cannot be evaluated: {source} ({text})", str(self._path), line)
        if finding not in self._findings:
            self._findings.append(finding)
