"""Which routes, adapters and samples of this installation a release change touches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lxml import etree

from broker.adapter import Adapter
from broker.catalog import Catalog
from broker.config.model import Route, Table
from broker.errors import ConfigError, Finding
from broker.rehearsal import golden
from broker.xoev.change import Change, What
from broker.xoev.diff import Diff
from broker.xoev.judgement import Levels
from broker.xoev.stage import Stage

#: Goes through items and may show how far it is.
Track = Callable[[Sequence[str], str], Iterable[str]]

_XSL: Final = "{http://www.w3.org/1999/XSL/Transform}"
_TEXT: Final = re.compile(r"""'[^']*'|"[^"]*\"""")
_NAME: Final = re.compile(r"@?(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")
_PATHS: Final = frozenset(("select", "match", "test", "use", "count", "from"))


@dataclass(frozen=True, slots=True)
class Way:
    """A route of this standard: `takes` says whether it takes the new version too."""

    name: str
    adapter: str
    takes: bool
    changes: tuple[Change, ...]

    @property
    def strict(self) -> int:
        """How many of the changes can refuse what was valid before."""
        return sum(change.difference.strict for change in self.changes)


@dataclass(frozen=True, slots=True)
class Mention:
    """A place of an adapter that names something that changed: `file:line` and the XPath."""

    adapter: str
    place: str
    xpath: str
    change: Change


@dataclass(frozen=True, slots=True)
class Accepts:
    """An adapter of the old version: whether it accepts the new one, and where it names the old
    namespaces, which match nothing in a message of the new version.
    """

    adapter: str
    accepts: bool
    namespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """What a release change means here. `samples` holds why each sample would be refused."""

    ways: tuple[Way, ...]
    adapters: tuple[Accepts, ...]
    mentions: tuple[Mention, ...]
    samples: tuple[tuple[str, tuple[Finding, ...]], ...]


@dataclass(frozen=True, slots=True)
class Release:
    """A release change: what changed, and the names (`standard`, old and new `version`)."""

    diff: Diff
    standard: str
    old: str
    new: str

    @property
    def names(self) -> tuple[str, str]:
        """Both versions as adapters name them."""
        return f"{self.standard}/{self.old}", f"{self.standard}/{self.new}"


def impact(
    release: Release, table: Table | None, catalog: Catalog, stage: Stage | None, track: Track
) -> Impact:
    """Return what of this installation a release change touches.

    Without a table there are no routes, without a stage (schemas that do not compile) no samples.
    """
    ways = tuple(_ways(release, table.routes if table else ()))
    old, new = release.names
    users = [name for name in catalog.names if old in catalog.accepts(name)]
    sheets = {name: tuple(_sheets(catalog.folder(name))) for name in users}
    files = dict(golden(catalog, stage)) if stage else {}
    return Impact(
        ways,
        tuple(_accepts(name, new, sheets[name], release.diff, catalog) for name in users),
        tuple(
            one
            for name in users
            for one in _mentions(name, catalog.get(name), sheets[name], release)
        ),
        tuple(_refused(files, stage, track)) if stage else (),
    )


def _refused(
    files: dict[str, Path], stage: Stage, track: Track
) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    for name in track(list(files), "samples"):
        # A list that is not known here was not known before either: no change, so not told.
        levels = Levels(codelists="off")
        if findings := stage.judge(files[name].read_bytes(), levels):
            yield name, findings


def _ways(release: Release, routes: Iterable[Route]) -> Iterator[Way]:
    for route in routes:
        match = route.match
        old = not match.versions or release.old in match.versions
        if match.standard in ("", release.standard) and old:
            kinds = match.kinds or release.diff.kinds
            takes = not match.versions or release.new in match.versions
            yield Way(route.name, route.adapter, takes, release.diff.of(kinds))


@dataclass(frozen=True, slots=True)
class _Path:
    """One XPath of an adapter, where it stands, and the names in it."""

    place: str
    text: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One stylesheet: its place, the namespaces it declares, the XPaths in it."""

    place: str
    namespaces: frozenset[str]
    paths: tuple[_Path, ...]


def _sheets(folder: Path) -> Iterator[_Sheet]:
    """Read the stylesheets of an adapter and those that its procedure shares."""
    shared = folder.parent.parent / "shared" / folder.name
    for file in (*sorted(folder.glob("*.xsl")), *sorted(shared.glob("*.xsl"))):
        place = "/".join(file.parts[-3:])
        root = _parse(file, place)
        spaces = frozenset(uri for node in root.iter() for uri in node.nsmap.values())
        yield _Sheet(place, spaces, tuple(_paths(root, place)))


def _parse(file: Path, place: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        return etree.fromstring(file.read_bytes(), parser)
    except (OSError, etree.XMLSyntaxError) as error:
        line = getattr(error, "lineno", None) or 0
        finding = Finding("cannot be read as XML", place, line)
        raise ConfigError("a stylesheet cannot be used", findings=[finding]) from None


def _paths(root: etree._Element, place: str) -> Iterator[_Path]:
    for node in root.iter(tag=etree.Element):
        for name, value in node.attrib.items():
            text = str(value)
            if not (str(node.tag).startswith(_XSL) and name in _PATHS):
                text = " ".join(re.findall(r"\{([^{}]+)\}", text))
            if text:
                yield _Path(f"{place}:{node.sourceline}", text, _names(text))


def _names(xpath: str) -> frozenset[str]:
    return frozenset(match[1] for match in _NAME.finditer(_TEXT.sub("", xpath)))


def _accepts(
    name: str, new: str, sheets: Iterable[_Sheet], diff: Diff, catalog: Catalog
) -> Accepts:
    renamed = {old for old, now in diff.spaces.items() if old != now}
    found = [
        f"{sheet.place}: {space}"
        for sheet in sheets
        for space in sorted(renamed & sheet.namespaces)
    ]
    bound = [f"prefixes: {uri}" for uri in catalog.get(name).prefixes.values() if uri in renamed]
    if catalog.get(name).requires:
        found += bound
    return Accepts(name, new in catalog.accepts(name), tuple(found))


def _mentions(
    name: str, adapter: Adapter, sheets: Iterable[_Sheet], release: Release
) -> Iterator[Mention]:
    """Find XPaths that name a changed element, in an adapter that also names the one above it."""
    paths = [path for sheet in sheets for path in sheet.paths]
    paths += [_Path("requires", xpath, _names(xpath)) for xpath in adapter.requires]
    known = {word for path in paths for word in path.names}
    for change in filter(_visible, release.diff.changes):
        words = {
            one.removeprefix("@") for above, one in change.names if not above or above in known
        }
        for path in paths:
            if words & path.names:
                yield Mention(name, path.place, path.text, change)


def _visible(change: Change) -> bool:
    """Whether an adapter could have named it: not what is new, nor what only reads differently."""
    one = change.difference
    wording = one.aspect.startswith("meaning") or one.area == "rule"
    return not wording and not (one.what is What.ADDED and one.area != "codelist")
