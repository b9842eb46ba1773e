"""How the seal of a journal stands, and what refuses messages where it cannot be sealed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.errors import Unsealed
from broker.journal.standing import guard, standing
from broker.journal.trail import entry
from broker.message import now
from broker.stores.custody import Stamp
from broker.stores.sqlite import SqliteStore
from tests.journal.ledgers import noted, opened, sealed

LONG_AGO = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    found = opened(tmp_path / "store.sqlite")
    yield found
    found.close()


def test_an_empty_journal_waits_for_nothing(store: SqliteStore) -> None:
    found = standing(store)

    assert (found.size, found.waiting, found.checkpoint) == (0, 0, 0)
    assert (found.sealed, found.since, found.stamped) == (None, None, None)


def test_what_is_sealed_and_what_waits_is_told(store: SqliteStore, tmp_path: Path) -> None:
    sealed(store, tmp_path / "checkpoints", 5)
    store.tree.stamp(Stamp(5, LONG_AGO, b"token")).result()
    store.note([entry("m", "paused", "broker", LONG_AGO)]).result()
    noted(store, 2, 5)

    found = standing(store)

    assert (found.size, found.waiting, found.checkpoint) == (5, 3, 5)
    assert found.since == found.stamped == LONG_AGO
    assert found.sealed is not None
    assert now() - found.sealed < timedelta(hours=1)
    assert found.record()["unsealed_since"] == "2026-03-02T08:00:00.000000+00:00"


def test_an_entry_that_waits_for_too_long_is_sealed_or_nothing_is_taken(
    store: SqliteStore,
) -> None:
    store.note([entry("m", "paused", "broker", LONG_AGO)]).result()

    guard(store, 3600, lambda: True)()
    with pytest.raises(Unsealed, match=r"2026-03-02.*checkpoint --now"):
        guard(store, 3600, lambda: False)()


def test_an_entry_that_waits_for_a_moment_hinders_nothing(store: SqliteStore) -> None:
    noted(store, 1)

    guard(store, 3600, lambda: False)()
