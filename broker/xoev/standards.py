"""The standards of this installation: recognising a message, and judging it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from broker.document import Document, Limits, parse, split
from broker.errors import (
    ConfigError,
    Finding,
    SchemaMissing,
    UnknownStandard,
    VersionExpired,
)
from broker.message import Envelope
from broker.xoev import header
from broker.xoev.bundle import Bundle
from broker.xoev.manifest import FILE, Calendar, Manifest, read_standard, read_version
from broker.xoev.validation import Validator

OFFICIAL: Final = "official"
PROFILE: Final = "profile"
_VERSION: Final = re.compile(r"[0-9A-Za-z.]{1,12}")
_LONGEST_CASE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Artefact:
    """What judged a message: `xbau/2.6/profile`, the version, SHA-256 of its files (hex)."""

    name: str
    version: str
    digest: str
    profile: bool


@dataclass(frozen=True, slots=True)
class Version:
    """One installed version: its bundle, its calendar, a validator for each of its namespaces."""

    name: str
    bundle: Bundle
    calendar: Calendar
    validators: Mapping[str, Validator]

    @property
    def artefact(self) -> Artefact:
        """Name and digest of the files that judge."""
        bundle = self.bundle
        return Artefact(bundle.name, self.name, bundle.digest, bundle.profile)


@dataclass(frozen=True, slots=True)
class Standard:
    """One standard with the versions that are installed."""

    manifest: Manifest
    versions: Mapping[str, Version]

    @property
    def name(self) -> str:
        """Folder name below `schemas/xoev`."""
        return self.manifest.name


class Standards:
    """All standards by namespace. Safe for threads once `compile_all` has returned."""

    def __init__(self, standards: tuple[Standard, ...], limits: Limits | None = None) -> None:
        """Take what `load` found; nothing is compiled yet."""
        self._standards = {standard.name: standard for standard in standards}
        self._limits = limits or Limits()
        # A namespace that names no version (XJustiz) belongs to all of them: the message decides.
        self._namespaces = {
            namespace: (standard, version.name)
            for standard in standards
            if standard.manifest.namespace.groups
            for version in standard.versions.values()
            for namespace in version.validators
        }

    @classmethod
    def load(cls, folder: Path, limits: Limits | None = None) -> Standards:
        """Read `schemas/xoev`; raises ConfigError with all findings. Compiles nothing."""
        if not folder.is_dir():
            raise ConfigError(f"there is no folder of standards at {folder}")
        findings: list[Finding] = []
        bundles = _official(folder)
        lock = threading.Lock()
        found = [
            _standard(path.parent, bundles, lock, findings)
            for path in sorted(folder.glob(f"*/{FILE}"))
        ]
        if findings:
            raise ConfigError(f"standards in {folder} have findings", findings=findings)
        return cls(tuple(standard for standard in found if standard), limits)

    def compile_all(self) -> None:
        """Compile and prove all schemas on the calling thread; raises ConfigError with findings."""
        findings: list[Finding] = []
        for validator in self._validators():
            try:
                validator.compile()
            except ConfigError as error:
                findings += error.findings or [Finding(error.args[0])]
        if findings:
            raise ConfigError("schemas cannot be used", findings=findings)

    def parse(self, raw: bytes) -> Document:
        """Parse bytes; only standards that allow attachments may send more than 10 MB."""
        return parse(raw, self._limits, self.attachments)

    def attachments(self, namespace: str) -> bool:
        """Whether messages with this root namespace may carry attachments, and so be large."""
        standard, _ = self._find(namespace, "")
        return standard is not None and standard.manifest.attachments

    def envelope(self, document: Document) -> Envelope:
        """Read the head and recognise the standard; raises NotXml where there is no head.

        `standard` is empty where no standard here has the root namespace; `version` is then what
        the message itself says.
        """
        head = header.read(document)
        namespace, kind = split(document.root.tag)
        standard, version = self._find(namespace, head.version)
        return Envelope(
            standard=standard.name if standard else "",
            version=version,
            kind=kind,
            namespace=namespace,
            sender=head.sender,
            recipient=head.recipient,
            code=head.code,
            uuid=head.uuid,
            created=head.created,
            case=_case(document, kind, standard) or head.process,
            test=head.test,
            family=head.family,
        )

    def validate(self, document: Document, envelope: Envelope, at: datetime) -> Artefact:
        """Judge a message that was received at a time; return what judged it.

        Raises UnknownStandard (V001), SchemaMissing (the standard is known, this version is not
        here), VersionExpired (V000: outside its calendar, or the root attributes name another
        version) and SchemaViolation (X001) with findings.
        """
        standard = self._standards.get(envelope.standard)
        if standard is None:
            raise UnknownStandard("no standard of this installation has this root namespace")
        version = standard.versions.get(envelope.version)
        validator = version.validators.get(envelope.namespace) if version else None
        if version is None or validator is None:
            raise _missing(standard.name, envelope.version)
        _check_calendar(standard.name, version, at)
        _check_attributes(document, standard.manifest, version)
        validator.check(document)
        return version.artefact

    def installed(self, standard: str, version: str) -> bool:
        """Whether messages of this standard and version can be judged here."""
        return standard in self._standards and version in self._standards[standard].versions

    def names(self) -> tuple[str, ...]:
        """Names of all known standards, sorted."""
        return tuple(sorted(self._standards))

    def versions(self, standard: str) -> tuple[str, ...]:
        """Installed versions of a standard, sorted; empty where it is unknown."""
        found = self._standards.get(standard)
        return tuple(sorted(found.versions)) if found else ()

    def kinds(self, standard: str, version: str) -> tuple[str, ...]:
        """Message kinds (root names) of an installed version, sorted; else empty."""
        if not self.installed(standard, version):
            return ()
        found = self._standards[standard].versions[version]
        kinds = (found.bundle.kinds(namespace) for namespace in found.validators)
        return tuple(sorted({kind for names in kinds for kind in names}))

    def bundle(self, standard: str, version: str) -> Bundle:
        """Return the schema files of an installed version; raises SchemaMissing for others."""
        if not self.installed(standard, version):
            raise _missing(standard, version)
        return self._standards[standard].versions[version].bundle

    def title(self, standard: str) -> str:
        """What people call it (XBau), or the name itself where it is unknown."""
        found = self._standards.get(standard)
        return found.manifest.title if found else standard

    def warnings(self) -> tuple[str, ...]:
        """Say where only a profile judges: heads are checked exactly, bodies are not."""
        return tuple(
            f"{standard.name} {version.name}: only the profile is installed, "
            "which checks the message head and not the content"
            for standard in self._standards.values()
            for version in standard.versions.values()
            if version.bundle.profile
        )

    def is_rejection(self, envelope: Envelope) -> bool:
        """Whether a message rejects another one, and so must never be rejected."""
        standard = self._standards.get(envelope.standard)
        return standard is not None and envelope.kind in standard.manifest.rejections

    def _validators(self) -> Iterator[Validator]:
        for standard in self._standards.values():
            for version in standard.versions.values():
                yield from version.validators.values()

    def _find(self, namespace: str, written: str) -> tuple[Standard | None, str]:
        if known := self._namespaces.get(namespace):
            return known
        for standard in self._standards.values():
            found = standard.manifest.version_of(namespace, written)
            if found is not None:
                return standard, found
        return None, written


def _official(folder: Path) -> tuple[Path, ...]:
    """All official bundles: what one imports may lie in another."""
    return tuple(sorted(path for path in folder.glob(f"*/*/{OFFICIAL}") if path.is_dir()))


def _standard(
    folder: Path, bundles: tuple[Path, ...], lock: threading.Lock, findings: list[Finding]
) -> Standard | None:
    manifest = read_standard(folder, findings)
    if manifest is None:
        return None
    versions: dict[str, Version] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        calendar = read_version(path, findings)
        bundle = _bundle(path, bundles)
        if bundle is not None:
            versions[path.name] = _version(path.name, bundle, calendar, manifest, lock)
    return Standard(manifest, versions)


def _bundle(folder: Path, bundles: tuple[Path, ...]) -> Bundle | None:
    for kind in (OFFICIAL, PROFILE):
        path = folder / kind
        if next(path.rglob("*.xsd"), None) is not None:
            name = f"{folder.parent.name}/{folder.name}/{kind}"
            neighbours = tuple(other for other in bundles if other != path)
            return Bundle(name, path, kind == PROFILE, neighbours)
    return None


def _version(
    name: str, bundle: Bundle, calendar: Calendar, manifest: Manifest, lock: threading.Lock
) -> Version:
    """Take the namespaces that the calendar names, else those whose pattern says this version."""
    namespaces = calendar.namespaces or tuple(
        sorted(
            namespace
            for namespace in bundle.namespaces
            if manifest.version_of(namespace, name) == name and bundle.kinds(namespace)
        )
    )
    validators = {namespace: Validator(bundle, namespace, lock) for namespace in namespaces}
    return Version(name, bundle, calendar, validators)


def _case(document: Document, kind: str, standard: Standard | None) -> str:
    """Follow the standard's paths of local names; the first value found is the key of the case."""
    cases = standard.manifest.case if standard else {}
    for path in cases.get(kind, cases.get("*", ())):
        element = document.root
        for step in path:
            found = header.children(element).get(step)
            if found is None:
                break
            element = found
        else:
            if key := header.text(element)[:_LONGEST_CASE]:
                return key
    return ""


def _missing(standard: str, version: str) -> SchemaMissing:
    # Where the namespace has no version (XJustiz), this text is the sender's own.
    shown = version if _VERSION.fullmatch(version) else "<version>"
    return SchemaMissing(
        f"{standard} {shown} is not installed; "
        f"put its official schemas into schemas/xoev/{standard}/{shown}/{OFFICIAL}"
    )


def _check_calendar(standard: str, version: Version, at: datetime) -> None:
    first, last = version.calendar.valid_from, version.calendar.valid_until
    day = at.date()
    if first and day < first:
        raise VersionExpired(f"{standard} {version.name} is in force only from {first}")
    if last and day > last:
        raise VersionExpired(f"{standard} {version.name} was in force until {last}")


def _check_attributes(document: Document, manifest: Manifest, version: Version) -> None:
    """Namespace and root attributes must agree; what is missing there is the schema's business."""
    if not manifest.attribute:
        return
    right = {"standard": manifest.attribute, "version": version.calendar.written or version.name}
    for name, expected in right.items():
        if document.root.get(name, expected) != expected:
            raise VersionExpired(
                f"the root attribute {name} contradicts the namespace, "
                f"which is of {manifest.name} {version.name}"
            )
