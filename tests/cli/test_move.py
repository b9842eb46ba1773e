"""A site is carried into another database and back, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from broker.app import open_database
from broker.errors import StoreError
from broker.journal.trail import entry
from broker.roles import Role, lock, unlock
from broker.stores.contract import Counts, Entry
from tests.births import birth
from tests.cli.conftest import Type
from tests.journal.ledgers import tamper
from tests.site import Site


@pytest.fixture
def file(place: Site, delivered: str) -> Path:
    """Return the store of a site with one delivered message."""
    assert delivered
    return Path(place.environ["XOEV_BROKER_STATE"]) / "broker.sqlite"


@pytest.fixture
def url(database: str, tmp_path: Path) -> Path:
    """Return a file that holds the URL of an empty database."""
    made = tmp_path / "database.url"
    made.write_text(database)
    made.chmod(0o600)
    return made


def broken(error: StoreError) -> None:
    raise AssertionError(error)


def content(url: str) -> tuple[Counts, list[Entry], object]:
    """Return what is in a store, but for what the move itself says."""
    store = open_database(url, broken)
    try:
        lines = [one for one in store.entries() if one.event != "moved"]
        notes = store.tree.notes()
        tree = [(leaf, one) for leaf, one in store.tree.walk()]
        return store.counts(), lines, (notes, tree, store.tree.extent())
    finally:
        store.close()


def test_a_site_goes_over_with_all_its_numbers(
    type_: Type, file: Path, url: Path, delivered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_("checkpoint", "--now")
    before = content(f"sqlite:///{file}")

    ran = type_("store", "move", "--to-file", str(url))

    assert (ran.code, "the journal is the same" in ran.out) == (0, True), ran.err
    assert content(url.read_text()) == before
    monkeypatch.setenv("XOEV_BROKER_STORE_FILE", str(url))
    assert type_("verify").code == 0
    assert type_("trace", delivered).code == 0


def test_a_moved_site_takes_and_numbers_on(type_: Type, file: Path, url: Path) -> None:
    last = [one.seq for one in _entries(f"sqlite:///{file}")][-1]
    type_("store", "move", "--to-file", str(url))

    store = open_database(url.read_text(), broken)
    store.accept(birth()).result()
    seqs = [one.seq for one in store.entries()]
    store.close()

    assert seqs[-2:] == [last + 1, last + 2]
    assert len(set(seqs)) == len(seqs)


def _entries(url: str) -> list[Entry]:
    store = open_database(url, broken)
    found = list(store.entries())
    store.close()
    return found


def test_a_site_comes_back_as_it_was(type_: Type, file: Path, url: Path, tmp_path: Path) -> None:
    type_("checkpoint", "--now")
    before = content(f"sqlite:///{file}")
    type_("store", "move", "--to-file", str(url))
    back = tmp_path / "back.sqlite"

    ran = type_("store", "move", "--from-file", str(url), "--to", f"sqlite:///{back}")

    assert ran.code == 0, ran.err
    assert content(f"sqlite:///{back}") == before
    assert [one.event for one in _entries(f"sqlite:///{back}")].count("moved") == 2


def test_a_database_that_is_not_empty_is_refused(type_: Type, file: Path, url: Path) -> None:
    store = open_database(url.read_text(), broken)
    store.note([entry("", "started")]).result()
    store.close()

    ran = type_("store", "move", "--to-file", str(url))

    assert ran.code == 1
    assert "is not empty: there are rows in entries; make a new database" in ran.err
    assert content(url.read_text())[0].accepted == 0


@pytest.mark.parametrize("role", Role)
def test_a_running_broker_is_not_moved(
    type_: Type, file: Path, url: Path, place: Site, role: Role
) -> None:
    held = lock(Path(place.environ["XOEV_BROKER_STATE"]), role)
    try:
        ran = type_("store", "move", "--to-file", str(url))
    finally:
        unlock(held)

    assert ran.code == 1
    assert f"process {os.getpid()}" in ran.err


def test_a_database_that_others_work_on_is_refused(type_: Type, file: Path, url: Path) -> None:
    other = open_database(url.read_text(), broken)

    ran = type_("store", "move", "--to-file", str(url))

    other.close()
    assert ran.code == 1
    assert "1 other process(es) work on the database" in ran.err


def test_a_journal_that_was_changed_is_not_carried_over(type_: Type, file: Path, url: Path) -> None:
    type_("checkpoint", "--now")
    tamper(file, "UPDATE entries SET body = CAST(body || x'20' AS BLOB) WHERE seq = 2")

    ran = type_("store", "move", "--to-file", str(url))

    assert ran.code == 1
    assert "entry 2" in ran.err
    assert content(url.read_text())[1] == []


def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    type_: Type, file: Path
) -> None:
    ran = type_("store", "move", "--to", "postgresql://xoev:geheim@127.0.0.1/x")

    assert ran.code == 2
    assert "--to-file" in ran.err
    assert "geheim" not in ran.err


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ((), 2, "which database?"),
        (("--to", "sqlite:///x", "--to-file", "x"), 2, "together"),
        (("--to-file", "missing"), 1, "missing cannot be read"),
        (("--from", "sqlite:///missing", "--to", "sqlite:///x"), 1, "no store at missing"),
        (("--to", "mysql://x/y"), 1, "a database URL starts with"),
    ],
)
def test_what_cannot_be_moved_is_said(
    type_: Type, file: Path, options: tuple[str, ...], code: int, text: str
) -> None:
    ran = type_("store", "move", *options)

    assert ran.code == code
    assert text in ran.err
