"""What all stand-ins have in common: they start, stop, misbehave on demand and can be counted."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from threading import Event, Thread
from typing import Self

from broker.standins.desk import STRANGER, TEXTS, Answer, Kind, judge
from broker.standins.script import Fault, Script, Stage


class Standin(ABC):
    """An invented procedure that is a real server.

    What it filed lies in its folder, so that any process can count it with `effects`.
    """

    def __init__(self, folder: Path, script: Script | None = None) -> None:
        """Take the folder for everything it keeps, and the script of what goes wrong."""
        self.folder = folder
        self.stage = Stage(script or Script())

    @abstractmethod
    def start(self) -> None:
        """Begin to work; returns once it can be reached."""

    @abstractmethod
    def stop(self) -> None:
        """End all work."""

    @abstractmethod
    def effects(self) -> Mapping[str, int]:
        """Return how often each reference was filed; also works while it is not running."""

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()


@dataclass(frozen=True, slots=True)
class Found:
    """An application that lies there: under which name, its reference, the name of the project."""

    name: str
    reference: str
    project: str


class Office(Standin):
    """A procedure that looks now and again for what was left for it, and answers later."""

    def __init__(
        self,
        folder: Path,
        script: Script | None = None,
        *,
        pause: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take folder and script, the seconds between two looks, and the clock."""
        super().__init__(folder, script)
        self._clock = clock
        self._pause = pause
        self._stopping = Event()
        self._thread: Thread | None = None
        self._due: list[tuple[float, Answer]] = []
        self._hung: set[str] = set()

    def start(self) -> None:
        """Open the office."""
        self.prepare()
        self._stopping.clear()
        self._thread = Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the office; answers that are not due yet are never given."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def play(self, script: Script) -> None:
        """Begin another script; what hung is looked at again."""
        self.stage.play(script)
        self._hung.clear()

    @abstractmethod
    def prepare(self) -> None:
        """Make what is missing: folders, tables."""

    @abstractmethod
    def waiting(self) -> Sequence[Found]:
        """Return what lies there, oldest first."""

    @abstractmethod
    def file(self, found: Found) -> str:
        """Take one application for good; return its file number."""

    @abstractmethod
    def answer(self, answers: Sequence[Answer]) -> None:
        """Put answers where the broker fetches them."""

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(self._pause)

    def look(self) -> None:
        """Take what lies there and give the answers that are due."""
        for found in self.waiting():
            if found.name not in self._hung:
                self._take(found, self.stage.next())
        now = self._clock()
        ready = [answer for due, answer in self._due if due <= now]
        self._due = [(due, answer) for due, answer in self._due if due > now]
        if ready:
            self.answer(ready)

    def _take(self, found: Found, fault: Fault) -> None:
        if fault is Fault.HANG:
            self._hung.add(found.name)
        elif fault is Fault.LOST:
            self.file(found)
        elif fault not in (Fault.ERROR, Fault.BUSY, Fault.RESET):
            self._plan(self._answers(found, fault), fault)

    def _answers(self, found: Found, fault: Fault) -> list[Answer]:
        kinds = (Kind.REFUSED,) if fault is Fault.REFUSE else judge(found.project)
        number = self.file(found)
        today = date.today()
        answers = [
            Answer(found.reference, "" if kind is Kind.REFUSED else number, kind, today, text)
            for kind, text in ((kind, TEXTS[kind]) for kind in kinds)
        ]
        if fault is Fault.STRANGER:
            answers.append(replace(answers[-1], reference=STRANGER, number=f"{number}-X"))
        return answers

    def _plan(self, answers: Sequence[Answer], fault: Fault) -> None:
        script = self.stage.script
        due = self._clock() + script.delay + (script.late if fault is Fault.LATE else 0)
        for answer in answers:
            # A decision comes after the look that gave the receipt, so in a file of its own.
            self._due += [(due, answer)] * (2 if fault is Fault.TWICE else 1)
            due += 3 * self._pause
