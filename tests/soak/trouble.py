"""What goes wrong, in an order that follows from a seed; each trouble is over when it returns."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from threading import Event

from broker.settings import PREFIX
from broker.standins.script import Fault, Script
from tests.soak.house import House
from tests.soak.load import CITIES

_SICK = (Fault.ERROR, Fault.BUSY, Fault.RESET, Fault.LATE)
_STOP = f"{PREFIX}DISK_STOP"


class Trouble:
    """Makes trouble; `pause` is how long one lasts at most (seconds)."""

    def __init__(self, house: House, seed: int, pause: float) -> None:
        """Take what is troubled."""
        self._house = house
        self._chance = random.Random(seed)
        self._pause = pause
        self._tick = Event()
        self.made: Counter[str] = Counter()

    def any(self, deaths: bool) -> None:
        """Make one trouble, with `deaths` also one that ends the process.

        Raises BrokerError where the process ended by itself.
        """
        self._house.child.alive()
        found = {**_QUIET, **_DEADLY} if deaths else _QUIET
        name = self._chance.choice(list(found))
        self.made[name] += 1
        found[name](self)
        self._wait()

    def _wait(self) -> None:
        self._tick.wait(self._chance.uniform(0.2, 1) * self._pause)

    def killed(self) -> None:
        """Kill -9, and start anew."""
        self._house.child.kill()
        self._house.child.start(60)

    def restarted(self) -> None:
        """Stop in order, and start anew."""
        assert self._house.child.stop(60) == 0
        self._house.child.start(60)

    def short_of_disk(self) -> None:
        """The disk counts as full for a while: nothing is taken, all is delivered."""
        environ, before = self._house.environ, self._house.environ[_STOP]
        environ[_STOP] = "1000000 GB"
        self.restarted()
        self._wait()
        environ[_STOP] = before
        self.restarted()

    def reloaded(self) -> None:
        """SIGHUP with a table that is broken, then with a good one."""
        routes, text = self._house.routes, self._house.text
        if self._chance.random() < 0.5:
            routes.write_text(text + "\n  - broken\n", "utf-8")
            os.kill(self._house.child.pid, signal.SIGHUP)
            self._wait()
        routes.write_text(text + f"# {self._chance.random()}\n", "utf-8")
        os.kill(self._house.child.pid, signal.SIGHUP)

    def paused(self) -> None:
        """A person stops a route for a while."""
        route = f"bau/{self._chance.choice(CITIES)}"
        self._house.type("pause", route, "--reason", "soak")
        self._wait()
        self._house.type("resume", route)

    def slow(self) -> None:
        """A procedure takes its time."""
        self._played(Script(delay=1.0))

    def hanging(self) -> None:
        """A procedure says nothing at all."""
        self._played(Script((Fault.HANG,), forever=True))

    def sick(self) -> None:
        """A procedure fails in all ways."""
        self._played(Script(tuple(self._chance.choices(_SICK, k=20)), late=0.5))

    def _played(self, script: Script) -> None:
        city = self._chance.choice(CITIES)
        standin = getattr(self._house.town, _NAMES[city])
        standin.play(script)
        self._wait()
        standin.play(Script())


_NAMES = {"wolfsburg": "soap", "braunschweig": "share", "salzgitter": "staging"}
_QUIET: dict[str, Callable[[Trouble], None]] = {
    "slow": Trouble.slow,
    "hanging": Trouble.hanging,
    "sick": Trouble.sick,
    "reload": Trouble.reloaded,
    "pause": Trouble.paused,
}
_DEADLY: dict[str, Callable[[Trouble], None]] = {
    "kill -9": Trouble.killed,
    "kill -9 again": Trouble.killed,
    "restart": Trouble.restarted,
    "disk full": Trouble.short_of_disk,
}
