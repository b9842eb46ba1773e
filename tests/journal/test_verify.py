"""Whatever somebody does to the stored journal is found, and where."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.journal.checkpoint import Checkpoint, Signer, notes
from broker.journal.places import FilePlace
from broker.journal.sealer import Ledger, Sealer
from broker.journal.verify import Verdict, limits, verify
from tests.journal.ledgers import SIGNER, noted, opened, sealed, sealing, tamper

COUNT = 2000
Look = Callable[..., Verdict]


def copied(source: Path, folder: Path) -> Path:
    for name in ("broker.sqlite", "checkpoints"):
        shutil.copy(source / name, folder / name)
    return folder / "broker.sqlite"


def made(folder: Path, count: int) -> Path:
    store = opened(folder / "broker.sqlite")
    sealed(store, folder / "checkpoints", count)
    store.close()
    return folder


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("journal"), COUNT)


@pytest.fixture
def file(clean: Path, tmp_path: Path) -> Path:
    return copied(clean, tmp_path)


def look(file: Path, *outside: Checkpoint) -> Verdict:
    store = opened(file)
    try:
        return verify(store.tree, SIGNER.verifier(), outside)
    finally:
        store.close()


def kept(file: Path) -> list[Checkpoint]:
    text = (file.parent / "checkpoints").read_text()
    return [Checkpoint.parse(note) for note in notes(text)]


def found(verdict: Verdict) -> list[tuple[str, int, int]]:
    return [(one.kind, one.first, one.last) for one in verdict.findings]


def test_an_untouched_journal_has_no_findings(file: Path) -> None:
    verdict = look(file, *kept(file))

    assert verdict.findings == ()
    assert (verdict.size, verdict.unsealed, verdict.unsigned) == (COUNT, 0, 0)
    assert (verdict.checkpoints, verdict.outside) == (4, 4)
    assert limits(verdict) == {}


def test_an_empty_journal_has_no_findings(tmp_path: Path) -> None:
    assert look(tmp_path / "broker.sqlite").findings == ()


def test_the_progress_is_told(file: Path) -> None:
    told: list[int] = []
    store = opened(file)
    verify(store.tree, None, (), told.append)
    store.close()

    assert told == [1000, 2000, 2000]


EDIT = "UPDATE entries SET body = CAST(body || x'20' AS BLOB) WHERE seq = {0}"
SWAP = (
    "UPDATE entries SET seq = -1 WHERE seq = {0}",
    "UPDATE entries SET seq = {0} WHERE seq = {1}",
    "UPDATE entries SET seq = {1} WHERE seq = -1",
)
SPREAD = (
    "UPDATE entries SET seq = -seq WHERE seq {2} {0}",
    "UPDATE entries SET seq = {1} - seq WHERE seq < 0",
)
INSERT = "INSERT INTO entries (seq, message, event, body) VALUES ({0}, '', 'paused', x'01')"


@pytest.mark.parametrize("seq", [1, 2, 255, 256, 257, 1000, 1999, 2000])
def test_an_edited_entry_is_located(file: Path, seq: int) -> None:
    tamper(file, EDIT.format(seq))

    assert found(look(file)) == [("edited", seq, seq)]


def test_bytes_that_became_text_are_an_edit(file: Path) -> None:
    tamper(file, "UPDATE entries SET body = CAST(body AS TEXT) WHERE seq = 9")

    assert found(look(file)) == [("edited", 9, 9)]


@pytest.mark.parametrize("seq", [1, 256, 1000, 1999])
def test_a_deleted_entry_is_located(file: Path, seq: int) -> None:
    tamper(file, f"DELETE FROM entries WHERE seq = {seq}")

    assert found(look(file)) == [("deleted", seq, seq)]


def test_deleted_neighbours_are_one_finding(file: Path) -> None:
    tamper(file, "DELETE FROM entries WHERE seq BETWEEN 700 AND 710")

    assert found(look(file)) == [("deleted", 700, 710)]


@pytest.mark.parametrize("seq", [1, 256, 1000, 1990])
def test_a_deletion_with_all_later_ones_moved_up_is_located(file: Path, seq: int) -> None:
    later = (text.format(seq, "-1", ">") for text in SPREAD)
    tamper(file, f"DELETE FROM entries WHERE seq = {seq}", *later)

    assert found(look(file)) == [("deleted", seq, seq)]


@pytest.mark.parametrize("seq", [1, 256, 1000, 1990])
def test_an_insertion_with_all_later_ones_moved_is_located(file: Path, seq: int) -> None:
    tamper(file, *(text.format(seq, "1", ">=") for text in SPREAD), INSERT.format(seq))

    assert found(look(file)) == [("inserted", seq, seq)]


@pytest.mark.parametrize("seq", [-5, 0])
def test_an_insertion_where_there_was_no_number_is_located(file: Path, seq: int) -> None:
    tamper(file, INSERT.format(seq))

    assert found(look(file)) == [("inserted", seq, seq)]


@pytest.mark.parametrize(("one", "other"), [(1, 2), (5, 1700), (1999, 2000)])
def test_two_swapped_entries_are_located(file: Path, one: int, other: int) -> None:
    tamper(file, *(text.format(one, other) for text in SWAP))

    assert found(look(file)) == [("swapped", one, other), ("swapped", other, one)]


@pytest.mark.parametrize("left", [1999, 1500, 1])
def test_a_cut_off_end_is_located(file: Path, left: int) -> None:
    tamper(file, f"DELETE FROM entries WHERE seq > {left}")

    assert found(look(file)) == [("truncated", left + 1, COUNT)]


def test_a_cut_off_end_with_its_leaves_is_seen_by_the_stored_checkpoint(file: Path) -> None:
    tamper(
        file,
        "DELETE FROM entries WHERE seq > 1800",
        "DELETE FROM leaves WHERE entry > 1800",
    )
    verdict = look(file)

    assert [one.kind for one in verdict.findings] == ["truncated"]
    assert "about 2000 entries, 1800 are left" in str(verdict.findings[0])


CUT = (
    "DELETE FROM entries WHERE seq > 1800",
    "DELETE FROM leaves WHERE entry > 1800",
    "DELETE FROM nodes WHERE number >= 1800 / 256",
    "DELETE FROM checkpoints WHERE size > 1800",
)


def test_a_clean_cut_needs_an_outside_checkpoint_and_says_so(file: Path) -> None:
    outside = kept(file)
    tamper(file, *CUT)

    assert look(file).findings == ()
    assert "verify --from" in limits(look(file))["outside"]
    verdict = look(file, *outside)
    assert [one.kind for one in verdict.findings] == ["rollback"]
    assert "1800 sealed entries, the outside checkpoint is about 2000" in str(verdict.findings[0])


def test_an_older_copy_is_shown_by_an_outside_checkpoint(file: Path) -> None:
    old = file.with_name("old.sqlite")
    shutil.copy(file, old)
    store = opened(file)
    noted(store, 10, COUNT)
    sealing(store, file.parent / "checkpoints").seal(final=True)
    store.close()

    assert look(old).findings == ()
    assert [one.kind for one in look(old, *kept(file)).findings] == ["rollback"]


def test_an_edited_entry_with_its_leaf_is_seen_by_the_tree_above(file: Path) -> None:
    tamper(
        file,
        EDIT.format(700),
        "UPDATE leaves SET hash = zeroblob(32) WHERE entry = 700",
    )
    kinds = [one.kind for one in look(file).findings]
    texts = [str(one) for one in look(file).findings]

    assert kinds == ["tree", "tree", "edited"]
    assert "over tree index 512 to 767" in texts[0]
    assert "between tree index 500 and 999" in texts[1]


def recompute(file: Path, *changes: str) -> None:
    """Compute everything anew with the key of the journal, after the changes."""
    tamper(
        file,
        *changes,
        *(f"DELETE FROM {name}" for name in ("leaves", "nodes", "checkpoints")),
    )
    store = opened(file)
    Sealer(store, SIGNER, [FilePlace(file.with_name("forged"))]).seal(final=True)
    store.close()


def test_a_journal_computed_anew_is_shown_by_outside_checkpoints(file: Path) -> None:
    outside = kept(file)
    recompute(file, EDIT.format(700))
    verdict = look(file, *outside)

    assert look(file).findings == ()
    assert [one.kind for one in verdict.findings] == ["recomputed"]
    assert "between tree index 500 and 999" in str(verdict.findings[0])


def test_columns_beside_the_bytes_are_held_against_them(file: Path) -> None:
    tamper(
        file,
        "UPDATE entries SET message = 'm-0' WHERE seq = 8",
        "UPDATE entries SET event = 'closed' WHERE seq = 9",
    )

    assert found(look(file)) == [("filed", 8, 8), ("filed", 9, 9)]


def test_a_missing_leaf_is_located(file: Path) -> None:
    tamper(file, "DELETE FROM leaves WHERE number = 40")
    kinds = [one.kind for one in look(file).findings]

    assert kinds[0] == "tree"
    assert "tree index 40 is gone" in str(look(file).findings[0])


def test_a_missing_or_changed_subtree_is_located(file: Path) -> None:
    tamper(
        file,
        "DELETE FROM nodes WHERE level = 8 AND number = 1",
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 8 AND number = 2",
    )

    assert [str(one) for one in look(file).findings] == [
        "the kept hash over tree index 256 to 511 is gone",
        "the kept hash over tree index 512 to 767 does not fit its leaves",
    ]


def test_a_checkpoint_signed_by_somebody_else_is_found(file: Path) -> None:
    other = Signer("stadt-muster", Ed25519PrivateKey.generate())
    note = other.sign(kept(file)[1])
    tamper(file, f"UPDATE checkpoints SET note = '{note}' WHERE size = 1000")

    assert [one.kind for one in look(file).findings] == ["checkpoint"]
    assert "over 1000 entries" in str(look(file).findings[0])


def test_a_checkpoint_under_another_size_is_found(file: Path) -> None:
    tamper(file, "UPDATE checkpoints SET size = 7 WHERE size = 1000")

    assert [one.kind for one in look(file).findings] == ["checkpoint"]


def test_what_is_not_sealed_or_signed_yet_is_said_openly(file: Path) -> None:
    store = opened(file)
    noted(store, 5, COUNT)
    store.close()
    verdict = look(file)

    assert verdict.findings == ()
    assert (verdict.unsealed, verdict.unsigned) == (5, 5)
    assert "5 entries are newer" in limits(verdict)["unsigned"]


def test_many_findings_are_counted_and_not_all_listed(file: Path) -> None:
    tamper(file, EDIT.format("seq"))
    verdict = look(file)

    assert len(verdict.findings) == 101
    assert str(verdict.findings[-1]).startswith("and 1900 more")


def test_a_journal_that_grows_meanwhile_has_no_findings(file: Path) -> None:
    store = opened(file)
    sealer = sealing(store, file.parent / "checkpoints")

    def grow(count: int) -> None:
        noted(store, 300, COUNT + count)
        assert sealer.seal(final=True)

    verdict = verify(store.tree, SIGNER.verifier(), (), grow)
    size = Ledger(store).size()
    store.close()

    assert verdict.findings == ()
    assert size == COUNT + 900


@pytest.mark.slow
def test_every_tampering_is_located_among_a_hundred_thousand(tmp_path: Path) -> None:
    count = 100_000
    made(tmp_path, count)
    for number, (statements, expected) in enumerate(
        (
            ((EDIT.format(77_777),), [("edited", 77_777, 77_777)]),
            (("DELETE FROM entries WHERE seq = 77777",), [("deleted", 77_777, 77_777)]),
            (
                (*(text.format(77_777, "1", ">=") for text in SPREAD), INSERT.format(77_777)),
                [("inserted", 77_777, 77_777)],
            ),
            (
                tuple(text.format(5, 77_777) for text in SWAP),
                [("swapped", 5, 77_777), ("swapped", 77_777, 5)],
            ),
            (("DELETE FROM entries WHERE seq > 77777",), [("truncated", 77_778, count)]),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        file = copied(tmp_path, folder)
        tamper(file, *statements)
        assert found(look(file)) == expected
        shutil.rmtree(folder)
