"""The other end of `child.py`, as the tests see it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.needs import ROOT

#: What a life killed at its point looks like.
KILLED = -signal.SIGKILL


class Nursery:
    """Starts lives, one after the other."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.child"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(70)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def live(self, order: Mapping[str, Any]) -> int:
        """Let a broker live until it is done or killed; return its exit code as Popen would."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        status = self._process.stdout.readline()
        assert status, "the nursery is gone"
        return _code(int(status))


def _code(status: int) -> int:
    return -(status & 0x7F) if status & 0x7F else status >> 8


def points(folder: Path) -> list[str]:
    """Return the points that the lives in a folder passed."""
    file = folder / "points"
    return file.read_text().splitlines() if file.exists() else []
