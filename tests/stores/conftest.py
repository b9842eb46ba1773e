"""What tests of one store share: what is undone at their end, and what the store told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from broker.errors import StoreError
from broker.standins.postgres import Postgres
from tests.stores.proxy import Proxy


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def told() -> list[StoreError]:
    """Return the failures that stores have told."""
    return []


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    proxy = Proxy(postgres.port)
    yield proxy
    proxy.close()
