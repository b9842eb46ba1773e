"""A folder of schema files: what is in it, how its imports are resolved without any network."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname
from xml.sax.saxutils import quoteattr

from lxml import etree

from broker.errors import ConfigError, Finding
from broker.xoev import record
from broker.xoev.record import Record

#: File names of schemas.
XSD: Final = "*.[xX][sS][dD]"
_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_CATALOG: Final = "{urn:oasis:names:tc:entity:xmlns:xml:catalog}"


@dataclass(frozen=True, slots=True)
class Import:
    """One `xs:import` or `xs:include`: the namespace it wants and where it says that it is."""

    namespace: str
    location: str
    line: int = 0
    imported: bool = True  #: not included


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

    `neighbours` are folders whose files may be imported too (other installed bundles). `record` is
    what the installation wrote down; without one every XSD of the folder counts.
    """

    name: str
    folder: Path
    profile: bool
    neighbours: tuple[Path, ...] = ()
    record: Record | None = None

    @cached_property
    def files(self) -> tuple[SchemaFile, ...]:
        """The XSDs that judge; raises ConfigError if one is not XML."""
        if self.record is None:
            return scan(self.folder)
        names = [name for names in self.record.entries.values() for name in names]
        return tuple(_read((self.folder / name).resolve()) for name in names)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and bytes of all files (hex): which artefact judged a message."""
        return record.digest(record.digests(self.folder))

    @property
    def altered(self) -> bool:
        """Whether the files on the disk are others than when `digest` was first asked for."""
        return record.digest(record.digests(self.folder)) != self.digest

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
        paths = [file.path for file in self.files if file.namespace == namespace]
        return _including(namespace, paths)

    def prelude(self, namespace: str) -> dict[str, bytes]:
        """Return a schema for every other namespace that one import alone would not bring in.

        Both libraries ignore a second `xs:import` of a namespace, and one without address. A driver
        that first imports one schema with all files of it gets round that. The keys are addresses
        for a resolver.
        """
        return {
            f"urn:xoev-broker:driver:{number}": _including(wanted, paths)
            for number, (wanted, paths) in enumerate(self.hints(namespace).items())
        }

    def hints(self, namespace: str) -> dict[str, tuple[Path, ...]]:
        """Return the files of every other namespace that one import alone would not bring in."""
        by_namespace: dict[str, dict[str, Path]] = {}
        for file in reversed(self.closure):
            if file.namespace not in ("", namespace):
                by_namespace.setdefault(file.namespace, {}).setdefault(file.path.name, file.path)
        bare = {one.namespace for file in self.closure for one in file.imports if not one.location}
        return {
            wanted: tuple(paths.values())
            for wanted, paths in by_namespace.items()
            if len(paths) > 1 or wanted in bare
        }

    @property
    def places(self) -> dict[str, Path]:
        """Every absolute import address with its local file; raises ConfigError if one is missing.

        A schema with a missing import compiles silently and then accepts garbage, so it must not be
        used at all. A file is taken by address (catalog.xml), else by name *and* namespace. A path
        that leads nowhere (`../xoev/a.xsd`) is an address too, then absolute.
        """
        if self.missing:
            text = f"schemas of {self.name} are not complete"
            raise ConfigError(text, findings=self.missing)
        return self._followed[0]

    @property
    def missing(self) -> tuple[Finding, ...]:
        """The imports that are neither here nor in a neighbour: where, namespace, address."""
        return self._followed[2]

    @property
    def closure(self) -> tuple[SchemaFile, ...]:
        """The files that judge, and all that they import."""
        return self._followed[1]

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Element names that the schemas know; others of a message are not repeated in texts."""
        return frozenset(name for file in self.closure for name in file.typed)

    @cached_property
    def _followed(self) -> tuple[dict[str, Path], tuple[SchemaFile, ...], tuple[Finding, ...]]:
        """Follow all imports: addresses, all files with the imported ones, what is missing."""
        found = self.record.places(self.folder) if self.record else {}
        found = found or self._catalog()
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
        return found, tuple(seen.values()), tuple(findings)

    def names(self, builtin: str) -> frozenset[str]:
        """Names declared everywhere with this built-in simple type, or one derived from it."""
        types = {builtin}
        files = self.closure
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
            return self._unlocated(wanted)
        remote = record.remote(wanted.location)
        beside = Path(os.path.normpath(file.path.parent / url2pathname(wanted.location)))
        address = wanted.location if remote else str(beside)
        if address not in found and not remote and self._may_read(beside, file.path):
            return beside.resolve()
        target = found.get(address) or self._named(wanted)
        if target is None or not target.is_file():
            text = f'the schema of namespace "{wanted.namespace}" ({wanted.location}) is not here'
            findings.append(Finding(text, file=str(file.path), line=wanted.line))
            return None
        found[address] = target
        return target

    def _may_read(self, path: Path, importer: Path) -> bool:
        """Whether a path is a file of this bundle or a neighbour, or lies beside its importer."""
        homes = (self.folder, *self.neighbours, importer.parent)
        inside = any(path.resolve().is_relative_to(home.resolve()) for home in homes)
        return inside and path.is_file()

    def _unlocated(self, wanted: Import) -> Path | None:
        """Find the file of an import without address, where the bundle has one."""
        paths = sorted(self.folder.rglob(XSD)) if wanted.imported else []
        return next((path.resolve() for path in paths if _is(path, wanted)), None)

    def _named(self, wanted: Import) -> Path | None:
        """Look by name and namespace: here, then in neighbours, there by the full address first."""
        name = url2pathname(urlsplit(wanted.location).path).rpartition("/")[2]
        if not name:
            return None
        if here := _matching(self.folder, name, wanted):
            return here
        around = (
            _known(folder, wanted) or _matching(folder, name, wanted) for folder in self.neighbours
        )
        return next(filter(None, around), None)

    def _catalog(self) -> dict[str, Path]:
        path = self.folder / "catalog.xml"
        if not path.is_file():
            return {}
        found: dict[str, Path] = {}
        for entry in parse(path).iter(f"{_CATALOG}uri", f"{_CATALOG}system"):
            name, target = entry.get("name") or entry.get("systemId"), entry.get("uri")
            if name and target:
                found[name] = (path.parent / url2pathname(target)).resolve()
        return {name: target for name, target in found.items() if target.is_file()}


def _matching(folder: Path, name: str, wanted: Import) -> Path | None:
    paths = sorted(folder.rglob(name)) if not set(name) & set("*?[") else []
    return next((path.resolve() for path in paths if _is(path, wanted)), None)


def _known(folder: Path, wanted: Import) -> Path | None:
    """Take what a neighbour imports from the same address, if it is that neighbour's own."""
    written = record.read(folder)
    target = written.places(folder).get(wanted.location) if written else None
    own = target is not None and target.is_relative_to(folder.resolve()) and target.is_file()
    return target if target and own and _is(target, wanted) else None


def _is(path: Path, wanted: Import) -> bool:
    return path.is_file() and _read(path).namespace == wanted.namespace


def _including(namespace: str, paths: Iterable[Path]) -> bytes:
    lines = "".join(f"<xs:include schemaLocation={quoteattr(path.as_uri())}/>" for path in paths)
    target = f" targetNamespace={quoteattr(namespace)}" if namespace else ""
    start = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"{target}>'
    return f"{start}{lines}</xs:schema>".encode()


def scan(folder: Path) -> tuple[SchemaFile, ...]:
    """Read every XSD below a folder; raises ConfigError if one is not XML."""
    return tuple(_read(path.resolve()) for path in sorted(folder.rglob(XSD)))


def parse(path: Path) -> etree._Element:
    """Return the root of a schema; raises ConfigError if it is not well-formed or hostile."""
    # Trusted local files: xmldsig has a DOCTYPE, so it is ignored here and not refused.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        root = etree.fromstring(path.read_bytes(), parser)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except etree.XMLSyntaxError as error:
        text = f"{path}:{error.lineno or 0}: is not well-formed XML ({error.msg})"
        raise ConfigError(text) from None
    dtd: Any = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(one.content is None for one in dtd.iterentities()):
        raise ConfigError(f"{path}: declares an entity that lies elsewhere; that is not taken")
    return root


def _read(path: Path) -> SchemaFile:
    root = parse(path)
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
        location = element.get("schemaLocation", "").strip()
        line: Any = element.sourceline
        yield Import(namespace, location, line or 0, imported)


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
