"""What systemd is told, over a socket as systemd opens it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.notify import Notify


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """The receiving end, and what NOTIFY_SOCKET says."""
    name = f"xoev-notify-{os.getpid()}-{tmp_path.name}"
    place = str(tmp_path / "notify") if request.param == "path" else f"@{name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(place.replace("@", "\0", 1) if request.param == "abstract" else place)
        ear.settimeout(10)
        yield ear, place


def heard(ear: socket.socket) -> list[str]:
    return ear.recv(4096).decode().split("\n")


def test_readiness_comes_with_a_line_for_people(systemd: tuple[socket.socket, str]) -> None:
    ear, place = systemd

    Notify({"NOTIFY_SOCKET": place}).ready("3 routes\nin force")

    assert heard(ear) == ["READY=1", "STATUS=3 routes in force"]


def test_every_word_of_the_protocol_arrives(systemd: tuple[socket.socket, str]) -> None:
    ear, place = systemd
    notify = Notify({"NOTIFY_SOCKET": place})

    notify.stopping()
    notify.alive()
    notify.status("busy")
    notify.extend(1.5)

    assert [heard(ear)[0] for _ in range(4)] == [
        "STOPPING=1", "WATCHDOG=1", "STATUS=busy", "EXTEND_TIMEOUT_USEC=1500000",
    ]  # fmt: skip


def test_a_reload_says_since_when(systemd: tuple[socket.socket, str]) -> None:
    ear, place = systemd

    Notify({"NOTIFY_SOCKET": place}).reloading()

    first, second = heard(ear)
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdecimal()


@pytest.mark.parametrize("place", ["", "vsock:2:1234", "/nowhere/at/all", "@nobody-listens-here"])
def test_without_a_supervisor_nothing_happens(place: str) -> None:
    notify = Notify({"NOTIFY_SOCKET": place})

    notify.ready()
    notify.alive()

    assert not notify.watched


def test_the_watchdog_is_fed_twice_in_its_time() -> None:
    mine = {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}

    assert Notify(mine).period == 30.0
    assert Notify({"WATCHDOG_USEC": "60000000"}).watched


@pytest.mark.parametrize(
    "environ", [{"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}]
)
def test_a_watchdog_of_somebody_else_is_not_fed(environ: dict[str, str]) -> None:
    assert not Notify(environ).watched
