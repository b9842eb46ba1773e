"""The soak: mixed load and trouble, with deaths of the process, then without, then the sums."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.soak.house import House
from tests.soak.judge import Line, Size, judge, quiet
from tests.soak.load import Load
from tests.soak.trouble import Trouble

#: How the time is shared: with deaths, then the warm-up of the last process, then the rest.
DEATHS, WARM = 0.5, 0.2
#: A trouble lasts so long at most (seconds).
PAUSE = 5.0


@dataclass(frozen=True)
class Result:
    """The table, and what was sent and done."""

    lines: list[Line]
    sent: dict[str, int]
    troubles: dict[str, int]

    @property
    def good(self) -> bool:
        """Whether every line is as it must be."""
        return all(line.good for line in self.lines)


def soak(folder: Path, seconds: float, seed: int, told: Callable[[str], None]) -> Result:
    """Run for so many seconds, and as long as it takes until nothing waits any more."""
    with House(folder) as house:
        load = Load(house, seed).start()
        trouble = Trouble(house, seed, min(PAUSE, seconds / 20))
        try:
            _phase("deaths", trouble, seconds * DEATHS, True, told)
            trouble.restarted()
            _phase("warm-up", trouble, seconds * WARM, False, told)
            before = _measured(house, load, told)
            _phase("endurance", trouble, seconds * (1 - DEATHS - WARM), False, told)
        finally:
            load.stop()
        told(f"quiet after {quiet(house):.0f} s")
        house.type("checkpoint", "--now")
        lines = judge(house, load, before, Size.of(house))
        return Result(lines, dict(load.sent), dict(trouble.made))


def _phase(
    name: str, trouble: Trouble, seconds: float, deaths: bool, told: Callable[[str], None]
) -> None:
    told(f"{name}: {seconds:.0f} s")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        trouble.any(deaths)


def _measured(house: House, load: Load, told: Callable[[str], None]) -> Size:
    load.rest()
    told(f"quiet after {quiet(house):.0f} s")
    size = Size.of(house)
    load.go()
    return size
