"""What goes wrong at a stand-in, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from threading import Lock


class Fault(StrEnum):
    """One way in which a procedure can misbehave.

    SOAP answers at once, so `twice` changes nothing there; `error`, `busy` and `reset` of a share
    or a staging table leave the application lying for the next look.
    """

    NONE = "none"  #: all is well
    HANG = "hang"  #: takes nothing and says nothing until it is stopped or gets another script
    REFUSE = "refuse"  #: says no
    ERROR = "error"  #: fails before anything was filed (SOAP: HTTP 500)
    BUSY = "busy"  #: asks to come back later (SOAP: HTTP 503)
    RESET = "reset"  #: files it and breaks the connection without an answer
    LOST = "lost"  #: files it, and its answer never arrives
    TWICE = "twice"  #: gives every answer twice
    LATE = "late"  #: files it at once and answers only after `Script.late` seconds
    STRANGER = "stranger"  #: answers under a reference that nobody sent


@dataclass(frozen=True, slots=True)
class Script:
    """One fault per application in the order of their arrival, then none, or the last for ever.

    `delay` is waited before each answer, `late` is what `Fault.LATE` waits; both in seconds.
    """

    faults: tuple[Fault, ...] = ()
    forever: bool = False
    delay: float = 0.0
    late: float = 1.0

    def at(self, turn: int) -> Fault:
        """Return the fault of the application with this number, the first is 0."""
        if turn < len(self.faults):
            return self.faults[turn]
        return self.faults[-1] if self.faults and self.forever else Fault.NONE


class Stage:
    """The script in force and how far it was played. Thread-safe."""

    def __init__(self, script: Script) -> None:
        """Start with the first fault."""
        self.script = script
        self._turn = 0
        self._lock = Lock()

    def play(self, script: Script) -> None:
        """Begin another script."""
        with self._lock:
            self.script, self._turn = script, 0

    def next(self) -> Fault:
        """Return the fault of the next application."""
        with self._lock:
            self._turn += 1
            return self.script.at(self._turn - 1)
