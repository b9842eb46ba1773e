"""Are the codes of a message in their lists? For XÖV code types 1 to 4."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lxml import etree

from broker.document import Document
from broker.errors import ConfigError, Finding
from broker.xoev.bundle import Bundle
from broker.xoev.codelists import CodeLists
from broker.xoev.genericode import token
from broker.xoev.remark import MOST, Remark, Severity, place
from broker.xoev.remark import line as line_of

_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_FREE: Final = frozenset(("token", "string", "normalizedString"))
_NONE: Final = "xoev-broker.none"
#: Reason codes for an unknown list and an unknown code; XBau's own list has other ones.
_REASONS: Final = ("S010", "S011")
_REASONS_XBAU: Final = ("X010", "X011")


@dataclass(frozen=True, slots=True)
class Coded:
    """One code of a message: where it stands and which list it names. `version` may be empty."""

    element: etree._Element
    uri: str
    version: str
    code: str


@dataclass(frozen=True, slots=True)
class Fixed:
    """What schemas say of lists: versions by uri, and those whose codes the schema enumerates."""

    versions: Mapping[str, Set[str]] = field(default_factory=dict)
    enumerated: Set[tuple[str, str]] = frozenset()


class Coding:
    """Finds the codes of messages of one namespace.

    Of code types 1 to 3 the message need not repeat what its schema fixes; libxml2 fills it in
    where schemas are given. One object serves all threads.
    """

    def __init__(self, bundle: Bundle, namespace: str, lock: threading.Lock) -> None:
        """Take the schemas; nothing is read yet. `lock` is the one of all compilations."""
        self._bundle = bundle
        self._namespace = namespace
        self._lock = lock
        self._schema: etree.XMLSchema | None = None
        self.fixed = Fixed()

    def compile(self) -> None:
        """Compile once; raises ConfigError."""
        with self._lock:
            if self._schema is None:
                self.fixed = _fixed(self._files())
                self._schema = self._compiled()

    def codes(self, document: Document) -> list[Coded]:
        """Return all codes that name a list, with the places of the message itself."""
        if self._schema is None:
            self.compile()
        assert self._schema is not None
        root = document.root
        # A copy, because libxml2 writes the attributes into the tree that it validates.
        filled = copy.deepcopy(root)
        self._schema.validate(filled)
        return list(_codes(filled, root))

    def _files(self) -> Iterator[Path]:
        yield from (file.path for file in self._bundle.files)
        yield from self._bundle.places.values()

    def _compiled(self) -> etree.XMLSchema:
        parser = etree.XMLParser(no_network=True, resolve_entities=False)
        parser.resolvers.add(_Places(self._bundle.places))
        base = (self._bundle.folder / "driver.xsd").resolve().as_uri()
        driver = etree.fromstring(self._bundle.driver(self._namespace), parser, base_url=base)
        # lxml asks for defaults only if it sees one in the driver itself.
        etree.SubElement(driver, f"{_XS}attribute", name=_NONE, type="xs:string", fixed="")
        try:
            make: Any = etree.XMLSchema  # the type stubs do not know attribute_defaults
            schema: etree.XMLSchema = make(driver, attribute_defaults=True)
        except etree.XMLSchemaParseError:
            raise ConfigError(f"schemas of {self._bundle.name} do not compile") from None
        return schema


class _Places(etree.Resolver):
    """Answers imports from local files only."""

    def __init__(self, places: Mapping[str, Path]) -> None:
        super().__init__()
        self._places = places

    def resolve(self, system_url: str, public_id: str, context: Any = None) -> Any:
        """Give the file of an address; what is not known libxml2 looks for beside its owner."""
        target = self._places.get(system_url)
        owner: Any = self
        return None if target is None else owner.resolve_filename(str(target), context)


def plain(document: Document) -> list[Coded]:
    """Return the codes whose list stands in the message itself: for standards without schemas."""
    return list(_codes(document.root, document.root))


def reasons(standard: str) -> tuple[str, str]:
    """Return the reason codes of a standard for an unknown list and for an unknown code."""
    return _REASONS_XBAU if standard.startswith("xbau") else _REASONS


def check(
    codes: list[Coded],
    lists: CodeLists,
    fixed: Fixed | None = None,
    codes_of: tuple[str, str] = _REASONS,
    known: Set[str] | None = None,
) -> tuple[Remark, ...]:
    """Return what is wrong with the codes of a message; no value of it is repeated.

    An unknown code or list is an error. A list that the standard itself names and that is not
    installed here is a warning, once for each list, for it is not the sender's fault. `codes_of`
    are the reason codes, `known` the element names that may be repeated.
    """
    judge = _Judge(lists, fixed or Fixed(), codes_of, known)
    for coded in codes:
        if len(judge.remarks) == MOST:
            break
        judge.look(coded)
    return tuple(judge.remarks)


class _Judge:
    """Collects the remarks on one message."""

    def __init__(
        self, lists: CodeLists, fixed: Fixed, reasons: tuple[str, str], known: Set[str] | None
    ) -> None:
        self._lists = lists
        self._fixed = fixed
        self._reasons = reasons
        self._known = known
        self._told: set[tuple[str, str]] = set()
        self.remarks: list[Remark] = []

    def look(self, coded: Coded) -> None:
        """Judge one code."""
        here = self._lists.versions(coded.uri)
        if coded.version not in here and (coded.version or not here):
            self._missing(coded)
        elif not self._holds(coded):
            text = f'the code is not in code list "{coded.uri}"'
            text += f" version {coded.version}" if coded.version else " (in no version of it)"
            self._note(coded, text, "unknown code", self._reasons[1])

    def _holds(self, coded: Coded) -> bool:
        versions = [coded.version] if coded.version else list(self._lists.versions(coded.uri))
        found = (self._lists.find(coded.uri, version) for version in versions)
        return any(one is not None and coded.code in one for one in found)

    def _missing(self, coded: Coded) -> None:
        """Tell a list that nobody knows from one that only is not installed."""
        uri, version = coded.uri, coded.version
        if (uri, version) in self._fixed.enumerated:
            return
        of_schema = self._fixed.versions.get(uri)
        here = self._lists.versions(uri)
        if of_schema is None and not here:
            self._note(coded, "names a code list that is not known here", "unknown list",
                       self._reasons[0])  # fmt: skip
        elif not here or version in (of_schema or ()):
            self._not_installed(coded, version if version in (of_schema or ()) else "")
        else:
            text = f'names a version of code list "{uri}" that is not here; here: '
            self._note(coded, text + ", ".join(sorted(here)), "unknown list", self._reasons[0])

    def _not_installed(self, coded: Coded, version: str) -> None:
        if (coded.uri, version) in self._told:
            return
        self._told.add((coded.uri, version))
        shown = f"{coded.uri}_{version}" if version else coded.uri
        text = f'code list "{shown}" is not installed; its codes were not checked'
        self._note(coded, text, "list not installed", "", "warning")

    def _note(
        self, coded: Coded, text: str, rule: str, reason: str, severity: Severity = "error"
    ) -> None:
        line = line_of(coded.element)
        path = place(coded.element, self._known)
        finding = Finding(text, line=line, path=path, rule=rule, code=reason)
        self.remarks.append(Remark(severity, finding))


def _codes(filled: etree._Element, root: etree._Element) -> Iterator[Coded]:
    pairs = zip(filled.iter(), root.iter(), strict=True)
    for element, original in pairs:
        uri = element.get("listURI")
        code = element.find("code") if uri else None
        if uri and code is not None:
            version = token(element.get("listVersionID") or "")
            yield Coded(original, token(uri), version, token(code.text or ""))


def _fixed(files: Iterator[Path]) -> Fixed:
    versions: dict[str, set[str]] = {}
    enumerated: set[tuple[str, str]] = set()
    for path in set(files):
        for kind in _parse(path).iter(f"{_XS}complexType"):
            uri, version = (_constant(kind, name) for name in ("listURI", "listVersionID"))
            if uri:
                versions.setdefault(uri, set()).update({version} - {""})
            if uri and version and _is_enumerated(kind):
                enumerated.add((uri, version))
    return Fixed(versions, frozenset(enumerated))


def _constant(kind: etree._Element, name: str) -> str:
    found = (one for one in kind.iter(f"{_XS}attribute") if one.get("name") == name)
    return next((token(one.get("fixed") or "") for one in found), "")


def _is_enumerated(kind: etree._Element) -> bool:
    """Whether the type gives `code` a type of its own, which then lists the codes."""
    found = (one for one in kind.iter(f"{_XS}element") if one.get("name") == "code")
    return any(
        (one.get("type") or "").rpartition(":")[2] not in _FREE if one.get("type") else len(one) > 0
        for one in found
    )


def _parse(path: Path) -> etree._Element:
    parser = etree.XMLParser(no_network=True, resolve_entities=False, remove_comments=True)
    try:
        return etree.fromstring(path.read_bytes(), parser)
    except (OSError, etree.XMLSyntaxError):
        raise ConfigError(f"{path} cannot be read as XML") from None
