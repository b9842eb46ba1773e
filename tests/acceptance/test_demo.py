"""The demo through the real command: three cities, and every message ends where it must."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from threading import Event

import pytest

from broker.cli.demo import demo
from broker.errors import BrokerError
from broker.standins.child import command
from broker.standins.portal import Portal
from tests.needs import ROOT


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    folder = tmp_path_factory.mktemp("demo")
    environ = {**os.environ, "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        command("demo"), cwd=folder, env=environ, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


Ended = subprocess.CompletedProcess[str]


def test_it_ends_well(ended: Ended) -> None:
    assert (ended.returncode, ended.stderr) == (0, "")


def test_it_proves_that_every_message_ended_where_it_must(ended: Ended) -> None:
    assert "All 25 messages ended where they must" in ended.stdout


@pytest.mark.parametrize(
    "line",
    [
        r"Einfamilienhaus +Wolfsburg +HTTP +delivered +63-WOB-\d{5}-\d\d +0205 +\d+",
        r"Einfamilienhaus +Braunschweig +HTTP +delivered +BS 0630/\d{5}/\d{4} +1120 0205 +\d+",
        r"Werkstatt +Salzgitter +HTTP +delivered +\d{4}-SZ-\d{4} +1120 1121 +\d+",
        r"Wintergarten +Wolfsburg +folder +delivered",
        r"Gartenhütte +Braunschweig +submit +delivered",
        r"Windrad +Wolfsburg +HTTP +rejected S999 +1100",
        r"breaks the schema +Wolfsburg +HTTP +rejected X001 +1100",
        r"for a city without a route +Peine +HTTP +rejected T080 +1100",
        r"test for a real procedure +Musterstadt +HTTP +rejected S102 +1100",
        r"in an unknown standard +Salzgitter +HTTP +rejected V001 +reason",
        r"with a DOCTYPE +Braunschweig +HTTP +refused X000",
        r"the first one again +Wolfsburg +HTTP +same receipt",
        r"the first id, other bytes +Wolfsburg +HTTP +refused S050",
    ],
)
def test_its_table_shows_each_end(ended: Ended, line: str) -> None:
    assert re.search(f"^{line}", ended.stdout, re.MULTILINE)


def test_it_shows_progress_a_trace_and_the_sum(ended: Ended) -> None:
    assert "sent 25 messages" in ended.stdout
    assert re.search(r"^request [0-9a-f-]{36}: delivered$", ended.stdout, re.MULTILINE)
    assert "accepted 50 = 45 delivered + 5 rejected" in ended.stdout


def test_it_leaves_the_store_for_the_commands_it_names(ended: Ended) -> None:
    state = re.search(r"export XOEV_BROKER_STATE=(\S+)", ended.stdout)
    assert state is not None
    assert (Path(state[1]) / "broker.sqlite").is_file()


def test_nothing_is_wider_than_a_hundred_columns(ended: Ended) -> None:
    own = [line for line in ended.stdout.splitlines() if "/demo" not in line]

    assert [line for line in own if len(line) > 100] == []


def test_staying_takes_messages_until_it_is_interrupted(tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "XOEV_DEMO": str(tmp_path / "demo"),
        "XOEV_DEMO_PORT": "0",
        "XOEV_BROKER_STATE": str(tmp_path / "state"),
        "XOEV_BROKER_LISTEN": "127.0.0.1:0",
        "XOEV_BROKER_POLL": "0.1s",
    }
    words = command("demo", "--stay")
    with subprocess.Popen(
        words, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = 0
        for line in process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)/v1/messages", line)
            if found:
                port = int(found[1])
                break
        folder = tmp_path / "demo"
        token = (folder / "bauportal.secret").read_text().strip()
        portal = Portal(port, token, folder / "bauportal/eingang", folder / "bauportal/antworten")
        posted = portal.post((folder / "antrag-wolfsburg.xml").read_bytes())
        while not portal.answers():
            assert process.poll() is None
            Event().wait(0.01)
        portal.close()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert posted.status == 202
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "stopped"
    assert "Traceback" not in errors


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()

    with pytest.raises(BrokerError, match="holds an earlier demo"):
        demo(keep=tmp_path)
