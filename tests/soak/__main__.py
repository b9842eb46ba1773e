"""`make soak`: python -m tests.soak --minutes 20 --seed 1."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from broker.cli.terminal import say, table
from tests.soak.soak import soak


def main() -> int:
    """Run, print the table, return 1 where a line is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="kept; else a new temporary folder")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="xoev-broker-soak-"))
    begun = time.monotonic()

    def told(text: str) -> None:
        say(f"{time.monotonic() - begun:6.0f} s  {text}")
        sys.stdout.flush()

    told(f"seed {given.seed}, everything in {folder}")
    result = soak(folder, 60 * given.minutes, given.seed, told)
    told("sent: " + ", ".join(f"{count} {kind}" for kind, count in result.sent.items()))
    told("troubles: " + ", ".join(f"{count} {kind}" for kind, count in result.troubles.items()))
    rows = [[one.what, one.found, one.must, "" if one.good else "WRONG"] for one in result.lines]
    table(["", "found", "must be", ""], rows)
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())
