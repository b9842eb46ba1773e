"""One message alone: how long from handing it in until its delivery is on disk."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from benchmarks import site
from benchmarks.effort import Effort
from benchmarks.failure import PATIENCE, Failed
from benchmarks.figures import Figure, Part, most
from broker.app import App
from broker.intake import Intake
from broker.message import State
from broker.worker import Worker

#: How often the state is looked at (seconds); it adds half of that to a time.
LOOK = 0.0005


def measure(effort: Effort, folder: Path) -> Part:
    """Measure it over nowhere and over a folder."""
    nowhere = _times(site.build(folder / "single-nowhere"), effort.singles)
    files = _times(site.build(folder / "single-files", "kind: directory, out: out"), effort.singles)
    return Part(
        "single",
        "one message alone, handed in to delivered, both commits included",
        (
            Figure("into nowhere, median", 1000 * median(nowhere), "ms", most(30)),
            Figure("into nowhere, longest", 1000 * max(nowhere), "ms"),
            Figure("into a folder, median", 1000 * median(files), "ms", most(30)),
            Figure("into a folder, longest", 1000 * max(files), "ms"),
        ),
        (f"{effort.singles} messages each",),
    )


def _times(place: site.Site, count: int) -> list[float]:
    app = place.app()
    failures: list[BaseException] = []
    worker = Worker(app, place.pace, failures.append)
    worker.start()
    try:
        # The first one loads libraries.
        times = [_one(app, worker, raw) for raw in site.messages(count + 1)]
    finally:
        worker.stop(PATIENCE)
        app.close()
    return times[1:]


def _one(app: App, worker: Worker, raw: bytes) -> float:
    start = time.perf_counter()
    receipt = Intake(app).accept(raw, site.PARTY, "benchmark")
    worker.wake()
    while not _delivered(app, receipt.id):
        if time.perf_counter() - start > PATIENCE:
            raise Failed("a single message was not delivered")
        time.sleep(LOOK)
    return time.perf_counter() - start


def _delivered(app: App, id: str) -> bool:
    row = app.store.row(id)
    if row is None or row.state not in (State.WAITING, State.WORKING, State.DELIVERED):
        raise Failed(f"a single message ended as {row.state if row else 'nothing'}")
    return row.state is State.DELIVERED
