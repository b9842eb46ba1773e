"""`standard.yaml` of a standard that nobody described yet: what its schemas say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from broker.errors import Finding
from broker.xoev import place
from broker.xoev.bundle import Bundle
from broker.xoev.manifest import FILE, Manifest, read_standard
from broker.xoev.survey import Found, family

_MARK: Final = "# Written by `schemas install`; without this line it is yours and stays as it is.\n"
_REJECTS: Final = ("rueckweisung", "rückweisung")


def describe(folder: Path, found: Found, bundle: Bundle) -> None:
    """Write `standard.yaml`, or let it know one more spelling; one written by hand stays."""
    findings: list[Finding] = []
    old = read_standard(folder, findings) if (folder / FILE).is_file() else None
    if old is not None and not _is_generated(folder):
        return
    spellings = _spellings(old, found)
    values: dict[str, Any] = {
        "standard": folder.name,
        "title": found.title or (old.title if old else folder.name),
        "family": family(bundle),
        "namespace": [pattern for pattern, _ in spellings],
        "version": [version for _, version in spellings],
        "attribute": found.attribute if old is None or old.attribute == found.attribute else "",
        "attachments": "true" if bundle.names("base64Binary") else "false",
        "rejections": sorted(_rejections(found) | (old.rejections if old else set())),
        "case": [],
    }
    text = yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=100)
    place.write(folder / FILE, _MARK + text)


def _spellings(old: Manifest | None, found: Found) -> list[tuple[str, str]]:
    known = [(one.namespace.pattern, one.version) for one in old.spellings] if old else []
    new = () if old and _knows(old, found) else found.spellings
    return [*known, *(one for one in new if one not in known)]


def _rejections(found: Found) -> set[str]:
    return {kind for kind in found.kinds if any(word in kind.lower() for word in _REJECTS)}


def forget(folder: Path) -> None:
    """Remove a generated `standard.yaml` with the last version of its standard."""
    if folder.is_dir() and _is_generated(folder) and len(list(folder.iterdir())) == 1:
        (folder / FILE).unlink()
        folder.rmdir()


def _knows(old: Manifest, found: Found) -> bool:
    meant = {old.version_of(namespace, found.version) for namespace in found.entries}
    return meant == {found.version}


def _is_generated(folder: Path) -> bool:
    path = folder / FILE
    return path.is_file() and path.read_text(encoding="utf-8").startswith(_MARK)
