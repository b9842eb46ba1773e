"""What an operator waits for: installing a bundle, comparing two, starting with many of them."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import bundles, site
from benchmarks.child import Daemon, command
from benchmarks.effort import Effort
from benchmarks.failure import Failed
from benchmarks.figures import Figure, Part, most

_TITLE = "bundles of standards, by the real command"


def measure(effort: Effort, folder: Path) -> Part:
    """Measure each once, with starting Python; skipped where there are no bundles."""
    if not bundles.there():
        return Part("release", _TITLE, skipped=bundles.ABSENT)
    place = site.build(folder / "release", "kind: directory, out: out")
    first = _ran(place, "schemas", "install", str(bundles.XOEV / "xbau_2.6"))
    bundles.put(place.schemas, bundles.ALL)
    compared = _ran(place, "schemas", "diff", "xbau/2.5", "xbau/2.6")
    start = time.perf_counter()
    with Daemon(place):
        cold = time.perf_counter() - start
    return Part(
        "release",
        _TITLE,
        (
            Figure("install XBau 2.6", first, "s", most(15)),
            Figure("diff XBau 2.5 to 2.6", compared, "s", most(20)),
            Figure(f"start with {len(bundles.ALL)} bundles", cold, "s", most(3)),
        ),
    )


def _ran(place: site.Site, *args: str) -> float:
    start = time.perf_counter()
    done = command(*args, environ=place.environ)
    if done.returncode:
        raise Failed(f"{' '.join(args[:2])} ended with {done.returncode}: {done.stderr[-1000:]!r}")
    return time.perf_counter() - start
