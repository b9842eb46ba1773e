"""The demo on many processes: one of each kind is killed, and every message ends where it must."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from broker.cli import cluster
from broker.errors import BrokerError, ConfigError
from broker.standins import node, postgres
from broker.standins.child import command
from broker.standins.plugs import Plug, Plugs
from tests import needs

Ended = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    needs.server("PostgreSQL", postgres.binaries() is not None, postgres.REMEDY)
    needs.server("RabbitMQ", node.binaries() is not None, node.REMEDY)
    folder = tmp_path_factory.mktemp("demo")
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        command("demo", "--cluster", "--keep", str(folder)), cwd=folder, env=environ,
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_it_ends_well(ended: Ended) -> None:
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RabbitMQ node rabbit2", "PostgreSQL", "worker 2"])
def test_it_says_when_one_is_killed_and_when_it_is_back(ended: Ended, name: str) -> None:
    assert re.search(rf" sent  {name} is killed\n.* sent  {name} is back after", ended.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        r"Einfamilienhaus +Wolfsburg +HTTP +delivered +\d+ +0205 +\d+",
        r"Werkstatt +Salzgitter +HTTP +delivered +\d+ +1120 1121 +\d+",
        r"Wintergarten +Braunschweig +folder +delivered",
        r"Gartenhütte +Braunschweig +submit +delivered +1 ",
        r"Windrad +Wolfsburg +HTTP +rejected S999 +\d+ +1100",
        r"the first one again +Wolfsburg +HTTP +same receipt",
        r"the first id, other bytes +Wolfsburg +HTTP +refused S050",
    ],
)
def test_its_table_shows_each_end(ended: Ended, line: str) -> None:
    assert re.search(f"^{line}", ended.stdout, re.MULTILINE)


@pytest.mark.slow
def test_its_sums_agree(ended: Ended) -> None:
    states = re.search(r"^accepted (\d+) = (\d+) delivered \+ (\d+) rejected$", ended.stdout, re.M)
    ways = re.search(r"^(\d+) accepted = (\d+) applications \+ (\d+) answers", ended.stdout, re.M)

    assert states is not None
    assert ways is not None
    assert states[1] == ways[1]
    assert int(states[1]) == int(states[2]) + int(states[3]) == int(ways[2]) + int(ways[3])
    assert re.search(r"All \d+ messages ended where they must", ended.stdout)


@pytest.mark.slow
def test_its_journal_verifies_in_the_store_that_stays(ended: Ended) -> None:
    assert "everything was carried over; the journal is the same" in ended.stdout
    assert "nothing was changed" in ended.stdout
    state = re.search(r"export XOEV_BROKER_STATE=(\S+)", ended.stdout)
    assert state is not None
    environ = {**os.environ, "XOEV_BROKER_STATE": state[1]}
    said = subprocess.run(
        command("status"), env=environ, cwd=needs.ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"^accepted \d+ = ", said, re.MULTILINE)


def test_without_the_servers_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "binaries", lambda: None)

    with pytest.raises(ConfigError, match="install the Debian package rabbitmq-server"):
        cluster.demo(tmp_path / "demo")


def test_it_cannot_stay() -> None:
    done = subprocess.run(
        command("demo", "--cluster", "--stay"), capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "cannot be given together" in done.stderr


def test_a_plug_that_does_not_come_back_is_told() -> None:
    said: list[str] = []
    plug = Plug("the server", lambda: None, _fail)
    plugs = Plugs((plug,), iter(range(10**6)).__next__, said.append)
    plugs.start()

    with pytest.raises(BrokerError, match="it is gone"):
        plugs.end()
    assert said == ["the server is killed"]


def _fail() -> None:
    raise ConfigError("it is gone")
