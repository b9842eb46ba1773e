"""An idle broker: the real command with the routes of the demo and nothing to do."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from benchmarks import site
from benchmarks.child import Daemon
from benchmarks.effort import Effort
from benchmarks.figures import Figure, Part, most

#: The goal is per five minutes.
PERIOD = 300.0
#: What starting up still does is over by then (seconds).
SETTLE = 3.0


def measure(effort: Effort, folder: Path) -> Part:
    """Measure memory and processor while it only looks into its folders and tables."""
    demo = folder / "idle/demo"
    place = _written(folder / "idle", demo)
    with Daemon(place, {"XOEV_DEMO": str(demo)}) as broker:
        time.sleep(min(SETTLE, effort.idle))
        spent, start = broker.processor(), time.perf_counter()
        time.sleep(effort.idle)
        spent, seconds = broker.processor() - spent, time.perf_counter() - start
        memory = broker.memory("VmRSS")
    return Part(
        "idle",
        "the real command with the routes of this repository, nothing to do",
        (
            Figure("memory", memory, "MB", most(120)),
            Figure("processor in 5 minutes", PERIOD * spent / seconds, "s", most(1)),
        ),
        (f"over {seconds:.0f} s",),
    )


def _written(folder: Path, demo: Path) -> site.Site:
    folder.mkdir(parents=True)
    for name in (
        "braunschweig/eingang",
        "braunschweig/ausgang",
        "salzgitter",
        "musterstadt/eingang",
        "bauportal/eingang",
        "bauportal/antworten",
    ):
        (demo / name).mkdir(parents=True)
    site.token(demo / "bauportal.token")
    tables = (site.ROOT / "adapters/salzgitter/bau/tables.sql").read_text("utf-8")
    with closing(sqlite3.connect(demo / "salzgitter/verfahren.sqlite")) as database:
        database.executescript(tables)
    return site.Site(folder, site.standards(folder / "schemas"), site.ROOT / "routes.yaml")
