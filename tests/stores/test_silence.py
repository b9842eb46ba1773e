"""A PostgreSQL that says nothing any more: left after a while, unless it still works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import pytest
from sqlalchemy import Connection, text

from broker.errors import StoreAway, StoreError
from broker.journal.trail import entry
from broker.message import State
from broker.standins.postgres import Postgres
from broker.stores.postgres import PostgresStore, read
from broker.stores.writer import Batch
from tests.births import birth, done, events, state, take_one, taken_in
from tests.stores.proxy import Cut, Proxy

#: Seconds of silence, and longer than that.
SILENCE, LONG = 1.0, 2.5
Open = Callable[..., PostgresStore]


@pytest.fixture
def opened(database: str, told: list[StoreError], undo: ExitStack) -> Open:
    def make(url: str = "") -> PostgresStore:
        # The least that the driver takes.
        address = f"{url or database}?connect_timeout=2"
        store = PostgresStore(address, told.append, SILENCE)
        undo.callback(store.close)
        return store

    return make


@pytest.fixture
def store(opened: Open) -> PostgresStore:
    return opened()


def test_a_frozen_server_is_left_and_what_waited_is_in_effect_once(
    store: PostgresStore, postgres: Postgres, told: list[StoreError]
) -> None:
    made = birth(uuid="u-1")
    postgres.pause()
    with pytest.raises(StoreAway, match="the store cannot be reached"):
        store.accept(made).result(60)
    postgres.resume()

    # The sender, who was told that the store is away, sends it again.
    assert store.accept(made).result(60).verdict in ("new", "duplicate")
    assert events(store) == ["accepted"]
    assert told == []


def test_who_reads_from_a_frozen_server_is_told(
    store: PostgresStore, postgres: Postgres, told: list[StoreError]
) -> None:
    id = store.accept(birth()).result().id
    store.row(id)
    postgres.pause()

    with pytest.raises(StoreAway, match="the database has said nothing for 1 seconds"):
        store.row(id)
    postgres.resume()

    assert store.row(id) is not None
    assert told == []


def test_a_server_that_works_for_long_is_waited_for(
    store: PostgresStore, postgres: Postgres, told: list[StoreError]
) -> None:
    def write(connection: Connection, items: Sequence[object]) -> Sequence[object]:
        connection.execute(text(f"SELECT pg_sleep({LONG})"))
        return items

    slow = store._writer.submit(Batch("slow", write), 7)
    with store._reading.connect() as connection:
        begun = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        connection.execute(text(f"SELECT pg_sleep({LONG})"))
        ended = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()

    assert slow.result(30) == 7
    assert begun == ended
    assert told == []


def test_a_lock_that_another_one_holds_is_waited_for(opened: Open, told: list[StoreError]) -> None:
    store, other = opened(), opened()
    with other.frozen() as connection:
        accepted = store.accept(birth())
        connection.execute(text(f"SELECT pg_sleep({LONG})"))
        assert not accepted.done()

    assert accepted.result(30).verdict == "new"
    assert events(store) == ["accepted"]
    assert told == []


@pytest.mark.parametrize("how", ["mute", "stuck"])
def test_a_commit_on_a_connection_that_fell_silent_is_in_effect_once(
    opened: Open, postgres: Postgres, database: str, proxy: Proxy, how: Cut
) -> None:
    store = opened(database.replace(str(postgres.port), str(proxy.port)))
    (waiting,) = taken_in(store, birth())
    job = take_one(store)
    proxy.cut(b"COMMIT", how)

    changed, taken = store.change([done(job)]), store.accept(birth(uuid="u-1"))
    noted = store.note([entry("", "started")])
    ended, accepted = changed.result(60), taken.result(60)
    noted.result(60)
    proxy.release()

    assert proxy.cuts == 1
    assert (ended, accepted.verdict) == ([True], "new")
    assert sorted(events(store)) == ["accepted", "accepted", "delivered", "started"]
    assert state(store, waiting) is State.DELIVERED


def test_a_url_may_say_otherwise_when_a_network_counts_as_silent() -> None:
    found = read("postgresql://xoev@127.0.0.1/x?connect_timeout=9&tcp_user_timeout=7000")

    assert (found["connect_timeout"], found["tcp_user_timeout"]) == ("9", "7000")
    assert found["keepalives_idle"] == "10"
