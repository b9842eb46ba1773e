"""Several processes watch one PostgreSQL: people hear of each cause once, whoever of them dies."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.offices import ALERTS
from broker.standins.postgres import Postgres
from tests.alerts.heard import Heard
from tests.cluster import Node, Service, Town, until


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    return Heard(tmp_path)


@pytest.fixture
def town(tmp_path: Path, database: str, heard: Heard) -> Iterator[Town]:
    environ = {"ALERT_COMMAND": heard.command, "ALERT_OVER": "1s", "DISK_WARN": "1 MB"}
    settings = {f"XOEV_BROKER_{name}": value for name, value in environ.items()}
    with Town(tmp_path, database, **settings) as town:
        yield town


class Stuck:
    """Messages that are made to wait for a person, each for a reason of its own, and to end."""

    def __init__(self, town: Town, postgres: Postgres, database: str) -> None:
        self._postgres, self._name = postgres, database.rpartition("/")[2]
        with Service(town.nodes, 2) as service:
            service.reached(2)
        self._ids = [row.id for row in town.settle(2)]

    def stick(self, number: int) -> None:
        self._set("dead", f"S00{number}", number)

    def end(self, number: int) -> None:
        self._set("closed", "", number)

    def _set(self, state: str, reason: str, number: int) -> None:
        asked = "UPDATE deliveries SET state = %s, reason = %s WHERE message = %s"
        self._postgres.ask(asked, (state, reason, self._ids[number]), self._name)


def teller(town: Town) -> Node:
    """Return the process that tells people now."""
    with town.store() as store:
        until(lambda: ALERTS in store.holders(), "somebody tells")
        pid = int(store.holders()[ALERTS].split(":")[1])
    return next(node for node in town.nodes if node.pid == pid)


def states(heard: Heard) -> list[str]:
    return [state for state, _cause in heard.told("dead")]


def test_two_processes_tell_of_a_cause_once_and_of_its_end_once(
    town: Town, heard: Heard, postgres: Postgres, database: str
) -> None:
    town.node(), town.node()
    stuck = Stuck(town, postgres, database)

    stuck.stick(0)
    until(lambda: states(heard) == ["raised"], "the first cause")
    stuck.stick(1)
    until(lambda: len(states(heard)) > 1, "the second cause")
    stuck.end(0)
    until(lambda: len(states(heard)) > 2, "the end of the first")
    stuck.end(1)
    until(lambda: len(states(heard)) > 3, "the end of the second")

    assert states(heard) == ["raised", "raised", "cleared", "cleared"]
    assert len(set(heard.told("dead"))) == 4


def test_when_the_teller_is_killed_the_other_tells_what_is_new_and_nothing_twice(
    town: Town, heard: Heard, postgres: Postgres, database: str
) -> None:
    town.node(), town.node()
    stuck = Stuck(town, postgres, database)
    stuck.stick(0)
    until(lambda: states(heard) == ["raised"], "the first cause")
    known_to_the_store(town)
    dead = teller(town)
    dead.stop(signal.SIGKILL)

    stuck.stick(1)
    until(lambda: len(states(heard)) > 1, "what is new")
    stuck.end(0)
    until(lambda: len(states(heard)) > 2, "the end")

    assert teller(town) is not dead
    assert states(heard) == ["raised", "raised", "cleared"]
    first, second, third = (cause for _state, cause in heard.told("dead"))
    assert first == third != second


def known_to_the_store(town: Town) -> None:
    """Wait until it is written that people were told: in doubt they would be told again."""
    with town.store() as store:
        until(lambda: all(alarm.told for alarm in store.alarms()), "what was told is written")
