"""All findings of one file, collected while it is read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from broker.errors import ConfigError, Finding
from broker.values import closest

#: How many names may be compared in one load.
_COMPARISONS = 200_000


class Place(Protocol):
    """Anything that knows its line and column (from 1)."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


class Report:
    """Findings and warnings of one file, in the order of the file, none twice."""

    def __init__(self, file: str) -> None:
        """Start an empty report; `file` is the name that findings show."""
        self.file = file
        self._findings: dict[Finding, None] = {}
        self._warnings: dict[Finding, None] = {}
        self._left = _COMPARISONS

    def __len__(self) -> int:
        """How many findings there are so far."""
        return len(self._findings)

    def add(self, place: Place, text: str) -> None:
        """Note something that makes the file unusable."""
        self._findings[Finding(text, self.file, place.line, place.column)] = None

    def warn(self, place: Place, text: str) -> None:
        """Note something that a person should look at, but that works."""
        self._warnings[Finding(text, self.file, place.line, place.column)] = None

    def closest(self, word: str, choices: Collection[str]) -> str:
        """Return `, did you mean "x"?`, or nothing where nothing is near.

        Also nothing once so much was compared that a broken file of 10,700 towns would be slow.
        """
        self._left -= len(choices)
        return closest(word, choices) if self._left > 0 else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings as one-line texts."""
        return tuple(map(str, sorted(self._warnings, key=_place)))

    def settle(self) -> None:
        """Raise ConfigError with everything found, if anything was."""
        if self._findings:
            count = len(self._findings)
            text = f"{self.file} has {count} finding{'s' * (count > 1)} and is not used"
            raise ConfigError(text, findings=sorted(self._findings, key=_place))


def _place(finding: Finding) -> tuple[int, int]:
    return finding.line, finding.column
