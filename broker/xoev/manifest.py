"""`standard.yaml`: what the broker must know of a standard and of one version of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

from broker.errors import Finding

FILE: Final = "standard.yaml"
_STANDARD: Final = frozenset(
    {"standard", "title", "attribute", "namespace", "version", "attachments"}
    | {"case", "rejections"}
)
_VERSION: Final = frozenset(("namespaces", "written", "valid_from", "valid_until"))


@dataclass(frozen=True, slots=True)
class Manifest:
    """One standard: `namespace` is a pattern of all its versions, `version` how groups name one.

    `attribute` is the value of `@standard`; `case` gives for a kind (or `*`) the paths of local
    names below the root where the key of a case stands; `rejections` are the kinds that reject.
    """

    name: str
    namespace: re.Pattern[str]
    version: str
    title: str = ""
    attribute: str = ""
    case: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    rejections: frozenset[str] = frozenset()
    attachments: bool = False

    def version_of(self, namespace: str, written: str) -> str | None:
        """Return the version a namespace means, None if it is not of this standard.

        A pattern without groups (XJustiz) leaves it to the version written in the message.
        """
        match = self.namespace.fullmatch(namespace)
        if match is None:
            return None
        return match.expand(self.version) if match.re.groups else written


@dataclass(frozen=True, slots=True)
class Calendar:
    """One version: its namespaces where no file tells, its `@version`, when it is in force."""

    namespaces: tuple[str, ...] = ()
    written: str = ""
    valid_from: date | None = None
    valid_until: date | None = None


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
    try:
        pattern = re.compile(_text(values, "namespace"))
    except re.error:
        findings.append(Finding("namespace is not a regular expression", file=str(path)))
        return None
    if not pattern.pattern:
        findings.append(Finding("namespace is missing", file=str(path)))
        return None
    return Manifest(
        name=folder.name,
        namespace=pattern,
        version=_text(values, "version") or r"\1",
        title=_text(values, "title") or folder.name,
        attribute=_text(values, "attribute"),
        case=_cases(values.get("case", ())),
        rejections=frozenset(_list(values, "rejections")),
        attachments=_text(values, "attachments") == "true",
    )


def read_version(folder: Path, findings: list[Finding]) -> Calendar:
    """Read `<standard>/<version>/standard.yaml`, which need not exist."""
    path = folder / FILE
    values = _read(path, _VERSION, findings) if path.is_file() else {}
    if values is None:
        return Calendar()
    return Calendar(
        namespaces=_list(values, "namespaces"),
        written=_text(values, "written") or folder.name,
        valid_from=_date(values, "valid_from", path, findings),
        valid_until=_date(values, "valid_until", path, findings),
    )


def _read(path: Path, known: frozenset[str], findings: list[Finding]) -> dict[str, Any] | None:
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
    for name in sorted(set(values) - known):
        findings.append(Finding(f'unknown field "{name}"', file=str(path)))
    return values


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


def _date(values: Mapping[str, Any], name: str, path: Path, findings: list[Finding]) -> date | None:
    if not (written := _text(values, name)):
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        findings.append(Finding(f"{name} is not a date such as 2026-11-01", file=str(path)))
        return None
