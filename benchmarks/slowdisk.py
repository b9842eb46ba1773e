"""A slow disk: the backlog again, with five milliseconds added to every sync.

`python -m benchmarks.slowdisk FOLDER COUNT` is one round, in a process with the shim before its C
library, and prints a line of JSON.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import site
from benchmarks.backlog import drain, fill
from benchmarks.child import Child
from benchmarks.effort import Effort
from benchmarks.figures import Figure, Part, least
from broker import logs

MICROSECONDS = 5_000
TITLE = "the backlog with 5 ms added to every sync of the disk"
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static unsigned long count;

static int slowly(const char *name, int file)
{
    int (*call)(int) = (int (*)(int)) dlsym(RTLD_NEXT, name);
    const char *text = getenv("BENCHMARK_SYNC_MICROSECONDS");
    long wait = text ? atol(text) : 0;
    struct timespec pause = {wait / 1000000, wait % 1000000 * 1000};
    __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    if (wait)
        nanosleep(&pause, NULL);
    return call(file);
}

int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
unsigned long syncs(void) { return __atomic_load_n(&count, __ATOMIC_RELAXED); }
"""


def measure(effort: Effort, folder: Path) -> Part:
    """Measure it with and without, in turns, both below the same shim."""
    compiler = shutil.which("cc")
    if compiler is None:
        return Part("slowdisk", TITLE, skipped="no C compiler here (cc), which slows the disk")
    shim = _built(compiler, folder)
    pairs = [
        tuple(
            _round(effort, folder / f"slow-{number}-{wait}", shim, wait)
            for wait in (0, MICROSECONDS)
        )
        for number in range(effort.rounds)
    ]
    rates = [(fast["rate"], slow["rate"]) for fast, slow in pairs]
    return Part(
        "slowdisk",
        TITLE,
        (
            Figure("this disk", median(fast for fast, _ in rates), "msg/s"),
            Figure("slow disk", median(slow for _, slow in rates), "msg/s"),
            Figure("slow disk to this disk", median(slow / fast for fast, slow in rates),
                   goal=least(0.85)),
            Figure("messages a sync, this disk",
                   median(effort.slow / fast["syncs"] for fast, _ in pairs)),
            Figure("messages a sync, slow disk",
                   median(effort.slow / slow["syncs"] for _, slow in pairs), goal=least(20)),
        ),
        (f"{effort.rounds} rounds of {effort.slow} messages",),
    )  # fmt: skip


def _built(compiler: str, folder: Path) -> Path:
    source, shim = folder / "slow.c", folder / "slow.so"
    source.write_text(SHIM, "ascii")
    subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(shim), str(source), "-ldl"], check=True
    )
    return shim


def _round(effort: Effort, folder: Path, shim: Path, wait: int) -> dict[str, Any]:
    environ = {"LD_PRELOAD": str(shim), "BENCHMARK_SYNC_MICROSECONDS": str(wait)}
    args = ["-m", "benchmarks.slowdisk", str(folder), str(effort.slow), str(shim)]
    with Child(args, environ, folder.with_suffix(".log")) as child:
        return child.found()


def work(folder: Path, count: int, shim: Path) -> dict[str, float]:
    """Accept and deliver a backlog; return its rate and how often the disk was synced for it."""
    library = ctypes.CDLL(str(shim))
    library.syncs.restype = ctypes.c_ulong
    place = site.build(folder)
    with (folder / "broker.log").open("wb") as stream:
        logs.configure(stream=stream)
        app = place.app()
        try:
            fill(app, site.messages(count))
            before = library.syncs()
            found = drain(app, place.pace, count)
            return {"rate": found.rate, "syncs": library.syncs() - before}
        finally:
            app.close()


if __name__ == "__main__":
    print(json.dumps(work(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))), flush=True)
