"""The steps make exactly the tables that the code reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.types import TypeEngine

from broker.errors import StoreError
from broker.stores.migrations import MIGRATIONS, migrate
from broker.stores.sqlite import SqliteStore
from broker.stores.tables import metadata


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")
    yield engine
    engine.dispose()


def test_an_empty_database_gets_all_steps(engine: Engine) -> None:
    with engine.begin() as connection:
        assert migrate(connection) == MIGRATIONS[-1].number
        done = connection.execute(text("SELECT number FROM migrations ORDER BY number"))

        assert list(done.scalars()) == [one.number for one in MIGRATIONS]


def test_a_database_of_today_is_left_as_it_is(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection)
        before = list(connection.execute(text("SELECT sql FROM sqlite_master")).scalars())

        assert migrate(connection) == MIGRATIONS[-1].number
        assert list(connection.execute(text("SELECT sql FROM sqlite_master")).scalars()) == before


def test_the_steps_are_numbered_without_a_gap() -> None:
    assert [one.number for one in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_newer_database_is_refused(engine: Engine) -> None:
    newer = MIGRATIONS[-1].number + 1
    with engine.begin() as connection:
        migrate(connection)
        connection.execute(text(f"INSERT INTO migrations VALUES ({newer}, 'of tomorrow')"))

        with pytest.raises(StoreError, match=f"format {newer}, this broker knows .* install"):
            migrate(connection)


def test_a_newer_store_is_not_opened_and_not_changed(tmp_path: Path) -> None:
    file = tmp_path / "broker.sqlite"
    store = SqliteStore(file, lambda error: None)
    with store._writing.begin() as connection:
        connection.execute(text("INSERT INTO migrations VALUES (99, 'of tomorrow')"))
    store.close()

    with pytest.raises(StoreError, match="format 99"):
        SqliteStore(file, lambda error: None)


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_a_table_of_the_code_is_the_table_of_the_steps(engine: Engine, name: str) -> None:
    with engine.begin() as connection:
        migrate(connection)
    table = metadata.tables[name]

    made = {column["name"]: column for column in inspect(engine).get_columns(name)}

    assert list(made) == [column.name for column in table.columns]
    for column in table.columns:
        found = made[column.name]
        assert affinity(found["type"]) == affinity(column.type), column.name
        assert length(found["type"]) == length(column.type), column.name
        if not column.primary_key:
            assert found["nullable"] is column.nullable, column.name


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_keys_and_what_must_be_unique_are_the_same(engine: Engine, name: str) -> None:
    with engine.begin() as connection:
        migrate(connection)
    table, found = metadata.tables[name], inspect(engine)

    primary = set(found.get_pk_constraint(name)["constrained_columns"])
    unique = {tuple(index["column_names"]) for index in found.get_indexes(name) if index["unique"]}

    assert primary == {column.name for column in table.primary_key}
    assert unique == {(column.name,) for column in table.columns if column.unique}


def test_no_table_of_the_steps_is_unknown_to_the_code(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection)

    assert set(inspect(engine).get_table_names()) == {*metadata.tables, "migrations"}


def affinity(type: TypeEngine[object]) -> str:
    name = str(type.compile()).upper()
    if "INT" in name:
        return "INTEGER"
    if "CHAR" in name or "TEXT" in name:
        return "TEXT"
    return "BLOB"


def length(type: TypeEngine[object]) -> int | None:
    return getattr(type, "length", None)
