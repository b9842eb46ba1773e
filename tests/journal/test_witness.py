"""A witness signs what only grew, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.journal.checkpoint import WITNESS, BadCheckpoint, Checkpoint, Signer
from broker.journal.sealer import Ledger
from broker.journal.witness import NotWitnessed, Witness, request
from broker.stores.sqlite import SqliteStore
from tests.journal.ledgers import SIGNER, noted, opened, sealed, sealing

LOG = SIGNER.verifier()
NEIGHBOUR = Signer("stadt-nebenan", Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01"))
TIME = 1_780_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = opened(tmp_path / "broker.sqlite")
    sealed(store, tmp_path / "checkpoints", 300)
    yield store
    store.close()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "witness", NEIGHBOUR)


def grown(store: SqliteStore, folder: Path, count: int = 300) -> Ledger:
    noted(store, count, 10_000)
    assert sealing(store, folder / "checkpoints").seal(final=True)
    return Ledger(store)


def test_the_first_checkpoint_is_signed(store: SqliteStore, witness: Witness) -> None:
    ledger = Ledger(store)
    note = ledger.checkpoint() or ""

    line = witness.cosign(request(ledger, 0), LOG, TIME)

    assert NEIGHBOUR.verifier(WITNESS).verify(note + line).size == 300
    assert witness.seen("stadt-muster") == (300, Checkpoint.parse(note).root)


def test_a_journal_that_only_grew_is_signed_again(
    store: SqliteStore, witness: Witness, tmp_path: Path
) -> None:
    witness.cosign(request(Ledger(store), 0), LOG, TIME)
    ledger = grown(store, tmp_path)

    witness.cosign(request(ledger, 300), LOG, TIME)

    assert witness.seen("stadt-muster")[0] == 600


def test_the_same_checkpoint_is_signed_once_more(store: SqliteStore, witness: Witness) -> None:
    witness.cosign(request(Ledger(store), 0), LOG, TIME)

    assert witness.cosign(request(Ledger(store), 300), LOG, TIME)


def test_a_proof_from_elsewhere_is_asked_for_again(
    store: SqliteStore, witness: Witness, tmp_path: Path
) -> None:
    witness.cosign(request(Ledger(store), 0), LOG, TIME)
    ledger = grown(store, tmp_path)

    with pytest.raises(NotWitnessed, match="checkpoint --since 300"):
        witness.cosign(request(ledger, 0), LOG, TIME)


def test_another_journal_under_the_same_key_is_not_signed(
    store: SqliteStore, witness: Witness, tmp_path: Path
) -> None:
    witness.cosign(request(Ledger(store), 0), LOG, TIME)
    other = opened(tmp_path / "other.sqlite")
    noted(other, 300, 50_000)
    sealing(other, tmp_path / "other").seal(final=True)
    ledger = grown(other, tmp_path / "witness")

    with pytest.raises(NotWitnessed, match="its first 300 entries are not those"):
        witness.cosign(request(ledger, 300), LOG, TIME)
    other.close()
    assert witness.seen("stadt-muster")[0] == 300


def test_an_older_checkpoint_is_not_signed(
    store: SqliteStore, witness: Witness, tmp_path: Path
) -> None:
    old = request(Ledger(store), 0)
    witness.cosign(request(grown(store, tmp_path), 0), LOG, TIME)

    with pytest.raises(NotWitnessed, match="has seen 600 entries, the checkpoint is about 300"):
        witness.cosign(old, LOG, TIME)


def test_a_checkpoint_of_another_key_is_not_signed(store: SqliteStore, witness: Witness) -> None:
    other = Signer("stadt-muster", Ed25519PrivateKey.generate()).verifier()

    with pytest.raises(BadCheckpoint):
        witness.cosign(request(Ledger(store), 0), other, TIME)
    assert witness.seen("stadt-muster")[0] == 0


@pytest.mark.parametrize("text", ["", "old x\n\nnote", "old 5\n????\n\nnote", "old 1\nAAA\n\nnote"])
def test_what_is_no_request_is_refused(witness: Witness, text: str) -> None:
    with pytest.raises((NotWitnessed, BadCheckpoint)):
        witness.cosign(text, LOG, TIME)


def test_a_request_from_the_future_cannot_be_made(store: SqliteStore) -> None:
    with pytest.raises(NotWitnessed, match="about 300 entries, which is before 301"):
        request(Ledger(store), 301)


def test_a_journal_without_checkpoint_has_no_request(tmp_path: Path) -> None:
    store = opened(tmp_path / "empty.sqlite")

    with pytest.raises(NotWitnessed, match="no checkpoint yet"):
        request(Ledger(store), 0)
    store.close()
