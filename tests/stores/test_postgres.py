"""One PostgreSQL database: durable or refused, shared between hosts, and back after a failure."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from broker import message
from broker.errors import ConfigError, StoreAway, StoreError
from broker.journal.trail import entry
from broker.message import State, now
from broker.standins.postgres import Postgres
from broker.stores import clock, commit
from broker.stores.contract import Birth, Change, Entry, Erasure, Room, Voided
from broker.stores.custody import Part, Wrapped
from broker.stores.faults import Faults, of_server
from broker.stores.postgres import PostgresStore
from broker.stores.writer import Batch
from tests.births import birth, done, events, refused, state, take_one, taken_in
from tests.cluster import until
from tests.stores.proxy import Cut, Proxy

Open = Callable[..., PostgresStore]


@pytest.fixture
def opened(database: str, told: list[StoreError], undo: ExitStack) -> Open:
    def make(url: str = "") -> PostgresStore:
        store = PostgresStore(url or database, told.append)
        undo.callback(store.close)
        return store

    return make


@pytest.fixture
def store(opened: Open) -> PostgresStore:
    return opened()


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def record(voided: Voided) -> Entry:
    return entry(voided.message, "recovered")


# what it is opened with


@pytest.mark.parametrize("value", ["off", "local", "remote_apply"])
def test_a_database_that_commits_later_is_refused(
    opened: Open, postgres: Postgres, database: str, value: str
) -> None:
    name = name_of(database)
    postgres.ask(f'ALTER DATABASE "{name}" SET synchronous_commit = {value}')

    if value != "off":
        assert opened().counts().accepted == 0
        return
    with pytest.raises(StoreError, match=r"synchronous_commit is off; ALTER ROLE .* RESET"):
        opened()


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_a_server_that_may_lose_its_disk_is_refused(
    opened: Open, postgres: Postgres, name: str
) -> None:
    postgres.set(name, "off")
    try:
        with pytest.raises(StoreError, match=rf"{name} is off; set {name} = on in postgresql.conf"):
            opened()
    finally:
        postgres.set(name, "on")


def test_a_server_that_becomes_careless_stops_the_store(
    store: PostgresStore, postgres: Postgres, told: list[StoreError]
) -> None:
    store.accept(birth()).result()
    postgres.set("fsync", "off")
    try:
        with pytest.raises(StoreError, match="fsync is off"):
            store.accept(birth()).result(30)
    finally:
        postgres.set("fsync", "on")

    assert len(told) == 1
    assert store.counts().accepted == 1


def test_a_database_of_another_encoding_is_refused(opened: Open, postgres: Postgres) -> None:
    postgres.ask("CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(StoreError, match="encoding SQL_ASCII; make a new one with ENCODING"):
            opened(postgres.address("ascii"))
    finally:
        postgres.drop("ascii")


def test_a_newer_database_is_refused(opened: Open, postgres: Postgres, database: str) -> None:
    opened()
    postgres.ask("INSERT INTO migrations VALUES (99, 'of tomorrow')", database=name_of(database))

    with pytest.raises(StoreError, match="format 99"):
        opened()


def test_many_may_open_an_empty_database_at_once(opened: Open) -> None:
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(lambda _: opened(), range(6)))

    assert [store.counts().accepted for store in stores] == [0] * 6


def test_nobody_answers_is_an_error_that_passes(opened: Open, database: str) -> None:
    password = database.split(":")[2].partition("@")[0]
    url = f"postgresql://xoev:{password}@127.0.0.1:1/nothing"

    with pytest.raises(StoreAway, match=r'"nothing" at 127\.0\.0\.1 cannot be opened') as found:
        opened(url)
    assert password not in str(found.value)


@pytest.mark.parametrize(
    "end",
    ["127.0.0.1:port/x", "127.0.0.1/x?unheard=1", "@:::/x", "127.0.0.1:1/x?sslmode=unheard"],
)
def test_no_error_shows_the_password(opened: Open, end: str) -> None:
    with pytest.raises((ConfigError, StoreError)) as found:
        opened(f"postgresql://xoev:geheim@{end}")

    assert "geheim" not in str(found.value)


def test_another_kind_of_url_is_refused(opened: Open) -> None:
    with pytest.raises(ConfigError, match="postgresql://user:password@host:port/database"):
        opened("mysql://xoev:geheim@127.0.0.1/x")


def test_of_several_hosts_the_one_that_answers_is_taken(opened: Open, database: str) -> None:
    url = database.replace("+psycopg", "", 1).replace("@", "@127.0.0.1:1,")

    assert opened(url).counts().accepted == 0


# connections that are lost


def connected(postgres: Postgres, database: str) -> int:
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    return int(postgres.ask(asked, (name_of(database),))[0][0])


def test_connections_that_were_cut_are_made_anew(
    store: PostgresStore, postgres: Postgres, database: str, told: list[StoreError]
) -> None:
    for _ in range(3):
        id = store.accept(birth()).result(30).id
        assert store.row(id) is not None
        assert postgres.terminate(database) >= 2
        # They are told to end, and end a moment later.
        until(lambda: connected(postgres, database) == 0)

    assert store.counts().accepted == 3
    assert told == []


def test_a_group_whose_connection_is_cut_in_the_middle_is_written_once(
    store: PostgresStore, postgres: Postgres, database: str, told: list[StoreError]
) -> None:
    cuts = iter([True])

    def cut(_connection: Connection, items: Sequence[object]) -> Sequence[int]:
        return [postgres.terminate(database) if next(cuts, False) else 0 for _ in items]

    noted = store.note([entry("", "started")])
    store._writer.submit(Batch("cut", cut), None).result(30)
    accepted = store.accept(birth()).result(30)

    noted.result(30)
    assert accepted.verdict == "new"
    assert events(store) == ["started", "accepted"]
    assert told == []


@pytest.mark.parametrize("how", ["before", "after", "silent"])
def test_a_commit_whose_answer_is_lost_is_in_effect_once(
    opened: Open, postgres: Postgres, database: str, proxy: Proxy, how: Cut
) -> None:
    store = opened(database.replace(str(postgres.port), str(proxy.port)))
    (waiting,) = taken_in(store, birth())
    job = take_one(store)
    proxy.cut(b"COMMIT", how)

    changed, taken = store.change([done(job)]), store.accept(birth(uuid="u-1"))
    noted = store.note([entry("", "started")])
    ended, accepted = changed.result(30), taken.result(30)
    noted.result(30)

    assert proxy.cuts == 1
    assert (ended, accepted.verdict) == ([True], "new")
    assert sorted(events(store)) == ["accepted", "accepted", "delivered", "started"]
    assert state(store, waiting) is State.DELIVERED


def test_a_commit_that_nobody_can_be_asked_about_may_be_asked_for_again(
    opened: Open,
    postgres: Postgres,
    database: str,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    told: list[StoreError],
) -> None:
    store = opened(database.replace(str(postgres.port), str(proxy.port)))
    monkeypatch.setattr(commit, "PATIENCE", 0.3)
    monkeypatch.setattr(store._commits, "_found", fails)
    proxy.cut(b"COMMIT", "after")
    made = birth(uuid="u-1")

    with pytest.raises(StoreAway, match="lost in a commit"):
        store.accept(made).result(30)
    again = store.accept(made).result(30)

    assert (again.id, again.verdict) == (made.message.id, "duplicate")
    assert store.counts().accepted == 1
    assert told == []


def fails() -> bool:
    raise driver("08006", "connection failure")


def driver(state: str, words: str) -> Exception:
    import psycopg
    from sqlalchemy.exc import OperationalError

    kind = type("Error", (psycopg.OperationalError,), {"sqlstate": state})
    return OperationalError("SELECT", {}, kind(words))


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_a_server_that_starts_anew_loses_and_doubles_nothing(
    store: PostgresStore, postgres: Postgres, how: str, told: list[StoreError]
) -> None:
    verdicts: list[str] = []
    begun, stop = Event(), Event()

    def submit(at: int) -> None:
        while not stop.is_set():
            verdicts.append(store.accept(birth()).result(60).verdict)
            begun.set()

    threads = [Thread(target=submit, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    begun.wait(30)
    postgres.kill() if how == "kill" else postgres.stop(how)
    postgres.start()
    begun.clear()
    assert begun.wait(60)
    stop.set()
    for thread in threads:
        thread.join()

    assert set(verdicts) == {"new"}
    assert store.counts().accepted == len(verdicts)
    assert events(store) == ["accepted"] * len(verdicts)
    assert told == []


def test_a_server_that_stays_away_fails_what_waits_and_nothing_more(
    store: PostgresStore, postgres: Postgres, told: list[StoreError]
) -> None:
    store._writer._faults = Faults(of_server, 0.3)
    before = store.accept(birth()).result()
    postgres.stop()

    for _ in range(2):
        with pytest.raises(StoreAway, match=r"the store cannot be reached: .*refused"):
            store.accept(birth()).result(30)
    with pytest.raises(StoreAway, match="the store cannot be read"):
        store.row(before.id)
    postgres.start()

    assert store.accept(birth()).result(30).verdict == "new"
    assert store.row(before.id) is not None
    assert told == []


def test_closing_does_not_wait_for_a_server_that_is_away(
    opened: Open, postgres: Postgres, told: list[StoreError]
) -> None:
    store = opened()
    postgres.stop()
    future = store.accept(birth())

    store.close()

    assert isinstance(future.exception(0), StoreAway)
    assert told == []


def raising(*states: str) -> Batch[Any, Any]:
    """Return a kind of write that the server refuses with these, one after the other."""
    left = list(states)

    def write(connection: Connection, items: Sequence[object]) -> Sequence[object]:
        if left:
            connection.execute(
                text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{left.pop(0)}'; END $$")
            )
        return items

    return Batch("raising", write)


@pytest.mark.parametrize("state", ["40001", "40P01", "53100", "53200", "57014"])
def test_what_passes_is_tried_again(
    store: PostgresStore, state: str, told: list[StoreError]
) -> None:
    noted = store.note([entry("", "started")])

    assert store._writer.submit(raising(state, state), 7).result(30) == 7
    noted.result(30)
    assert events(store) == ["started"]
    assert told == []


def test_a_full_disk_that_stays_full_is_an_error_that_passes(
    store: PostgresStore, told: list[StoreError]
) -> None:
    store._writer._faults = Faults(of_server, 0.1)

    with pytest.raises(StoreAway, match=r"no \(53100\)"):
        store._writer.submit(raising(*["53100"] * 20), 7).result(30)
    assert store.accept(birth()).result(30).verdict == "new"
    assert told == []


@pytest.mark.parametrize("state", ["XX001", "58030", "42501", "42P01"])
def test_what_will_never_pass_stops_the_store(
    store: PostgresStore, state: str, told: list[StoreError]
) -> None:
    with pytest.raises(StoreError, match=rf"failed in a commit: no \({state}\)"):
        store._writer.submit(raising(state), 7).result(30)

    assert len(told) == 1
    assert not isinstance(told[0], StoreAway)


def test_one_items_failure_tells_no_value_and_is_not_another_ones(
    store: PostgresStore, told: list[StoreError]
) -> None:
    futures = [
        store.learn("x", "63-1"),
        store._writer.submit(raising("22001", "22001", "22001"), "Erika"),
        store.note([entry("", "started")]),
    ]

    with pytest.raises(StoreError, match=r"refused to write \(raising\): \w+ \(22001\)$"):
        futures[1].result(30)
    assert futures[0].result(30) is futures[2].result(30) is None
    assert told == []


# leases and clocks


def test_a_lease_whose_term_is_not_over_is_left_alone(opened: Open) -> None:
    store, other = opened(), opened()
    taken_in(store, birth())
    job = take_one(store, Room(term=30))

    assert other.recover(record) == 0
    assert store.change([done(job)]).result() == [True]


def test_what_a_dead_process_had_in_hand_is_taken_over_once(opened: Open) -> None:
    store, other = opened(), opened()
    ids = taken_in(store, *(birth() for _ in range(20)))
    jobs = store.take(Room(term=-1))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: one.recover(record), [store, other] * 2))
    job = take_one(other)

    assert sum(found) == 20
    assert (job.id, job.alone) == (ids[0], True)
    assert store.change([done(jobs[0])]).result() == [False]
    assert events(store).count("recovered") == 20


def test_a_renewed_lease_is_kept(opened: Open) -> None:
    store, other = opened(), opened()
    taken_in(store, birth(), birth())
    first, second = (take_one(store, Room(limit=1, term=-1)) for _ in range(2))

    store.renew([first.token], 30).result()

    assert other.recover(record) == 1
    assert [state(store, job.id) for job in (first, second)] == [State.WORKING, State.WAITING]


def test_a_clock_that_goes_wrong_on_one_host_does_no_harm(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, wrong = opened(), opened()
    held, later, soon = taken_in(store, birth(), birth(), birth())
    store.take(Room(ids=(held,)))

    def off() -> datetime:
        return message.now() + timedelta(hours=5)

    monkeypatch.setattr(clock, "now", off)
    monkeypatch.setattr(commit, "now", off)
    for id, due in ((later, off() + timedelta(hours=1)), (soon, off())):
        job = take_one(wrong, Room(ids=(id,)))
        wrong.change([Change(id, job.token, State.WAITING, due=due)]).result()
    recovered = wrong.recover(record)
    monkeypatch.undo()

    assert recovered == 0
    assert [job.id for job in store.take(Room())] == [soon]
    row = store.row(later)
    assert row is not None
    assert timedelta(minutes=59) < row.due - now() < timedelta(minutes=61)


def test_a_writer_leaves_no_row_behind(opened: Open, postgres: Postgres, database: str) -> None:
    store, other = opened(), opened()
    other.close()

    (found,) = postgres.ask("SELECT count(*) FROM writers", database=name_of(database))
    assert found == (1,)
    assert store.counts().accepted == 0


# what it looks through


@pytest.mark.parametrize("back", [0, 3000])
def test_what_is_not_sealed_is_found_without_looking_through_all_leaves(
    store: PostgresStore, postgres: Postgres, database: str, back: int
) -> None:
    sealed, waiting, name = 30_000, 3000, name_of(database)
    for statement in (
        "INSERT INTO entries (seq, message, event, body) OVERRIDING SYSTEM VALUE "
        f"SELECT n, '', 'started', '' FROM generate_series(1, {sealed + waiting}) AS n",
        "INSERT INTO leaves (number, entry, hash) "
        f"SELECT n - 1, n, '' FROM generate_series(1, {sealed}) AS n",
        "ANALYZE entries, leaves",
    ):
        postgres.ask(statement, database=name)

    found, plan = explained(store, lambda: store.tree.unsealed(sealed - back, waiting))

    assert [one.seq for one in found] == list(range(sealed + 1, sealed + waiting + 1))
    assert looked_through(plan, "leaves") <= back
    assert looked_through(plan, "entries") <= back + waiting


def explained(store: PostgresStore, read: Callable[[], list[Entry]]) -> tuple[list[Entry], Any]:
    """Return what a read finds, and how the server looked for it."""
    asked: list[tuple[str, Any]] = []

    def note(*args: Any) -> None:
        asked.append((args[2], args[3]))

    event.listen(store._reading, "before_cursor_execute", note)
    found = read()
    event.remove(store._reading, "before_cursor_execute", note)
    (statement, values) = next(one for one in asked if "leaves" in one[0])
    with store._reading.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
        return found, plan.scalar_one()[0]["Plan"]


def looked_through(plan: Any, table: str) -> int:
    """Return how many rows of a table were read, those among them that did not fit."""
    own = 0
    if plan.get("Relation Name") == table:
        passed = sum(value for key, value in plan.items() if key.startswith("Rows Removed by"))
        own = (plan["Actual Rows"] + passed) * plan["Actual Loops"]
    return int(own) + sum(looked_through(one, table) for one in plan.get("Plans", []))


# what was erased


@pytest.fixture
def tidy(postgres: Postgres) -> Iterator[None]:
    postgres.set("wal_recycle", "off")
    yield
    postgres.set("wal_recycle", "on")


def written(postgres: Postgres) -> bytes:
    """Return all bytes in all files of the server."""
    data = postgres.folder / "data"
    return b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())


def named(body: bytes = b"<antrag/>") -> Birth:
    """Return a message of an office whose name tells a lot."""
    made = birth(body)
    office = replace(made.message.envelope.sender, name="Praxis Dr. Planck")
    envelope = replace(made.message.envelope, sender=office)
    return replace(made, message=replace(made.message, envelope=envelope), keys=(("file", MARK),))


MARK = b"fingerprint of a business key"


def traces(postgres: Postgres, made: Birth) -> list[str]:
    """Return what of a message is in files of the server."""
    raw = written(postgres)
    sought = {
        "name": b"Praxis Dr. Planck",
        "key": made.key,
        "salt": made.payload.salt,
        "box": made.payload.box[1000:1100],
        "fingerprint": MARK,
    }
    return [name for name, value in sought.items() if value in raw]


def erase(store: PostgresStore, made: Birth) -> None:
    store.change([done(take_one(store))]).result()
    parts: tuple[Part, ...] = ("payload", "metadata")
    for part in parts:
        assert store.erase([Erasure(made.message.id, part, "a rule")]).result()


@pytest.mark.usefixtures("tidy")
def test_what_was_erased_is_in_no_file_of_the_server(
    store: PostgresStore, postgres: Postgres, database: str
) -> None:
    made = named(b"x" * 20_000)
    store.accept(made).result()
    postgres.ask("ANALYZE", database=name_of(database))
    before = traces(postgres, made)
    erase(store, made)

    assert store.scrub()

    assert before == ["name", "key", "salt", "box", "fingerprint"]
    assert traces(postgres, made) == []
    assert store.scrub()


@pytest.mark.usefixtures("tidy")
def test_a_reader_who_still_sees_what_was_erased_is_not_disturbed(
    store: PostgresStore, postgres: Postgres, database: str
) -> None:
    import psycopg

    made = named(b"x" * 20_000)
    store.accept(made).result()
    with psycopg.connect(database.replace("+psycopg", "", 1)) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        erase(store, made)
        assert not store.scrub()
        reader.rollback()

    assert store.scrub()
    assert traces(postgres, made) == []


def test_a_server_that_uses_its_log_again_is_told(store: PostgresStore, quiet: io.BytesIO) -> None:
    made = birth()
    store.accept(made).result()
    erase(store, made)

    assert not store.scrub()
    assert b"set wal_recycle = off" in quiet.getvalue()


@pytest.mark.usefixtures("tidy")
def test_replaced_keys_and_refused_bytes_are_in_no_file(
    store: PostgresStore, postgres: Postgres
) -> None:
    made, dropped = birth(), refused(b"<broken" * 500)
    store.accept(made).result()
    store.refuse(dropped).result()
    assert dropped.payload is not None
    store.rewrap([Wrapped(made.message.id, made.key, b"anew")]).result()
    assert store.erase([Erasure(dropped.id, "refusal", "a rule")]).result()

    assert store.scrub()

    raw = written(postgres)
    gone = (made.key, dropped.key, dropped.payload.box[100:200], dropped.payload.salt)
    assert [value in raw for value in gone] == [False] * 4
