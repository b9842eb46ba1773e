"""Leases cost the same however much is stored: the indexes are used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.stores import leasing
from broker.stores.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "broker.sqlite", lambda error: None)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (leasing._CANDIDATES, "deliveries_due"),
        (leasing._CHANNELS, "deliveries_due"),
        (leasing._SUSPECT, "deliveries_suspect"),
        (leasing._WORKING, "deliveries_working"),
    ],
)
def test_nothing_is_looked_for_in_all_deliveries(
    store: SqliteStore, statement: object, index: str
) -> None:
    with store._reading.connect() as connection:
        values = {"channel": "x", "now": 0, "room": 1, "token": "", "crashes": 3, "until": 0}
        names = set(statement._bindparams) - {"names"}  # type: ignore[attr-defined]
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}".replace("__[POSTCOMPILE_names]", "'/'"),
            {name: values[name] for name in names},
        )
        steps = [str(step[3]) for step in plan]

    assert any(index in step for step in steps), steps
    tables = ("SCAN deliveries", "SCAN d", "SCAN m", "SCAN b")
    bare = [step for step in steps if step.startswith(tables) and "USING" not in step]
    assert bare == []


def test_the_case_before_is_found_by_its_own_index(store: SqliteStore) -> None:
    with store._reading.connect() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {leasing._CANDIDATES}", {"channel": "x", "now": 0, "room": 1}
        )
        steps = [str(step[3]) for step in plan]

    assert any("deliveries_lane" in step for step in steps), steps
