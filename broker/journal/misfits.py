"""Entries that do not fit their leaves: what was done to them, as far as the bytes tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

Kind = Literal[
    "edited", "deleted", "inserted", "swapped", "truncated", "filed", "tree", "checkpoint",
    "rollback", "recomputed", "more",
]  # fmt: skip

#: So many neighbours that moved by the same distance were moved by an insertion or deletion.
_RUN = 3


@dataclass(frozen=True, slots=True)
class Tampering:
    """One thing that is not as it was: `first` to `last` are the entries it concerns (0: none)."""

    kind: Kind
    text: str
    first: int = 0
    last: int = 0

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Misfit:
    """A leaf whose entry has other bytes, or none: its tree index, its entry, the hash that the
    leaf says, and the hash of the bytes that are there now (None: the entry is gone).
    """

    number: int
    entry: int
    said: bytes
    actual: bytes | None


@dataclass(frozen=True, slots=True)
class _Run:
    """Misfits next to each other with the same fate; `shift` is how far they moved (0: new)."""

    misfits: Sequence[Misfit]
    gone: bool
    shift: int

    @property
    def first(self) -> int:
        return self.misfits[0].entry

    @property
    def last(self) -> int:
        return self.misfits[-1].entry

    @property
    def moved(self) -> bool:
        return self.shift != 0 and len(self.misfits) >= _RUN


def explain(misfits: Sequence[Misfit], size: int) -> Iterator[Tampering]:
    """Yield what was done to the entries of a tree of so many leaves; misfits in tree order."""
    places = {misfit.said: misfit for misfit in misfits}
    runs = list(_runs(misfits, places))
    for at, run in enumerate(runs):
        before, after = runs[at - 1] if at else None, runs[at + 1] if at + 1 < len(runs) else None
        if run.moved:
            yield _shifted(run)
            continue
        # What a deletion left empty at the end, or an insertion brought in front.
        neighbour = before if run.gone else after if run.shift == 0 else None
        if neighbour is None or not _closes(neighbour, run):
            yield from _single(run, places, size)


def _closes(moved: _Run, other: _Run) -> bool:
    """Whether a run is only the end that a neighbouring move explains."""
    touching = moved.misfits[-1].number + 1 == other.misfits[0].number
    touching |= other.misfits[-1].number + 1 == moved.misfits[0].number
    return moved.moved and touching and len(other.misfits) == abs(moved.shift)


def _runs(misfits: Sequence[Misfit], places: dict[bytes, Misfit]) -> Iterator[_Run]:
    def fate(pair: tuple[int, Misfit]) -> tuple[int, bool, int]:
        place, misfit = pair
        came = places.get(misfit.actual) if misfit.actual else None
        shift = misfit.number - came.number if came else 0
        return misfit.number - place, misfit.actual is None, shift

    for (_, gone, shift), group in groupby(enumerate(misfits), fate):
        yield _Run([misfit for _, misfit in group], gone, shift)


def _shifted(run: _Run) -> Tampering:
    count = abs(run.shift)
    if run.shift > 0:
        first = run.first - count
        text = f"{count} inserted at entry {first}: entries {run.first} to {run.last} were moved"
        return Tampering("inserted", text, first, first + count - 1)
    text = f"{count} deleted at entry {run.first}: the entries up to {run.last} took their place"
    return Tampering("deleted", text, run.first, run.first + count - 1)


def _single(run: _Run, places: dict[bytes, Misfit], size: int) -> Iterator[Tampering]:
    if run.gone and run.misfits[-1].number == size - 1:
        count = len(run.misfits)
        text = f"the end was cut off: entries {run.first} to {run.last} are gone ({count})"
        yield Tampering("truncated", text, run.first, run.last)
    elif run.gone:
        what = f"entry {run.first} (tree index {run.misfits[0].number}) was deleted"
        if len(run.misfits) > 1:
            what = f"entries {run.first} to {run.last} were deleted"
        yield Tampering("deleted", what, run.first, run.last)
    elif run.shift:
        for misfit in run.misfits:
            came = places[misfit.actual or b""].entry
            text = f"entry {misfit.entry} was swapped: it has the bytes of entry {came}"
            yield Tampering("swapped", text, misfit.entry, came)
    else:
        for misfit in run.misfits:
            text = f"entry {misfit.entry} (tree index {misfit.number}) was edited"
            yield Tampering("edited", text, misfit.entry, misfit.entry)
