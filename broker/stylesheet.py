"""XSLT 1.0 as a step: compiled once, harmless, with functions for what a stylesheet cannot know."""

from __future__ import annotations

import base64
import binascii
import threading
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from lxml import etree

from broker.codes import Codes, Lists, installed, looked, short
from broker.errors import ConfigError, ConversionFailed, Finding
from broker.head import head, relation
from broker.message import Facts
from broker.step import Matter, Step, fail, path, quoted, tree

#: Namespace of the functions; `xmlns:x="urn:xoev-broker:adapter"` in a stylesheet.
FUNCTIONS: Final = "urn:xoev-broker:adapter"
_XSL: Final = "http://www.w3.org/1999/XSL/Transform"
_UNICODE: Final = ("utf-8", "")
#: What XSLT 1.0 knows; libxslt passes over anything else without a word.
_INSTRUCTIONS: Final = frozenset((
    "apply-imports", "apply-templates", "attribute", "attribute-set", "call-template", "choose",
    "comment", "copy", "copy-of", "decimal-format", "element", "fallback", "for-each", "if",
    "import", "include", "key", "message", "namespace-alias", "number", "otherwise", "output",
    "param", "preserve-space", "processing-instruction", "sort", "strip-space", "stylesheet",
    "template", "text", "transform", "value-of", "variable", "when", "with-param",
))  # fmt: skip
#: Nothing may be read or written while a stylesheet runs (the stubs do not know the name).
_DENIED: Final[etree.XSLTAccessControl] = getattr(etree.XSLTAccessControl, "DENY_ALL")  # noqa: B009


class Stylesheet(Step):
    """A stylesheet of the adapter's folder, with fixed texts as its parameters.

    It gets the facts as parameters `$reference`, `$message`, `$received` (time in Germany),
    `$test`, `$testing` (boolean), `$case`, and the functions of `Functions`. The text of
    `xsl:message terminate="yes"`, a fixed sentence, becomes the text of ConversionFailed.
    """

    def __init__(self, name: str, **params: str) -> None:
        """Name the file; `params` are texts that the stylesheet declares with `xsl:param`."""
        self.name = name
        self.params = quoted(params)
        self.functions = Functions()
        self._lock = threading.Lock()
        self._sheet: etree.XSLT | None = None
        self._spare: etree.XSLT | None = None
        self._sentences: frozenset[str] = frozenset()

    def load(self) -> None:
        """Compile the stylesheet and read the code lists; a second call does nothing."""
        if self._sheet is None:
            shared = self.folder.parent.parent / "shared" / self.folder.name / "codes"
            self.functions.codes = Codes.read(shared, self.folder / "codes")
            self._sheet = self._compile()

    def use(self, lists: Lists) -> None:
        """Let `x:code` find installed lists."""
        self.functions.lists = lists

    def run(self, matter: Matter, facts: Facts) -> Matter:
        """Transform and return the root of the result, for a step behind this one."""
        result = self._transform(matter, facts)
        root: etree._Element | None = result.getroot()
        return bytes(result) if root is None else root

    def render(self, matter: Matter, facts: Facts) -> bytes:
        """Transform and write as `xsl:output` says."""
        return bytes(self._transform(matter, facts))

    def _transform(self, matter: Matter, facts: Facts) -> Any:
        self.load()
        assert self._sheet is not None
        root = tree(matter)
        with self.functions.of(facts):
            try:
                return self._sheet(root, **self._arguments(facts))
            except etree.XSLTApplyError:
                raise self._explain(root, facts) from None

    def _arguments(self, facts: Facts) -> dict[str, Any]:
        testing = "true()" if facts.test is not None else "false()"
        return self.params | quoted(parameters(facts)) | {"testing": testing}

    def _explain(self, root: etree._Element, facts: Facts) -> ConversionFailed:
        # The error log of a sheet that threads share mixes their messages: ask a copy instead.
        with self._lock:
            self._spare = self._spare or self._compile()
            try:
                self._spare(root, **self._arguments(facts))
            except etree.XSLTApplyError as error:
                return self._failure(error)
        return fail(f"{self.name}: the stylesheet failed once and not again; replay the message")

    def _failure(self, error: etree.XSLTApplyError) -> ConversionFailed:
        """Return the fixed sentence of a message, or where the sheet is wrong; no other text."""
        sentence = _joined(str(error))
        if sentence in self._sentences:
            return fail(sentence)
        entry = next((entry for entry in error.error_log if entry.line), None)
        if entry is None:
            return fail(f"{self.name}: the stylesheet failed; run explain on this message")
        file, rule = Path(entry.filename or self.name), _instruction(entry.message)
        # Only the texts of XPath errors are fixed; others quote what stands in the message.
        why = next((one.message for one in error.error_log if one.domain_name == "XPATH"), "failed")
        finding = Finding(why, short(file), entry.line, rule=rule)
        text = f"{file.name}:{entry.line}: the stylesheet failed in {rule}"
        return fail(text, findings=[finding])

    def _compile(self) -> etree.XSLT:
        file = self.folder / self.name
        sources = _sources(file)
        findings = [found for place, source in sources.items() for found in _lint(source, place)]
        self._sentences = frozenset(
            _joined(message.text or "")
            for source in sources.values()
            for message in source.iterfind(f".//{{{_XSL}}}message")
        )
        if findings:
            raise ConfigError(f"stylesheet {short(file)} cannot be used", findings=findings)
        try:
            return etree.XSLT(
                sources[file], extensions=self.functions.table(), access_control=_DENIED
            )
        except etree.XSLTParseError as error:
            findings = _compilation(error, file)
            text = f"stylesheet {short(file)} cannot be used"
            raise ConfigError(text, findings=findings) from error


class Functions:
    """What `x:…` means in a stylesheet.

    x:code(list, node[, column]) (a file beside the adapter, or the `listURI` of an installed list,
    with `_version` unless the newest is meant) · x:head(kind, code) · x:relation() · x:uuid(kind) ·
    x:nfc(text) · x:original() (the request in base64) · x:base64(text) (checked, without white
    space).
    """

    def __init__(self) -> None:
        """Start without code lists and outside any conversion."""
        self.codes = Codes()
        self.lists: Lists | None = None
        self._now = threading.local()

    def of(self, facts: Facts) -> _Within:
        """Return a context in which the functions of this thread speak about these facts."""
        return _Within(self._now, facts)

    def table(self) -> dict[tuple[str, str], Callable[..., Any]]:
        """Return the functions by namespace and name."""
        names = ("code", "head", "relation", "uuid", "nfc", "original", "base64")
        return {(FUNCTIONS, name): getattr(self, f"_{name}") for name in names}

    def _code(self, _: object, name: str, value: Any, column: str = "") -> str:
        text = _text(value)
        if installed(name):
            return looked(self.lists, name, text, column, _place(value))
        try:
            return self.codes.lists[name][text][column] if column else self.codes.find(name, text)
        except (KeyError, ConversionFailed):
            return self.codes.find(name, text, column, _place(value))

    def _head(self, _: object, kind: Any, code: Any) -> etree._Element:
        return head(self._now.facts, _text(kind), _text(code))

    def _relation(self, _: object) -> list[etree._Element]:
        answered = self._now.facts.answered
        return [relation(answered)] if answered else []

    def _uuid(self, _: object, kind: Any) -> str:
        return str(self._now.facts.uuid(_text(kind)))

    def _nfc(self, _: object, value: Any) -> str:
        return unicodedata.normalize("NFC", _text(value))

    def _original(self, _: object) -> str:
        if not self._now.facts.original:
            raise fail("the request that this rejection has to carry is not there any more")
        return base64.b64encode(self._now.facts.original).decode("ascii")

    def _base64(self, _: object, value: Any) -> str:
        text = "".join(_text(value).split())
        try:
            binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            place = _place(value)
            raise fail(f"{place}{': ' if place else ''}the content is not base64") from None
        return text


class _Within:
    """A context manager without a generator: this runs for every message."""

    __slots__ = ("facts", "now")

    def __init__(self, now: threading.local, facts: Facts) -> None:
        self.now = now
        self.facts = facts

    def __enter__(self) -> None:
        self.now.facts = self.facts

    def __exit__(self, *_: object) -> None:
        self.now.facts = None


def parameters(facts: Facts) -> dict[str, str]:
    """Return the facts that every stylesheet may declare as parameters, `$testing` excepted."""
    return {
        "reference": facts.reference,
        "message": facts.message,
        "received": _local(facts.received).isoformat(timespec="seconds"),
        "test": facts.test or "",
        "case": facts.answered.case if facts.answered else "",
    }


def _local(moment: datetime) -> datetime:
    """Return German time, on which terms depend, without a database that may be missing."""
    year = moment.astimezone(UTC).year
    summer = _last_sunday(year, 3) <= moment < _last_sunday(year, 10)
    return moment.astimezone(timezone(timedelta(hours=2 if summer else 1)))


@lru_cache
def _last_sunday(year: int, month: int) -> datetime:
    """Return when the clocks change: 01:00 UTC on the last Sunday of a month with 31 days."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, etree._Element):
        return "".join(map(str, value.itertext())).strip()
    return str(value).strip()


def _joined(text: str) -> str:
    return " ".join(text.split())


def _place(value: Any) -> str:
    node = value[0] if isinstance(value, list) and value else value
    if isinstance(node, etree._ElementUnicodeResult):
        node = node.getparent()
    return path(node) if isinstance(node, etree._Element) else ""


def _sources(file: Path) -> dict[Path, etree._ElementTree]:
    """Return a stylesheet and all that it imports, by file."""
    found: dict[Path, etree._ElementTree] = {}
    waiting = [file]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found[place] = _parse(place)
            waiting += _imports(found[place], place.parent)
    return found


def _imports(source: etree._ElementTree, folder: Path) -> list[Path]:
    return [
        folder / element.get("href", "")
        for name in ("import", "include")
        for element in source.iterfind(f"{{{_XSL}}}{name}")
    ]


def _parse(file: Path) -> etree._ElementTree:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        return etree.parse(str(file), parser)
    except (etree.XMLSyntaxError, OSError) as error:
        line = getattr(error, "lineno", None) or 0
        # What libxml2 says quotes the stylesheet, never a message.
        text = _joined(getattr(error, "msg", None) or "")
        why = f"is not well-formed: {text}" if line else "cannot be read"
        found = Finding(why, short(file), line)
        text = f"stylesheet {short(file)} cannot be used"
        raise ConfigError(text, findings=[found]) from error


def _lint(source: etree._ElementTree, file: Path) -> list[Finding]:
    """Find what would quote a value in an error text, or lose characters without a word."""
    found = [
        Finding("xsl:message holds a fixed sentence only, never a value", short(file), _line(bad))
        for bad in source.iterfind(f".//{{{_XSL}}}message//{{{_XSL}}}*")
        if bad.tag != f"{{{_XSL}}}text"
    ]
    found += [
        Finding("is no instruction of XSLT 1.0", short(file), _line(one), rule=f"xsl:{name}")
        for one in source.iter(f"{{{_XSL}}}*")
        if (name := etree.QName(one).localname) not in _INSTRUCTIONS
    ]
    output = source.find(f"{{{_XSL}}}output")
    if output is None or output.get("method") != "text":
        return found
    if output.get("encoding", "").lower() not in _UNICODE:
        text = "method text is written in UTF-8; put FixedWidth or Csv behind it for others"
        found.append(Finding(text, short(file), _line(output)))
    return found


def _line(element: Any) -> int:
    return int(element.sourceline or 0)


def _instruction(message: str) -> str:
    """Read `xsl:value-of` out of libxslt's "runtime error, element 'value-of'"."""
    name = message.rpartition("element ")[2].strip("'")
    return f"xsl:{name}" if name.replace("-", "").isalpha() else "an instruction"


def _compilation(error: etree.XSLTParseError, file: Path) -> list[Finding]:
    """Pair libxslt's places with the sentences that follow them."""
    findings: list[Finding] = []
    place, line, rule = short(file), 0, ""
    for entry in error.error_log:
        if entry.line:
            place, line = short(Path(entry.filename)), entry.line
            rule = _instruction(entry.message)
        elif rule:
            findings.append(Finding(entry.message, place, line, rule=rule))
    return findings or [Finding(str(error), place, line)]
