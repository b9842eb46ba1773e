"""Checkpoints are C2SP text, signed so that one changed character shows."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.errors import ConfigError
from broker.journal.checkpoint import (
    WITNESS,
    BadCheckpoint,
    Checkpoint,
    Signer,
    Verifier,
    notes,
)

ROOT = bytes(range(32))
POINT = Checkpoint("stadt-muster", 1234, ROOT)


@pytest.fixture
def signer() -> Signer:
    return Signer("stadt-muster", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def test_the_text_is_three_lines() -> None:
    root = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

    assert POINT.text == f"stadt-muster\n1234\n{root}\n"


def test_what_is_written_is_read_again() -> None:
    assert Checkpoint.parse(POINT.text) == POINT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        "a\n01\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "a\n-1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "a\n1\nAAEC\n",
        "a\n1\n?\n",
        "\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadCheckpoint):
        Checkpoint.parse(text)


def test_a_note_verifies_with_the_public_key_alone(signer: Signer) -> None:
    verifier = Verifier.parse(signer.public)

    assert verifier.verify(signer.sign(POINT)) == POINT


def test_the_key_line_is_the_one_of_signed_note(signer: Signer) -> None:
    name, id, data = signer.public.split("+", 2)
    raw = base64.b64decode(data)

    assert name == "stadt-muster"
    assert raw[0] == 1
    assert id == hashlib.sha256(b"stadt-muster\n" + raw).digest()[:4].hex()


def test_every_changed_character_of_a_note_is_found(signer: Signer) -> None:
    note = signer.sign(POINT)
    for at, char in enumerate(note):
        changed = note[:at] + ("B" if char != "B" else "C") + note[at + 1 :]
        with pytest.raises(BadCheckpoint):
            signer.verifier().verify(changed)


def test_a_note_of_another_key_with_the_same_name_is_refused(signer: Signer) -> None:
    other = Signer("stadt-muster", Ed25519PrivateKey.generate())

    with pytest.raises(BadCheckpoint, match="no valid signature of stadt-muster"):
        signer.verifier().verify(other.sign(POINT))


def test_a_witness_line_is_checked_with_the_witness_key(signer: Signer) -> None:
    witness = Signer("stadt-nebenan", Ed25519PrivateKey.generate())
    note = signer.sign(POINT)
    note += witness.cosign(note, 1_780_000_000)

    assert witness.verifier(WITNESS).verify(note) == POINT
    assert signer.verifier().verify(note) == POINT
    with pytest.raises(BadCheckpoint):
        witness.verifier().verify(note)


def test_a_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "state" / "journal.key"
    first, again = Signer.open(file, "a"), Signer.open(file, "a")

    assert file.stat().st_mode & 0o777 == 0o600
    assert first.public == again.public
    assert list(file.parent.iterdir()) == [file]


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "journal.key"
    Signer.open(file)
    file.chmod(0o640)

    with pytest.raises(ConfigError, match="may be read by others"):
        Signer.open(file)


def test_a_key_of_another_length_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "journal.key"
    os.close(os.open(file, os.O_CREAT, 0o600))

    with pytest.raises(ConfigError, match="has 0 bytes, must have 32"):
        Signer.open(file)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_a_name_that_would_break_the_line_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="must not be empty"):
        Signer(name, Ed25519PrivateKey.generate())


@pytest.mark.parametrize("line", ["", "a", "a+b", "a+00000000+AAAA", "a+00000000+????"])
def test_what_is_no_key_line_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="no Ed25519 verifier key"):
        Verifier.parse(line)


def test_a_damaged_key_line_is_refused(signer: Signer) -> None:
    name, id, data = signer.public.split("+", 2)

    with pytest.raises(ConfigError, match="was damaged"):
        Verifier.parse(f"{name}+{id[::-1]}+{data}")


def test_notes_of_a_file_are_found_around_what_was_cut_off(signer: Signer) -> None:
    one, two = signer.sign(POINT), signer.sign(Checkpoint("stadt-muster", 2000, ROOT))

    assert list(notes(f"{one}\n{two}\n")) == [one, two]
    assert list(notes(f"{one}\n{two[:-30]}")) == [one]
    assert list(notes(f"{one}\n{two[:40]}\n\n{two}\n")) == [one, two]
    assert list(notes("")) == []
