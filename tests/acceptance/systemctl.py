"""What `systemctl` does on a machine of the tests: reads the unit files, speaks sd_notify.

    python tests/acceptance/systemctl.py start xoev-broker

The machine is the folder above the one of `$SITE`; its units lie in `etc/systemd/system`.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

#: Seconds until a unit must be ready, or gone.
LONGEST = 60.0


@dataclass(frozen=True)
class Unit:
    """A service of a machine."""

    machine: Path
    name: str

    @property
    def file(self) -> Path:
        """The file with the process id."""
        return self.machine / f"run/{self.name}.pid"

    @property
    def pid(self) -> int:
        """The main process, 0 where there is none."""
        return int(self.file.read_text()) if self.file.exists() else 0

    def said(self, key: str) -> str:
        """Return what the unit file says, with the places of the machine."""
        text = (self.machine / f"etc/systemd/system/{self.name}.service").read_text("utf-8")
        found = re.search(rf"^{key}=(.*)$", text, re.MULTILINE)
        assert found, (self.name, key)
        return re.sub(r"(?<![\w.])/(opt|srv)/", rf"{self.machine}/\1/", found[1])

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        if alive(self.pid):
            return
        with self.ear() as ear:
            subprocess.run(self.words("ExecStartPre"), cwd=self.said("WorkingDirectory"),
                           stdout=subprocess.DEVNULL, check=True)  # fmt: skip
            with (self.machine / "srv/xoev-broker.log").open("ab") as log:
                started = subprocess.Popen(
                    self.words("ExecStart"), cwd=self.said("WorkingDirectory"), stdout=log,
                    stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                    env={**os.environ, "NOTIFY_SOCKET": self.place.replace("\0", "@")},
                )  # fmt: skip
            self.file.parent.mkdir(exist_ok=True)
            self.file.write_text(str(started.pid))
            self.wait(ear)

    def words(self, key: str) -> list[str]:
        """Return a command of the unit, with the settings of the site."""
        return ["bash", "-c", f"set -a; . {self.said('EnvironmentFile')}; exec {self.said(key)}"]

    def stop(self) -> None:
        """Let it finish, and wait until it is gone."""
        pid, end = self.pid, time.monotonic() + LONGEST
        if not pid:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        while alive(pid):
            assert time.monotonic() < end, f"{self.name} does not stop"
            time.sleep(0.05)  # it is no child of this process
        self.file.unlink()

    def reload(self) -> None:
        """Let it read its configuration anew, and wait until it has."""
        with self.ear() as ear:
            os.kill(self.pid, signal.SIGHUP)
            self.wait(ear)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal; wait for nothing."""
        os.kill(self.pid, number)

    @property
    def place(self) -> str:
        """The socket on which it speaks: an abstract one, because a path may be too long."""
        return "\0" + hashlib.sha256(f"{self.machine}:{self.name}".encode()).hexdigest()[:40]

    @contextmanager
    def ear(self) -> Iterator[socket.socket]:
        """Listen to what the unit says."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.bind(self.place)
            ear.settimeout(0.2)
            yield ear

    def wait(self, ear: socket.socket) -> None:
        """Wait until it is ready."""
        end = time.monotonic() + LONGEST
        while True:
            with suppress(TimeoutError):
                if b"READY=1" in ear.recv(4096).split(b"\n"):
                    return
            if not alive(self.pid) or time.monotonic() > end:
                sys.exit(f"{self.name} did not start, see the log")


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie that nobody has buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main(words: list[str]) -> None:
    """Do one command."""
    verb, options = words[0], [word for word in words[1:] if word.startswith("-")]
    machine = Path(os.environ["SITE"]).parents[1]
    units = [Unit(machine, word) for word in words[1:] if not word.startswith("-")]
    if verb == "daemon-reload":
        return
    for unit in reversed(units) if verb in ("stop", "disable") else units:
        _do(verb, unit, options)


def _do(verb: str, unit: Unit, options: list[str]) -> None:
    if verb in ("stop", "restart", "disable"):
        unit.stop()
    if verb in ("start", "restart", "enable"):
        unit.start()
    elif verb == "reload":
        unit.reload()
    elif verb == "show":
        print(unit.pid)
    elif verb == "kill":
        name = next(one for one in options if one.startswith("--signal=")).partition("=")[2]
        unit.kill(signal.Signals[name])
    elif verb not in ("stop", "disable"):
        sys.exit(f"systemctl {verb}: not known here")


if __name__ == "__main__":
    main(sys.argv[1:])
