"""The PostgreSQL of our own: private, durable, and gone when told."""

from __future__ import annotations

import stat

import psycopg
import pytest

from broker.errors import ConfigError, Unreachable
from broker.standins import postgres as module
from broker.standins.daemon import lives
from broker.standins.postgres import Postgres


def connect(url: str) -> psycopg.Connection:
    """Connect as a client would."""
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True)


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
def test_it_is_durable(postgres: Postgres, name: str) -> None:
    assert postgres.ask(f"SHOW {name}") == [("on",)]


def test_it_listens_on_loopback_alone(postgres: Postgres) -> None:
    addresses = postgres.ask("SHOW listen_addresses") + postgres.ask("SHOW unix_socket_directories")

    assert addresses == [("127.0.0.1",), ("",)]


def test_only_its_owner_reads_the_password(postgres: Postgres) -> None:
    assert stat.S_IMODE(postgres.password_file.stat().st_mode) == 0o600


def test_a_wrong_password_is_refused(postgres: Postgres) -> None:
    password = postgres.password_file.read_text("ascii")
    with pytest.raises(psycopg.OperationalError):
        connect(postgres.url.replace(password, "wrong"))


def test_each_database_is_new_and_empty(postgres: Postgres, database: str) -> None:
    with connect(database) as first, connect(postgres.database()) as second:
        first.execute("CREATE TABLE file (number int)")
        found = second.execute("SELECT to_regclass('file')").fetchone()

    assert found == (None,)


def test_what_was_committed_outlives_a_kill(postgres: Postgres, database: str) -> None:
    with connect(database) as before:
        before.execute("CREATE TABLE file AS SELECT 1 AS number")
        postgres.kill()
    postgres.start()
    with connect(database) as after:
        found = after.execute("SELECT number FROM file").fetchone()

    assert found == (1,)


def test_nothing_of_it_runs_after_a_kill(postgres: Postgres) -> None:
    family = postgres.family()
    postgres.kill()

    assert len(family) > 1
    assert not any(map(lives, family))


def test_it_comes_back_on_the_same_port(postgres: Postgres) -> None:
    before = postgres.url
    postgres.restart("immediate")

    assert postgres.answers()
    assert postgres.url == before


def test_terminate_cuts_the_connections_of_one_database(postgres: Postgres, database: str) -> None:
    with connect(database) as cut, connect(postgres.url) as kept:
        count = postgres.terminate(database)
        with pytest.raises(psycopg.OperationalError):
            cut.execute("SELECT 1")
        still = kept.execute("SELECT 1").fetchone()

    assert (count, still) == (1, (1,))


def test_a_setting_holds_once_set_returns(postgres: Postgres) -> None:
    postgres.set("synchronous_commit", "off")
    shown = postgres.ask("SHOW synchronous_commit")
    postgres.set("synchronous_commit", "on")

    assert shown == [("off",)]


def test_a_strange_name_of_a_database_is_refused(postgres: Postgres) -> None:
    with pytest.raises(ConfigError, match="small letters"):
        postgres.database('x"; DROP')


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "binaries", lambda: None)
    server = Postgres()
    with pytest.raises(ConfigError, match="postgresql"):
        server.start()
    server.close()

    assert not server.folder.exists()


def test_a_server_that_cannot_start_says_why(postgres: Postgres) -> None:
    other = Postgres(settings={"max_connections": "many"})
    with pytest.raises(Unreachable, match="max_connections"):
        other.start()
    other.close()

    assert not other.folder.exists()
