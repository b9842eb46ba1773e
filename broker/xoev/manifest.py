"""`standard.yaml`: what the broker must know of a standard and of one version of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from broker.errors import Finding

FILE: Final = "standard.yaml"
_STANDARD: Final = frozenset(
    {"standard", "title", "attribute", "namespace", "version", "attachments"}
    | {"case", "keys", "rejections", "family"}
)
_DATES: Final = frozenset(("valid_from", "valid_until", "grace"))
_VERSION: Final = frozenset(("namespaces", "written")) | _DATES
#: `<standard>/<version>` below `schemas/xoev`: its key in the calendar of the operator.
_KEY: Final = re.compile(r"[^/]+/[^/]+")
#: Where the operator writes what is in force when, over what bundles and standard.yaml say.
CALENDAR: Final = "calendar.yaml"


#: Paths of local names below the root by message kind, `*` for all others.
Places = Mapping[str, tuple[tuple[str, ...], ...]]
_STEP: Final = re.compile(r"\*|[^\W\d][\w.-]*")
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class Spelling:
    r"""How root namespaces are written, and the version that the groups mean (`\1.\2`).

    Without a version the message says it (XJustiz).
    """

    namespace: re.Pattern[str]
    version: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One standard: `spellings` of the root namespaces of all its versions.

    `attribute` is the value of `@standard`; `case` gives for a kind (or `*`) the paths of local
    names below the root where the key of a case stands; `keys` does the same for each business key
    by its name, with `*` for any one step; `rejections` are the kinds that reject.
    """

    name: str
    spellings: tuple[Spelling, ...]
    title: str = ""
    attribute: str = ""
    case: Places = field(default_factory=dict)
    keys: Mapping[str, Places] = field(default_factory=dict)
    rejections: frozenset[str] = frozenset()
    attachments: bool = False
    family: str = ""

    def version_of(self, namespace: str, written: str) -> str | None:
        """Return the version a namespace means, None if it is not of this standard.

        A namespace without version (XJustiz) leaves it to the version written in the message.
        """
        for spelling in self.spellings:
            if match := spelling.namespace.fullmatch(namespace):
                return match.expand(spelling.version) if spelling.version else written
        return None

    def message_decides(self, namespace: str) -> bool:
        """Whether a namespace of this standard names no version."""
        found = (one for one in self.spellings if one.namespace.fullmatch(namespace))
        return any(not spelling.version for spelling in found)


@dataclass(frozen=True, slots=True)
class Calendar:
    """One version: its namespaces where no file tells, its `@version`, when it is in force.

    `grace` are days after `valid_until` on which it is still accepted.
    """

    namespaces: tuple[str, ...] = ()
    written: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    grace: int = 0

    @property
    def last(self) -> date | None:
        """The last day on which a message is accepted, None without end."""
        return self.valid_until + timedelta(self.grace) if self.valid_until else None


class _Text(yaml.BaseLoader):
    """Reads every scalar as the text that was written and refuses what one file must not need."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            loader: Any = self
            mark = loader.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="an alias", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value]
        if len(keys) != len(set(map(str, keys))):
            raise yaml.MarkedYAMLError(problem="a key given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def read_standard(folder: Path, findings: list[Finding]) -> Manifest | None:
    """Read `<standard>/standard.yaml`; None, with findings, where it cannot be used."""
    path = folder / FILE
    values = _read(path, _STANDARD, findings)
    if values is None:
        return None
    spellings = _spellings(values, path, findings)
    if not spellings:
        return None
    return Manifest(
        name=folder.name,
        spellings=spellings,
        title=_text(values, "title") or folder.name,
        attribute=_text(values, "attribute"),
        case=_cases(values.get("case", ())),
        keys=_keys(values.get("keys", {}), path, findings),
        rejections=frozenset(_list(values, "rejections")),
        attachments=_text(values, "attachments") == "true",
        family=_text(values, "family"),
    )


def read_version(folder: Path, findings: list[Finding]) -> Calendar:
    """Read `<standard>/<version>/standard.yaml`, which need not exist."""
    path = folder / FILE
    values = _read(path, _VERSION, findings) if path.is_file() else {}
    if values is None:
        return Calendar()
    dates = _calendar(values, path, findings)
    return replace(
        dates,
        namespaces=_list(values, "namespaces"),
        written=_text(values, "written") or folder.name,
    )


def read_calendar(folder: Path, findings: list[Finding]) -> dict[str, Calendar]:
    """Read the operator's `calendar.yaml`, which need not exist: dates by `xbau/2.6`."""
    path = folder / CALENDAR
    values = _read(path, None, findings) if path.is_file() else {}
    found: dict[str, Calendar] = {}
    for name, dates in (values or {}).items():
        if not _KEY.fullmatch(name) or not isinstance(dates, dict):
            text = f'"{name}" is not a version such as "xbau/2.6" with its dates'
            findings.append(Finding(text, file=str(path)))
            continue
        _check_fields(dates, _DATES, path, findings)
        found[name] = _calendar(dates, path, findings)
    return found


def _calendar(values: Mapping[str, Any], path: Path, findings: list[Finding]) -> Calendar:
    first = _date(values, "valid_from", path, findings)
    last = _date(values, "valid_until", path, findings)
    if first and last and last < first:
        findings.append(Finding("valid_until lies before valid_from", file=str(path)))
    return Calendar((), "", first, last, _days(values, path, findings))


def _days(values: Mapping[str, Any], path: Path, findings: list[Finding]) -> int:
    written = _text(values, "grace")
    found = re.fullmatch(r"(\d{1,4})d?", written)
    if written and not found:
        findings.append(Finding("grace is not a number of days such as 28d", file=str(path)))
    return int(found[1]) if found else 0


def _spellings(
    values: Mapping[str, Any], path: Path, findings: list[Finding]
) -> tuple[Spelling, ...]:
    """Read `namespace` and `version`: one of each, or lists that belong together."""
    patterns = _list(values, "namespace")
    versions = _list(values, "version") or ("",) * len(patterns)
    if not any(patterns):
        findings.append(Finding("namespace is missing", file=str(path)))
    elif len(patterns) != len(versions):
        findings.append(Finding("as many versions as namespaces are needed", file=str(path)))
    else:
        found = map(_spelling, patterns, versions)
        spellings = tuple(one for one in found if one)
        if len(spellings) == len(patterns):
            return spellings
        findings.append(Finding("namespace is not a regular expression", file=str(path)))
    return ()


def _spelling(pattern: str, version: str) -> Spelling | None:
    try:
        compiled = re.compile(pattern)
        # Without a version the first group is it, and without groups the message says it.
        version = version or (r"\1" if compiled.groups else "")
        re.compile(f"(?:{pattern})|").fullmatch("").expand(version)  # type: ignore[union-attr]
    except (re.error, IndexError):
        return None
    return Spelling(compiled, version)


def _read(
    path: Path, known: frozenset[str] | None, findings: list[Finding]
) -> dict[str, Any] | None:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_Text)  # noqa: S506
    except OSError as error:
        findings.append(Finding(f"cannot be read: {error.strerror}", file=str(path)))
        return None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        findings.append(_broken(path, error))
        return None
    if not isinstance(values, dict):
        findings.append(Finding("is not a mapping of fields", file=str(path), line=1))
        return None
    if known is not None:
        _check_fields(values, known, path, findings)
    return values


def _check_fields(
    values: Mapping[str, Any], known: frozenset[str], path: Path, findings: list[Finding]
) -> None:
    for name in sorted(set(values) - known):
        findings.append(Finding(f'unknown field "{name}"', file=str(path)))


def _broken(path: Path, error: Exception) -> Finding:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return Finding("is not YAML in UTF-8", file=str(path))
    problem = getattr(error, "problem", None) or "is not YAML"
    return Finding(problem, file=str(path), line=mark.line + 1, column=mark.column + 1)


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, "")
    return value if isinstance(value, str) else ""


def _list(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = values.get(name, ())
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _cases(value: Any) -> dict[str, tuple[tuple[str, ...], ...]]:
    table = value if isinstance(value, dict) else {"*": value}
    return {
        kind: tuple(
            tuple(path.split("/")) for path in ([paths] if isinstance(paths, str) else paths)
        )
        for kind, paths in table.items()
    }


def _keys(value: Any, path: Path, findings: list[Finding]) -> dict[str, Places]:
    if not isinstance(value, dict):
        findings.append(Finding("keys is not a mapping of names and paths", file=str(path)))
        return {}
    for name in value:
        if not _NAME.fullmatch(name):
            text = f'the key "{name}" is not a name of small letters, digits and hyphens'
            findings.append(Finding(text, file=str(path)))
    keys: dict[str, Places] = {name: _cases(paths) for name, paths in value.items()}
    steps = {step for places in keys.values() for ways in places.values() for way in ways
             for step in way}  # fmt: skip
    if wrong := sorted(step for step in steps if not _STEP.fullmatch(step)):
        text = f'"{wrong[0]}" in keys is neither the local name of an element nor *'
        findings.append(Finding(text, file=str(path)))
    return keys


def _date(values: Mapping[str, Any], name: str, path: Path, findings: list[Finding]) -> date | None:
    if not (written := _text(values, name)):
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        findings.append(Finding(f"{name} is not a date such as 2026-11-01", file=str(path)))
        return None
