"""The standards of this installation: recognising a message, and judging it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
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
from broker.message import Authority, Envelope
from broker.xoev import business, header
from broker.xoev import calendar as dates
from broker.xoev.bundle import Bundle
from broker.xoev.calendar import Ending
from broker.xoev.header import Head
from broker.xoev.manifest import Calendar, Manifest, read_calendar
from broker.xoev.shelf import Artefact, Standard, Version, read
from broker.xoev.validation import Validator

__all__ = ["Artefact", "Standards"]

_VERSION: Final = re.compile(r"[0-9A-Za-z.]{1,12}")
_LONGEST_CASE: Final = 1_000


class Standards:
    """All standards by namespace. Safe for threads once `compile_all` has returned."""

    def __init__(
        self,
        standards: tuple[Standard, ...],
        limits: Limits | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Take what `load` found, and what it noted; nothing is compiled yet."""
        self._notes = notes
        self._standards = {standard.name: standard for standard in standards}
        self._limits = limits or Limits()
        # A namespace that names no version (XJustiz) belongs to all of them: the message decides.
        self._namespaces = {
            namespace: (standard, version.name)
            for standard in standards
            for version in standard.versions.values()
            for namespace in version.validators
            if not standard.message_decides(version, namespace)
        }
        self._unversioned = {
            namespace: standard
            for standard in standards
            for version in standard.versions.values()
            for namespace in version.validators
            if namespace not in self._namespaces
        }

    @classmethod
    def load(cls, folder: Path, limits: Limits | None = None) -> Standards:
        """Read `schemas/xoev`; raises ConfigError with all findings. Compiles nothing."""
        if not folder.is_dir():
            raise ConfigError(f"there is no folder of standards at {folder}")
        findings: list[Finding] = []
        calendar = read_calendar(folder, findings)
        found = read(folder, calendar, findings)
        if findings:
            raise ConfigError(f"standards in {folder} have findings", findings=findings)
        names = {f"{one.name}/{version}" for one in found for version in one.versions}
        notes = (f"calendar.yaml has dates of {name}, which is not installed"
                 for name in sorted(set(calendar) - names))  # fmt: skip
        return cls(found, limits, tuple(notes))

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

    def envelope(
        self,
        document: Document,
        recipient: Authority | None = None,
        sender: Authority | None = None,
    ) -> Envelope:
        """Read the head and recognise the standard; raises NotXml where there is no head.

        `standard` is empty where no standard here has the root namespace; `version` is then what
        the message itself says. `recipient` and `sender` are what the transport knows: they count
        where the head does not say it, and with them a message needs no head (XPlanung, XSchule).
        """
        head = _head(document, recipient, sender)
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

    def business(self, document: Document, envelope: Envelope) -> tuple[tuple[str, str], ...]:
        """Return the business keys of a message, name and value, as its standard declares them."""
        standard = self._standards.get(envelope.standard)
        return business.read(document, envelope.kind, standard.manifest.keys) if standard else ()

    def keys(self) -> tuple[str, ...]:
        """Names of all business keys that standards declare, sorted."""
        names = (name for one in self._standards.values() for name in one.manifest.keys)
        return tuple(sorted(set(names)))

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
        return self._notes + tuple(
            f"{standard.name} {version.name}: only the profile is installed, "
            "which checks the message head and not the content"
            for standard in self._standards.values()
            for version in standard.versions.values()
            if version.bundle.profile
        )

    def calendar(self, standard: str, version: str) -> Calendar:
        """Return when an installed version is in force; raises SchemaMissing for others."""
        if not self.installed(standard, version):
            raise _missing(standard, version)
        return self._standards[standard].versions[version].calendar

    def ending(
        self, weeks: int, at: datetime, used: Collection[tuple[str, str]] | None = None
    ) -> tuple[Ending, ...]:
        """Return the versions that end within so many weeks, or have ended, the nearest first.

        `used` are the versions (`("xbau", "2.6")`) that count; default: all installed.
        """
        found = [
            dates.ending(standard.name, version.name, version.calendar, at, weeks)
            for standard in self._standards.values()
            for version in standard.versions.values()
            if used is None or (standard.name, version.name) in used
        ]
        return tuple(sorted(filter(None, found), key=lambda one: (one.last, one.standard)))

    def altered(self) -> tuple[str, ...]:
        """Say which installed bundles are no longer what was installed; reads all their files."""
        return tuple(
            f"{version.bundle.name}: files differ from those that were installed, "
            "install the bundle again"
            for standard in self._standards.values()
            for version in standard.versions.values()
            if version.bundle.record and version.bundle.record.digest != version.bundle.digest
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
        if standard := self._unversioned.get(namespace):
            return standard, written or standard.newest(namespace)
        for standard in self._standards.values():
            found = standard.manifest.version_of(namespace, written)
            if found is not None:
                return standard, found
        return None, written


def _head(document: Document, recipient: Authority | None, sender: Authority | None) -> Head:
    """Read the head, and add what the transport knows."""
    known = recipient is not None or sender is not None
    if known and not header.present(document):
        head = header.none(document)
    else:
        head = header.read(document)
    return replace(
        head,
        recipient=head.recipient if head.recipient.key else recipient or head.recipient,
        sender=head.sender if head.sender.key else sender or head.sender,
    )


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
        "get its official bundle and put it in with: xoev-broker schemas install"
    )


def _check_calendar(standard: str, version: Version, at: datetime) -> None:
    first, last = version.calendar.valid_from, version.calendar.last
    day = dates.german_day(at)
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
