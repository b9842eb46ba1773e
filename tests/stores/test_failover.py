"""Another PostgreSQL takes over: goes on where it has everything, stops where it lacks the last."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from broker.errors import OlderCopy, StoreError
from broker.journal import restore
from broker.message import now
from broker.standins.postgres import REMEDY, Postgres, binaries
from broker.stores.postgres import PostgresStore
from tests import needs
from tests.births import birth, events
from tests.stores.standby import both, caught_up, follower, promote

Open = Callable[[], PostgresStore]


@pytest.fixture
def primary(undo: ExitStack) -> Postgres:
    needs.server("PostgreSQL", binaries() is not None, REMEDY)
    server = Postgres()
    undo.callback(server.close)
    undo.callback(server.resume)
    server.start()
    return server


@pytest.fixture
def url(primary: Postgres) -> str:
    return primary.database()


@pytest.fixture
def standby(undo: ExitStack, primary: Postgres, url: str) -> Postgres:
    server = follower(primary)
    undo.callback(server.close)
    return server


@pytest.fixture
def opened(
    undo: ExitStack, primary: Postgres, standby: Postgres, url: str, told: list[StoreError]
) -> Open:
    def make() -> PostgresStore:
        store = PostgresStore(both(url, primary, standby), told.append, silence=1)
        undo.callback(store.close)
        return store

    return make


def fall_behind(store: PostgresStore, primary: Postgres, standby: Postgres) -> None:
    """Let the store accept two messages, of which the standby has the first only."""
    store.accept(birth()).result(30)
    caught_up(primary, standby)
    standby.stop()
    store.accept(birth()).result(30)


def take_over(primary: Postgres, standby: Postgres, how: str = "fast") -> None:
    """Stop the one, and let the other take its place."""
    primary.stop(how)
    standby.start()
    promote(standby)


def test_where_the_standby_has_everything_it_goes_on(
    opened: Open, primary: Postgres, standby: Postgres, told: list[StoreError]
) -> None:
    primary.set("synchronous_standby_names", "*")
    store = opened()
    store.accept(birth()).result(30)
    primary.pause()
    accepted = store.accept(birth())
    promote(standby)

    assert accepted.result(60).verdict == "new"
    assert store.accept(birth()).result(30).verdict == "new"
    assert events(store) == ["accepted"] * 3
    assert told == []


def test_where_the_standby_lacks_the_last_entries_every_process_stops(
    opened: Open, primary: Postgres, standby: Postgres, told: list[StoreError]
) -> None:
    store, other = opened(), opened()
    fall_behind(store, primary, standby)
    take_over(primary, standby)

    with pytest.raises(OlderCopy, match="it does not know what this process has committed"):
        store.accept(birth()).result(60)
    with pytest.raises(OlderCopy, match="another process, or a person, has found that out"):
        other.accept(birth()).result(60)

    assert [type(error) for error in told] == [OlderCopy, OlderCopy]
    assert events(other) == ["accepted"]


def test_a_commit_in_doubt_that_the_standby_lacks_with_those_before_stops_it_too(
    opened: Open, primary: Postgres, standby: Postgres, told: list[StoreError]
) -> None:
    store = opened()
    fall_behind(store, primary, standby)
    # What is committed waits for a standby that does not come, and is then lost with its server.
    primary.set("synchronous_standby_names", "*")
    accepted = store.accept(birth())
    take_over(primary, standby, "immediate")

    with pytest.raises(OlderCopy):
        accepted.result(60)
    assert len(told) == 1


def test_a_store_that_was_found_to_be_older_runs_once_a_person_has_confirmed_it(
    opened: Open, primary: Postgres, standby: Postgres
) -> None:
    store = opened()
    fall_behind(store, primary, standby)
    take_over(primary, standby)
    with pytest.raises(OlderCopy):
        store.accept(birth()).result(60)

    again = opened()
    found = restore.older(again, (), None)
    assert found is not None
    count = restore.confirm(again, found, restore.Confirmed("erika", "the disk is lost", now()))

    assert count == 1
    assert restore.older(again, (), None) is None
    assert again.accept(birth()).result(30).verdict == "new"
