"""What every test gets: a quiet log and the folder of reference data."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import logs
from broker.worker import Worker
from tests import needs
from tests.fakes import WAIT

pytest_plugins = (
    "tests.servers.postgres",
    "tests.servers.rabbitmq",
    "tests.servers.queues",
    "tests.faults.table",
)


@pytest.fixture(autouse=True)
def quiet() -> io.BytesIO:
    """Send the log of each test to a stream of its own, JSON lines from debug on; return it."""
    stream = io.BytesIO()
    logs.configure("debug", "json", stream)
    return stream


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference data, or skip the test with the reason."""
    if not needs.SHARED.is_dir():
        pytest.skip(str(needs.shared.kwargs["reason"]))
    return needs.SHARED


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    """Collect the workers that a test starts; they are stopped at its end."""
    made: list[Worker] = []
    yield made
    for worker in made:
        worker.stop(WAIT)
