"""What lies below `schemas/xoev`, read but not compiled: standards and their versions."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from broker.errors import ConfigError, Finding
from broker.xoev import calendar as dates
from broker.xoev import record
from broker.xoev.bundle import XSD, Bundle
from broker.xoev.manifest import (
    FILE,
    Calendar,
    Manifest,
    read_standard,
    read_version,
)
from broker.xoev.place import OFFICIAL, current, official
from broker.xoev.validation import Validator

PROFILE: Final = "profile"


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

    def message_decides(self, version: Version, namespace: str) -> bool:
        """Whether a namespace names no version, so that only the message does (XJustiz)."""
        if written := version.bundle.record:
            return written.message_decides
        return self.manifest.message_decides(namespace)

    def newest(self, namespace: str) -> str:
        """Return the newest version of a namespace: neither it nor the message names one."""
        found = [one.name for one in self.versions.values() if namespace in one.validators]
        return max(found, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])


def read(
    folder: Path, calendar: Mapping[str, Calendar], findings: list[Finding]
) -> tuple[Standard, ...]:
    """Read `schemas/xoev`, with the operator's dates; what cannot be used is a finding."""
    around = _Around(official(folder), calendar, threading.Lock())
    found = [
        _standard(path.parent, around, findings) for path in sorted(folder.glob(f"[!.]*/{FILE}"))
    ]
    return tuple(standard for standard in found if standard)


@dataclass(frozen=True, slots=True)
class _Around:
    """What all versions share while they are loaded."""

    bundles: tuple[Path, ...]
    calendar: Mapping[str, Calendar]
    lock: threading.Lock


def _standard(folder: Path, around: _Around, findings: list[Finding]) -> Standard | None:
    manifest = read_standard(folder, findings)
    if manifest is None:
        return None
    versions: dict[str, Version] = {}
    for path in sorted(path for path in folder.glob("[!.]*") if path.is_dir()):
        calendar = read_version(path, findings)
        bundle = _bundle(path, around.bundles, findings)
        if bundle is not None:
            own = around.calendar.get(f"{folder.name}/{path.name}")
            calendar = dates.merged(calendar, bundle.record, own)
            versions[path.name] = _version(path.name, bundle, calendar, manifest, around.lock)
    return Standard(manifest, versions)


def _bundle(folder: Path, bundles: tuple[Path, ...], findings: list[Finding]) -> Bundle | None:
    for kind, path in ((OFFICIAL, current(folder)), (PROFILE, folder / PROFILE)):
        if next(path.rglob(XSD), None) is not None:
            name = f"{folder.parent.name}/{folder.name}/{kind}"
            neighbours = tuple(other for other in bundles if other != path)
            return Bundle(name, path, kind == PROFILE, neighbours, _recorded(path, findings))
    return None


def _recorded(folder: Path, findings: list[Finding]) -> record.Record | None:
    try:
        return record.read(folder)
    except ConfigError as error:
        findings += error.findings
        return None


def _version(
    name: str, bundle: Bundle, calendar: Calendar, manifest: Manifest, lock: threading.Lock
) -> Version:
    """Take the namespaces that the installation or the calendar names, else those by pattern."""
    recorded = bundle.record.entries if bundle.record else ()
    written = bundle.record.written if bundle.record else ""
    if written and calendar.written == name:
        calendar = replace(calendar, written=written)
    namespaces = (
        tuple(recorded)
        or calendar.namespaces
        or tuple(
            sorted(
                namespace
                for namespace in bundle.namespaces
                if manifest.version_of(namespace, name) == name and bundle.kinds(namespace)
            )
        )
    )
    validators = {namespace: Validator(bundle, namespace, lock) for namespace in namespaces}
    return Version(name, bundle, calendar, validators)
