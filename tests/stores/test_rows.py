"""How PostgreSQL keeps and hands out rows: room for their changes, sealed bytes as bytes."""

from __future__ import annotations

from broker.standins.postgres import Postgres
from broker.stores import bulk
from broker.stores.postgres import PostgresStore


def test_a_delivery_finds_room_for_its_changes_on_its_page(
    postgres: Postgres, database: str
) -> None:
    PostgresStore(database, lambda _error: None).close()

    rows = postgres.ask(
        "SELECT reloptions FROM pg_class WHERE relname = 'deliveries'",
        database=database.rpartition("/")[2],
    )

    assert rows == [(["fillfactor=50"],)]


def test_sealed_bytes_travel_as_bytes_and_everything_else_as_before(database: str) -> None:
    store = PostgresStore(database, lambda _error: None)
    try:
        with store._read() as connection:
            query = "SELECT '\\xdeadbeef'::bytea, 'text'::varchar(36), 7::bigint, true, NULL::text"
            usual = connection.exec_driver_sql(query).one()
            with bulk.binary(connection):
                made = connection.exec_driver_sql(query)
                driven = made.cursor
                assert driven is not None
                assert driven.format == 1
                assert made.one() == usual
            after = connection.exec_driver_sql(query).cursor
            assert after is not None
            assert after.format == 0
    finally:
        store.close()
