"""Judging a message by the schemas of a bundle: lxml is the gate, xmlschema explains."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from lxml import etree

from broker.document import Document, split
from broker.errors import ConfigError, Finding, SchemaViolation
from broker.xoev.bundle import Bundle

#: Above this xmlschema is not asked: it needs 175 bytes of memory per byte of attachment.
EXPLAINED: Final = 1024 * 1024
MOST: Final = 50  #: So many findings of one message are reported.

_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_EXPECTED: Final = 5
_CHUNK: Final = 1024 * 1024  # so that 40 MB of attachment are not copied at once
_TELLS: Final = ", expected: "
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SPACE: Final = b" \t\r\n"
_WRONG: Final = "xoev-broker.deliberately-wrong"


class Validator:
    """The compiled schemas of one namespace of one bundle.

    The verdict is lxml's on a shared object; its error log is never read, for other threads write
    to it. Two things libxml2 lets pass are checked here where the schema makes them certain by
    name: characters outside the base64 alphabet, and references (IDREF) to an id that is not there.
    What libxml2 alone refuses (a date with white space around it) is accepted if xmlschema, which
    is asked up to 1 MiB, accepts it.
    """

    def __init__(self, bundle: Bundle, namespace: str, lock: threading.Lock) -> None:
        """Take what to compile; nothing is read yet.

        `lock` is shared by all validators: libxml2 must not compile in two threads at once.
        """
        self.bundle = bundle
        self.namespace = namespace
        self._lock = lock
        self._hinted = False
        self._gate: etree.XMLSchema | None = None
        self._own: Any = None
        self._explainer: Any = None
        self._names: dict[str, frozenset[str]] = {}

    def compile(self) -> None:
        """Compile once, and prove that the result refuses what is wrong; raises ConfigError."""
        with self._lock:
            if self._gate is None:
                self._names = {
                    builtin: self.bundle.names(builtin)
                    for builtin in ("base64Binary", "ID", "IDREF")
                }
                # Now: an installation may put other files in place while these judge.
                _ = self.bundle.digest
                gate = self._compiled()
                self._prove(gate)
                self._gate = gate

    def check(self, document: Document) -> None:
        """Return if the message is valid, else raise SchemaViolation with findings (no values)."""
        if self._gate is None:
            self.compile()
        assert self._gate is not None
        if not self._gate.validate(document.root):
            self._refuse(document)
        findings = [*self._base64(document.root), *self._references(document.root)]
        if findings and not self._acquitted(document):
            raise _violation(findings)

    def explains(self) -> str:
        """Return why xmlschema cannot explain refusals of these schemas, empty where it can."""
        import xmlschema

        try:
            with self._lock:
                self._explainer = self._explainer or self._understood()
        except (xmlschema.XMLSchemaException, xmlschema.XMLSchemaImportWarning) as error:
            return str(getattr(error, "message", "") or type(error).__name__)
        return ""

    def _compiled(self) -> etree.XMLSchema:
        places = self.bundle.places
        try:
            return self._compile(places, {})
        except etree.XMLSchemaParseError as error:
            findings = _places_of(error)
        try:
            if prelude := self.bundle.prelude(self.namespace):
                gate = self._compile(places, prelude)
                self._hinted = True
                return gate
        except etree.XMLSchemaParseError:
            pass  # what is wrong without it is wrong with it
        raise ConfigError(f"schemas of {self.bundle.name} do not compile", findings=findings)

    def _compile(self, places: dict[str, Path], prelude: dict[str, bytes]) -> etree.XMLSchema:
        parser = etree.XMLParser(no_network=True, resolve_entities=False)
        parser.resolvers.add(_Local(places, prelude))
        base = (self.bundle.folder / "driver.xsd").resolve().as_uri()
        driver = etree.fromstring(self.bundle.driver(self.namespace), parser, base_url=base)
        for address, schema in prelude.items():
            namespace = etree.fromstring(schema).get("targetNamespace", "")
            attributes = {"namespace": namespace, "schemaLocation": address}
            driver.insert(0, etree.Element(f"{_XS}import", attributes))
        return etree.XMLSchema(driver)

    def _prove(self, gate: etree.XMLSchema) -> None:
        """Show wrong messages to a fresh schema: one that takes them lacks half its files.

        Every numbered kind must refuse. Of other global elements (GML) some may take anything, but
        not all.
        """
        kinds = self.bundle.kinds(self.namespace)
        numbered = [kind for kind in kinds if kind[-4:].isdigit()]
        taken = [kind for kind in (_WRONG, *kinds) if self._takes(gate, kind)]
        library = self.bundle.record is not None and self.bundle.record.library
        wrong = [kind for kind in taken if kind == _WRONG or kind in numbered]
        if not library and kinds and len(taken) == len(kinds):
            wrong = taken
        if wrong:
            raise ConfigError(
                f'schemas of {self.bundle.name} accept a wrong message "{wrong[0]}"; '
                "install the bundle again, it is not complete"
            )

    def _takes(self, gate: etree.XMLSchema, kind: str) -> bool:
        root = etree.Element(f"{{{self.namespace}}}{kind}")
        etree.SubElement(root, _WRONG)
        return gate.validate(root)

    def _acquitted(self, document: Document) -> bool:
        """Whether xmlschema, which knows types where we know names, accepts the message."""
        with self._lock:
            return self._explained(document) is _ACCEPTED

    def _refuse(self, document: Document) -> None:
        with self._lock:
            first = self._explained(document)
            if first is _ACCEPTED:
                return
            findings = self._logged(document)
        if isinstance(first, Finding):
            findings = _merged(findings, first)
        raise _violation(findings or [Finding("not valid", line=1, code="X001")])

    def _logged(self, document: Document) -> list[Finding]:
        """Let a schema object that no other thread uses say what is wrong."""
        if self._own is None:
            if self.bundle.altered:
                return []
            self._own = self._compiled()
        self._own.validate(document.root)
        found: dict[tuple[int, str], Finding] = {}
        for entry in self._own.error_log:
            path = self._path(document.root, entry.path)
            rule = entry.type_name.removeprefix("SCHEMAV_")
            found.setdefault((entry.line, path), _finding(entry.line, path, rule))
            if len(found) == MOST:
                break
        return list(found.values())

    def _explained(self, document: Document) -> Any:
        """Ask xmlschema for the first error: a Finding, `_ACCEPTED`, or None if it is not asked."""
        if len(document.raw) > EXPLAINED or (self._explainer is None and self.bundle.altered):
            return None
        import xmlschema

        try:
            if self._explainer is None:
                self._explainer = self._understood()
            self._explainer.validate(document.root, use_location_hints=False)
        except xmlschema.XMLSchemaValidationError as error:
            return self._told(error, document.root)
        except (xmlschema.XMLSchemaException, xmlschema.XMLSchemaImportWarning):
            return None
        return _ACCEPTED

    def _told(self, error: Any, root: etree._Element) -> Finding:
        """Turn xmlschema's error into place, rule and, from the schema, what was expected."""
        element: Any = error.elem if etree.iselement(error.elem) else root
        if getattr(error, "invalid_tag", None):
            element = element[error.index]
        found = self._finding(element, type(error.validator).__name__.removeprefix("Xsd"))
        expected = [split(one.name or "")[1] for one in getattr(error, "expected", None) or ()]
        names = ", ".join(name for name in expected[:_EXPECTED] if name)
        return replace(found, text=f"{found.text}{_TELLS}{names}") if names else found

    def _understood(self) -> Any:
        import xmlschema

        hints = self.bundle.hints(self.namespace) if self._hinted else {}
        with warnings.catch_warnings():
            warnings.simplefilter("error", xmlschema.XMLSchemaImportWarning)
            return xmlschema.XMLSchema10(
                self.bundle.driver(self.namespace).decode(),
                base_url=self.bundle.folder.resolve().as_uri() + "/",
                uri_mapper=_Mapper(self.bundle.places),
                allow="local",
                locations=[
                    (name, path.as_uri()) for name, paths in hints.items() for path in paths
                ],
            )

    def _base64(self, root: etree._Element) -> Iterator[Finding]:
        for element in _named(root, self._names["base64Binary"]):
            if not _is_base64(element.text or ""):
                yield self._finding(element, "base64Binary")

    def _references(self, root: etree._Element) -> list[Finding]:
        wanted = self._names["IDREF"]
        if not wanted:
            return []
        known = {value for _, value in _values(root, self._names["ID"])}
        return [
            self._finding(element, "IDREF")
            for element, value in _values(root, wanted)
            if value not in known
        ]

    def _finding(self, element: Any, rule: str) -> Finding:
        return _finding(element.sourceline or 0, self._steps(element), rule)

    def _path(self, root: etree._Element, path: str | None) -> str:
        """Turn libxml2's path (`/*/*[3]`) into names of the schema with positions."""
        prefixes = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
        try:
            found: Any = root.getroottree().xpath(path, namespaces=prefixes) if path else ()
        except etree.XPathError:
            # A prefix that is bound below the root; the line must do.
            return ""
        return self._steps(found[0]) if found and etree.iselement(found[0]) else ""

    def _steps(self, element: etree._Element) -> str:
        """Return the path of an element by local names, with positions where a name repeats."""
        steps: list[str] = []
        node: etree._Element | None = element
        while node is not None:
            name = split(node.tag)[1]
            steps.append((name if name in self.bundle.vocabulary else "*") + _position(node))
            node = node.getparent()
        return "/" + "/".join(reversed(steps))


class _Local(etree.Resolver):
    """Answers every import from local files; what is not there was refused before."""

    def __init__(self, places: dict[str, Path], texts: dict[str, bytes]) -> None:
        super().__init__()
        self._places = places
        self._texts = texts

    def resolve(self, system_url: str, public_id: str, context: Any = None) -> Any:
        """Give the file of an address; what it includes is then looked for beside it."""
        owner: Any = self  # the type stubs do not know resolve_filename
        if text := self._texts.get(system_url):
            return owner.resolve_string(text, context, base_url=system_url)
        target = self._places.get(_plain(system_url))
        return None if target is None else owner.resolve_filename(str(target), context)


_ACCEPTED: Final = object()


def _violation(findings: list[Finding]) -> SchemaViolation:
    first = findings[0]
    more = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
    text = f"the message does not follow its schema: {first}{more}"
    return SchemaViolation(text, findings=findings[:MOST])


def _merged(findings: list[Finding], first: Finding) -> list[Finding]:
    """Let xmlschema explain a place that libxml2 named too; the names of rules stay libxml2's."""
    if first.path not in {found.path for found in findings}:
        return [*findings, first]
    return [
        replace(found, text=first.text)
        if found.path == first.path and _TELLS in first.text
        else found
        for found in findings
    ]


def _finding(line: int, path: str, rule: str) -> Finding:
    return Finding(_WORDS.get(rule, "not valid here"), line=line, path=path, rule=rule, code="X001")


#: What a clerk reads for the commonest rules of both libraries; never a value.
_WORDS: Final = {
    "ELEMENT_CONTENT": "an element is missing or not expected here",
    "Group": "an element is missing or not expected here",
    "CVC_COMPLEX_TYPE_4": "a required attribute is missing",
    "CVC_COMPLEX_TYPE_3_2_1": "an attribute is not allowed here",
    "CVC_COMPLEX_TYPE_3_2_2": "an attribute is not allowed here",
    "AttributeGroup": "an attribute is missing or not allowed",
    "CVC_DATATYPE_VALID_1_2_1": "the value does not have the type of the schema",
    "CVC_PATTERN_VALID": "the value does not match the pattern",
    "PatternFacets": "the value does not match the pattern",
    "CVC_ENUMERATION_VALID": "the value is not one of those allowed",
    "EnumerationFacets": "the value is not one of those allowed",
    "CVC_ELT_1": "this kind of message is not in the schema",
    "base64Binary": "the value has characters outside the base64 alphabet",
    "IDREF": "refers to an id that is not in the message",
}


def _places_of(error: etree.XMLSchemaParseError) -> list[Finding]:
    """Say what is wrong in which file and line; of a schema, unlike a message, in full."""
    log: Any = error.error_log
    found = [Finding(one.message, file=_plain(one.filename), line=one.line) for one in log]
    return list(dict.fromkeys(found))[:_EXPECTED]


@dataclass(frozen=True, slots=True)
class _Mapper:
    """Gives xmlschema the local file of an address."""

    places: dict[str, Path]

    def __call__(self, address: str) -> str:
        target = self.places.get(_plain(address))
        return address if target is None else target.as_uri()


def _plain(address: str) -> str:
    """Return a `file:` address as a path, any other as it is."""
    parts = urlsplit(address)
    return url2pathname(parts.path) if parts.scheme == "file" else address


def _position(element: etree._Element) -> str:
    before = sum(1 for _ in element.itersiblings(element.tag, preceding=True))
    after = next(iter(element.itersiblings(element.tag)), None) is not None
    return f"[{before + 1}]" if before or after else ""


def _named(root: etree._Element, names: frozenset[str]) -> Iterator[etree._Element]:
    wanted = [f"{{*}}{name}" for name in names if not name.startswith("@")]
    return iter(root.iter(*wanted)) if wanted else iter(())


def _values(root: etree._Element, names: frozenset[str]) -> Iterator[tuple[etree._Element, str]]:
    for element in _named(root, names):
        yield element, (element.text or "").strip()
    attributes = [name[1:] for name in names if name.startswith("@")]
    for element in root.iter() if attributes else ():
        for name, value in element.attrib.items():
            if split(str(name))[1] in attributes:
                yield element, str(value).strip()


def _is_base64(text: str) -> bool:
    """Whether text is strictly base64: alphabet, padding only at the end, full groups of four."""
    length = padding = 0
    for start in range(0, len(text), _CHUNK):
        try:
            packed = text[start : start + _CHUNK].encode("ascii").translate(None, _SPACE)
        except UnicodeEncodeError:
            return False
        body = packed.rstrip(b"=")
        if body.translate(None, _BASE64) or (body and padding):
            return False
        length += len(packed)
        padding += len(packed) - len(body)
    return length % 4 == 0 and padding < 3
