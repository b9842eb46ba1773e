"""Types commands: a process that is ready for them, and runs each in a child of its own.

Starting Python anew for each of hundreds of commands would take minutes; a child that was forked is
a process of its own all the same, with an exit code, and a peak of memory that is its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

SECONDS = 60


@dataclass(frozen=True, slots=True)
class Typed:
    """How a command ended, what it printed, and the most memory it took (megabytes)."""

    code: int
    out: str
    err: str
    memory: int


class Typist:
    """Runs command lines in an environment and a folder."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        """Start the process that waits for commands."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            env=dict(environ), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *args: str, stdin: Path | None = None) -> Typed:
        """Run one command line; one that takes a minute ends with -14."""
        ways = self._process.stdin, self._process.stdout
        assert ways[0] is not None
        assert ways[1] is not None
        ways[0].write(json.dumps([args, str(stdin or os.devnull)]) + "\n")
        ways[0].flush()
        return Typed(*json.loads(ways[1].readline()))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def _serve() -> None:
    import sqlalchemy.dialects.sqlite  # noqa: F401 - loaded once for all
    import xmlschema  # noqa: F401

    from broker.cli import commands

    commands.build()
    for line in sys.stdin:
        args, stdin = json.loads(line)
        print(json.dumps(_typed(args, stdin)), flush=True)


def _typed(args: Sequence[str], stdin: str) -> tuple[Any, ...]:
    with tempfile.TemporaryFile("w+b") as out, tempfile.TemporaryFile("w+b") as err:
        child = os.fork()
        if child == 0:
            _become(args, stdin, out, err)
        _, status, usage = os.wait4(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return code, _text(out), _text(err), usage.ru_maxrss // 1024


def _become(args: Sequence[str], stdin: str, out: IO[bytes], err: IO[bytes]) -> None:
    """Be the command, and end."""
    from broker.cli import main

    signal.alarm(SECONDS)
    code = 70
    try:
        for number, source in ((1, out.fileno()), (2, err.fileno())):
            os.dup2(source, number)
        os.dup2(os.open(stdin, os.O_RDONLY), 0)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        code = main(args)
    except BaseException:  # noqa: BLE001 - as Python does at the end of a process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "backslashreplace")


if __name__ == "__main__":
    _serve()
