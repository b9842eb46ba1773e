"""Putting one version of a bundle together: its files unchanged, and the record of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from broker.errors import ConfigError, Finding
from broker.message import now
from broker.xoev import place, record
from broker.xoev.bundle import Bundle
from broker.xoev.record import Record
from broker.xoev.repository import PUBLIC
from broker.xoev.survey import Found, licences

INSTALLED: Final = "installed"
REPLACED: Final = "replaced"
ALREADY: Final = "already installed"
KEPT: Final = "kept"  #: a dependency that came along, and is installed already

_RULES: Final = b"http://purl.oclc.org/dsdl/schematron"
_CODES: Final = b"http://docs.oasis-open.org/codelist/ns/genericode/1.0/"
_PEEK: Final = 8192
_SHOWN: Final = 2


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator says about an installation.

    `name` is the folder of the standard where the bundle's own name will not do; the dates go into
    the record (`calendar.yaml` may say otherwise later); `repository` is where URNs are looked up.
    """

    name: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    grace: int = 0
    by: str = ""
    repository: str = PUBLIC


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bundle comes from, what it is called, and what it is known to build on."""

    text: str
    label: str
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """A version as it will be put in place."""

    found: Found
    record: Record
    bundle: Bundle
    status: str


def prepare(
    found: Found, every: tuple[Found, ...], stage: Path, folder: Path, origin: Origin, terms: Terms
) -> Ready:
    """Put the files of one version together and write down what they are."""
    tree = stage / "tree"
    around = _around(folder, found)
    whole = Bundle(found.name, tree, False, around, found.record(tree))
    if whole.missing:
        raise _incomplete(found, whole, tree, origin)
    ready = stage / f"{found.standard}-{found.version}-{every.index(found)}" / place.OFFICIAL
    _copy(tree, ready, _files(found, every, whole, tree))
    written = _written(found, every, whole, ready, tree, folder)
    old = _old(folder, written)
    written = replace(
        written,
        origin=origin.text,
        dependencies=tuple(sorted({*written.dependencies, *origin.dependencies})),
        installed_at=now().isoformat(timespec="seconds"),
        installed_by=terms.by,
        replaces=old.digest if old else "",
    )
    if found.main:
        written = _dated(written, terms)
    written.write(ready)
    bundle = Bundle(f"{written.name}/official", ready, False, around, written)
    return Ready(found, written, bundle, _status(found, written, old))


def _around(folder: Path, found: Found) -> tuple[Path, ...]:
    """Return the other installed bundles, libraries of shared types first."""
    own = place.current(folder / found.standard / found.version)
    others = [path for path in place.official(folder) if path != own]
    return tuple(sorted(others, key=lambda path: not record.recorded(path).library))


def _status(found: Found, written: Record, old: Record | None) -> str:
    if old is None:
        return INSTALLED
    if old.digest == written.digest and old.origin:
        return ALREADY
    return REPLACED if found.main else KEPT


def _dated(written: Record, terms: Terms) -> Record:
    first, last = terms.valid_from, terms.valid_until
    return replace(
        written,
        valid_from=first.isoformat() if first else "",
        valid_until=last.isoformat() if last else "",
        grace=terms.grace,
    )


def _old(folder: Path, written: Record) -> Record | None:
    path = place.current(folder / written.standard / written.version)
    return record.recorded(path) if path.is_dir() else None


def _files(found: Found, every: tuple[Found, ...], whole: Bundle, tree: Path) -> Collection[Path]:
    """Choose what is stored: the schemas that judge, and all other files that belong here."""
    schemas = {file.path for file in whole.closure if file.path.is_relative_to(tree)}
    mains = [one for one in every if one.main]
    if found not in mains:
        return schemas
    files = (path for path in tree.rglob("*") if path.is_file())
    return schemas | {path for path in files if _home(path, mains) is found}


def _home(path: Path, mains: list[Found]) -> Found:
    """Return the version a file of the bundle belongs to: the nearest, else the largest."""
    return max(mains, key=lambda one: (_nearness(path, one), len(one.kinds), one.name))


def _nearness(path: Path, found: Found) -> int:
    """Count the folders that a file has in common with the schemas of a version."""
    folders = {entry.parent for entries in found.entries.values() for entry in entries}
    return max(len(Path(os.path.commonpath((path.parent, one))).parts) for one in folders)


def _copy(tree: Path, ready: Path, files: Collection[Path]) -> None:
    for path in files:
        target = ready / path.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _written(
    found: Found, every: tuple[Found, ...], whole: Bundle, ready: Path, tree: Path, folder: Path
) -> Record:
    files = record.digests(ready)
    digest = record.digest(files)
    catalog, outside = _catalog(whole, ready, tree, folder)
    used = {file.namespace for file in whole.closure}
    along = {one.name for one in every if one is not found and used & set(one.entries)}
    rules, codes = _kinds_of(ready)
    return replace(
        found.record(tree),
        version=found.version or f"0.{digest[:8]}",
        title=found.title or found.standard,
        catalog=catalog,
        files=files,
        digest=digest,
        licences=licences(whole),
        dependencies=tuple(sorted(outside | along)),
        rules=rules,
        codelists=codes,
        services=tuple(name for name in files if name.lower().endswith(".wsdl")),
        part_of="" if found.main else next(one.name for one in every if one.main),
    )


def _catalog(
    whole: Bundle, ready: Path, tree: Path, folder: Path
) -> tuple[dict[str, str], set[str]]:
    """Return every address with its file, and the versions that such files belong to."""
    catalog: dict[str, str] = {}
    outside: set[str] = set()
    for address, target in whole.places.items():
        name = address if record.remote(address) else os.path.relpath(address, tree)
        if not target.is_relative_to(tree):
            catalog[name] = _neighbour(target, folder, address)
            outside.add("/".join(Path(catalog[name]).parts[3:5]))
        elif (ready / target.relative_to(tree)).is_file():
            catalog[name] = target.relative_to(tree).as_posix()
    return catalog, outside


def _neighbour(target: Path, folder: Path, address: str) -> str:
    """Return the path from `<standard>/<version>/official` to an installed file; no other may be
    imported. While it is staged the bundle lies as deep as later.
    """
    root = folder.resolve()
    if not target.is_relative_to(root):
        text = f"leads {address} out of the folder of the standards"
        raise ConfigError("the bundle is not taken", findings=[Finding(text, file="catalog.xml")])
    return f"../../../{target.relative_to(root).as_posix()}"


def _kinds_of(ready: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the Schematron files and the code lists, whatever they are called."""
    rules, codes = [], []
    for path in sorted(path for path in ready.rglob("*") if path.is_file()):
        if path.suffix.lower() in (".sch", ".xml", ".gc", ".genericode", ""):
            with path.open("rb") as file:
                start = file.read(_PEEK)
            name = path.relative_to(ready).as_posix()
            rules += [name] if _RULES in start and b"CodeList" not in start else []
            codes += [name] if _CODES in start else []
    return tuple(rules), tuple(codes)


def _incomplete(found: Found, whole: Bundle, tree: Path, origin: Origin) -> ConfigError:
    wanted: dict[str, list[Finding]] = {}
    for one in whole.missing:
        wanted.setdefault(one.text, []).append(relative(one, tree))
    findings = [_named(many) for many in wanted.values()]
    hint = f"; it builds on {', '.join(origin.dependencies)}" if origin.dependencies else ""
    return ConfigError(
        f"{found.name} is not installed: it imports what is neither in the bundle nor installed. "
        f"Nothing is fetched; install that first, or put it into the folder{hint}",
        findings=findings,
    )


def _named(importers: list[Finding]) -> Finding:
    """Say once what is missing and who imports it; of many importers the first few."""
    first, *more = importers
    names = ", ".join(f"{one.file}:{one.line}" for one in more[:_SHOWN])
    rest = f" and {len(more) - _SHOWN} more" if len(more) > _SHOWN else ""
    return replace(first, text=first.text + (f"; also for {names}{rest}" if more else ""))


def relative(finding: Finding, folder: Path) -> Finding:
    return replace(
        finding,
        text=finding.text.replace(f"{folder.resolve().as_uri()}/", ""),
        file=finding.file.removeprefix(f"{folder.resolve()}/"),
    )
