"""Every store that keeps the contract, each opened as often as a test likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.errors import StoreError
from broker.stores.contract import Store
from broker.stores.sqlite import SqliteStore

Open = Callable[[], Store]


@pytest.fixture(params=["sqlite"])
def opened(tmp_path: Path) -> Iterator[Open]:
    """Open the same store again and again, as several processes do."""
    stores: list[Store] = []

    def broken(error: StoreError) -> None:
        raise AssertionError(error)

    def make() -> Store:
        stores.append(SqliteStore(tmp_path / "broker.sqlite", broken))
        return stores[-1]

    yield make
    for one in stores:
        one.close()


@pytest.fixture
def store(opened: Open) -> Store:
    return opened()
