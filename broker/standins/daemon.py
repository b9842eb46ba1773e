"""A server process of our own: started on loopback, ended by its id, never left behind."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, TypedDict

from broker.errors import Unreachable

#: Below what systems give to outgoing connections: nobody takes a port while its server is down.
_PORTS = range(15000, 32000)
_PAUSE = 0.02
_GONE = 30
_LINES = 12
_ZOMBIE = "Z"
# Reads the ids that are to end with us, one line replacing the one before, until our end closes.
_GUARD = """
while read -r line; do ids=$line; done
[ -z "$ids" ] || kill -9 $ids 2>/dev/null
[ -z "$0" ] || rm -rf "$0"
"""


class Identity(TypedDict, total=False):
    """How `subprocess` is told to run something as another user."""

    user: str
    group: int
    extra_groups: list[int]


def port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens; Unreachable if there is none."""
    for _ in range(1000):
        number = secrets.choice(_PORTS)
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", number))
            return number
    raise Unreachable(f"no free port between {_PORTS.start} and {_PORTS.stop} of 127.0.0.1")


def until(reached: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again until it is reached; return false when the time is over."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


def identity(user: str | None) -> Identity:
    """Return what `subprocess` needs to run something as a user; None: as we are."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def owned(path: Path, user: str | None) -> None:
    """Give a file or folder to a user; None: leave it ours."""
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


class Daemon:
    """One process with all that it starts; killed by a guard if we end without stopping it."""

    def __init__(self, name: str, log: Path, user: str | None = None, doomed: str = "") -> None:
        """Take its name for messages, the file of its log and the user it runs as (None: we).

        `doomed` is a folder that the guard removes.
        """
        self.name = name
        self._log = log
        self._user = user
        self._before = 0
        self._doomed = doomed
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def start(self, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        """Start it; returns at once."""
        with self._log.open("ab") as log:
            self._before = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                cwd=self._log.parent,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, we end it in order
                **identity(self._user),
            )
        self._watch(str(self._process.pid))

    def ready(self, reached: Callable[[], bool], seconds: float) -> None:
        """Wait until it does what `reached` asks; Unreachable with its first words if never."""
        if until(lambda: not self.pid or reached(), seconds) and self.pid:
            self._watch(" ".join(map(str, self.family())))
            return
        self.kill()
        raise Unreachable(f"{self.name} did not start{self.words()}")

    def end(self, number: int, seconds: float = 60) -> None:
        """Send a signal and wait until it and all it started are gone; by force if it stays."""
        family = self.family()
        if family:
            self.resume()
            os.kill(family[0], number)
            until(lambda: not self.pid and not any(map(lives, family)), seconds)
        self.kill(family)

    def kill(self, family: Sequence[int] = ()) -> None:
        """Kill it and all it started, as if the machine had stopped; returns when all are gone."""
        family = [*self.family(), *family]
        for pid in family:
            _send(pid, signal.SIGKILL)
        if self._process:
            self._process.wait()
        until(lambda: not any(map(lives, family)), _GONE)
        self._watch("")

    def pause(self) -> None:
        """Stop it in the middle of whatever it does; connections stay open."""
        for pid in self.family():
            _send(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        for pid in reversed(self.family()):
            _send(pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill what is left and dismiss the guard, which removes the doomed folder."""
        if self._process:
            self.kill()
        if self._guard:
            _pipe(self._guard).close()
            self._guard.wait()
            self._guard = None
        if self._doomed:
            shutil.rmtree(self._doomed, ignore_errors=True)

    def family(self) -> list[int]:
        """Return its process id and those of all below it."""
        return list(_below(self.pid)) if self.pid else []

    def words(self) -> str:
        """Return what it wrote first after its last start, for an error message."""
        said = self._log.read_bytes()[self._before :].decode("utf-8", "replace")
        return "; its log:\n" + "\n".join(f"  {line}" for line in said.splitlines()[:_LINES])

    def _watch(self, ids: str) -> None:
        if self._guard is None:
            self._guard = subprocess.Popen(  # noqa: S603 - our own command
                ["/bin/sh", "-c", _GUARD, self._doomed],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        pipe = _pipe(self._guard)
        pipe.write(f"{ids}\n".encode())
        pipe.flush()


def _pipe(guard: subprocess.Popen[bytes]) -> IO[bytes]:
    assert guard.stdin is not None
    return guard.stdin


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _below(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                yield from _below(int(child))


def lives(pid: int) -> bool:
    """Say whether a process exists and is more than a zombie that its parent did not bury yet."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != _ZOMBIE


class Steered:
    """A server that is one daemon: what a test of failures does to it."""

    _daemon: Daemon

    @property
    def pid(self) -> int:
        """Return the id of its first process, 0 while it is stopped."""
        return self._daemon.pid

    def kill(self) -> None:
        """Kill all its processes at once; returns when all are gone."""
        self._daemon.kill()

    def family(self) -> list[int]:
        """Return the ids of its first process and of every one below."""
        return self._daemon.family()

    def pause(self) -> None:
        """Freeze all its processes; connections stay open and silent."""
        self._daemon.pause()

    def resume(self) -> None:
        """Let them go on after `pause`."""
        self._daemon.resume()
