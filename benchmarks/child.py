"""Processes of the benchmark: started with a clean environment, and stopped by their id."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.failure import Failed
from benchmarks.site import ROOT, Site, process

TICKS = os.sysconf("SC_CLK_TCK")
COMMAND = "import sys; from broker.cli import main; sys.exit(main())"
#: A process that takes longer to end is killed (seconds).
GRACE = 30.0

_PORT = re.compile(r"http://[^\s:]+:(\d+)")


class Child:
    """One process that prints a line for whoever waits; stopped at the end of the `with` block."""

    def __init__(self, args: list[str], environ: Mapping[str, str], log: Path) -> None:
        """Start it; what it writes to standard error goes to `log`."""
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, *args],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=process(environ),
                cwd=ROOT,
            )
        self._log = log
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def line(self) -> str:
        """Wait for its next line; raises Failed where it ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        if not line:
            self._process.wait()
            raise Failed(f"a process of the benchmark ended early:\n{self._tail()}")
        return line

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def found(self) -> dict[str, Any]:
        """Wait for its next line of JSON."""
        found: dict[str, Any] = json.loads(self.line())
        return found

    def processor(self) -> float:
        """Return the seconds of processor that it has used so far, over all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, name: str) -> float:
        """Return a field of its status in MB: `VmRSS` now, `VmHWM` at the peak."""
        text = Path(f"/proc/{self.pid}/status").read_text("ascii", "replace")
        found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
        if found is None:
            raise Failed(f"this system does not tell {name} of a process")
        return int(found[1]) * 1024 / 1e6

    def _tail(self) -> str:
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-20:])


class Daemon(Child):
    """The real command, running; `port` is where its HTTP intake listens."""

    def __init__(self, place: Site, extra: Mapping[str, str] | None = None) -> None:
        """Start it and wait until it listens."""
        environ = {**place.environ, **(extra or {})}
        super().__init__(["-c", COMMAND, "run"], environ, place.folder / "broker.log")
        try:
            found = _PORT.search(self.line())
            if found is None:
                raise Failed("the broker runs without HTTP")
            self.port = int(found[1])
        except Failed:
            self.__exit__(None, None, None)
            raise


def command(*args: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run the real command to its end."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *args],
        capture_output=True,
        env=process(environ),
        cwd=ROOT,
        check=False,
    )
