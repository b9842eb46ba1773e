"""Pulls plugs of a region, one after the other, and puts each in again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Thread

from broker.errors import (
    BrokerError,
    guarded,
)
from broker.standins.region import Region

#: As many effects lie between two faults, and during each where the work goes on.
APART = 25
#: The database is away for so long (seconds).
AWAY = 3.0
#: So often the effects are counted (seconds).
LOOK = 0.1
#: Nothing takes longer than this (seconds).
LONGEST = 90.0


@dataclass(frozen=True, slots=True)
class Plug:
    """What is killed, how, and how it comes back; the work `goes_on` without it, or waits."""

    name: str
    pull: Callable[[], object]
    put: Callable[[], object]
    goes_on: bool = True


class Plugs:
    """Pulls plugs one after the other while messages go through."""

    def __init__(
        self, plugs: Sequence[Plug], effects: Callable[[], int], tell: Callable[[str], None]
    ) -> None:
        """Take what counts the effects at the procedures, and who is told what happens."""
        self._plugs = plugs
        self._effects = effects
        self._tell = tell
        self._pause = Event()
        self._failure: BrokerError | None = None
        self._thread = Thread(target=self._run, name="plugs", daemon=True)

    @property
    def busy(self) -> bool:
        """Whether something is still to be pulled or put in again."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Wait until all is in again. Raises BrokerError where something did not come back."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with guarded():
                for plug in self._plugs:
                    self._more(f"before {plug.name} was killed")
                    self._strike(plug)
                self._more("after all was back")
        except BrokerError as error:
            self._failure = error

    def _strike(self, plug: Plug) -> None:
        self._tell(f"{plug.name} is killed")
        begun, before = time.monotonic(), self._effects()
        plug.pull()
        if plug.goes_on:
            self._more(f"without {plug.name}")
        else:
            self._pause.wait(AWAY)
        plug.put()
        count, seconds = self._effects() - before, time.monotonic() - begun
        self._tell(f"{plug.name} is back after {seconds:.1f} s, {count} filed meanwhile")

    def _more(self, when: str) -> None:
        goal, end = self._effects() + APART, time.monotonic() + LONGEST
        while self._effects() < goal:
            if time.monotonic() > end:
                raise BrokerError(f"{when}, not even {APART} were delivered within {LONGEST:g} s")
            self._pause.wait(LOOK)


def of(region: Region) -> tuple[Plug, ...]:
    """Return the plugs of a region: a node of RabbitMQ, PostgreSQL, a worker."""
    node, worker = region.rabbitmq.nodes[1], region.workers[1]
    name = node.name.partition("@")[0]
    return (
        Plug(f"RabbitMQ node {name}", node.kill, region.rabbitmq.start),
        Plug("PostgreSQL", lambda: region.postgres.stop("immediate"), region.postgres.start, False),
        Plug(f"worker {region.workers.index(worker) + 1}", worker.kill, worker.start),
    )
