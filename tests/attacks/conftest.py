"""One running broker for all attacks of a worker, and the table of what they did to it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker.standins.node import binaries
from broker.standins.rabbitmq import RabbitMq
from tests.attacks.fort import QUARANTINE, QUEUE, Fort
from tests.servers.queues import Queues

Survived = Callable[..., None]


@pytest.fixture(scope="session")
def gates(_rabbitmq: RabbitMq, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queues | None]:
    """Return queues for the fort; None where RabbitMQ is not installed."""
    if binaries() is None:
        yield None
        return
    _rabbitmq.start()
    name = _rabbitmq.vhost()
    queues = Queues(_rabbitmq, name, tmp_path_factory.mktemp("queues"))
    queues.make(QUEUE, QUARANTINE)
    yield queues
    _rabbitmq.drop(name)


@pytest.fixture(scope="session")
def fort(gates: Queues | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fort]:
    """Return the running broker that all attacks go to."""
    built = Fort(tmp_path_factory.mktemp("fort"), gates)
    try:
        built.start()
        yield built
    finally:
        built.close()


@pytest.fixture
def survived(record_property: Callable[[str, object], None]) -> Survived:
    """Return what asserts that a fort stands, and writes the line for the table.

    It takes the fort, the name of the intake, and how a good message is sent there.
    """

    def look(fort: Fort, intake: str, send: Callable[[bytes], object] | None = None) -> None:
        seconds = fort.well(send or fort.post)
        record_property("attack", (intake, seconds, fort.check()))

    return look


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show how long good messages took after the attacks on each intake, and the memory."""
    table: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == "attack":
                table[value[0]].append((value[1], value[2]))
    if not table:
        return
    write = terminalreporter.write_line
    write(f"{'after attacks on':<22}{'attacks':>8}{'median s':>10}{'slowest s':>10}{'most MB':>9}")
    for intake, lines in sorted(table.items()):
        times = [seconds for seconds, _ in lines]
        write(f"{intake:<22}{len(lines):>8}{statistics.median(times):>10.2f}{max(times):>10.2f}"
              f"{max(memory for _, memory in lines):>9}")  # fmt: skip
