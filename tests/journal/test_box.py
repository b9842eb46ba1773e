"""Boxes: large ones in pieces, in the clear where a site wants that, and none can be changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from broker.errors import StoreError
from broker.journal.box import CLEAR, MARK, PIECE, PIECES, PREFIX, TAG
from broker.journal.vault import Vault, salted
from broker.stores.contract import Payload

SITE = bytes(range(32))
LARGE = bytes(range(256)) * (PIECE // 256 * 3) + b"the end"
SMALL = b"<antrag>Erika Planck</antrag>"


@pytest.fixture
def vault() -> Vault:
    return Vault(SITE)


@pytest.fixture
def plain() -> Vault:
    return Vault(SITE, sealed=False)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 1])
@pytest.mark.parametrize("sealed", [True, False])
def test_every_size_comes_back(size: int, sealed: bool) -> None:
    vault = Vault(SITE, sealed)
    key, data = vault.new_key(), LARGE[:size]

    payload = vault.seal(key, "m", "original", data)

    assert vault.unseal(key.wrapped, "m", payload) == data
    assert max(map(len, vault.pieces(key, "m", payload))) <= PIECE
    assert payload.size == size


def test_a_large_payload_is_sealed_in_pieces_and_a_small_one_as_before(vault: Vault) -> None:
    key = vault.new_key()
    large, small = (vault.seal(key, "m", "original", one) for one in (LARGE, SMALL))

    assert large.box.startswith(PIECES)
    assert len(large.box) == len(PIECES) + PREFIX + len(LARGE) + 4 * TAG
    assert LARGE[:64] not in large.box
    assert not small.box.startswith(MARK)


def _cut(box: bytes, at: int) -> bytes:
    start = len(PIECES) + PREFIX + at * (PIECE + TAG)
    return box[:start] + box[start + PIECE + TAG :]


def _swapped(box: bytes) -> bytes:
    start, size = len(PIECES) + PREFIX, PIECE + TAG
    first, second = box[start : start + size], box[start + size : start + 2 * size]
    return box[:start] + second + first + box[start + 2 * size :]


@pytest.mark.parametrize(
    "change",
    [
        lambda box: _cut(box, 0),
        lambda box: _cut(box, 1),
        lambda box: _cut(box, 3),
        lambda box: box[:-1],
        lambda box: box[: len(PIECES) + PREFIX],
        lambda box: box[: len(PIECES)],
        lambda box: box + b"\0",
        lambda box: box + bytes(PIECE + TAG),
        _swapped,
        lambda box: box[:-1] + bytes([box[-1] ^ 1]),
        lambda box: CLEAR + box[len(PIECES) :],
        lambda box: box[len(PIECES) :],
    ],
)
def test_changed_pieces_are_refused(vault: Vault, change: Callable[[bytes], bytes]) -> None:
    key = vault.new_key()
    payload = vault.seal(key, "m", "original", LARGE)

    with pytest.raises(StoreError, match="payload of m was changed"):
        vault.unseal(key, "m", replace(payload, box=change(payload.box)))


def test_in_the_clear_the_bytes_are_there_and_the_digest_is_salted_all_the_same(
    plain: Vault,
) -> None:
    key = plain.new_key()
    first, second = (plain.seal(key, "m", "original", SMALL) for _ in range(2))

    assert SMALL in first.box
    assert salted(first, SMALL) != salted(second, SMALL)


def test_after_switching_both_kinds_are_read(vault: Vault, plain: Vault) -> None:
    key = vault.new_key()
    made = [one.seal(key, "m", "original", SMALL) for one in (vault, plain)]

    for one in (vault, plain):
        assert [one.unseal(key.wrapped, "m", payload) for payload in made] == [SMALL, SMALL]


@pytest.mark.parametrize("at", [len(MARK), len(CLEAR), len(CLEAR) + 12, -1])
def test_bytes_in_the_clear_cannot_be_changed_without_the_site_key(plain: Vault, at: int) -> None:
    key = plain.new_key()
    payload = plain.seal(key, "m", "original", SMALL)
    box = bytearray(payload.box)
    box[at] ^= 1

    with pytest.raises(StoreError, match="was changed"):
        plain.unseal(key, "m", replace(payload, box=bytes(box)))


def test_bytes_in_the_clear_cannot_be_moved_or_put_in_place_of_sealed_ones(
    vault: Vault, plain: Vault
) -> None:
    key, other = plain.new_key(), plain.new_key()
    moved = plain.seal(key, "m", "original", SMALL)
    forged = Payload("original", CLEAR + bytes(28) + SMALL, bytes(16), len(SMALL))

    for payload, wrapped in ((moved, other), (forged, key)):
        with pytest.raises(StoreError, match="was changed"):
            vault.unseal(wrapped, "m", payload)
    with pytest.raises(StoreError, match="was changed"):
        vault.unseal(key, "another", moved)
