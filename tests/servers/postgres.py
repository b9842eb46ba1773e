"""A PostgreSQL for the tests of one worker, started by the first that asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.standins.postgres import REMEDY, Postgres, binaries
from tests import needs


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def postgres(_postgres: Postgres) -> Iterator[Postgres]:
    """Return a running server; whoever stops, kills or pauses it may leave it so."""
    needs.server("PostgreSQL", binaries() is not None, REMEDY)
    _postgres.start()
    yield _postgres
    _postgres.resume()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """Return the SQLAlchemy URL of a new, empty database."""
    url = postgres.database()
    yield url
    postgres.resume()
    postgres.start()
    postgres.drop(url)
