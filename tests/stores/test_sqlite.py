"""One SQLite file: durable or refused, shared between processes, and honest about a broken disk."""

from __future__ import annotations

import io
import json
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, event

from broker.errors import StoreError
from broker.journal.trail import entry
from broker.stores.contract import Room
from broker.stores.sqlite import PRAGMAS, SqliteStore
from broker.stores.writer import Batch
from tests.births import birth
from tests.needs import ROOT

Open = Callable[[], SqliteStore]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "broker.sqlite"


@pytest.fixture
def opened(file: Path, told: list[StoreError], undo: ExitStack) -> Open:
    def make() -> SqliteStore:
        store = SqliteStore(file, told.append)
        undo.callback(store.close)
        return store

    return make


def pragma(connection: Connection, name: str) -> str:
    return str(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def test_every_connection_is_durable_and_deletes_for_good(opened: Open) -> None:
    store = opened()
    for engine in (store._writing, store._reading):
        with engine.connect() as connection:
            found = [pragma(connection, name) for name in ("synchronous", "secure_delete")]
            assert (pragma(connection, "journal_mode"), found) == ("wal", ["2", "1"])
            assert int(pragma(connection, "busy_timeout")) >= 10_000


def test_a_store_that_cannot_be_made_durable_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, told: list[StoreError]
) -> None:
    # As on a network share: the engine answers, but stays in another mode than the one asked for.
    monkeypatch.setitem(PRAGMAS, "journal_mode", "unheard")

    with pytest.raises(StoreError, match=r"journal_mode is delete, must be unheard; .* local disk"):
        SqliteStore(file, told.append)


def test_a_file_that_is_no_store_is_refused(file: Path, told: list[StoreError]) -> None:
    file.write_bytes(b"this is no database" * 100)

    with pytest.raises(
        StoreError, match=r"broker\.sqlite cannot be opened: file is not a database"
    ):
        SqliteStore(file, told.append)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path, told: list[StoreError]) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteStore(tmp_path / "file" / "broker.sqlite", told.append)


def test_the_file_is_for_its_owner_only(opened: Open, file: Path) -> None:
    store = opened()
    store.accept(birth()).result()

    for found in file.parent.iterdir():
        assert stat.S_IMODE(found.stat().st_mode) == 0o600, found.name


@pytest.mark.parametrize("name", ["was ist?.sqlite", "100%20.sqlite", "a#b&mode=ro.sqlite"])
def test_the_name_of_the_file_is_taken_as_it_is(
    tmp_path: Path, name: str, told: list[StoreError]
) -> None:
    store = SqliteStore(tmp_path / name, told.append)
    store.accept(birth()).result()
    store.close()

    assert (tmp_path / name).stat().st_size > 0


def test_another_processs_commit_is_noticed_once_and_ones_own_reading_is_not(
    opened: Open,
) -> None:
    store, other = opened(), opened()
    store.changed()

    assert not store.changed()
    other.note([entry("", "started")]).result()

    assert (store.changed(), store.changed()) == (True, False)


def test_deleted_bytes_are_gone_from_the_file(opened: Open, file: Path) -> None:
    store = opened()
    made = birth(b"x" * 20_000)
    store.accept(made).result()
    box = made.payload.box[1000:1100]
    with store._writing.begin() as connection:
        connection.exec_driver_sql("DELETE FROM payloads")
    store.close()

    assert box not in file.read_bytes()


def test_the_window_for_duplicates_outlives_the_payload(opened: Open) -> None:
    store = opened()
    first = birth(b"<a/>", uuid="u-1")
    store.accept(first).result()
    with store._writing.begin() as connection:
        connection.exec_driver_sql("DELETE FROM payloads")
        connection.exec_driver_sql("UPDATE messages SET key = NULL")

    again = store.accept(birth(b"<a/>", uuid="u-1")).result()
    other = store.accept(birth(b"<b/>", uuid="u-1")).result()

    assert (again.id, again.verdict, other.verdict) == (first.message.id, "duplicate", "conflict")


# two processes

SUBMIT = """
import json, sys
from pathlib import Path
from broker.stores.sqlite import SqliteStore
from tests.births import birth

store = SqliteStore(Path(sys.argv[1]), lambda error: None)
print("ready", flush=True)
sys.stdin.readline()
futures = [store.accept(birth(uuid=f"u-{n}")) for n in range(int(sys.argv[2]))]
print(json.dumps([(f.result().id, f.result().verdict) for f in futures]))
store.close()
"""


def child(program: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def test_two_processes_write_into_one_file_and_agree_on_duplicates(
    opened: Open, file: Path
) -> None:
    store = opened()
    with child(SUBMIT, file, 40) as one, child(SUBMIT, file, 40) as other:
        for process in (one, other):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        results = [json.loads(process.communicate("go\n", 60)[0]) for process in (one, other)]

    assert {id for id, _ in results[0]} == {id for id, _ in results[1]}
    verdicts = [verdict for result in results for _, verdict in result]
    assert (verdicts.count("new"), verdicts.count("duplicate")) == (40, 40)
    assert store.counts().accepted == 40


# a broken disk


def hold(store: SqliteStore) -> tuple[Event, Future[Any]]:
    """Hold the writer up, so that what follows gathers in one group."""
    gate, begun = Event(), Event()

    def wait(_connection: Connection, items: Sequence[object]) -> Sequence[bool]:
        begun.set()
        return [gate.wait(30)] * len(items)

    held = store._writer.submit(Batch("hold", wait), None)
    begun.wait(30)
    return gate, held


def fill_up(store: SqliteStore) -> None:
    """Let the disk be full: the file may not grow any more."""

    def limit(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    event.listen(store._writing, "begin", limit)


def test_a_full_disk_fails_the_whole_group_and_nothing_of_it_is_there_later(
    opened: Open, told: list[StoreError]
) -> None:
    store = opened()
    before = store.accept(birth()).result()
    fill_up(store)
    gate, held = hold(store)
    small = [birth() for _ in range(3)]
    futures: list[Future[Any]] = [store.accept(made) for made in small]
    futures += [store.accept(birth(b"x" * 500_000))]
    noted = store.note([entry("", "started")])
    gate.set()

    for future in (*futures, noted):
        assert isinstance(future.exception(timeout=30), StoreError)
    assert held.exception(timeout=30) is None
    store.close()
    again = opened()
    assert again.row(before.id) is not None
    assert again.counts().accepted == 1
    assert [line.event for line in again.entries()] == ["accepted"]


def test_after_a_failed_commit_every_write_fails_at_once_and_the_broker_is_told_once(
    opened: Open, told: list[StoreError]
) -> None:
    store = opened()
    (job_id,) = [store.accept(birth()).result().id]
    fill_up(store)
    first = store.accept(birth(b"x" * 500_000))

    assert isinstance(first.exception(timeout=30), StoreError)
    assert isinstance(store.accept(birth()).exception(timeout=0), StoreError)
    with pytest.raises(StoreError, match="database or disk is full"):
        store.take(Room())
    assert len(told) == 1
    assert store.row(job_id) is not None


LIMITED = """
import resource, signal, sys
from pathlib import Path
from broker.errors import StoreError
from broker.stores.sqlite import SqliteStore
from tests.births import birth

file, told = Path(sys.argv[1]), []
store = SqliteStore(file, told.append)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (800_000, 800_000))
try:
    while True:
        print(store.accept(birth(b"x" * 9000)).result(timeout=30).id, flush=True)
except StoreError as error:
    print("failed", error, len(told), flush=True)
"""


def test_a_disk_that_takes_no_more_loses_nothing_that_was_accepted(
    opened: Open, file: Path
) -> None:
    with child(LIMITED, file) as process:
        *accepted, last = process.communicate(timeout=60)[0].splitlines()

    assert last.startswith("failed the store failed in a commit: ")
    assert last.endswith(" 1")
    store = opened()
    assert len(accepted) > 2
    assert all(store.row(id) is not None for id in accepted)
    assert store.counts().accepted == len(accepted)


def test_a_damaged_file_stops_the_store(opened: Open, file: Path, told: list[StoreError]) -> None:
    store = opened()
    for _ in range(20):
        store.accept(birth(b"x" * 5000)).result()
    store.close()
    damaged = bytearray(file.read_bytes())
    with sqlite3.connect(file) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'messages_identity'"
        ).fetchone()
    connection.close()
    at = (root - 1) * 4096
    damaged[at : at + 4096] = bytes(4096)
    file.write_bytes(damaged)
    again = opened()

    with pytest.raises(StoreError, match="malformed"):
        again.accept(birth()).result(timeout=30)
    assert len(told) == 1


def test_what_was_erased_is_not_between_the_rows_of_a_page_either(opened: Open, file: Path) -> None:
    store = opened()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = 1")
        # Pages that were split leave copies behind with these sizes and this order.
        for seed in (12, 17, 38, 40, 42):
            _erased(connection, f"scratch{seed}", Random(seed))

    assert store.scrub()
    assert file.read_bytes().count(_NAME) == 0


def test_a_large_file_is_not_written_anew_by_itself_and_the_log_says_so(
    opened: Open, monkeypatch: pytest.MonkeyPatch, quiet: io.BytesIO
) -> None:
    monkeypatch.setattr("broker.stores.sqlite.WHOLE", 0)

    assert opened().scrub()
    assert "too large" in quiet.getvalue().decode()


_NAME = b"Stadt Wolfsburg"


def _erased(connection: sqlite3.Connection, table: str, pick: Random) -> None:
    connection.execute(f"CREATE TABLE {table} (id TEXT PRIMARY KEY, head TEXT)")
    ids = [pick.randbytes(16).hex() for _ in range(150)]
    for id in ids:
        head = _NAME.decode() + "y" * pick.randint(300, 900)
        connection.execute(f"INSERT INTO {table} VALUES (?, ?)", (id, head))
    pick.shuffle(ids)
    for id in ids:
        head = "y" * pick.randint(300, 850)
        connection.execute(f"UPDATE {table} SET head = ? WHERE id = ?", (head, id))
