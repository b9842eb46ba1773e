"""Installing official bundles: taken as they are, proved, and only then put in force."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from broker.errors import ConfigError, Finding
from broker.xoev import archive, generated, place, record
from broker.xoev.assembly import (
    ALREADY,
    INSTALLED,
    KEPT,
    REPLACED,
    Origin,
    Ready,
    Terms,
    prepare,
    relative,
)
from broker.xoev.bundle import XSD
from broker.xoev.loose import Loose, keep
from broker.xoev.manifest import FILE, read_standard
from broker.xoev.record import Record
from broker.xoev.repository import Repository, is_urn
from broker.xoev.survey import Found, survey
from broker.xoev.validation import Validator

__all__ = [
    "ALREADY",
    "INSTALLED",
    "KEPT",
    "REPLACED",
    "Change",
    "Installed",
    "Terms",
    "install",
    "listed",
    "remove",
    "shown",
]

#: Hears what is going on.
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one version in the bundle; `status` is one of the constants above."""

    record: Record
    status: str
    kinds: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Installed:
    """The outcome: every version that the bundle held, or every code list that came alone."""

    changes: tuple[Change, ...]
    lists: tuple[Loose, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is other than before; then held messages may go on."""
        statuses = [*(one.status for one in self.changes), *(one.status for one in self.lists)]
        return not {INSTALLED, REPLACED}.isdisjoint(statuses)


def install(
    source: Path | str, folder: Path, terms: Terms | None = None, tell: Tell = lambda _: None
) -> Installed:
    """Install a zip, a folder or a URN of XRepository below `folder` (`schemas/xoev`).

    Every version in it is stored unchanged with a record, compiled, and shown wrong messages that
    it must refuse; all or nothing is put in force. Code lists (Genericode) without any schema go to
    `codelists/`. `tell` hears what is going on.

    Raises ConfigError with findings: hostile archives, broken schemas (file, line), missing imports
    (address, who imports it), versions that other installed ones build on.
    """
    terms = terms or Terms()
    with place.staging(folder) as stage:
        tree = stage / "tree"
        tree.mkdir()
        origin = _take(source, tree, terms, tell)
        if lists := _alone(tree, folder, stage):
            return Installed((), lists)
        tell("reading schemas")
        found = _survey(tree, folder, terms, origin)
        ready = [prepare(one, found, stage, folder, origin, terms) for one in found]
        changes = tuple(_prove(one, terms, tell) for one in ready)
        new = [one for one in ready if one.status in (INSTALLED, REPLACED)]
        for one in new:
            _check_dependents(one.record, one.bundle.folder, folder)
        for one in reversed(new):
            _activate(one, folder)
    return Installed(changes)


def listed(folder: Path) -> tuple[Record, ...]:
    """Return all official bundles, also those that somebody put there by hand (no `origin`)."""
    return tuple(map(record.recorded, place.official(folder)))


def shown(folder: Path, standard: str, version: str) -> Record:
    """Return the record of one official bundle; raises ConfigError if it is not installed."""
    return record.recorded(_installed(folder, standard, version))


def remove(folder: Path, names: Collection[str], needed: Mapping[str, Collection[str]]) -> None:
    """Remove official bundles (`xbau/2.6`), each at once; a profile beside one judges again.

    `needed` names for a bundle who needs it (`route "bau"`). Raises ConfigError, and removes
    nothing, where anybody does: a route, or an installed bundle that would stay.
    """
    with place.staging(folder) as stage:
        paths = {name: _installed(folder, *_parted(name)) for name in names}
        findings = [
            Finding(f"is needed by {user}", file=name)
            for name in paths
            for user in (*needed.get(name, ()), *_dependents(folder, name, names))
        ]
        if findings:
            raise ConfigError("nothing is removed", findings=findings)
        for path in paths.values():
            place.withdraw(path.parent, stage)
            generated.forget(path.parent.parent)


def _parted(name: str) -> tuple[str, str]:
    standard, _, version = name.partition("/")
    return standard, version


def _installed(folder: Path, standard: str, version: str) -> Path:
    path = place.current(folder / standard / version)
    inside = {standard, version}.isdisjoint(("", ".", "..")) and "/" not in standard + version
    if not inside or not path.is_dir():
        there = ", ".join(f"{one.parent.parent.name} {one.parent.name}"
                          for one in place.official(folder))  # fmt: skip
        text = f"{standard} {version} has no official bundle here; there are: {there or 'none'}"
        raise ConfigError(text)
    return path


def _alone(tree: Path, folder: Path, stage: Path) -> tuple[Loose, ...]:
    if next(tree.rglob(XSD), None) is not None:
        return ()
    try:
        return keep(tree, folder, stage)
    except ConfigError as error:
        raise _inside(error, tree) from None


def _take(source: Path | str, tree: Path, terms: Terms, tell: Tell) -> Origin:
    if isinstance(source, str) and is_urn(source):
        stated = Repository(terms.repository).fetch(source, tree, tell)
        return Origin(f"{source} from {terms.repository}", stated.name, stated.dependencies)
    tell("unpacking")
    path = Path(source)
    archive.take(path, tree)
    return Origin(path.resolve().name, path.resolve().name.removesuffix(path.suffix))


def _survey(tree: Path, folder: Path, terms: Terms, origin: Origin) -> tuple[Found, ...]:
    findings: list[Finding] = []
    paths = sorted(folder.glob(f"[!.]*/{FILE}"))
    known = [read_standard(path.parent, findings) for path in paths]
    if findings:
        raise ConfigError(f"standards in {folder} have findings", findings=findings)
    try:
        found = survey(tree, place.official(folder), [one for one in known if one], origin.label)
    except ConfigError as error:
        raise _inside(error, tree) from None
    mains = [one for one in found if one.main]
    if terms.name and len(mains) != 1:
        names = ", ".join(one.name for one in mains)
        raise ConfigError(f"a name can be given to one standard only, here are: {names}")
    return tuple(replace(one, standard=terms.name) if terms.name and one.main else one
                 for one in found)  # fmt: skip


def _prove(ready: Ready, terms: Terms, tell: Tell) -> Change:
    """Compile all namespaces, and show each that it refuses what is wrong."""
    warnings: list[str] = []
    kinds = {kind for namespace in ready.record.entries for kind in ready.bundle.kinds(namespace)}
    if ready.status in (ALREADY, KEPT):
        dated = ready.status == ALREADY and (terms.valid_from or terms.valid_until or terms.grace)
        warnings = ["the dates are as before; calendar.yaml can change them"] if dated else []
        return Change(ready.record, ready.status, len(kinds), tuple(warnings))
    lock = threading.Lock()
    for namespace in ready.record.entries:
        tell(f"compiling {ready.record.name} {namespace}")
        validator = Validator(ready.bundle, namespace, lock)
        try:
            validator.compile()
        except ConfigError as error:
            raise _inside(error, ready.bundle.folder) from None
        if not ready.record.library and (why := validator.explains()):
            warnings.append(f"{namespace}: refusals are explained by libxml2 alone ({why})")
    return Change(ready.record, ready.status, len(kinds), tuple(warnings))


def _activate(ready: Ready, folder: Path) -> None:
    written = ready.record
    version = folder / written.standard / written.version
    if not written.library:
        generated.describe(folder / written.standard, ready.found, ready.bundle)
    place.activate(ready.bundle.folder, version)


def _check_dependents(written: Record, ready: Path, folder: Path) -> None:
    """Refuse to replace files that another bundle imports by files that are not there."""
    home = folder.resolve() / written.standard / written.version / place.OFFICIAL
    for other, target in _borrowed(folder, home):
        if not (ready / target).is_file():
            text = f"lacks {target}, which {other} imports; remove {other} first"
            raise ConfigError(f"{written.name} is not replaced", findings=[Finding(text)])


def _borrowed(folder: Path, home: Path) -> Iterator[tuple[str, Path]]:
    for path in place.official(folder):
        other = record.read(path) if path.resolve() != home else None
        for target in other.places(path).values() if other else ():
            if target.is_relative_to(home):
                yield f"{path.parent.parent.name}/{path.parent.name}", target.relative_to(home)


def _dependents(folder: Path, name: str, going: Collection[str]) -> list[str]:
    staying = (one for one in listed(folder) if one.name not in going)
    return [one.name for one in staying if name in one.dependencies]


def _inside(error: ConfigError, folder: Path) -> ConfigError:
    """Name files as they are called in the bundle, not where it was unpacked."""
    text = error.args[0].replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
    findings = [relative(one, folder) for one in error.findings]
    return ConfigError(f"{text}; nothing was installed", findings=findings)
