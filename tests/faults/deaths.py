"""Ends of workers: killed at any moment or at a certain step, out of memory, stopped for long."""

from __future__ import annotations

import resource
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.cluster import Node, until
from tests.faults.fault import BOTH, lasting
from tests.faults.group import Group
from tests.faults.region import Region

#: What is large enough for a worker that has hardly any memory left.
LARGE = b"x" * 6_000_000
SPARE = 12_000_000
#: A worker is stopped so often at most until it has something in hand.
TRIES = 20
#: As many deliveries on each route as show all steps that there are, and so long is waited for one.
ENOUGH = 40
_STEPS = """
import os, sys
from pathlib import Path
from tests.crash.points import Points, install
install(Points(Path(os.environ["STEPS"]), os.environ["STEP"]), Path.cwd())
from broker.cli import main
sys.exit(main())
"""


@contextmanager
def killed(region: Region, chance: Random) -> Iterator[None]:
    """Workers are killed at any moment, one after the other."""
    for _ in range(3):
        worker = chance.choice(region.workers)
        worker.stop(signal.SIGKILL)
        region.goes_on(BOTH, chance.randrange(5, 15))
        worker.start()
    yield


@contextmanager
def frozen(region: Region, chance: Random) -> Iterator[None]:
    """A worker stands still for longer than its leases hold, and goes on as if nothing were."""
    worker = chance.choice(region.workers)
    stuck: set[str] = set()
    for _ in range(TRIES):
        worker.send(signal.SIGSTOP)
        if stuck := _stuck(region):
            break
        worker.send(signal.SIGCONT)
    until(lambda: not stuck & _leases(region), "a takeover")
    yield
    worker.send(signal.SIGCONT)


def _stuck(region: Region) -> set[str]:
    """Return leases on which nothing moves."""
    before = _leases(region)
    lasting(0.5)
    return before & _leases(region)


def _leases(region: Region) -> set[str]:
    asked = "SELECT DISTINCT token FROM deliveries WHERE state = 'working'"
    name = region.database.rpartition("/")[2]
    return {str(token) for (token,) in region.postgres.ask(asked, database=name)}


@contextmanager
def killed_at_steps(region: Region, chance: Random, count: int = 0) -> Iterator[None]:
    """A worker dies before or after a commit, a call, a byte sent: at so many steps, or all."""
    worker = region.workers[0]
    steps = _steps(region, worker)
    names = chance.sample(sorted(steps), count or len(steps))
    for name in names:
        _die(region, worker, f"{name}#{chance.randint(1, min(steps[name], 5))}")
    worker.code = Node.code
    yield
    worker.start()


def _steps(region: Region, worker: Node) -> Counter[str]:
    """Return how often a worker that nobody disturbs passes each step."""
    worker.stop(signal.SIGKILL)
    file = _stepping(region, worker, "")
    worker.start()
    region.goes_on(BOTH, ENOUGH)
    worker.stop(signal.SIGKILL)
    passed = [line.rpartition("#")[0] for line in file.read_text("utf-8").splitlines()]
    return Counter(passed)


def _die(region: Region, worker: Node, step: str) -> None:
    _stepping(region, worker, step)
    worker.start(wait=False)
    goal = sum(region.effects().values()) + 2 * ENOUGH
    until(lambda: not worker.alive or sum(region.effects().values()) > goal, step)
    worker.stop(signal.SIGKILL)


def _stepping(region: Region, worker: Node, step: str) -> Path:
    file = region.folder / "steps"
    file.unlink(missing_ok=True)
    worker.code = _STEPS
    worker.environ |= {"STEPS": str(file), "STEP": step}
    return file


@contextmanager
def out_of_memory(region: Region, _chance: Random) -> Iterator[None]:
    """The kernel kills a worker that takes more memory than its group may have."""
    with Group.made() as group:
        worker = region.workers[0]
        worker.stop()
        worker.start(wait=False)
        group.add(worker.pid)
        worker.again()
        group.limit(group.used() + SPARE)
        _feed(region, worker)
        assert worker.stop(0) == -signal.SIGKILL
    yield
    worker.start()


@contextmanager
def short_of_memory(region: Region, _chance: Random) -> Iterator[None]:
    """A worker gets no more memory from the kernel, and is killed if it does not end by itself."""
    worker = region.workers[0]
    taken = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(worker.pid, resource.RLIMIT_AS, (taken + SPARE, resource.RLIM_INFINITY))
    _feed(region, worker)
    yield
    region.again(worker)


def _feed(region: Region, worker: Node) -> None:
    """Send large messages until a worker is dead, or it had its share of them."""
    for number in range(10):
        if not worker.alive:
            return
        region.sending.send("east", f"large-{number}", LARGE)
        region.goes_on(BOTH, 3)
