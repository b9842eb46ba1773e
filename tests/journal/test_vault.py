"""The vault: what it must refuse, and what is left of a message once its key is gone."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from broker.errors import ConfigError, StoreError
from broker.journal.vault import Vault, salted

BODY = b"<antrag>Erika Planck</antrag>"


@pytest.fixture
def vault() -> Vault:
    return Vault(bytes(range(32)))


def test_what_was_sealed_can_be_opened(vault: Vault) -> None:
    key = vault.new_key()
    payload = vault.seal(key, "m", "original", BODY)

    assert vault.unseal(key.wrapped, "m", payload) == BODY
    assert b"Planck" not in payload.box
    assert payload.size == len(BODY)


def test_the_same_bytes_look_different_every_time(vault: Vault) -> None:
    key = vault.new_key()
    first, second = (vault.seal(key, "m", "original", BODY) for _ in range(2))

    assert first.box != second.box
    assert salted(first, BODY) != salted(second, BODY)


def test_another_site_key_opens_nothing(vault: Vault) -> None:
    key = vault.new_key()
    payload = vault.seal(key, "m", "original", BODY)

    with pytest.raises(StoreError, match="restore the site key"):
        Vault(bytes(32)).unseal(key.wrapped, "m", payload)


@pytest.mark.parametrize("at", [0, 12, -1])
def test_a_changed_box_is_refused(vault: Vault, at: int) -> None:
    key = vault.new_key()
    payload = vault.seal(key, "m", "original", BODY)
    box = bytearray(payload.box)
    box[at] ^= 1

    with pytest.raises(StoreError, match="payload of m was changed"):
        vault.unseal(key.wrapped, "m", replace(payload, box=bytes(box)))


@pytest.mark.parametrize("box", [b"", b"short", bytes(27)])
def test_a_box_that_is_no_box_is_refused(vault: Vault, box: bytes) -> None:
    key = vault.new_key()
    payload = replace(vault.seal(key, "m", "original", BODY), box=box)

    with pytest.raises(StoreError, match="was changed"):
        vault.unseal(key.wrapped, "m", payload)


@pytest.mark.parametrize("wrapped", [b"", b"short", bytes(60)])
def test_a_key_that_is_no_key_is_refused(vault: Vault, wrapped: bytes) -> None:
    with pytest.raises(StoreError, match="site key"):
        vault.key(wrapped)


def test_a_box_cannot_be_moved_to_another_message(vault: Vault) -> None:
    key = vault.new_key()
    payload = vault.seal(key, "m", "original", BODY)

    with pytest.raises(StoreError):
        vault.unseal(key.wrapped, "n", payload)


def test_a_box_cannot_be_passed_off_as_another_form(vault: Vault) -> None:
    key = vault.new_key()
    payload = vault.seal(key, "m", "original", BODY)

    with pytest.raises(StoreError):
        vault.unseal(key.wrapped, "m", replace(payload, form="converted"))


def test_fingerprints_are_keyed(vault: Vault) -> None:
    own, plain = vault.fingerprint("bytes", BODY), hashlib.sha256(BODY).digest()

    assert own == Vault(bytes(range(32))).fingerprint("bytes", BODY)
    assert own not in (plain, Vault(bytes(32)).fingerprint("bytes", BODY))


def test_the_parts_of_a_fingerprint_cannot_run_into_each_other(vault: Vault) -> None:
    assert vault.fingerprint("message", "ab", "c") != vault.fingerprint("message", "a", "bc")
    assert vault.fingerprint("case", "x") != vault.fingerprint("identity", "x")


def test_a_name_that_is_no_text_has_a_fingerprint_too(vault: Vault) -> None:
    broken = os.fsdecode(b"antwort-\xff.xml")

    assert vault.fingerprint("reply", broken) != vault.fingerprint("reply", "antwort-.xml")


def test_the_site_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "new" / "site.key"

    first = Vault.open(file)
    key = file.read_bytes()
    second = Vault.open(file)

    assert (len(key), stat.S_IMODE(file.stat().st_mode)) == (32, 0o600)
    assert file.read_bytes() == key
    assert first.fingerprint("x") == second.fingerprint("x")
    assert [one.name for one in file.parent.iterdir()] == ["site.key"]


def test_the_site_key_is_on_disk_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def watch(handle: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    Vault.open(tmp_path / "site.key")

    assert synced == ["file", "folder"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_site_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "site.key"
    Vault.open(file)
    file.chmod(mode)

    with pytest.raises(ConfigError, match=f"mode {mode:04o}.*chmod 600"):
        Vault.open(file)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_site_key_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    file = tmp_path / "site.key"
    file.touch(0o600)
    file.write_bytes(bytes(size))

    with pytest.raises(ConfigError, match=f"has {size} bytes, must have 32"):
        Vault.open(file)


def test_a_place_where_no_key_can_lie_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=r"site key .* cannot be used"):
        Vault.open(tmp_path / "file" / "site.key")


def test_two_starts_at_once_agree_on_one_site_key(tmp_path: Path) -> None:
    file = tmp_path / "site.key"
    marks: set[bytes] = set()

    def start() -> None:
        marks.add(Vault.open(file).fingerprint("x"))

    threads = [Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(marks) == 1
