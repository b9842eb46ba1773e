"""What a bundle holds: its standards and their versions, found in the schemas themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from lxml import etree

from broker.document import split
from broker.errors import ConfigError
from broker.xoev import header, spelling
from broker.xoev.bundle import Bundle, SchemaFile, parse, scan
from broker.xoev.manifest import Manifest
from broker.xoev.record import Record

_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_NUMBERED: Final = re.compile(r".*\d{4}")
_SAFE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,19}")
#: Shared types that come along with bundles and are no standard by themselves.
_LIBRARIES: Final = re.compile(
    r"https?://(www\.w3\.org|www\.opengis\.net|xoev\.de/(latinchars|schemata)|www\.isotc211\.org|schemas\.xmlsoap\.org"
    r"|docs\.oasis-open\.org)/.*|urn:xoev-de:kosit:xoev:datentyp:.*"
)
_FIXED: Final = ("standard", "version", "xjustizVersion")


@dataclass(frozen=True, slots=True)
class Found:
    """One version of a standard in a bundle, or its library; the same words as in `Record`."""

    standard: str
    version: str
    entries: Mapping[str, tuple[Path, ...]]
    title: str = ""
    urn: str = ""
    attribute: str = ""
    written: str = ""
    library: bool = False
    main: bool = True
    message_decides: bool = False
    kinds: tuple[str, ...] = ()
    spellings: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """`xbau/2.6`."""
        return f"{self.standard}/{self.version}"

    def record(self, root: Path) -> Record:
        """Return the beginning of its record, with paths relative to the bundle."""
        entries = {
            namespace: tuple(path.relative_to(root).as_posix() for path in paths)
            for namespace, paths in self.entries.items()
        }
        return Record(self.standard, self.version, entries, self.title, self.urn, self.library,
                      self.message_decides, self.written)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Facts:
    """What one file says of its standard; `fixed` are fixed values of attributes of messages."""

    file: SchemaFile
    components: frozenset[tuple[str, str]]
    version: str = ""
    standard: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Cluster:
    """The files of one namespace that belong together: one version, one spelling of imports."""

    namespace: str
    facts: tuple[_Facts, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(one.file.path for one in self.facts)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(sorted({name for one in self.facts for name in one.file.elements}))

    @property
    def numbered(self) -> bool:
        """Whether messages are defined here."""
        return any(map(_NUMBERED.fullmatch, self.kinds))

    @property
    def components(self) -> frozenset[tuple[str, str]]:
        return frozenset[tuple[str, str]]().union(*(one.components for one in self.facts))

    def stated(self, name: str) -> str:
        """Return what most files say in their appinfo: `nameTechnisch`, `kennung`, `version`."""
        return _most(one.standard.get(name, "") for one in self.facts)

    def fixed(self, name: str) -> str:
        """Return the one fixed value of a root attribute, empty where there is none or several."""
        values = set().union(*(one.fixed.get(name, frozenset()) for one in self.facts))
        return values.pop() if len(values) == 1 else ""

    @property
    def versions(self) -> tuple[str, ...]:
        """What may be the version, the likeliest first."""
        fixed = self.fixed("version") or self.fixed("xjustizVersion")
        stated = _most(one.version for one in self.facts)
        found = (fixed, self.stated("version"), stated)
        return tuple(dict.fromkeys(one for one in found if _SAFE.fullmatch(one)))


def survey(
    root: Path, neighbours: tuple[Path, ...], known: Sequence[Manifest], label: str
) -> tuple[Found, ...]:
    """Return what lies in a folder, mains first; `label` names a library.

    `known` are the standards that this installation has. Of two copies of one version (XBau comes
    with absolute and with relative imports) the one that is complete is taken. Raises ConfigError
    where there is no schema, or one is not well-formed.
    """
    files = scan(root.resolve())
    if not files:
        raise ConfigError("there is no XML schema (*.xsd) and no code list in the bundle")
    clusters = [one for group in _by_namespace(files) for one in _clusters(group)]
    messages = _messages(clusters, _imported(files))
    if not messages:
        return (_library(clusters, root, neighbours, label),)
    found: dict[tuple[str, str], list[tuple[_Cluster, Found]]] = {}
    for cluster in sorted(messages, key=lambda one: not one.numbered):
        one = _identify(cluster, known)
        beside = [key for key, group in found.items() if cluster.namespace in group[0][1].entries]
        if cluster.numbered or not beside:
            found.setdefault((one.standard, one.version), []).append((cluster, one))
        elif len(beside) == 1:
            # Types in a folder of their own belong to the messages of their namespace. Where there
            # are two versions of it, they come in where others include them.
            found[beside[0]].append((cluster, one))
    for (_, version), group in found.items():
        if not version:
            namespace = group[0][0].namespace
            text = f'neither the files nor the namespace "{namespace}" say which version this is'
            raise ConfigError(text)
    versions = [_joined(group, root, neighbours) for group in found.values()]
    return _mains_first(versions, files)


def _mains_first(versions: Sequence[Found], files: Iterable[SchemaFile]) -> tuple[Found, ...]:
    """Sort, and mark as no main what another version here imports, unless that leaves nothing."""
    owned = {namespace for one in versions for namespace in one.entries}
    pairs = {(file.namespace, one.namespace) for file in files for one in file.imports}
    marked = [
        replace(
            one,
            main=not any(
                wanted in one.entries and by not in one.entries and by in owned
                for by, wanted in pairs
            ),
        )
        for one in versions
    ]
    if not any(one.main for one in marked):
        marked = [replace(one, main=True) for one in marked]
    return tuple(sorted(marked, key=lambda one: (not one.main, one.name)))


def _by_namespace(files: Iterable[SchemaFile]) -> list[list[SchemaFile]]:
    groups: dict[str, list[SchemaFile]] = {}
    for file in files:
        groups.setdefault(file.namespace, []).append(file)
    # Files without a namespace are included by others (chameleon) and judge nothing alone.
    return [group for namespace, group in groups.items() if namespace]


def _clusters(files: Sequence[SchemaFile]) -> Iterator[_Cluster]:
    """Put files together that lie in one folder or include each other."""
    groups: dict[Path, set[Path]] = {file.path: {file.path} for file in files}
    folders: dict[Path, Path] = {}
    for file in files:
        beside = folders.setdefault(file.path.parent, file.path)
        included = (file.path.parent / one.location for one in file.imports if not one.imported)
        for other in (beside, *(path.resolve() for path in included)):
            if other in groups and groups[other] is not groups[file.path]:
                both = groups[other] | groups[file.path]
                groups.update(dict.fromkeys(both, both))
    by_path = {file.path: file for file in files}
    for group in {id(group): group for group in groups.values()}.values():
        facts = tuple(_facts(by_path[path]) for path in sorted(group))
        yield _Cluster(facts[0].file.namespace, facts)


def _facts(file: SchemaFile) -> _Facts:
    root = parse(file.path)
    components = {
        (str(child.tag), child.get("name", "")) for child in root if child.get("name") is not None
    }
    standard = {}
    for section in root.iterfind(f"{_XS}annotation/{_XS}appinfo/*"):
        if split(str(section.tag))[1] in ("standard", "versionStandard"):
            words = {split(str(one.tag))[1]: " ".join((one.text or "").split()) for one in section}
            standard.update(words)
    fixed: dict[str, set[str]] = {}
    for attribute in root.iter(f"{_XS}attribute"):
        name, value = attribute.get("name", ""), attribute.get("fixed")
        if name in _FIXED and value is not None:
            fixed.setdefault(name, set()).add(value)
    values = {name: frozenset(found) for name, found in fixed.items()}
    return _Facts(file, frozenset(components), root.get("version", ""), standard, values)


def _imported(files: Iterable[SchemaFile]) -> frozenset[str]:
    """Namespaces that a file of another namespace imports."""
    return frozenset(
        one.namespace for file in files for one in file.imports if one.namespace != file.namespace
    )


def _messages(clusters: Sequence[_Cluster], imported: frozenset[str]) -> list[_Cluster]:
    """Choose what holds messages: numbered kinds, else global elements that nobody imports."""
    numbered = {one.namespace for one in clusters if one.numbered}
    return [one for one in clusters if one.namespace in numbered] or [
        one
        for one in clusters
        if one.kinds and one.namespace not in imported and not _LIBRARIES.fullmatch(one.namespace)
    ]


def _identify(cluster: _Cluster, known: Sequence[Manifest]) -> Found:
    namespace = cluster.namespace
    version, spellings, decides = _version(namespace, cluster.versions)
    standard = ""
    for manifest in known:
        meant = manifest.version_of(namespace, version)
        if meant is not None:
            standard, version = manifest.name, meant or version
            decides = manifest.message_decides(namespace)
            break
    stated = cluster.stated("nameTechnisch") or cluster.fixed("standard")
    return Found(
        standard=standard or spelling.slug(stated) or spelling.named(namespace),
        version=version,
        entries={namespace: cluster.paths},
        title=cluster.stated("nameKurz") or cluster.fixed("standard"),
        urn=cluster.stated("kennung"),
        attribute=cluster.fixed("standard"),
        written=cluster.fixed("version"),
        message_decides=decides,
        kinds=cluster.kinds,
        spellings=spellings,
    )


def _version(
    namespace: str, versions: tuple[str, ...]
) -> tuple[str, tuple[tuple[str, str], ...], bool]:
    """Find the version, how namespaces spell it, and whether only the message says it."""
    for version in (*versions, spelling.written(namespace)):
        if version and (found := spelling.spell(namespace, version)):
            return version, (found,), False
    return versions[0] if versions else "", ((re.escape(namespace), ""),), True


def _joined(
    group: Sequence[tuple[_Cluster, Found]], root: Path, neighbours: tuple[Path, ...]
) -> Found:
    """Make one version of all its namespaces, with the best copy of each."""
    first = group[0][1]
    by_namespace: dict[str, list[_Cluster]] = {}
    for cluster, _ in group:
        by_namespace.setdefault(cluster.namespace, []).append(cluster)
    entries = {
        namespace: _chosen(copies, first, root, neighbours)
        for namespace, copies in by_namespace.items()
    }
    of_namespace: dict[str, tuple[tuple[str, str], ...]] = {}
    for cluster, found in group:
        of_namespace.setdefault(cluster.namespace, found.spellings)
    attributes = {found.attribute for _, found in group} - {""}
    spellings = dict.fromkeys(one for many in of_namespace.values() for one in many)
    kinds = {kind for _, found in group for kind in found.kinds}
    return replace(
        first,
        entries=entries,
        # Where the namespaces differ in it, their schemas alone check the attribute.
        attribute=attributes.pop() if len(attributes) == 1 else "",
        written=first.written if len(by_namespace) == 1 else "",
        kinds=tuple(sorted(kinds)),
        spellings=tuple(spellings),
    )


def _chosen(
    copies: Sequence[_Cluster], found: Found, root: Path, neighbours: tuple[Path, ...]
) -> tuple[Path, ...]:
    """Take together what does not overlap; of copies the one with the fewest imports missing."""
    # What is installed of this very version would be replaced, so it does not count.
    around = tuple(one for one in neighbours if one.parts[-3:-1] != (found.standard, found.version))

    def lacks(cluster: _Cluster) -> tuple[int, int]:
        record = Found(found.standard, found.version, {cluster.namespace: cluster.paths})
        bundle = Bundle(found.name, root, False, around, record.record(root))
        return len(bundle.missing), -len(cluster.components)

    taken: list[_Cluster] = []
    for one in sorted(copies, key=lacks) if len(copies) > 1 else copies:
        if not any(one.components & other.components for other in taken):
            taken.append(one)
    return tuple(path for one in taken for path in one.paths)


def _library(
    clusters: Sequence[_Cluster], root: Path, neighbours: tuple[Path, ...], label: str
) -> Found:
    by_namespace: dict[str, list[_Cluster]] = {}
    for cluster in clusters:
        by_namespace.setdefault(cluster.namespace, []).append(cluster)
    versions = {version for one in clusters for version in one.versions}
    found = Found(spelling.slug(label) or "library", versions.pop() if len(versions) == 1 else "",
                  {}, label, library=True)  # fmt: skip
    entries = {
        namespace: _chosen(copies, found, root, neighbours)
        for namespace, copies in by_namespace.items()
    }
    return Found(found.standard, found.version, entries, label, library=True)


def family(bundle: Bundle) -> str:
    """Return which head the messages have (`header.G2G` …), empty if none."""
    names = bundle.vocabulary
    if "nachrichtenkopf.g2g" in names:
        return header.G2G
    if "@xjustizVersion" in names:
        return header.XJUSTIZ
    if "Kopf" in names:
        return header.XDOMEA
    return header.BEHOERDE if "nachrichtenkopf" in names else ""


def licences(bundle: Bundle) -> tuple[str, ...]:
    """Return the licences that the files state in their appinfo."""
    found = (_licences(parse(file.path)) for file in bundle.closure)
    return tuple(sorted({text for texts in found for text in texts}))


def _licences(root: etree._Element) -> Iterator[str]:
    for element in root.iterfind(f".//{_XS}appinfo//lizenz"):
        if text := " ".join((element.text or "").split()):
            yield text


def _most(values: Iterable[str]) -> str:
    found = Counter(value for value in values if value)
    return found.most_common(1)[0][0] if found else ""
