"""Code lists: `codes/<list>.csv` beside an adapter, or shared by all cities of a procedure."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from broker.errors import ConfigError, ConversionFailed, Finding, SchemaMissing, UnknownCode

#: Finds a code in an installed list, by `listURI` (then the newest) or `listURI_version`: the
#: values of its row by column, the code itself first; None if the list does not have it. Raises
#: SchemaMissing if the list is not installed.
Lists = Callable[[str, str], Mapping[str, str] | None]


@dataclass(frozen=True, slots=True)
class Codes:
    """The lists of one adapter by name; each row by the code in the first column."""

    lists: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, *folders: Path) -> Codes:
        """Read all `*.csv` of these folders; a list of a later folder replaces an earlier one.

        The files are UTF-8, comma-separated, with a header line: the first column is the code, the
        second what it becomes. Raises ConfigError with every finding.
        """
        lists: dict[str, Mapping[str, Mapping[str, str]]] = {}
        findings: list[Finding] = []
        for file in (file for folder in folders for file in sorted(folder.glob("*.csv"))):
            try:
                lists[file.stem] = _rows(file)
            except ConfigError as error:
                findings += error.findings
        if findings:
            raise ConfigError("a code list cannot be used", findings=findings)
        return cls(lists)

    def find(self, name: str, code: str, column: str = "", place: str = "") -> str:
        """Return what a code becomes, by default the second column; UnknownCode says where."""
        row = self.lists.get(name, {}).get(code)
        if row is None:
            where = f"{place}: " if place else ""
            todo = "is not in" if name in self.lists else "is of an unknown list; there is no"
            text = f'{where}the code {todo} code list "{name}" of this adapter (codes/{name}.csv)'
            finding = Finding(f'not in code list "{name}"', path=place, code=UnknownCode.reason)
            raise UnknownCode(text, findings=[finding])
        return cell(row, column, name)


def installed(name: str) -> bool:
    """Whether a name is that of an installed list (`urn:…`), and of no file beside the adapter."""
    return ":" in name


def looked(lists: Lists | None, name: str, code: str, column: str = "", place: str = "") -> str:
    """Return what a code becomes by an installed list, by default the column beside the code.

    Raises UnknownCode, which says where, and SchemaMissing where there is no such list.
    """
    if lists is None:
        text = f'code list "{name}" cannot be read here: the adapter was loaded without the lists '
        raise SchemaMissing(text + "of an installation; see xoev-broker codelists list")
    row = lists(name, code)
    if row is None:
        where = f"{place}: " if place else ""
        text = f'{where}the code is not in the installed code list "{name}"'
        finding = Finding(f'not in code list "{name}"', path=place, code=UnknownCode.reason)
        raise UnknownCode(text, findings=[finding])
    return cell(row, column, name)


def cell(row: Mapping[str, str], column: str, name: str) -> str:
    """Return the value of a column, by default the second; a wrong name tells the right ones."""
    if not column:
        return [*row.values(), ""][1]
    if column not in row:
        there = ", ".join(row)
        raise ConversionFailed(f'code list "{name}" has no column "{column}"; it has {there}')
    return row[column]


def table(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header; ConfigError names the line that is wrong."""
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return _read(file, csv.DictReader(stream, strict=True))
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(file, 0, f"cannot be read ({type(error).__name__})") from error


def _read(file: Path, reader: csv.DictReader[str]) -> list[dict[str, str]]:
    rows = []
    try:
        for row in reader:
            if None in row or None in row.values():
                raise _wrong(file, reader.line_num, "has another number of columns than the header")
            rows.append(row)
    except csv.Error as error:
        raise _wrong(file, reader.line_num, f"is not CSV ({error})") from error
    if len(reader.fieldnames or ()) < 2:
        raise _wrong(file, 1, "needs at least two columns")
    return rows


def _rows(file: Path) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for line, row in enumerate(table(file), 2):
        code = next(iter(row.values()))
        if code in found:
            raise _wrong(file, line, f'code "{code}" stands there twice')
        found[code] = row
    return found


def _wrong(file: Path, line: int, text: str) -> ConfigError:
    return ConfigError("a table cannot be used", findings=[Finding(text, short(file), line)])


def short(file: Path) -> str:
    """Return a file's place from the city on (`wolfsburg/bau/codes/x.csv`), no machine path."""
    parts = file.parts[-3:] if file.parent.name != "codes" else file.parts[-4:]
    return "/".join(parts)
