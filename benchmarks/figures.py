"""What a part of the benchmark found: figures, their goals, and whether they were reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_HEAD = ("figure", "measured", "goal", "verdict")


@dataclass(frozen=True, slots=True)
class Goal:
    """A number that a figure should not fall below, or not exceed."""

    number: float
    least: bool

    def reached(self, value: float) -> bool:
        """Whether a value is on the right side."""
        return value >= self.number if self.least else value <= self.number

    def __str__(self) -> str:
        """Write it as it stands in the table."""
        return f"{'≥' if self.least else '<'} {_written(self.number)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value with its unit and, where there is one, its goal."""

    name: str
    value: float
    unit: str = ""
    goal: Goal | None = None

    @property
    def verdict(self) -> str:
        """Return `reached`, `not reached`, or nothing where there is no goal."""
        if self.goal is None:
            return ""
        return "reached" if self.goal.reached(self.value) else "not reached"

    def row(self) -> tuple[str, str, str, str]:
        """Return the cells of the table."""
        goal = str(self.goal) if self.goal else ""
        return self.name, f"{_written(self.value)} {self.unit}".rstrip(), goal, self.verdict


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the run; `skipped` is the reason where it could not be measured."""

    name: str
    title: str
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: str = ""

    def value(self, name: str) -> float:
        """Return one figure by its name."""
        return next(figure.value for figure in self.figures if figure.name == name)

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        figures = [
            {
                "name": figure.name,
                "value": round(figure.value, 6),
                "unit": figure.unit,
                "goal": str(figure.goal) if figure.goal else None,
                "verdict": figure.verdict or None,
            }
            for figure in self.figures
        ]
        return {
            "part": self.name,
            "title": self.title,
            "skipped": self.skipped or None,
            "notes": list(self.notes),
            "figures": figures,
        }

    def table(self) -> str:
        """Return it for people."""
        lines = [f"{self.name}: {self.title}"]
        if self.skipped:
            lines.append(f"  skipped: {self.skipped}")
        lines += [f"  {note}" for note in self.notes]
        if self.figures:
            lines += aligned([_HEAD, *(figure.row() for figure in self.figures)])
        return "\n".join(lines)


def least(number: float) -> Goal:
    return Goal(number, least=True)


def most(number: float) -> Goal:
    return Goal(number, least=False)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _written(number: float) -> str:
    digits = 0 if abs(number) >= 100 or number == int(number) else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f}"
