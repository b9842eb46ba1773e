"""The vault: payloads are sealed with a key of their own, wrapped by the site key, so that they can
be erased.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.errors import ConfigError, StoreError
from broker.stores.contract import Form, Payload

KEY = 32
NONCE = 12
SALT = 16
#: Below this, copying costs less than a hash object in Python.
_SMALL = 1_000_000


@dataclass(frozen=True, slots=True)
class MessageKey:
    """The key of one message: in the clear while it is worked on, and wrapped as it is stored."""

    plain: bytes
    wrapped: bytes


class Vault:
    """Seals and opens payloads (AES-256-GCM), and makes the keyed fingerprints that outlive them.
    Thread-safe.
    """

    def __init__(self, site: bytes) -> None:
        """Take the site key (32 bytes)."""
        self._wrap = AESGCM(hmac.digest(site, b"xoev-broker wrap 1", "sha256"))
        self._mark = hmac.digest(site, b"xoev-broker fingerprint 1", "sha256")

    @classmethod
    def open(cls, file: Path) -> Vault:
        """Read the site key, or make one at the first start (mode 0600).

        Raises ConfigError where others may read it or it is no key.
        """
        try:
            if not file.exists():
                _create(file)
            _tidy(file)
            mode, key = stat.S_IMODE(file.stat().st_mode), file.read_bytes()
        except OSError as error:
            raise ConfigError(f"the site key {file} cannot be used: {error.strerror}") from error
        if mode & 0o077:
            raise ConfigError(
                f"the site key {file} may be read by others (mode {mode:04o}); chmod 600"
            )
        if len(key) != KEY:
            raise ConfigError(
                f"the site key {file} has {len(key)} bytes, must have {KEY}; restore it"
            )
        return cls(key)

    def new_key(self) -> MessageKey:
        """Return a key for a new message."""
        plain, nonce = os.urandom(KEY), os.urandom(NONCE)
        return MessageKey(plain, nonce + self._wrap.encrypt(nonce, plain, None))

    def key(self, wrapped: bytes) -> MessageKey:
        """Return a stored key in the clear."""
        try:
            return MessageKey(self._wrap.decrypt(wrapped[:NONCE], wrapped[NONCE:], None), wrapped)
        except (InvalidTag, ValueError) as error:
            raise StoreError(
                "a message key does not fit the site key; restore the site key"
            ) from error

    def seal(self, key: MessageKey, message: str, form: Form, data: bytes) -> Payload:
        """Encrypt one form of a message; it cannot be moved to another message or form."""
        nonce = os.urandom(NONCE)
        box = nonce + AESGCM(key.plain).encrypt(nonce, data, _place(message, form))
        return Payload(form, box, os.urandom(SALT), len(data))

    def unseal(self, key: bytes | MessageKey, message: str, payload: Payload) -> bytes:
        """Decrypt one form of a message under its key, wrapped or in the clear.

        Raises StoreError where the bytes were changed.
        """
        box = payload.box
        place = _place(message, payload.form)
        try:
            plain = (key if isinstance(key, MessageKey) else self.key(key)).plain
            return AESGCM(plain).decrypt(box[:NONCE], box[NONCE:], place)
        except (InvalidTag, ValueError) as error:
            raise StoreError(f"the stored payload of {message} was changed") from error

    def fingerprint(self, *parts: str | bytes) -> bytes:
        """Return a keyed digest that tells nothing without the site key (HMAC-SHA-256)."""
        pieces: list[bytes] = []
        for part in parts:
            # A file name of the other side may hold bytes that are no UTF-8.
            data = part.encode(errors="surrogateescape") if isinstance(part, str) else part
            pieces += (len(data).to_bytes(8, "big"), data)
        if sum(map(len, pieces)) < _SMALL:
            return hmac.digest(self._mark, b"".join(pieces), "sha256")
        mac = hmac.new(self._mark, digestmod=hashlib.sha256)
        for piece in pieces:
            mac.update(piece)
        return mac.digest()


def salted(payload: Payload, data: bytes) -> str:
    """Return the digest for the journal (hex): no guessing the bytes once the salt is erased."""
    digest = hashlib.sha256(payload.salt)
    digest.update(data)
    return digest.hexdigest()


def _place(message: str, form: Form) -> bytes:
    return f"{message}/{form}".encode()


def _tidy(file: Path) -> None:
    """Remove keys that a process wrote and could not name any more."""
    for part in file.parent.glob(f".{file.name}.*.part"):
        part.unlink(missing_ok=True)


def _create(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f".{file.name}.{os.urandom(4).hex()}.part")
    handle = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    try:
        os.write(handle, os.urandom(KEY))
        os.fsync(handle)
    finally:
        os.close(handle)
    # Fails where another process was quicker (and may have tidied up): its key counts.
    with suppress(FileExistsError, FileNotFoundError):
        os.link(part, file)
    part.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
