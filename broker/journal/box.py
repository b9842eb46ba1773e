"""How the bytes of a payload lie in the store: sealed whole, sealed in pieces, or in the clear.

Whole, up to 1 MiB: nonce (12 bytes), AES-256-GCM of the bytes with their tag (16).
In pieces: `xoev-box`, 02, prefix (7), then each MiB sealed with its tag; a nonce is the prefix,
the number of the piece (4, big endian), and 01 for the last one, else 00.
In the clear: `xoev-box`, 00, nonce (12), tag (16) over mark, place and bytes, then the bytes.

Pieces cannot be swapped, left out or cut off: each nonce holds its number and whether it is the
last. What is in the clear still carries a tag, so that nobody without the site key can put other
bytes into the store. A whole box begins with a random nonce, which is never the mark in practice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MARK = b"xoev-box"
CLEAR, PIECES = MARK + b"\x00", MARK + b"\x02"
NONCE, TAG, PREFIX = 12, 16, 7
#: So many bytes are sealed and opened at a time.
PIECE = 1 << 20


def seal(key: bytes, place: bytes, data: bytes) -> bytes:
    """Return sealed bytes; `place` says of what they are, and must be given to open them."""
    if len(data) > PIECE:
        return _in_pieces(AESGCM(key), PIECES + place, data)
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, place)


def clear(key: bytes, place: bytes, data: bytes) -> bytes:
    """Return bytes that anyone can read and only who has the key can have written."""
    nonce = os.urandom(NONCE)
    return CLEAR + nonce + AESGCM(key).encrypt(nonce, b"", CLEAR + place + data) + data


def pieces(key: bytes, place: bytes, box: bytes) -> Iterator[bytes]:
    """Yield what is in a box, at most 1 MiB at a time.

    Raises InvalidTag or ValueError where it was changed, and then no bytes of that piece.
    """
    cipher = AESGCM(key)
    if box.startswith(PIECES):
        yield from _opened(cipher, PIECES + place, box)
    elif box.startswith(CLEAR):
        yield from _checked(cipher, place, box)
    else:
        yield cipher.decrypt(box[:NONCE], memoryview(box)[NONCE:], place)


def _in_pieces(cipher: AESGCM, place: bytes, data: bytes) -> bytes:
    prefix, out, view = os.urandom(PREFIX), BytesIO(), memoryview(data)
    out.write(PIECES + prefix)
    for number, start in enumerate(range(0, len(data), PIECE)):
        last = start + PIECE >= len(data)
        nonce = _nonce(prefix, number, last)
        out.write(cipher.encrypt(nonce, view[start : start + PIECE], place))
    return out.getvalue()


def _opened(cipher: AESGCM, place: bytes, box: bytes) -> Iterator[bytes]:
    start = len(PIECES) + PREFIX
    prefix, view = box[len(PIECES) : start], memoryview(box)
    if len(box) <= start:
        raise InvalidTag
    for number, at in enumerate(range(start, len(box), PIECE + TAG)):
        end = at + PIECE + TAG
        yield cipher.decrypt(_nonce(prefix, number, end >= len(box)), view[at:end], place)


def _checked(cipher: AESGCM, place: bytes, box: bytes) -> Iterator[bytes]:
    at = len(CLEAR)
    start = at + NONCE + TAG
    data = memoryview(box)[start:]
    nonce, tag = box[at : at + NONCE], box[at + NONCE : start]
    cipher.decrypt(nonce, tag, b"".join((CLEAR, place, data)))
    for first in range(0, max(1, len(data)), PIECE):
        yield bytes(data[first : first + PIECE])


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])
