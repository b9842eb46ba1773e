"""The code lists of this installation, by what messages call them: listURI and listVersionID."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from broker.errors import SchemaMissing
from broker.xoev.genericode import CodeList, Identity, peek, read
from broker.xoev.place import official

#: Where lists lie that came without a bundle, below the folder of standards.
FOLDER: Final = "codelists"
_SUFFIXES: Final = frozenset((".xml", ".gc", ".genericode"))


class CodeLists:
    """All lists by uri and version; a list is read when it is first asked for. Safe for threads."""

    def __init__(self, identities: Iterable[Identity] = ()) -> None:
        """Take what `load` found; where two files are the same list, the first one counts."""
        self._known: dict[str, dict[str, Identity]] = {}
        self._read: dict[tuple[str, str], CodeList] = {}
        self._lock = threading.Lock()
        for one in identities:
            self._known.setdefault(one.uri, {}).setdefault(one.version, one)

    @classmethod
    def load(cls, folder: Path) -> CodeLists:
        """Find the lists below `schemas/xoev`: in `codelists/`, then in the official bundles.

        Reads only the head of each file; what is no Genericode is passed over.
        """
        return cls.of(folder / FOLDER, *official(folder))

    @classmethod
    def of(cls, *folders: Path) -> CodeLists:
        """Find the lists anywhere below these folders."""
        files = (
            path
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in _SUFFIXES and path.is_file()
        )
        return cls(found for found in map(peek, files) if found is not None)

    def __bool__(self) -> bool:
        """Whether any list is installed."""
        return bool(self._known)

    def identities(self) -> tuple[Identity, ...]:
        """Return all lists, sorted by uri and version."""
        found = (one for versions in self._known.values() for one in versions.values())
        return tuple(sorted(found, key=lambda one: (one.uri, one.version)))

    def digest(self) -> str:
        """Return the SHA-256 (hex) over all lists; empty where none is installed."""
        whole = hashlib.sha256()
        for one in self.identities():
            content = hashlib.sha256(one.path.read_bytes()).hexdigest()
            whole.update(f"{one.uri}\n{one.version}\n{content}\n".encode())
        return whole.hexdigest() if self._known else ""

    def versions(self, uri: str) -> Mapping[str, Identity]:
        """Return the versions of a list that are here; empty if it is not here at all."""
        return self._known.get(uri, {})

    def find(self, uri: str, version: str) -> CodeList | None:
        """Return a list, reading it if need be; None if it is not here. Raises ConfigError."""
        found = self._read.get((uri, version))
        if found is not None:
            return found
        identity = self._known.get(uri, {}).get(version)
        if identity is None:
            return None
        with self._lock:
            if (uri, version) not in self._read:
                self._read[uri, version] = read(identity.path)
            return self._read[uri, version]

    def latest(self, uri: str) -> CodeList | None:
        """Return the version whose name sorts last (numbers as numbers); None if none is here."""
        versions = self._known.get(uri)
        return self.find(uri, max(versions, key=_order)) if versions else None

    def named(self, name: str) -> CodeList | None:
        """Return a list by `listURI` (then the newest version) or `listURI_version`; else None."""
        uri, _, version = name.rpartition("_")
        return self.latest(name) or self.find(uri, version)

    def entry(self, name: str, code: str) -> dict[str, str] | None:
        """Return a row by column, the code first; None if the list `name` does not have the code.

        Raises SchemaMissing if the list is not here: what needs it waits until it is installed.
        """
        found = self.named(name)
        if found is None:
            text = f'code list "{name}" is not installed; get it as Genericode and put it in with: '
            raise SchemaMissing(text + f"xoev-broker schemas install, or into {FOLDER}/")
        row = found.row(code)
        if row is None:
            return None
        key = found.columns[found.key]
        return {key: row.pop(key), **row}


def _order(version: str) -> list[tuple[int, str]]:
    parts = version.replace("-", ".").split(".")
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
