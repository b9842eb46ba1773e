"""A folder of schema files: what is in it, how its imports are resolved without any network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname
from xml.sax.saxutils import quoteattr

from lxml import etree

from broker.errors import ConfigError, Finding

_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_CATALOG: Final = "{urn:oasis:names:tc:entity:xmlns:xml:catalog}"


@dataclass(frozen=True, slots=True)
class Import:
    """One `xs:import` or `xs:include`: the namespace it wants and where it says that it is."""

    namespace: str
    location: str


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """One XSD: its target namespace, global elements, what it imports, and names by simple type.

    `typed` maps an element name or `@attribute name` to the local names of its declared types,
    `derived` a simple type to its base.
    """

    path: Path
    namespace: str
    elements: tuple[str, ...]
    imports: tuple[Import, ...]
    typed: dict[str, frozenset[str]]
    derived: dict[str, str]


@dataclass(frozen=True)
class Bundle:
    """The schema files of one version, official or profile; they are read on first use.

    `neighbours` are folders whose files may be imported too (other installed bundles).
    """

    name: str
    folder: Path
    profile: bool
    neighbours: tuple[Path, ...] = ()

    @cached_property
    def files(self) -> tuple[SchemaFile, ...]:
        """All XSDs of the folder; raises ConfigError if one is not XML."""
        return _scan(self.folder)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and bytes of all files (hex): which artefact judged a message."""
        total = hashlib.sha256()
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(self.folder).as_posix()}\0{content}\n".encode())
        return total.hexdigest()

    @cached_property
    def namespaces(self) -> frozenset[str]:
        """Target namespaces of the files."""
        return frozenset(file.namespace for file in self.files)

    def kinds(self, namespace: str) -> tuple[str, ...]:
        """Global elements of a namespace, sorted: the message kinds."""
        found = (file.elements for file in self.files if file.namespace == namespace)
        return tuple(sorted({name for names in found for name in names}))

    def driver(self, namespace: str) -> bytes:
        """Return one schema that includes all files of a namespace; two imports would not do."""
        lines = [
            f"<xs:include schemaLocation={quoteattr(file.path.as_uri())}/>"
            for file in self.files
            if file.namespace == namespace
        ]
        return (
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" '
            f"targetNamespace={quoteattr(namespace)}>{''.join(lines)}</xs:schema>"
        ).encode()

    @property
    def places(self) -> dict[str, Path]:
        """Every absolute import address with its local file; raises ConfigError if one is missing.

        A schema with a missing import compiles silently and then accepts garbage, so it must not be
        used at all. A file is taken by address (catalog.xml), else by name *and* namespace.
        """
        return self._closure[0]

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Element names that the schemas know; others of a message are not repeated in texts."""
        return frozenset(name for file in self._closure[1] for name in file.typed)

    @cached_property
    def _closure(self) -> tuple[dict[str, Path], tuple[SchemaFile, ...]]:
        """Follow all imports: addresses and, with the imported ones, all files."""
        found = self._catalog()
        findings: list[Finding] = []
        seen = {file.path: file for file in self.files}
        pending = list(self.files)
        while pending:
            file = pending.pop()
            for wanted in file.imports:
                target = self._place(file, wanted, found, findings)
                if target is not None and target not in seen:
                    seen[target] = _read(target)
                    pending.append(seen[target])
        if findings:
            raise ConfigError(f"schemas of {self.name} are not complete", findings=findings)
        return found, tuple(seen.values())

    def names(self, builtin: str) -> frozenset[str]:
        """Names declared everywhere with this built-in simple type, or one derived from it."""
        types = {builtin}
        files = self._closure[1]
        derived = {name: base for file in files for name, base in file.derived.items()}
        while more := {name for name, base in derived.items() if base in types} - types:
            types |= more
        declared: dict[str, set[str]] = {}
        for file in files:
            for name, used in file.typed.items():
                declared.setdefault(name, set()).update(used)
        return frozenset(name for name, used in declared.items() if used <= types)

    def _place(
        self, file: SchemaFile, wanted: Import, found: dict[str, Path], findings: list[Finding]
    ) -> Path | None:
        """Find the local file of one import and note it; a finding where there is none."""
        if not wanted.location:
            return None
        remote = urlsplit(wanted.location).scheme in ("http", "https", "ftp", "urn")
        if wanted.location in found:
            return found[wanted.location]
        target = self._named(wanted) if remote else (file.path.parent / wanted.location).resolve()
        if target is None or not target.is_file():
            text = f'the schema of namespace "{wanted.namespace}" ({wanted.location}) is not here'
            findings.append(Finding(text, file=str(file.path)))
            return None
        if remote:
            found[wanted.location] = target
        return target

    def _named(self, wanted: Import) -> Path | None:
        name = urlsplit(wanted.location).path.rpartition("/")[2]
        for folder in (self.folder, *self.neighbours):
            for path in sorted(folder.rglob(name)):
                if _read(path).namespace == wanted.namespace:
                    return path.resolve()
        return None

    def _catalog(self) -> dict[str, Path]:
        path = self.folder / "catalog.xml"
        if not path.is_file():
            return {}
        found: dict[str, Path] = {}
        for entry in _parse(path).iter(f"{_CATALOG}uri", f"{_CATALOG}system"):
            name, target = entry.get("name") or entry.get("systemId"), entry.get("uri")
            if name and target:
                found[name] = (path.parent / url2pathname(target)).resolve()
        return {name: target for name, target in found.items() if target.is_file()}


def _scan(folder: Path) -> tuple[SchemaFile, ...]:
    return tuple(_read(path.resolve()) for path in sorted(folder.rglob("*.xsd")))


def _parse(path: Path) -> etree._Element:
    # Trusted local files: xmldsig has a DOCTYPE, so it is ignored here and not refused.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        return etree.fromstring(path.read_bytes(), parser)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except etree.XMLSyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno or 0}: is not well-formed XML") from None


def _read(path: Path) -> SchemaFile:
    root = _parse(path)
    namespace = root.get("targetNamespace", "")
    return SchemaFile(
        path=path,
        namespace=namespace,
        elements=tuple(element.get("name", "") for element in root.iterchildren(f"{_XS}element")),
        imports=tuple(_imports(root, namespace)),
        typed=_typed(root),
        derived=dict(_derived(root)),
    )


def _imports(root: etree._Element, own: str) -> Iterable[Import]:
    for element in root.iterchildren(f"{_XS}import", f"{_XS}include", f"{_XS}redefine"):
        imported = element.tag == f"{_XS}import"
        namespace = element.get("namespace", "") if imported else own
        yield Import(namespace, element.get("schemaLocation", ""))


def _typed(root: etree._Element) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for element in root.iter(f"{_XS}element", f"{_XS}attribute"):
        if name := element.get("name"):
            key = name if element.tag == f"{_XS}element" else f"@{name}"
            found.setdefault(key, set()).add(_local(element.get("type", "")))
    return {name: frozenset(types) for name, types in found.items()}


def _derived(root: etree._Element) -> Iterable[tuple[str, str]]:
    for element in root.iterchildren(f"{_XS}simpleType"):
        for restriction in element.iterchildren(f"{_XS}restriction"):
            yield element.get("name", ""), _local(restriction.get("base", ""))


def _local(name: str) -> str:
    return name.rpartition(":")[2]
