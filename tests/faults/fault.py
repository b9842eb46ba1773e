"""What a fault is: it strikes, lasts while its block runs, and is healed at the end of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random
from threading import Event

from tests.faults.region import Region

BOTH = ("west", "east")
Strike = Callable[[Region, Random], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """What strikes, which routes deliver all the same, and how many seconds it lasts at least.

    With `doubt`, messages may be left unclear: their procedure could not be asked any more.
    """

    name: str
    strike: Strike
    goes_on: tuple[str, ...] = BOTH
    seconds: float = 0
    doubt: bool = False
    slow: bool = False


def lasting(seconds: float) -> None:
    """Let a fault last."""
    Event().wait(seconds)
