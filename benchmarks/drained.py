"""A backlog through a cluster: accepted by an intake, drained by workers, each of them measured."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.child import Child
from benchmarks.failure import PATIENCE, Failed
from benchmarks.family import processor
from broker.standins.postgres import Postgres
from broker.standins.rabbitmq import RabbitMq

_LOOK = 0.2
#: By index: counting would cost as much as working.
_LEFT = """
    SELECT (SELECT min(channel) FROM deliveries WHERE state = 'waiting' AND suspect = 0) IS NOT NULL
        OR (SELECT min(seq) FROM deliveries WHERE state = 'working') IS NOT NULL
"""
_LAST = "SELECT coalesce(max(seq), 0) FROM deliveries"
_TIMES = "SELECT changed, state FROM deliveries WHERE seq > {last} ORDER BY changed"
_USED = """
    SELECT pg_database_size(current_database()), pg_current_wal_lsn() - '0/0'::pg_lsn, wal_sync,
        (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())
    FROM pg_stat_wal
"""


@dataclass(frozen=True, slots=True)
class Used:
    """What PostgreSQL has used so far: bytes of database and log, syncs of the log, commits."""

    database: float = 0.0
    wal: float = 0.0
    syncs: float = 0.0
    commits: float = 0.0

    def since(self, before: Used, count: int) -> Used:
        """Return the difference, a message."""
        return Used(
            (self.database - before.database) / count,
            (self.wal - before.wal) / count,
            (self.syncs - before.syncs) / count,
            (self.commits - before.commits) / count,
        )


@dataclass(frozen=True, slots=True)
class Drained:
    """A backlog that was drained: seconds since the workers began at which each message ended.

    `accepting` and `draining` are seconds of processor a message, by process; `memory` is what the
    workers have in MB, each with the second in which it was looked at.
    """

    accepted: float
    times: tuple[float, ...]
    accepting: Mapping[str, float]
    draining: Mapping[str, float]
    memory: tuple[tuple[float, float], ...]
    used: Used

    @property
    def rate(self) -> float:
        """Messages a second."""
        return len(self.times) / self.times[-1]

    @property
    def whole(self) -> float:
        """Messages a second where accepting and draining take turns."""
        return 1 / (1 / self.accepted + 1 / self.rate)

    @property
    def workers(self) -> float:
        """Seconds of processor of all workers, a message."""
        return sum(spent for name, spent in self.draining.items() if name.startswith("worker"))

    @property
    def total(self) -> float:
        """Seconds of processor of everything, a message."""
        return sum(self.accepting.values()) + sum(self.draining.values())

    @property
    def steadiness(self) -> float:
        """The rate of the last tenth to that of the first."""
        tenth = max(1, len(self.times) // 10)
        first = self.times[tenth] - self.times[0]
        return first / max(self.times[-1] - self.times[-1 - tenth], 1e-9)

    @property
    def growth(self) -> float:
        """The memory of the workers in the last tenth to that in the first."""
        tenth = len(self.times) // 10
        first = [size for second, size in self.memory if second <= self.times[tenth]]
        last = [size for second, size in self.memory if second >= self.times[-1 - tenth]]
        return median(last or [1.0]) / median(first or last or [1.0])


class Cluster:
    """Servers, an intake that stays, and a database that grows from round to round."""

    def __init__(
        self, postgres: Postgres, rabbitmq: RabbitMq, url: str, environ: Mapping[str, str],
        folder: Path,
    ) -> None:  # fmt: skip
        """Take running servers, the URL of the database, the settings, and a folder for logs."""
        self._postgres, self._rabbitmq = postgres, rabbitmq
        self._database = url.rpartition("/")[2]
        self._environ, self._folder = environ, folder
        self._rounds = 0

    def start(self, stack: ExitStack) -> None:
        """Start the intake; it ends with the stack."""
        self._intake = stack.enter_context(self._child("intake"))
        self._intake.found()

    def drain(self, count: int, workers: int, plans: int = 0) -> Drained:
        """Accept so many messages, then let so many new worker processes deliver them."""
        self._rounds += 1
        before, last, used = self._spent(()), self._ask(_LAST)[0][0], self._used()
        self._intake.tell(f"{count} {plans}")
        accepted = self._intake.found()
        accepting = _less(self._spent(()), before, count)
        accepting["intake"] = accepted["processor"] / count
        with ExitStack() as stack:
            children = [
                stack.enter_context(self._child("worker", number)) for number in range(workers)
            ]
            for child in children:
                child.found()
            before, start = self._spent(children), time.time()
            for child in children:
                child.tell("go")
            memory = self._watch(children, start)
            draining = _less(self._spent(children), before, count)
        used = self._used().since(used, count)
        times = self._times(last, start, count)
        rate = count / accepted["seconds"]
        return Drained(rate, times, accepting, draining, tuple(memory), used)

    def _child(self, name: str, number: int = 0) -> Child:
        log = self._folder / f"{name}-{self._rounds}-{number}.log"
        return Child(["-m", "benchmarks.role", name], self._environ, log)

    def _watch(self, children: Sequence[Child], start: float) -> list[tuple[float, float]]:
        """Wait until everything is delivered; return the memory of the workers meanwhile."""
        memory: list[tuple[float, float]] = []
        while self._ask(_LEFT)[0][0]:
            second = time.time() - start
            if second > PATIENCE:
                raise Failed("the cluster did not drain its backlog")
            memory.append((second, sum(child.memory("VmRSS") for child in children)))
            time.sleep(_LOOK)
        return memory

    def _times(self, last: int, start: float, count: int) -> tuple[float, ...]:
        rows = self._ask(_TIMES.format(last=last))
        if len(rows) != count or any(state != "delivered" for _, state in rows):
            raise Failed(f"{len(rows)} of {count} messages are there, or not all were delivered")
        return tuple(changed / 1e6 - start for changed, _ in rows)

    def _spent(self, children: Sequence[Child]) -> dict[str, float]:
        found = {f"worker {number}": one.processor() for number, one in enumerate(children, 1)}
        return found | {
            "intake": self._intake.processor(),
            "PostgreSQL": processor(self._postgres.family()),
            "RabbitMQ": processor(self._rabbitmq.node.family()),
        }

    def _used(self) -> Used:
        return Used(*map(float, self._ask(_USED)[0]))

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        return self._postgres.ask(statement, database=self._database)


def _less(after: Mapping[str, float], before: Mapping[str, float], count: int) -> dict[str, float]:
    return {name: (spent - before[name]) / count for name, spent in after.items()}
