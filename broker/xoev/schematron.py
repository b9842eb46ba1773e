"""Reading ISO Schematron: what a file says, with everything abstract already put in its place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lxml import etree

from broker.document import split
from broker.errors import ConfigError, Finding
from broker.xoev.remark import Severity
from broker.xoev.remark import line as line_of

NAME: Final = "‹name›"  #: Stands in a text where the name of the context element belongs.

_SCH: Final = "http://purl.oclc.org/dsdl/schematron"
_Q: Final = f"{{{_SCH}}}"
_HOLE: Final = "…"
#: Query bindings by the version of XPath that they mean; none at all means XSLT 1.
_BINDINGS: Final = {
    "xslt": "1", "xslt1": "1", "xpath": "1", "exslt": "1", "": "1",
    "xslt2": "2", "xpath2": "2", "xslt3": "3", "xpath3": "3", "xpath31": "3",
}  # fmt: skip
_SEVERITIES: Final[Mapping[str, Severity]] = {
    "warn": "warning", "warning": "warning", "warnung": "warning", "caution": "warning",
    "info": "information", "information": "information", "hinweis": "information",
    "notice": "information",
}  # fmt: skip
#: What may stand in a schema, a pattern and a rule; all else is named, for it may change a verdict.
_KNOWN: Final = {
    "schema": frozenset(("ns", "let", "phase", "pattern", "diagnostics", "properties", "title", "p",
                         "include")),
    "pattern": frozenset(("rule", "let", "title", "p", "include", "param")),
    "rule": frozenset(("assert", "report", "let", "extends", "p", "include")),
}  # fmt: skip
_DEEPEST: Final = 20
_INCLUDES: Final = 200
_CHILDREN: Final = 100_000  # of rules, once all that they extend is put in


@dataclass(frozen=True, slots=True)
class Let:
    """A variable: its name, its expression and its line."""

    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Assertion:
    """One assert, or one report (`fires` is then True): a finding where `test` equals `fires`.

    `text` has no value of a message; `NAME` in it stands for the name of the context element.
    """

    id: str
    test: str
    fires: bool
    severity: Severity
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A context and what must hold there."""

    context: str
    lets: tuple[Let, ...]
    assertions: tuple[Assertion, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """Rules of which only the first that matches a node judges it."""

    lets: tuple[Let, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """One file: version of XPath (1, 2, 3), prefixes, variables, patterns that are active.

    `digest` is the SHA-256 of the file and what it includes (hex).
    `findings` names, with its line, what the file has and the broker does not understand.
    """

    path: Path
    digest: str
    xpath: str
    namespaces: Mapping[str, str]
    lets: tuple[Let, ...]
    patterns: tuple[Pattern, ...]
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Reader:
    """What one reading needs to know of its file."""

    path: Path
    digest: Any
    abstract: dict[str, etree._Element] = field(default_factory=dict)
    diagnostics: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    children: int = 0

    def count(self, element: etree._Element) -> None:
        """Count what rules hold; a small file of rules that extend each other can be huge."""
        self.children += 1
        if self.children > _CHILDREN:
            raise _wrong(self.path, element, f"has more than {_CHILDREN} assertions")

    def note(self, element: etree._Element, text: str) -> None:
        """Name something that is not understood."""
        finding = Finding(text, file=str(self.path), line=line_of(element))
        if finding not in self.findings:
            self.findings.append(finding)


def read(path: Path) -> Schema:
    """Read a file; raises ConfigError if it is not XML, not ISO Schematron, or of another binding.

    Abstract patterns are filled in by text, abstract rules put in where they are extended, and of
    the phases only the default one, if there is one, is left.
    """
    raw, root = _parse(path)
    binding = (root.get("queryBinding") or "").lower()
    if binding not in _BINDINGS:
        raise _wrong(path, root, f'has the query binding "{binding}", which is not supported')
    reader = _Reader(path, hashlib.sha256(raw))
    _include(root, reader)
    _unknown(root, "schema", reader)
    _collect(root, reader)
    phase = _phase(root)
    patterns = [
        _pattern(element, reader)
        for element in _patterns(root, reader)
        if phase is None or element.get("id") in {one.get("pattern") for one in phase}
    ]
    return Schema(
        path=path,
        digest=reader.digest.hexdigest(),
        xpath=_BINDINGS[binding],
        namespaces={one.get("prefix", ""): one.get("uri", "") for one in root.iter(f"{_Q}ns")},
        lets=_lets(root) + (() if phase is None else _lets(phase)),
        patterns=tuple(patterns),
        findings=tuple(reader.findings),
    )


def _parse(path: Path) -> tuple[bytes, etree._Element]:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        raw = path.read_bytes()
        root = etree.fromstring(raw, parser)
    except OSError as error:
        raise _wrong(path, None, f"cannot be read: {error.strerror}") from None
    except etree.XMLSyntaxError as error:
        finding = Finding("is not well-formed XML", file=str(path), line=error.lineno or 0)
        raise ConfigError("a Schematron file cannot be used", findings=[finding]) from None
    if split(root.tag)[0] != _SCH:
        raise _wrong(path, root, "is not ISO Schematron")
    return raw, root


def _include(root: etree._Element, reader: _Reader) -> None:
    """Put the roots of included files in; only files beside or below this one."""
    for _ in range(_INCLUDES):
        element = next(iter(root.iter(f"{_Q}include")), None)
        if element is None:
            return
        _included(element, reader)
    raise _wrong(reader.path, root, f"includes more than {_INCLUDES} files, or itself")


def _included(element: etree._Element, reader: _Reader) -> None:
    parent = element.getparent()
    assert parent is not None
    folder = reader.path.parent.resolve()
    target = (folder / (element.get("href") or "")).resolve()
    if target.is_file() and target.is_relative_to(folder):
        raw, root = _parse(target)
        reader.digest.update(raw)
        parent.replace(element, root)
        return
    reader.note(element, "includes a file that does not lie beside it; its rules are not checked")
    parent.remove(element)


def _unknown(element: etree._Element, kind: str, reader: _Reader) -> None:
    for child in element.iterchildren("{*}*"):
        namespace, name = split(child.tag)
        known = name in _KNOWN[kind] if namespace == _SCH else "XSL/Transform" not in namespace
        if not known:
            text = f"<{name}> in <{kind}> is not supported; rules that need it are not checked"
            reader.note(child, text)
    if element.get("documents"):
        reader.note(element, "the attribute documents is not supported; the message alone is read")


def _collect(root: etree._Element, reader: _Reader) -> None:
    """Remember abstract rules and diagnostics by id."""
    for rule in root.iter(f"{_Q}rule"):
        if rule.get("abstract") == "true":
            reader.abstract.setdefault(rule.get("id") or "", rule)
    for one in root.iter(f"{_Q}diagnostic"):
        reader.diagnostics[one.get("id") or ""] = _text(one)


def _phase(root: etree._Element) -> etree._Element | None:
    """Return the default phase; its children are `active` and `let`."""
    name = root.get("defaultPhase") or "#ALL"
    found = (phase for phase in root.iter(f"{_Q}phase") if phase.get("id") == name)
    return next(found, None)


def _patterns(root: etree._Element, reader: _Reader) -> Iterator[etree._Element]:
    """Yield the patterns that are not abstract, instances filled in."""
    abstract = {
        one.get("id"): one for one in root.iter(f"{_Q}pattern") if one.get("abstract") == "true"
    }
    for pattern in root.iter(f"{_Q}pattern"):
        if pattern.get("abstract") == "true":
            continue
        of = pattern.get("is-a")
        if of is None:
            yield pattern
        elif of in abstract:
            yield _instance(abstract[of], pattern)
        else:
            reader.note(pattern, f'is-a "{of}" is no abstract pattern; its rules are not checked')


def _instance(abstract: etree._Element, pattern: etree._Element) -> etree._Element:
    """Copy an abstract pattern and put the parameters in, by text as the standard says."""
    values = {one.get("name") or "": one.get("value") or "" for one in pattern.iter(f"{_Q}param")}
    raw = etree.tostring(abstract)
    filled = etree.fromstring(raw)
    lines = [element.sourceline for element in abstract.iter()]
    if values:
        names = "|".join(sorted(map(re.escape, values), key=len, reverse=True))
        holes = re.compile(rf"\$({names})(?![\w\-])")
        for element in filled.iter():
            _fill(element, holes, values)
    for element, line in zip(filled.iter(), lines, strict=True):
        element.sourceline = line
    filled.set("id", pattern.get("id") or abstract.get("id") or "")
    del filled.attrib["abstract"]
    return filled


def _fill(element: etree._Element, holes: re.Pattern[str], values: Mapping[str, str]) -> None:
    def put(match: re.Match[str]) -> str:
        return values[match[1]]

    for name, value in element.attrib.items():
        element.set(name, holes.sub(put, str(value)))
    if element.text:
        element.text = holes.sub(put, element.text)
    if element.tail:
        element.tail = holes.sub(put, element.tail)


def _pattern(element: etree._Element, reader: _Reader) -> Pattern:
    _unknown(element, "pattern", reader)
    own = {
        rule.get("id") or "": rule
        for rule in element.iterchildren(f"{_Q}rule")
        if rule.get("abstract") == "true"
    }
    rules = tuple(
        _rule(rule, own, reader)
        for rule in element.iterchildren(f"{_Q}rule")
        if rule.get("abstract") != "true"
    )
    return Pattern(_lets(element), rules)


def _rule(element: etree._Element, own: Mapping[str, etree._Element], reader: _Reader) -> Rule:
    lets: list[Let] = []
    assertions: list[Assertion] = []
    for one in _expanded(element, own, reader, 0):
        name = split(one.tag)[1]
        if name == "let":
            lets.append(_let(one))
        elif name in ("assert", "report"):
            assertions.append(_assertion(one, element, reader))
    return Rule(element.get("context") or "", tuple(lets), tuple(assertions),
                line_of(element))  # fmt: skip


def _expanded(
    element: etree._Element, own: Mapping[str, etree._Element], reader: _Reader, depth: int
) -> Iterator[etree._Element]:
    """Yield the children of a rule, those of the abstract rules that it extends in their place."""
    _unknown(element, "rule", reader)
    for child in element.iterchildren(f"{_Q}*"):
        if split(child.tag)[1] != "extends":
            reader.count(child)
            yield child
            continue
        name = child.get("rule") or ""
        rule = own.get(name, reader.abstract.get(name))
        if rule is None or depth > _DEEPEST:
            wanted = name or child.get("href") or ""
            reader.note(child, f'extends "{wanted}", which cannot be found; it is not checked')
            continue
        yield from _expanded(rule, own, reader, depth + 1)


def _assertion(element: etree._Element, rule: etree._Element, reader: _Reader) -> Assertion:
    words = (one.get(name) for one in (element, rule) for name in ("role", "flag"))
    role = next((word.lower() for word in words if word), "")
    extra = [
        reader.diagnostics[name]
        for name in (element.get("diagnostics") or "").split()
        if name in reader.diagnostics
    ]
    return Assertion(
        id=element.get("id") or rule.get("id") or f"{reader.path.stem}:{line_of(element)}",
        test=element.get("test") or "",
        fires=split(element.tag)[1] == "report",
        severity=_SEVERITIES.get(role, "error"),
        text=" ".join([_text(element), *extra]).strip(),
        line=line_of(element),
    )


def _text(element: etree._Element) -> str:
    """Return the text of an assertion; values of the message are left out of it."""
    parts = [element.text or ""]
    for child in element:
        name = split(child.tag)[1]
        if name == "name":
            parts.append(NAME if child.get("path") is None else _HOLE)
        else:
            parts.append(_HOLE if name == "value-of" else _text(child))
        parts.append(child.tail or "")
    return " ".join("".join(parts).split())


def _lets(element: etree._Element) -> tuple[Let, ...]:
    return tuple(_let(one) for one in element.iterchildren(f"{_Q}let"))


def _let(element: etree._Element) -> Let:
    return Let(element.get("name") or "", element.get("value") or "", line_of(element))


def _wrong(path: Path, element: etree._Element | None, text: str) -> ConfigError:
    line = 0 if element is None else line_of(element)
    finding = Finding(text, file=str(path), line=line)
    return ConfigError("a Schematron file cannot be used", findings=[finding])
