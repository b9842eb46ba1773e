"""What the processes of a server cost, those that ended meanwhile among them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from benchmarks.child import TICKS


def processor(pids: Iterable[int]) -> float:
    """Return the seconds of processor that these processes and their ended children have used."""
    return sum(map(_spent, pids))


def _spent(pid: int) -> float:
    # A process that ended in between is counted with its parent from then on.
    with suppress(FileNotFoundError, ProcessLookupError):
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        return sum(map(int, text.rpartition(")")[2].split()[11:15])) / TICKS
    return 0.0
