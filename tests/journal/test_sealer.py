"""Sealing: every committed entry gets one place in the tree, and what was signed stays true."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.errors import StoreError, Unsealed
from broker.journal import tree
from broker.journal.checkpoint import Checkpoint, Signer, notes
from broker.journal.places import FilePlace, SyslogPlace
from broker.journal.sealer import Ledger, Rhythm
from broker.message import now
from broker.stores.sqlite import SqliteStore
from broker.stores.tree import Leaf, Seal
from tests.journal.ledgers import SIGNER, noted, opened, sealed, sealing
from tests.needs import ROOT


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = opened(tmp_path / "broker.sqlite")
    yield store
    store.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def sizes(file: Path) -> list[int]:
    return [SIGNER.verifier().verify(note).size for note in notes(file.read_text())]


def test_every_entry_gets_its_place_in_order(store: SqliteStore, file: Path) -> None:
    noted(store, 1200)

    assert sealing(store, file).seal()

    ledger, entries = Ledger(store), list(store.entries())
    assert ledger.size() == 1200
    assert [ledger.index(one.seq) for one in entries[:3]] == [0, 1, 2]
    assert ledger.index(entries[-1].seq + 1) is None


def test_every_kind_of_place_in_the_tree_has_a_proof(store: SqliteStore, file: Path) -> None:
    noted(store, 1200)
    sealing(store, file).seal()
    ledger, entries = Ledger(store), list(store.entries())
    checkpoint = Checkpoint.parse(ledger.checkpoint() or "")

    for index in (0, 1, 255, 256, 511, 512, 1023, 1024, 1199):
        leaf, proof = tree.leaf(entries[index].body), ledger.proof(index, checkpoint.size)
        assert tree.verify_inclusion(leaf, index, checkpoint.size, proof, checkpoint.root)


def test_two_checkpoints_have_a_proof_that_the_journal_grew(store: SqliteStore, file: Path) -> None:
    sealed(store, file, 1500)
    ledger = Ledger(store)
    first, *_, last = [Checkpoint.parse(note) for note in ledger.checkpoints()]

    proof = ledger.growth(first.size, last.size)

    assert tree.verify_consistency((first.size, first.root), (last.size, last.root), proof)


def test_a_checkpoint_is_signed_stored_and_appended_to_the_file(
    store: SqliteStore, file: Path
) -> None:
    sealed(store, file, 900, every=300)

    assert sizes(file) == [300, 600, 900]
    assert Ledger(store).checkpoints() == list(notes(file.read_text()))


def test_a_checkpoint_comes_after_so_many_entries(store: SqliteStore, file: Path) -> None:
    sealer = sealing(store, file, rhythm=Rhythm(entries=100))
    noted(store, 1)
    sealer.seal()
    noted(store, 99)
    sealer.seal()
    assert sizes(file) == [1]
    noted(store, 1)
    sealer.seal()

    assert sizes(file) == [1, 101]


def test_a_checkpoint_comes_after_so_many_seconds(store: SqliteStore, file: Path) -> None:
    clock = Clock()
    sealer = sealing(store, file, rhythm=Rhythm(seconds=60), clock=clock)
    noted(store, 1)
    sealer.seal()
    noted(store, 1)
    clock.now = 59
    sealer.seal()
    assert sizes(file) == [1]
    clock.now = 60
    sealer.seal()

    assert sizes(file) == [1, 2]


def test_nothing_new_needs_no_checkpoint(store: SqliteStore, file: Path) -> None:
    sealer = sealing(store, file)
    sealer.seal(final=True)
    noted(store, 5)
    sealer.seal(final=True)
    sealer.seal(final=True)

    assert sizes(file) == [5]


def test_a_new_process_goes_on_where_the_tree_ends(tmp_path: Path, file: Path) -> None:
    for number in range(4):
        store = opened(tmp_path / "broker.sqlite")
        noted(store, 333, number * 333)
        assert sealing(store, file).seal(final=True)
        bodies = [one.body for one in store.entries()]
        root = Ledger(store).root(len(bodies))
        store.close()
    frontier = tree.Frontier()
    for body in bodies:
        frontier.add(tree.leaf(body))

    assert frontier.root() == root
    assert sizes(file) == [333, 666, 999, 1332]


def test_of_two_sealers_only_one_appends(tmp_path: Path, file: Path) -> None:
    stores = [opened(tmp_path / "broker.sqlite") for _ in range(2)]
    sealers = [sealing(store, tmp_path / f"points-{at}") for at, store in enumerate(stores)]
    noted(stores[0], 3000)

    def work(at: int) -> None:
        for _ in range(20):
            sealers[at].seal(final=True)

    threads = [Thread(target=work, args=(at,)) for at in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [leaf.entry for leaf, _ in stores[0].tree.walk()]
    for store in stores:
        store.close()

    assert found == list(range(1, 3001))


def test_leaves_that_do_not_continue_the_tree_are_not_written(store: SqliteStore) -> None:
    noted(store, 2)

    assert store.tree.append(Seal((Leaf(1, 2, bytes(32)),))).result() is False
    assert store.tree.extent() == (0, 0)


def test_a_store_with_late_entries_is_swept_for_them(store: SqliteStore, file: Path) -> None:
    clock = Clock()
    store.tree.late = True
    sealer = sealing(store, file, clock=clock)
    noted(store, 3)
    sealer.seal()
    with store._writing.begin() as connection:
        connection.exec_driver_sql("UPDATE entries SET seq = 10 WHERE seq = 3")
        connection.exec_driver_sql("UPDATE leaves SET entry = 10 WHERE entry = 3")
        connection.exec_driver_sql(
            "INSERT INTO entries (seq, message, event, body) VALUES (3, '', 'x', x'00')"
        )
    sealer = sealing(store, file, clock=clock)

    assert sealer.seal()
    assert Ledger(store).index(3) == 3


def test_a_file_that_cannot_be_written_is_a_failure(store: SqliteStore, tmp_path: Path) -> None:
    noted(store, 1)
    sealer = sealing(store, tmp_path / "no" / "folder")

    assert not sealer.seal()


def test_intake_stops_when_sealing_has_not_worked_for_the_limit(
    store: SqliteStore, tmp_path: Path
) -> None:
    clock = Clock()
    sealer = sealing(store, tmp_path / "no" / "file", rhythm=Rhythm(limit=3600), clock=clock)
    noted(store, 1)
    clock.now = 3600
    sealer.seal()
    sealer.check()
    clock.now = 3661

    with pytest.raises(Unsealed, match="could not be sealed for 61 minutes"):
        sealer.check()
    (tmp_path / "no").mkdir()
    assert sealer.seal()
    sealer.check()


def test_a_further_place_that_is_away_stops_nothing_and_catches_up(
    store: SqliteStore, file: Path, tmp_path: Path
) -> None:
    away = tmp_path / "share" / "checkpoints"
    sealer = sealing(store, file, [FilePlace(away)])
    for _ in range(3):
        noted(store, 1)
        assert sealer.seal(final=True)
    assert not away.parent.exists()
    away.parent.mkdir()
    sealer.seal()

    assert sizes(away) == [1, 2, 3]


def test_what_a_crash_cut_off_in_the_file_harms_no_later_checkpoint(
    store: SqliteStore, file: Path
) -> None:
    sealed(store, file, 10, every=5)
    text = file.read_text()
    file.write_text(text[:-60])
    noted(store, 5, 10)

    assert sealing(store, file).seal(final=True)
    assert sizes(file) == [5, 10, 15]


def test_the_system_log_gets_the_last_checkpoint_on_one_line(
    store: SqliteStore, file: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind(("127.0.0.1", 0))
        log.settimeout(30)
        noted(store, 7)
        place = SyslogPlace(f"127.0.0.1:{log.getsockname()[1]}")
        sealing(store, file, [place]).seal(final=True)
        line = log.recv(4096).decode()

    assert line.startswith("<110>1 ")
    assert " checkpoint - stadt-muster 7 " in line
    assert "\n" not in line


def test_a_socket_of_the_system_log_gets_it_too(
    store: SqliteStore, file: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        log.settimeout(30)
        noted(store, 7)
        sealing(store, file, [SyslogPlace(str(tmp_path / "log"))]).seal(final=True)

        assert b" stadt-muster 7 " in log.recv(4096)


def test_an_older_copy_of_the_store_is_not_sealed_on(tmp_path: Path, file: Path) -> None:
    store = opened(tmp_path / "broker.sqlite")
    sealed(store, file, 10)
    store.close()
    shutil.copy(tmp_path / "broker.sqlite", tmp_path / "old.sqlite")
    store = opened(tmp_path / "broker.sqlite")
    noted(store, 10, 10)
    sealing(store, file).seal(final=True)
    store.close()
    old = opened(tmp_path / "old.sqlite")
    noted(old, 20, 100)

    assert not sealing(old, file).seal(final=True)
    assert sizes(file) == [10, 20]
    assert old.tree.extent() == (10, 10)
    old.close()


def test_a_copy_that_is_older_than_a_further_place_is_not_sealed_on(
    store: SqliteStore, file: Path, tmp_path: Path
) -> None:
    noted(store, 10)
    away = tmp_path / "away"
    away.write_text(SIGNER.sign(Checkpoint("stadt-muster", 50, bytes(32))))

    assert not sealing(store, file, [FilePlace(away)]).seal(final=True)
    assert not file.exists()


def test_a_checkpoint_that_somebody_else_put_into_a_place_stops_nothing(
    store: SqliteStore, file: Path, tmp_path: Path
) -> None:
    noted(store, 10)
    away = tmp_path / "away"
    other = Signer("stadt-muster", Ed25519PrivateKey.generate())
    foreign = other.sign(Checkpoint("stadt-muster", 50, bytes(32)))
    away.write_text(foreign)

    assert sealing(store, file, [FilePlace(away)]).seal(final=True)
    assert sizes(file) == [10]
    assert list(notes(away.read_text())) == [foreign, *notes(file.read_text())]


def test_missing_hashes_are_said_with_what_to_do(store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="lacks hashes at level 0 from 0 on; run xoev-broker"):
        store.tree.hashes(0, 0, 1)


def test_the_thread_seals_and_signs_the_rest_at_its_end(store: SqliteStore, file: Path) -> None:
    sealer = sealing(store, file)
    sealer.start()
    noted(store, 50)
    sealer.stop()

    assert sizes(file)[-1] == 50


CHILD = """
import sys
from pathlib import Path
from threading import Thread
from tests.journal.ledgers import noted, opened, sealing
folder = Path(sys.argv[1])
store = opened(folder / "broker.sqlite")
sealer = sealing(store, folder / "checkpoints")
def seal():
    while True:
        sealer.seal(final=True)
Thread(target=seal, daemon=True).start()
start = len(list(store.entries()))
for at in range(100_000):
    noted(store, 7, start + 7 * at)
    print(at, flush=True)
"""


@pytest.mark.crash
@pytest.mark.parametrize("life", [1, 5, 40, 150])
def test_after_a_kill_the_last_published_checkpoint_is_a_beginning_of_the_journal(
    tmp_path: Path, life: int
) -> None:
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        for _ in range(life):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    store, file = opened(tmp_path / "broker.sqlite"), tmp_path / "checkpoints"
    bodies = [one.body for one in store.entries()]
    found = (
        [SIGNER.verifier().verify(note) for note in notes(file.read_text())]
        if (file.exists())
        else []
    )
    frontier, roots = tree.Frontier(), {}
    for body in bodies:
        frontier.add(tree.leaf(body))
        roots[frontier.size] = frontier.root()

    assert all(roots[one.size] == one.root for one in found)
    assert sealing(store, file).seal(final=True)
    assert Ledger(store).root(len(bodies)) == frontier.root()
    store.close()


def test_where_another_process_seals_the_intake_goes_on(store: SqliteStore, file: Path) -> None:
    clock = Clock()
    idle = sealing(store, file, rhythm=Rhythm(limit=3600), clock=clock)
    noted(store, 10)
    sealing(store, file).seal()
    clock.now = 5000

    idle.watch()

    idle.check()


def test_where_no_process_seals_the_intake_stops_everywhere(
    store: SqliteStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    idle = sealing(store, file, rhythm=Rhythm(limit=3600), clock=clock)
    noted(store, 1)
    idle.watch()
    later = now() + timedelta(seconds=3601)
    monkeypatch.setattr("broker.journal.sealer.now", lambda: later)
    clock.now = 3601

    idle.watch()

    with pytest.raises(Unsealed):
        idle.check()


def test_whoever_seals_after_another_goes_on_where_that_one_ended(
    store: SqliteStore, file: Path
) -> None:
    first, second = sealing(store, file), sealing(store, file)
    for number, sealer in enumerate([first, second, first, second]):
        noted(store, 10, 10 * number)
        assert sealer.seal(final=True)
        (second if sealer is first else first).watch()

    assert sizes(file) == [10, 20, 30, 40]


def test_only_the_process_that_may_seals(store: SqliteStore, file: Path) -> None:
    noted(store, 10)
    sealer = sealing(store, file)
    sealer.may = lambda: False
    sealer.start()
    sealer.stop()

    assert Ledger(store).size() == 0
