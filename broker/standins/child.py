"""A real broker as a process of its own."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import IO

from broker.errors import BrokerError, Unreachable

_START = "import sys; from broker.cli import main; sys.exit(main())"
_READY = re.compile(r"listens on http://127\.0\.0\.1:(\d+)|runs without HTTP")


def command(*words: str) -> list[str]:
    """Return the command line of `xoev-broker` with this Python."""
    return [sys.executable, "-c", _START, *words]


class Child:
    """`xoev-broker run`, from its start to its end."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], log: Path | None = None, role: str = "all"
    ) -> None:
        """Take the working folder, all variables, the file of its log (None: our stderr), and what
        it does.
        """
        self._folder = folder
        self._role = role
        self._environ = environ
        self._log = log
        self._said: queue.Queue[str | None] = queue.Queue()
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def pid(self) -> int:
        """The process id; 0 before its first start."""
        return self._process.pid if self._process else 0

    def start(self, seconds: float = 30) -> None:
        """Start it; returns once it is ready. Raises Unreachable with the end of its log."""
        self._said = queue.Queue()
        with open(self._log or os.devnull, "a", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command("run", "--role", self._role),
                cwd=self._folder,
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log if self._log else None,
                text=True,
                start_new_session=True,  # Ctrl-C is for us, we end it in order
            )
        assert self._process.stdout is not None
        Thread(target=self._listen, args=(self._process.stdout, self._said), daemon=True).start()
        try:
            line = self._said.get(timeout=seconds)
        except queue.Empty:
            line = None
        found = _READY.search(line or "")
        if found is None:
            self.stop()
            raise Unreachable(f"the broker did not start{self._last_words()}")
        self.port = int(found[1] or 0)

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit code."""
        return self._process.wait() if self._process else 0

    def alive(self) -> None:
        """Raise BrokerError if it ended."""
        if self._process is not None and self._process.poll() is not None:
            raise BrokerError(f"the broker ended by itself{self._last_words()}")

    def kill(self) -> None:
        """Kill it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, seconds: float = 30) -> int:
        """End it in order, by force only if it does not; return its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _listen(self, stream: IO[str], said: queue.Queue[str | None]) -> None:
        with stream:
            for line in stream:
                said.put(line)
        said.put(None)

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        lines: Sequence[str] = self._log.read_text("utf-8", "replace").splitlines()[-5:]
        return "; the end of its log:\n" + "\n".join(f"  {line}" for line in lines)
