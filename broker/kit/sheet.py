"""What a stylesheet says, read without running it: where a field is written, how, and when.

Imports are followed; a template that is overridden does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lxml import etree

from broker.codes import short
from broker.document import split
from broker.stylesheet import Stylesheet

_XSL: Final = "http://www.w3.org/1999/XSL/Transform"
_CONDITIONS: Final = ("if", "when")
_DEEPEST: Final = 4
_PREDICATE: Final = re.compile(r"\[[^\[\]]*\]")
_NORMAL: Final = re.compile(r"(?:x:nfc\(|normalize-space\()(.*)\)")


@dataclass(frozen=True, slots=True)
class Writing:
    """One place that writes a field: file and line, the expressions, the conditions as written."""

    field: str
    file: str
    line: int
    expressions: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()  #: names of the elements around it, in its template
    match: str = ""  #: what its template is for

    def fits(self, path: str, sources: Iterable[str]) -> bool:
        """Whether this place can write the field at a path out of these sources."""
        above = [step.rpartition(":")[2] for step in path.split("/")[:-1]]
        if self.inside:
            return not above or above[-1] == self.inside[0]
        wanted = _lasts(self.match)
        return not sources or any(wanted & set(source.split("/")) for source in sources)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the stylesheets of one step write, and the parameters that templates get from it."""

    writings: tuple[Writing, ...]
    passed: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields: elements that hold a text and no further element."""
        return tuple(dict.fromkeys(writing.field for writing in self.writings))

    def of(self, path: str) -> tuple[Writing, ...]:
        """Return the places that may write a field, by its last name."""
        name = path.rpartition("/")[2].rpartition(":")[2]
        return tuple(writing for writing in self.writings if writing.field == name)


def read(step: Stylesheet) -> Sheet:
    """Read a stylesheet with all that it imports; it has been compiled before, so it is XML."""
    templates = tuple(_templates(step.folder / step.name))
    writings = tuple(
        _writing(element, template, templates)
        for template in templates
        for element in template.node.iter(etree.Element)
        if _is_field(element)
    )
    passed = frozenset(
        call.get("name", "")
        for template in templates
        for call in template.node.iter(f"{{{_XSL}}}with-param")
    )
    return Sheet(writings, passed)


@dataclass(frozen=True, slots=True)
class _Template:
    node: etree._Element
    file: str
    match: str
    mode: str
    name: str


def _templates(file: Path) -> Iterator[_Template]:
    """Yield the templates that count: the file's own first, an import that comes later earlier."""
    seen: set[tuple[str, ...]] = set()
    for path, root in _roots(file):
        for node in root.iterchildren(f"{{{_XSL}}}template"):
            match, mode, name = (node.get(key, "") for key in ("match", "mode", "name"))
            key = ("", name) if name else (match, mode)
            if key not in seen:
                seen.add(key)
                yield _Template(node, short(path), match, mode, name)


def _roots(file: Path) -> Iterator[tuple[Path, etree._Element]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    root = etree.parse(str(file), parser).getroot()
    yield file, root
    for node in reversed(list(root.iterchildren(f"{{{_XSL}}}import", f"{{{_XSL}}}include"))):
        yield from _roots((file.parent / node.get("href", "")).resolve())


def _is_field(element: etree._Element) -> bool:
    """Whether a literal element holds a text, and no element that the sheet names itself."""
    if _own(element):
        return False
    if any(not _own(inner) for inner in element.iterdescendants(etree.Element)):
        return False
    calls = element.iterdescendants(f"{{{_XSL}}}apply-templates", f"{{{_XSL}}}copy-of")
    return all(_writes_text(call) for call in calls)


def _writes_text(call: etree._Element) -> bool:
    return split(str(call.tag))[1] == "apply-templates" and bool(call.get("mode"))


def _own(element: etree._Element) -> bool:
    return split(str(element.tag))[0] == _XSL


def _writing(
    element: etree._Element, template: _Template, templates: tuple[_Template, ...]
) -> Writing:
    conditions = [*_calls(template, templates), *_narrowed(template.match), *_tests(element)]
    return Writing(
        split(str(element.tag))[1],
        template.file,
        _line(element),
        tuple(dict.fromkeys(_expressions(element, template, templates))),
        tuple(dict.fromkeys(conditions)),
        tuple(split(str(outer.tag))[1] for outer in element.iterancestors() if not _own(outer)),
        template.match,
    )


def _line(element: Any) -> int:
    return int(element.sourceline or 0)


def _expressions(
    element: etree._Element, template: _Template, templates: tuple[_Template, ...], depth: int = 0
) -> Iterator[str]:
    """Yield what stands in an element: texts, expressions, and those of templates by mode."""
    yield from _words(element)
    for inner in element.iterdescendants(etree.Element):
        local = split(str(inner.tag))[1]
        if local == "value-of":
            yield plain(inner.get("select", ""))
        elif local == "text":
            yield from _words(inner)
        elif local == "apply-templates" and depth < _DEEPEST:
            yield from _applied(inner, template, templates, depth)


def _words(element: etree._Element) -> Iterator[str]:
    if text := " ".join((element.text or "").split()):
        yield f'"{text}"'


def _applied(
    call: etree._Element, template: _Template, templates: tuple[_Template, ...], depth: int
) -> Iterator[str]:
    """Yield the expressions of the templates that a call with a mode chooses from."""
    select = call.get("select", "")
    wanted = _lasts(template.match if select == "." else select)
    found = [
        one
        for one in templates
        if one.mode and one.mode == call.get("mode") and wanted & {*_lasts(one.match), "*"}
    ]
    for one in found:
        alone = len(found) == 1 and "[" not in one.match
        for expression in _expressions(one.node, one, templates, depth + 1):
            yield expression if alone else f"{one.match}: {expression}"


def _lasts(expression: str) -> set[str]:
    return {_last(part) for part in expression.split("|")}


def plain(expression: str) -> str:
    """Take away what only tidies white space or letters: `normalize-space(ort)` is `ort`."""
    while match := _NORMAL.fullmatch(expression.strip()):
        if not _balanced(match[1]):
            break
        expression = match[1]
    return expression.strip()


def _balanced(text: str) -> bool:
    depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0


def _calls(template: _Template, templates: tuple[_Template, ...]) -> Iterator[str]:
    """Yield the predicates with which a template is chosen elsewhere."""
    if not template.match:
        return
    wanted = _lasts(template.match)
    for caller in templates:
        for call in caller.node.iter(f"{{{_XSL}}}apply-templates"):
            select = call.get("select", "")
            if call.get("mode", "") == template.mode and _last(select) in wanted:
                yield from _narrowed(select)


def _last(expression: str) -> str:
    return _bare(expression).strip().rpartition("/")[2]


def _bare(expression: str) -> str:
    while (shorter := _PREDICATE.sub("", expression)) != expression:
        expression = shorter
    return expression


def _narrowed(expression: str) -> Iterator[str]:
    """Yield an expression that has a predicate: it takes some of the elements only."""
    if "[" in expression:
        yield expression.strip()


def _tests(element: etree._Element) -> Iterable[str]:
    return [
        parent.get("test", "")
        for parent in element.iterancestors()
        if _own(parent) and split(str(parent.tag))[1] in _CONDITIONS
    ]
