"""One version of a standard as a person names it: `xbau/2.6`, or a folder of schema files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from broker.errors import ConfigError
from broker.values import closest
from broker.xoev.bundle import Bundle, parse
from broker.xoev.diff import successors
from broker.xoev.place import official
from broker.xoev.standards import Standards


@dataclass(frozen=True, slots=True)
class Edition:
    """Schema files with the names that routes and adapters know them by.

    `standard` is empty where a folder belongs to no standard of this installation.
    """

    bundle: Bundle
    standard: str
    version: str

    @property
    def name(self) -> str:
        """What people read: `xbau/2.6`, or the folder."""
        return f"{self.standard}/{self.version}" if self.standard else self.bundle.name


def find(text: str, standards: Standards, schemas: Path) -> Edition:
    """Return an installed version or what a folder holds; raises ConfigError where it is neither.

    `schemas` is the folder of the installed standards: what a folder imports may lie there.
    """
    standard, _, version = text.partition("/")
    if standards.installed(standard, version):
        return Edition(standards.bundle(standard, version), standard, version)
    folder = Path(text)
    if not folder.is_dir():
        near = closest(text, [*_installed(standards)])
        raise ConfigError(f'"{text}" is neither an installed version nor a folder{near}')
    bundle = Bundle(text.rstrip("/"), folder.resolve(), False, official(schemas))
    if not bundle.files:
        raise ConfigError(f"{text} holds no XSD files")
    return Edition(bundle, _standard(bundle, standards), _version(bundle) or folder.name)


def _installed(standards: Standards) -> Iterator[str]:
    for name in standards.names():
        yield from (f"{name}/{version}" for version in standards.versions(name))


def _standard(bundle: Bundle, standards: Standards) -> str:
    """Return the standard one of whose installed versions has the same namespaces but for digits.

    A namespace that many standards import (the message head) does not count.
    """
    for name in standards.names():
        for version in standards.versions(name):
            messages = _spaces(standards.bundle(name, version))
            if successors(messages, _spaces(bundle)):
                return name
    return ""


def _spaces(bundle: Bundle) -> set[str]:
    """Return the namespaces in which message kinds stand, else all."""
    found = {
        file.namespace
        for file in bundle.files
        if any(name[-4:].isdigit() for name in file.elements)
    }
    return found or set(bundle.namespaces)


def _version(bundle: Bundle) -> str:
    """Return the version that the schema files of the messages state."""
    for file in bundle.files:
        if any(name[-4:].isdigit() for name in file.elements):
            return parse(file.path).get("version", "")
    return ""
