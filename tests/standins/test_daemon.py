"""What starts and ends the servers of our own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broker.errors import Unreachable
from broker.standins.daemon import Daemon, lives, port, until
from tests.needs import ROOT

SLEEPER = ["/bin/sh", "-c", "sleep 600 & echo started; wait"]
#: Starts a server with a child, says both ids, and waits to be killed.
STARTER = """
import sys, time
from pathlib import Path
from broker.standins.daemon import Daemon
folder = Path(sys.argv[1])
daemon = Daemon("sleeper", folder / "log", doomed=str(folder))
daemon.start(["/bin/sh", "-c", "sleep 600 & wait"])
daemon.ready(lambda: len(daemon.family()) > 1, 30)
print(*daemon.family(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Daemon:
    """Return a process with a child below it."""
    daemon = Daemon("sleeper", tmp_path / "log")
    daemon.start(SLEEPER)
    daemon.ready(lambda: len(daemon.family()) > 1, 30)
    return daemon


def test_kill_leaves_nothing_of_the_family(sleeper: Daemon) -> None:
    family = sleeper.family()
    sleeper.kill()
    sleeper.close()

    assert len(family) > 1
    assert not any(map(lives, family))


def test_end_leaves_nothing_of_the_family(sleeper: Daemon) -> None:
    family = sleeper.family()
    sleeper.end(signal.SIGTERM, seconds=0)
    sleeper.close()

    assert not any(map(lives, family))


def test_a_paused_process_can_be_killed(sleeper: Daemon) -> None:
    sleeper.pause()
    sleeper.kill()
    sleeper.close()

    assert sleeper.pid == 0


def test_what_ends_at_once_is_reported_with_its_words(tmp_path: Path) -> None:
    daemon = Daemon("sleeper", tmp_path / "log")
    daemon.start(["/bin/sh", "-c", "echo no disk >&2; exit 1"])
    with pytest.raises(Unreachable, match=r"sleeper did not start; its log:\n  no disk"):
        daemon.ready(lambda: False, 30)
    daemon.close()


def test_the_servers_end_with_whoever_started_them(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    command = [sys.executable, "-c", STARTER, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        family = [int(word) for word in starter.stdout.readline().split()]
        starter.kill()

    assert len(family) > 1
    assert until(lambda: not any(map(lives, family)) and not folder.exists(), 30)


def test_a_port_is_below_those_that_outgoing_connections_get() -> None:
    assert port() < 32768
