"""Every store that keeps the contract, each opened as often as a test likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.errors import StoreError
from broker.stores.contract import Store
from broker.stores.postgres import PostgresStore
from broker.stores.sqlite import SqliteStore

Open = Callable[[], Store]


def broken(error: StoreError) -> None:
    """Fail: no test of the contract breaks its store."""
    raise AssertionError(error)


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Open the same store again and again, as several processes do."""
    stores: list[Store] = []
    database = request.getfixturevalue("database") if request.param == "postgres" else ""

    def make() -> Store:
        if database:
            stores.append(PostgresStore(database, broken))
        else:
            stores.append(SqliteStore(tmp_path / "broker.sqlite", broken))
        return stores[-1]

    yield make
    for one in stores:
        one.close()


@pytest.fixture
def store(opened: Open) -> Store:
    return opened()
