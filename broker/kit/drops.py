"""What an adapter leaves out on purpose: `drops.csv` beside it, a path and a reason a line.

    direction,path,reason
    to_legacy,xbau:bauvorhaben/xbau:beteiligte,the procedure asks for them on paper
    to_xoev,Datum,XBau 1120 has no field for it

A path covers the element and everything below it; `*` stands for one name, `//titel` for a path
that ends so. Prefixes are for readers: a line counts for every version of a standard. Without the
column `direction` a line counts for both. `adapters/shared/<procedure>/drops.csv` counts for all
cities.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from broker.codes import short, table
from broker.errors import ConfigError, Finding

NAME: Final = "drops.csv"
_COLUMNS: Final = ({"path", "reason"}, {"direction", "path", "reason"})
_PREFIX: Final = re.compile(r"[^/:@]+:")
_DIRECTIONS: Final = ("", "to_legacy", "to_xoev")


@dataclass(frozen=True, slots=True)
class Drop:
    """One line: what is left out in which direction (empty: both), and why; where it stands."""

    path: str
    reason: str
    direction: str = ""
    file: str = ""
    line: int = 0
    shared: bool = False

    def covers(self, path: str, direction: str) -> bool:
        """Whether a field is left out by this line."""
        if self.direction not in ("", direction):
            return False
        return _pattern(self.path).fullmatch(_PREFIX.sub("", path)) is not None


def read(folder: Path) -> tuple[Drop, ...]:
    """Read the lines of an adapter, then the shared ones; raises ConfigError with all findings."""
    shared = folder.parent.parent / "shared" / folder.name
    return (*_lines(folder / NAME, False), *_lines(shared / NAME, True))


def _lines(file: Path, shared: bool) -> list[Drop]:
    if not file.is_file():
        return []
    found, findings = [], []
    for number, row in enumerate(table(file), 2):
        problem = _problem(row)
        if problem:
            findings.append(Finding(problem, short(file), number))
            continue
        direction = row.get("direction", "").strip()
        path, reason = row["path"].strip().removesuffix("/"), row["reason"].strip()
        found.append(Drop(path, reason, direction, short(file), number, shared))
    if findings:
        raise ConfigError(f"{short(file)} cannot be used", findings=findings)
    return found


def _problem(row: dict[str, str]) -> str:
    if row.keys() not in _COLUMNS:
        return "needs the columns path,reason or direction,path,reason"
    if row.get("direction", "").strip() not in _DIRECTIONS:
        return "the direction is to_legacy, to_xoev or empty"
    if not row["path"].strip().strip("/"):
        return "has no path"
    return "" if row["reason"].strip() else "has no reason; say why it is left out"


@lru_cache
def _pattern(path: str) -> re.Pattern[str]:
    anywhere, path = path.startswith("//"), _PREFIX.sub("", path)
    steps = [re.escape(step).replace(r"\*", "[^/]*") for step in path.strip("/").split("/")]
    return re.compile(f"{'(?:.*/)?' if anywhere else ''}{'/'.join(steps)}(?:/.*)?")
