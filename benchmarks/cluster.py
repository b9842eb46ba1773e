"""PostgreSQL, RabbitMQ, an intake and one or two workers on the same processors, and a naive
consumer with the same promises beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import site
from benchmarks.bare import Bare
from benchmarks.drained import Cluster, Drained
from benchmarks.effort import Effort
from benchmarks.figures import Figure, Part, least, most
from benchmarks.naive import Naive
from broker.app import load_site
from broker.standins import node, postgres
from broker.standins.postgres import Postgres
from broker.standins.rabbitmq import RabbitMq

_TITLE = "accepted by one process, delivered by others, over PostgreSQL and RabbitMQ"
#: So many plans more make the XML work of a message about 0.45 ms.
PLANS = 25
_GOALS = {1: 0.5, 2: 0.7}
_BARE = 1_000


@dataclass(frozen=True, slots=True)
class Measured:
    """One drained backlog beside what was measured before and after it, in messages a second."""

    workers: int
    plans: int
    bare: float
    naive: float
    found: Drained

    @property
    def ratio(self) -> float:
        """What was drained to the bare loop with one thread."""
        return self.found.rate / self.bare


class Bench:
    """What is measured in turns."""

    def __init__(
        self, bare: Bare, cluster: Cluster, naive: Callable[[], Naive], effort: Effort
    ) -> None:
        """Take everything, running; `naive` connects, for nothing answers heartbeats between two
        turns.
        """
        self._bare, self._cluster, self._naive = bare, cluster, naive
        self._effort = effort

    def turn(self, workers: int, plans: int, count: int) -> Measured:
        """Measure the bare loop, a backlog, the naive consumer and the bare loop again."""
        before = self._rate(plans)
        found = self._cluster.drain(count, workers, plans)
        naive = self._slowly(plans)
        return Measured(workers, plans, (before + self._rate(plans)) / 2, naive, found)

    def _rate(self, plans: int) -> float:
        return self._bare.rate(site.messages(min(_BARE, self._effort.cluster), plans), 1)

    def _slowly(self, plans: int) -> float:
        count = self._effort.naive
        with closing(self._naive()) as naive:
            naive.publish(site.messages(count, plans))
            return count / naive.drain(count)


def measure(effort: Effort, folder: Path) -> Part:
    """Measure on private servers; skipped where one of them is not installed."""
    if node.binaries() is None:
        return Part("cluster", _TITLE, skipped=node.REMEDY)
    if postgres.binaries() is None:
        return Part("cluster", _TITLE, skipped=postgres.REMEDY)
    with ExitStack() as stack:
        bench = _started(folder / "cluster", effort, stack)
        turns = [
            bench.turn(workers, plans, effort.cluster)
            for _ in range(effort.rounds)
            for plans in (0, PLANS)
            for workers in (1, 2)
        ]
        long = bench.turn(2, 0, effort.long)
    return _part(effort, turns, long)


def _started(folder: Path, effort: Effort, stack: ExitStack) -> Bench:
    # Temporary folders of their own: as root, PostgreSQL runs as somebody who may not read ours.
    server, queue = Postgres(), RabbitMq()
    for one in (server, queue):
        stack.callback(one.close)
        one.start()
    place = site.build(folder)
    bare = Bare(load_site(place.settings, place.environ, site.BENCH_KINDS))
    naive = partial(Naive, queue.url, server.database("naive"), bare.slow(), bare.convert)
    url = server.database("cluster")
    environ = {
        **place.environ,
        "XOEV_BROKER_STORE": url,
        "XOEV_BROKER_QUEUE": queue.url,
        "XOEV_BROKER_LISTEN": "",
    }
    cluster = Cluster(server, queue, url, environ, folder)
    cluster.start(stack)
    return Bench(bare, cluster, naive, effort)


def _part(effort: Effort, turns: Sequence[Measured], long: Measured) -> Part:
    figures: list[Figure] = []
    for plans, name in ((0, "8 KB"), (PLANS, "23 KB")):
        some = [one for one in turns if one.plans == plans]
        figures.append(Figure(f"{name}: bare loop, one thread", _middle(some, "bare"), "msg/s"))
        figures.append(Figure(f"{name}: naive consumer", _middle(some, "naive"), "msg/s"))
        for workers in (1, 2):
            figures += _figures(f"{name}, {workers} worker{'s' * (workers > 1)}",
                                [one for one in some if one.workers == workers])  # fmt: skip
    figures += _long(long.found)
    note = (
        f"{effort.rounds} rounds of {effort.cluster} messages each, {effort.long} in the long "
        f"backlog, {effort.naive} for the naive consumer"
    )
    return Part("cluster", _TITLE, tuple(figures), (note,))


def _figures(name: str, some: Sequence[Measured]) -> list[Figure]:
    found = [one.found for one in some]
    goal = _GOALS[some[0].workers]
    spent = {who: median(one.draining[who] for one in found) for who in found[0].draining}
    return [
        Figure(f"{name}: accepted", median(one.accepted for one in found), "msg/s"),
        Figure(f"{name}: drained", median(one.rate for one in found), "msg/s"),
        Figure(f"{name}: to bare loop", median(one.ratio for one in some), goal=least(goal)),
        Figure(f"{name}: to naive", median(one.found.rate / one.naive for one in some),
               goal=least(8)),
        *(Figure(f"{name}: accepting, {who}",
                 1000 * median(one.accepting[who] for one in found), "ms")
          for who in found[0].accepting),
        *(Figure(f"{name}: draining, {who}", 1000 * each, "ms") for who, each in spent.items()),
        Figure(f"{name}: commits", median(one.used.commits for one in found), "a message"),
        Figure(f"{name}: log written", median(one.used.wal for one in found) / 1000, "KB"),
        Figure(f"{name}: database grown", median(one.used.database for one in found) / 1000,
               "KB"),
    ]  # fmt: skip


def _long(found: Drained) -> list[Figure]:
    return [
        Figure("long backlog: drained", found.rate, "msg/s"),
        Figure("long backlog: last tenth to first", found.steadiness, goal=least(0.9)),
        Figure("long backlog: memory of two workers", found.memory[-1][1], "MB"),
        Figure("long backlog: memory, last tenth to first", found.growth, goal=most(1.1)),
        Figure("long backlog: database grown", found.used.database / 1000, "KB"),
    ]


def _middle(some: Sequence[Measured], name: str) -> float:
    return median(float(getattr(one, name)) for one in some)
