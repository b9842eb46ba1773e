"""A broker with real store, standards and adapters, and a channel that does as it is told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from broker.app import KINDS, App
from broker.channels.channel import Channel, Found, Incoming, Mark, Prepared, Sent, Verdict
from broker.fields import Field
from broker.intake import Intake
from broker.message import Direction, Receipt, State
from broker.settings import Settings
from broker.stores.contract import Filter, Row
from broker.upkeep import recover
from broker.worker import Pace, Worker
from tests.needs import ROOT

#: A generous time-out in seconds: whatever takes longer has failed.
WAIT = 30

ROUTES = """\
parties:
  wolfsburg: {{name: Stadt Wolfsburg, ags: 03103000}}
  bauportal: {{name: Bauportal, key: bap:03000001, answer: {answer}}}
channels:
  procedure: {{kind: fake, test: {test}}}
  return: {{kind: fake, test: true}}
routes:
  - name: bau
    match:
      standard: xbau
      version: 2.6
      kind: baugenehmigung.antrag.0200
      recipient: "bab:03103000"
      sender: bauportal
    adapter: wolfsburg/bau
    channel: procedure
    {order}
    retry: {{first: {first}, factor: 2, longest: 1h, give_up: {give_up}}}
"""

Step = Exception | Sent | Callable[[Prepared, Mark], Sent]


def until(done: Callable[[], bool]) -> bool:
    """Look again and again; return whether it came true in time."""
    tick = Event()
    for _ in range(WAIT * 100):
        if done():
            return True
        tick.wait(0.01)
    return False


@dataclass
class Script:
    """What the fake channels do and what they saw, by channel name."""

    steps: dict[str, deque[Step]] = field(default_factory=dict)
    sent: dict[str, list[Prepared]] = field(default_factory=dict)
    found: Found = Found.UNKNOWN
    repeats: bool = False
    asks: bool = False
    asked: list[str] = field(default_factory=list)
    incoming: deque[Incoming] = field(default_factory=deque)
    settled: list[tuple[str, Verdict]] = field(default_factory=list)

    def plan(self, name: str, *steps: Step) -> None:
        """Say what the next sends over a channel do; afterwards they succeed."""
        self.steps.setdefault(name, deque()).extend(steps)

    def kind(self) -> type[Channel]:
        """Return the channel class that follows this script."""
        script = self

        class Fake(Channel):
            kind = "fake"
            fields = (Field("replies", "text", "where replies are found"),)
            repeats = script.repeats
            asks = script.asks

            def send(self, prepared: Prepared, mark: Mark) -> Sent:
                steps = script.steps.get(self.name)
                step = steps.popleft() if steps else Sent("taken")
                if isinstance(step, Exception):
                    raise step
                if not isinstance(step, Sent):
                    return step(prepared, mark)
                script.sent.setdefault(self.name, []).append(prepared)
                return step

            def find(self, key: str) -> Found:
                script.asked.append(key)
                return script.found

            @property
            def receives(self) -> bool:
                return self.name == "procedure"

            def receive(self) -> Iterable[Incoming]:
                while script.incoming:
                    yield script.incoming.popleft()

            def settle(self, incoming: Incoming, verdict: Verdict) -> None:
                script.settled.append((incoming.name, verdict))

            def probe(self) -> str:
                return "there"

        return Fake


class Bench:
    """One broker under test; `run` works until nothing is due any more."""

    def __init__(self, folder: Path, script: Script, **fill: str) -> None:
        """Write a routes.yaml into the folder and open the store there."""
        values = {"test": "true", "order": "", "first": "1h", "give_up": "3d", "answer": "return"}
        self.file = folder / "routes.yaml"
        self.file.write_text(ROUTES.format(**values | fill), encoding="utf-8")
        self.environ = {
            "XOEV_BROKER_ROUTES": str(self.file),
            "XOEV_BROKER_ADAPTERS": str(ROOT / "adapters"),
            "XOEV_BROKER_SCHEMAS": fill.get("schemas", str(ROOT / "schemas/xoev")),
            "XOEV_BROKER_STATE": str(folder / "var"),
        }
        self.script = script
        self.failures: list[BaseException] = []
        self.app = self._open()

    def _open(self) -> App:
        kinds = {**KINDS, "fake": self.script.kind()}
        app = App(Settings.load(self.environ), self.environ, self.failures.append, kinds)
        self.intake = Intake(app)
        return app

    def accept(self, body: bytes) -> Receipt:
        """Accept one message of the portal."""
        return self.intake.accept(body, "bauportal", "test")

    def run(self, deadline: float = 30.0) -> None:
        """Work until nothing is due and nothing is in hand."""
        worker = Worker(self.app, Pace(threads=2, poll=0.02), self.failures.append)
        worker.start()
        tick, end = Event(), time.monotonic() + deadline
        while time.monotonic() < end and not self.failures:
            if worker.idle(deadline) and self._quiet():
                break
            tick.wait(0.005)
        assert worker.stop(deadline)
        if self.failures:
            raise self.failures[0]

    def _quiet(self) -> bool:
        """Whether nothing is due or worked on, and nothing moved while we looked."""
        before = self._unfinished()
        still = State.WORKING not in [state for _, state, _ in before]
        return still and not self.app.store.due() and self._unfinished() == before

    def _unfinished(self) -> list[tuple[str, State, int]]:
        states = (State.WAITING, State.WORKING)
        rows = self.app.store.rows(Filter(states=states, limit=10_000))
        return [(row.id, row.state, row.attempts) for row in rows]

    def crash(self) -> int:
        """Open the store anew as after a crash: what was leased is void. Return how many leases."""
        self.app.store.close()
        self.app = self._open()
        return recover(self.app)

    def state(self, id: str) -> State:
        """Return the state of a message."""
        return self.row(id).state

    def row(self, id: str) -> Row:
        """Return a message that is there."""
        row = self.app.store.row(id)
        assert row is not None
        return row

    def answers(self) -> list[Row]:
        """Return all answers, oldest first."""
        return self.app.store.rows(Filter(direction=Direction.ANSWER))[::-1]

    def events(self, id: str) -> list[str]:
        """Return the events of a message in order."""
        return [entry.event for entry in self.app.store.entries(id)]


Make = Callable[..., Bench]


def benches(folder: Path) -> Iterator[Make]:
    """Yield what makes a broker with a script of its own in the folder; close them all at the end.

    For a fixture: `yield from benches(tmp_path)`.
    """
    made: list[Bench] = []

    def make(script: Script | None = None, **fill: str) -> Bench:
        made.append(Bench(folder, script or Script(), **fill))
        return made[-1]

    yield make
    for one in made:
        one.app.close()
