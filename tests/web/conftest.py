"""A served broker for each test of the HTTP intake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from broker.app import App
from tests.web.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.prepare()
    return house


@pytest.fixture
def app(house: House) -> Iterator[App]:
    app = house.open()
    yield app
    app.close()


@pytest.fixture
def portal(house: House, app: App) -> Iterator[httpx.Client]:
    with house.serve(app) as client:
        yield client
