"""What is written down of an installed bundle: `xoev-broker.json` beside its unchanged files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from broker.errors import ConfigError, Finding

FILE: Final = "xoev-broker.json"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One installed version of a standard, or a library of shared types.

    `entries` names for each namespace the files (relative) that its driver includes, `catalog` for
    each import address, or relative path that leads nowhere, the file (relative to the bundle, so
    that it may lie in another). `message_decides`: the namespace names no version (XJustiz).
    `files` are SHA-256 digests, `digest` is that of the whole, `dependencies` `standard/version`.
    """

    standard: str
    version: str
    entries: Mapping[str, tuple[str, ...]]
    title: str = ""
    urn: str = ""
    library: bool = False
    message_decides: bool = False
    written: str = ""
    catalog: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    licences: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    codelists: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    origin: str = ""
    part_of: str = ""
    installed_at: str = ""
    installed_by: str = ""
    valid_from: str = ""
    valid_until: str = ""
    grace: int = 0
    replaces: str = ""

    @property
    def name(self) -> str:
        """`xbau/2.6`."""
        return f"{self.standard}/{self.version}"

    def write(self, folder: Path) -> None:
        """Write it into the folder of the bundle."""
        values = {"format": _FORMAT, **asdict(self)}
        text = json.dumps(values, indent=1, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    def places(self, folder: Path) -> dict[str, Path]:
        """Return the catalog with absolute paths, for a bundle in this folder."""
        return {
            _address(folder, name): Path(os.path.normpath(folder / target)).resolve()
            for name, target in self.catalog.items()
        }


def read(folder: Path) -> Record | None:
    """Read the record of a bundle; None where somebody put the files here by hand.

    Raises ConfigError where it cannot be used.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format") != _FORMAT:
            raise ValueError
        found = Record(**{name: _frozen(value) for name, value in values.items()})
        _ = day(found.valid_from), day(found.valid_until)
        return found
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        text = "is not a record of an installation, remove the bundle and install it again"
        raise ConfigError("a bundle cannot be used", findings=[Finding(text, str(path))]) from None


def recorded(folder: Path) -> Record:
    """Return the record of a bundle, or what its files say where nobody wrote one (no `origin`)."""
    found = read(folder)
    if found is not None:
        return found
    files = digests(folder)
    standard, version = folder.parts[-3:-1]
    return Record(standard, version, {}, files=files, digest=digest(files))


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 (hex) of every file of a bundle, by relative path, sorted."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != FILE)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def digest(files: Mapping[str, str]) -> str:
    """Return the SHA-256 (hex) over names and contents: which artefact judged a message."""
    total = hashlib.sha256()
    for name, content in sorted(files.items(), key=lambda item: Path(item[0]).parts):
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def day(text: str) -> date | None:
    """Return a day of the record, None where none is known."""
    return date.fromisoformat(text) if text else None


def remote(address: str) -> bool:
    """Whether an import address is absolute, and so never a path."""
    return urlsplit(address).scheme in ("http", "https", "ftp", "urn")


def _address(folder: Path, name: str) -> str:
    return name if remote(name) else str(Path(os.path.normpath(folder.resolve() / name)))


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {name: _frozen(one) for name, one in value.items()}
    return value
