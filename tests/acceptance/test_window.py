"""A regular window up to its end with a real daemon, whose clock nobody can move.

The time zone is one of our own instead: in it, the present time is shortly before the end.
"""

from __future__ import annotations

import json
import re
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.message import now
from broker.standins.daemon import port
from tests import messages
from tests.acceptance.machine import Machine, Page, end, follow, running
from tests.acceptance.test_tutorial import blocks
from tests.fakes import until
from tests.needs import ROOT
from tests.site import build

DAY, NOON = timedelta(days=1), timedelta(hours=12)


class Town:
    """A site whose procedure has a window that ends after `left`, and what is typed there."""

    def __init__(self, folder: Path, left: timedelta) -> None:
        self.site = build(folder)
        self.site.window("daily 11:00-12:00")
        self.ends = now().replace(microsecond=0) + left
        self._noon(folder / "zones", self.ends)
        zone = {"PYTHONTZPATH": str(folder / "zones"), "XOEV_BROKER_ZONE": "Test/Noon"}
        self.environ = self.site.process() | zone

    def _noon(self, folder: Path, at: datetime) -> None:
        """Write a time zone (RFC 9636) in which it is noon then: one offset, and a name for it."""
        offset = (NOON - timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)) % DAY
        seconds = int((offset if offset < DAY / 2 else offset - DAY).total_seconds())
        head = b"TZif" + bytes(16) + struct.pack(">6L", 0, 0, 0, 0, 1, 4)
        (folder / "Test").mkdir(parents=True)
        (folder / "Test/Noon").write_bytes(head + struct.pack(">lBB", seconds, 0, 0) + b"TST\0")

    def type(self, *words: str) -> str:
        """Run a command; return what it prints."""
        done = subprocess.run(
            self.site.command(*words), env=self.environ, cwd=self.site.folder,
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.type("status", "--json"))
        return found

    def submit(self) -> None:
        self.site.file("antrag.xml", messages.request("wolfsburg"))
        self.type("submit", "antrag.xml")

    def delivered(self) -> bool:
        return len(self.site.out("wolfsburg")) == 1

    def over(self) -> bool:
        return now() >= self.ends

    @contextmanager
    def running(self) -> Iterator[None]:
        with (self.site.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self.site.command("run"), env=self.environ, cwd=self.site.folder,
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def windows(machine: Machine) -> None:
    """Let the file have the windows of the page, on a machine whose broker runs without them."""
    running(machine)
    (line,) = re.findall(r"^    maintenance: .*\n", page(), re.MULTILINE)
    file = machine.site / "routes.yaml"
    text = file.read_text("utf-8")
    changed = text.replace("  musterstadt-bau:\n", "  musterstadt-bau:\n" + line, 1)
    file.write_text(changed, "utf-8")


def page() -> str:
    return (ROOT / "docs/howto/maintenance.md").read_text("utf-8")


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path, timedelta(seconds=25))


def test_a_message_waits_for_the_end_of_a_window_and_then_goes_by_itself(town: Town) -> None:
    town.submit()
    with town.running():
        assert until(lambda: bool(town.status()["running"]))
        found, told = town.status(), town.type("status")
        early = town.delivered() and not town.over()

        assert until(town.over)
        assert until(town.delivered)

    window = found["maintenance"][0]
    assert (window["channel"], window["routes"]) == ("wolfsburg-bau", ["bau/wolfsburg"])
    assert datetime.fromisoformat(window["until"]) == town.ends
    assert (window["open"], found["states"]["request"]["waiting"]) == (True, 1)
    assert "paused   channel wolfsburg-bau until " in told
    assert " 12:00 TST: daily 11:00-12:00\n" in told
    assert not early


def test_a_window_that_ended_while_no_broker_ran_stops_nothing_any_more(town: Town) -> None:
    town.submit()
    assert until(town.over)

    with town.running():
        assert until(town.delivered)


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    machine = Machine(tmp_path, port())
    found = Page("maintenance.md", windows, lambda _machine: True)
    try:
        windows(machine)
        assert follow(machine, list(blocks(found.text(machine))), found.there) == []
        with machine.store() as store:
            assert [*store.windows(), *store.pauses()] == []
    finally:
        end(machine)
