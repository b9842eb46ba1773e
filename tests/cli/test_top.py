"""A live look at the routes; a plain one where nobody watches."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from datetime import timedelta

import pytest

from broker.cli.top import age
from broker.message import now
from tests import hours, messages
from tests.cli.conftest import Type
from tests.site import Site


def test_without_a_terminal_one_look_is_printed(type_: Type, delivered: str) -> None:
    ran = type_("top")

    assert ran.code == 0
    assert "nothing is stuck" in ran.out
    (row,) = (line.split() for line in ran.out.splitlines() if line.startswith("bau/wolfsburg"))
    assert (row[-2], row[-1]) == ("1", "1")


def test_what_is_stuck_and_paused_is_seen(place: Site, type_: Type) -> None:
    place.answer("wolfsburg", messages.reply("0000000000000"))
    place.work()
    type_("pause", "bau/wolfsburg", "--until", "2h", "--reason", "update")

    ran = type_("top")

    assert "1 wait for a person" in ran.out
    assert "paused" in ran.out


def test_machines_get_stable_keys(type_: Type, delivered: str) -> None:
    found = type_("top", "--json").json

    assert list(found) == ["time", "running", "journal", "routes"]
    assert list(found["routes"][0]) == [
        "route", "states", "oldest_waiting", "failing", "came", "went", "paused", "until", "next",
    ]  # fmt: skip


def test_a_window_is_shown_while_it_runs_and_shortly_before(
    place: Site, type_: Type, delivered: str
) -> None:
    place.window(hours.running())
    during = type_("top").out
    place.window(hours.coming())
    before = type_("top").out

    assert re.search(r"^bau/wolfsburg .* paused, (59min|1h 0min) \w* ?left$", during, re.MULTILINE)
    assert re.search(r"^bau/wolfsburg .* window in (29|30)min", before, re.MULTILINE)
    assert "braunschweig" not in during


@pytest.mark.parametrize("end", ["q", "ctrl-c"])
def test_on_a_terminal_it_stays_until_it_is_ended(place: Site, delivered: str, end: str) -> None:
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environ = place.process() | {"TERM": "xterm"}
    process = subprocess.Popen(
        place.command("top"), env=environ, cwd=place.folder, stdin=inner, stdout=inner, stderr=inner
    )
    os.close(inner)
    try:
        seen = _until(outer, b"q ends")
        if end == "q":
            os.write(outer, b"xq")
        else:
            process.send_signal(signal.SIGINT)
        _until(outer, b"\x1b[?1049l")
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(outer)
    assert delivered
    assert b"bau/wolfsburg" in seen


def _until(file: int, text: bytes, deadline: float = 60.0) -> bytes:
    seen, end = b"", time.monotonic() + deadline
    while text not in seen and time.monotonic() < end:
        if select.select([file], [], [], 1.0)[0]:
            try:
                seen += os.read(file, 65536)
            except OSError:
                break
    assert text in seen, seen[-500:]
    return seen


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5s"), (65, "1min 5s"), (7260, "2h 1min"), (90_000, "1d 1h"), (-3, "0s")],
)
def test_an_age_has_two_units_at_most(seconds: int, text: str) -> None:
    at = now()

    assert age(at - timedelta(seconds=seconds), at) == text
