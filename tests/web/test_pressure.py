"""What a sender is told while there is no room: 429 or 503, and when to come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from broker.app import App
from broker.intake import Intake
from broker.pressure import Bounds, Pressure
from broker.web.app import application
from broker.web.server import HttpServer
from tests.web.house import House, client, message, send


class Disk:
    """A disk with as much room as told."""

    def __init__(self) -> None:
        self.free = 1000

    def look(self, _folder: Path) -> tuple[int, int]:
        return self.free, 1000


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def pressure(app: App, disk: Disk) -> Pressure:
    bounds = Bounds((Path("disk"),), stop=100)
    return Pressure(app.store, lambda: app.site.table.table, bounds, lambda: 0.0, disk.look)


@pytest.fixture
def portal(app: App, pressure: Pressure) -> Iterator[httpx.Client]:
    intake = Intake(app, pressure=pressure)
    server = HttpServer(application(app, intake, lambda: None), "127.0.0.1", 0)
    server.start()
    with client(server.port) as opened:
        yield opened
    server.stop(5)


@pytest.fixture
def house(house: House) -> House:
    """Let the portal send two messages a second."""
    file = house.folder / "routes.yaml"
    text = file.read_text().replace("key: bap:03000001", "key: bap:03000001, rate: 2/s")
    file.write_text(text)
    return house


def test_a_full_disk_is_503_with_the_time_to_come_back(
    portal: httpx.Client, pressure: Pressure, disk: Disk
) -> None:
    disk.free = 99
    pressure.measure()

    answer = send(portal, message())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert answer.json()["type"] == "urn:xoev-broker:problem:no-room"
    assert portal.get("/health/ready").status_code == 503
    assert portal.get("/health/live").status_code == 200
    disk.free = 500
    pressure.measure()
    assert send(portal, message()).status_code == 202
    assert portal.get("/health/ready").status_code == 200


def test_without_room_a_sender_learns_nothing_without_its_token(
    portal: httpx.Client, pressure: Pressure, disk: Disk
) -> None:
    disk.free = 1
    pressure.measure()

    assert send(portal, message(), authorization="Bearer wrong").status_code == 401


def test_what_was_accepted_can_be_asked_for_while_there_is_no_room(
    portal: httpx.Client, pressure: Pressure, disk: Disk
) -> None:
    place = send(portal, message()).headers["location"]
    disk.free = 1
    pressure.measure()

    assert portal.get(place).status_code == 200


def test_more_than_the_rate_is_429_for_this_party_only(app: App, portal: httpx.Client) -> None:
    statuses = [send(portal, message()).status_code for _ in range(3)]
    answer = send(portal, message())

    assert statuses == [202, 202, 429]
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["type"] == "urn:xoev-broker:problem:too-fast"
    assert app.store.counts().accepted == 2
