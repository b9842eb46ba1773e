"""A backlog: accepted messages, on disk, until all are delivered into nowhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import site
from benchmarks.bare import Bare
from benchmarks.effort import Effort
from benchmarks.failure import PATIENCE, Failed
from benchmarks.figures import Figure, Part, least
from benchmarks.nowhere import Nowhere
from broker.app import App
from broker.intake import Intake
from broker.message import Direction, State
from broker.worker import Pace, Worker


@dataclass(frozen=True, slots=True)
class Drained:
    """How long a backlog took, in seconds of the clock and of the processor, and when each left."""

    seconds: float
    processor: float
    start: float
    times: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Messages per second."""
        return len(self.times) / self.seconds

    @property
    def steadiness(self) -> float:
        """The rate of the last tenth to that of the first."""
        tenth = max(1, len(self.times) // 10)
        first = self.times[tenth - 1] - self.start
        return first / max(self.times[-1] - self.times[-1 - tenth], 1e-9)


def fill(app: App, messages: Sequence[bytes]) -> float:
    """Accept all messages durably; return messages per second."""
    intake = Intake(app)
    start = time.perf_counter()
    futures = [intake.begin(raw, site.PARTY)[1] for raw in messages]
    verdicts = {future.result(PATIENCE).verdict for future in futures}
    if verdicts != {"new"}:
        raise Failed(f"the store took messages as {verdicts}")
    return len(messages) / (time.perf_counter() - start)


def drain(app: App, pace: Pace, count: int) -> Drained:
    """Deliver what was accepted; it is over once the last outcome is committed."""
    channel = app.site.channels["target"]
    assert isinstance(channel, Nowhere)
    channel.expect(count)
    failures: list[BaseException] = []
    worker = Worker(app, pace, failures.append)
    start, processor = time.perf_counter(), time.process_time()
    worker.start()
    done = channel.all.wait(PATIENCE) and worker.idle(PATIENCE)
    seconds, spent = time.perf_counter() - start, time.process_time() - processor
    worker.stop(PATIENCE)
    states = dict(app.store.counts().states.get(Direction.REQUEST, {}))
    if not done or failures or states != {State.DELIVERED: count}:
        raise Failed(f"the backlog was not delivered: {states} {failures}")
    return Drained(seconds, spent, start, tuple(sorted(channel.times)))


def measure(effort: Effort, folder: Path) -> Part:
    """Measure it in turns with the bare loop, each time on a new store."""
    rounds = [_round(effort, folder / f"backlog-{number}") for number in range(effort.rounds)]
    drained = [found for _, _, found in rounds]
    return Part(
        "backlog",
        "accepted on disk, to delivered into nowhere",
        (
            Figure("bare loop, two threads", median(bare for bare, _, _ in rounds), "msg/s"),
            Figure("accepted", median(accepted for _, accepted, _ in rounds), "msg/s"),
            Figure("delivered", median(found.rate for found in drained), "msg/s"),
            Figure("delivered to bare loop", median(found.rate / bare for bare, _, found in rounds),
                   goal=least(0.6)),
            Figure("processor a message",
                   median(1000 * found.processor / len(found.times) for found in drained), "ms"),
            Figure("last tenth to first", median(found.steadiness for found in drained)),
        ),
        (f"{effort.rounds} rounds of {effort.backlog} messages",),
    )  # fmt: skip


def _round(effort: Effort, folder: Path) -> tuple[float, float, Drained]:
    place = site.build(folder)
    messages = site.messages(effort.backlog)
    app = place.app()
    try:
        bare = Bare(app.site)
        before = bare.rate(messages, 2)
        accepted = fill(app, messages)
        found = drain(app, place.pace, effort.backlog)
        return (before + bare.rate(messages, 2)) / 2, accepted, found
    finally:
        app.close()
