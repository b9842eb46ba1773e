"""Runs the parts that were asked for, all by default, and prints a table for each.

`python -m benchmarks [--quick] [--json FILE] [PART…]`
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from os import sched_getaffinity
from pathlib import Path

from benchmarks import (
    backlog,
    bare,
    checks,
    cluster,
    conversion,
    doorbell,
    http,
    idle,
    large,
    release,
    sealing,
    single,
    slowdisk,
    towns,
)
from benchmarks.effort import FULL, QUICK, Effort
from benchmarks.failure import Failed
from benchmarks.figures import Part
from broker import logs

PARTS: Mapping[str, Callable[[Effort, Path], Part]] = {
    "bare": bare.measure,
    "backlog": backlog.measure,
    "http": http.measure,
    "slowdisk": slowdisk.measure,
    "single": single.measure,
    "checks": checks.measure,
    "conversion": conversion.measure,
    "doorbell": doorbell.measure,
    "cluster": cluster.measure,
    "towns": towns.measure,
    "release": release.measure,
    "sealing": sealing.measure,
    "large": large.measure,
    "idle": idle.measure,
}


def main(args: Sequence[str]) -> int:
    """Run; the exit code is 1 where a part failed, whatever the figures are."""
    parser = _parser()
    wanted = parser.parse_args(args)
    names = wanted.parts or list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    machine = f"Python {platform.python_version()}, {len(sched_getaffinity(0))} processors"
    print(f"{machine}; read ratios, not rates\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="xoev-bench-") as name:
        parts = _run(names, QUICK if wanted.quick else FULL, Path(name))
    print(_summary(parts))
    if wanted.json:
        found = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine,
            "quick": wanted.quick,
            "parts": [part.document() for part in parts],
        }
        wanted.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return int(len(parts) < len(names))


def _run(names: Sequence[str], effort: Effort, folder: Path) -> list[Part]:
    parts = []
    with (folder / "benchmark.log").open("wb") as stream:
        logs.configure(stream=stream)
        for name in names:
            start = time.monotonic()
            try:
                part = PARTS[name](effort, folder)
            except Failed as error:
                print(f"{name}: FAILED: {error}\n", file=sys.stderr, flush=True)
                continue
            parts.append(part)
            print(f"{part.table()}\n  ({time.monotonic() - start:.0f} s)\n", flush=True)
    return parts


def _summary(parts: Sequence[Part]) -> str:
    verdicts = [figure.verdict for part in parts for figure in part.figures if figure.goal]
    reached = verdicts.count("reached")
    return f"{reached} of {len(verdicts)} goals reached"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="The product against the limits of its parts, measured in one run.",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
