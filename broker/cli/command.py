"""What is known of one command of the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, what it does, and examples as one would type them."""

    name: str
    act: Callable[..., None]
    examples: tuple[str, ...]
