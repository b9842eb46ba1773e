"""The vault: payloads are sealed with a key of their own, wrapped by the site key, so that they can
be erased.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.errors import ConfigError, StoreError
from broker.journal import box
from broker.journal.ring import KEY, KeyCommand, KeyFile, Ring, Source
from broker.stores.contract import Form, Payload

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

    def __init__(self, site: bytes, sealed: bool = True) -> None:
        """Take the site key (32 bytes), and whether payloads are encrypted."""
        self._source: Source | None = None
        self._stamp: object = None
        self._sealed = sealed
        self._use(Ring.of(site))

    @classmethod
    def of(cls, source: Source, sealed: bool = True) -> Vault:
        """Return a vault that follows a change of the keys; raises ConfigError."""
        vault = cls.__new__(cls)
        vault._sealed = sealed
        vault._source = source
        vault._stamp = source.stamp()
        vault._use(source.read())
        return vault

    @classmethod
    def open(cls, file: Path, command: str = "", sealed: bool = True) -> Vault:
        """Read the site key, or make one at the first start (mode 0600).

        With a command, its output is the key and the file is not used. Without `sealed`, new
        payloads are stored in the clear; what is in the store can be read either way. Raises
        ConfigError where others may read the key or it is none.
        """
        if command:
            return cls.of(KeyCommand(command), sealed)
        try:
            if not file.exists():
                _create(file)
            _tidy(file)
        except OSError as error:
            raise ConfigError(f"the site key {file} cannot be used: {error.strerror}") from error
        return cls.of(KeyFile(file), sealed)

    @classmethod
    def lost(cls, file: Path) -> Vault:
        """Return a vault without a key: what needs none goes on, the rest names the file."""
        vault = cls(os.urandom(KEY))
        vault._source = _Lost(file)
        return vault

    def new_key(self) -> MessageKey:
        """Return a key for a new message."""
        self._follow()
        plain = os.urandom(KEY)
        return MessageKey(plain, _wrapped(self._keys[0], plain))

    def key(self, wrapped: bytes) -> MessageKey:
        """Return a stored key in the clear."""
        plain = _unwrapped(self._keys, wrapped)
        if plain is None and self._source is not None:
            # Another process may have changed the site key since we looked.
            self._follow(ask=True)
            plain = _unwrapped(self._keys, wrapped)
        if plain is None:
            raise StoreError("a message key does not fit the site key; restore the site key")
        return MessageKey(plain, wrapped)

    def rewrapped(self, wrapped: bytes) -> bytes | None:
        """Return a stored key wrapped with the present site key, or None where it is already."""
        if _unwrapped(self._keys[:1], wrapped) is not None:
            return None
        return _wrapped(self._keys[0], self.key(wrapped).plain)

    def _use(self, ring: Ring) -> None:
        self._mark = ring.mark
        self._keys = tuple(AESGCM(key) for key in (ring.wrap, ring.old) if key)

    def _follow(self, ask: bool = False) -> None:
        """Take over a changed site key: a key wrapped with the old one may soon be unreadable."""
        if self._source is None:
            return
        stamp = self._source.stamp()
        if not ask and (stamp is None or stamp == self._stamp):
            return
        patient = self._source.patient and not ask
        if patient:
            # The others need not ask too while this thread does.
            self._stamp = stamp
        try:
            ring = self._source.read()
        except ConfigError as error:
            if patient:
                return
            raise StoreError(str(error)) from error
        if ring.mark != self._mark:
            raise StoreError("the site key was replaced by that of another store; restore it")
        self._use(ring)
        self._stamp = stamp

    def seal(self, key: MessageKey, message: str, form: Form, data: bytes) -> Payload:
        """Encrypt one form of a message; it cannot be moved to another message or form."""
        put = box.seal if self._sealed else box.clear
        made = put(key.plain, _place(message, form), data)
        return Payload(form, made, os.urandom(SALT), len(data))

    def unseal(self, key: bytes | MessageKey, message: str, payload: Payload) -> bytes:
        """Decrypt one form of a message under its key, wrapped or in the clear.

        Raises StoreError where the bytes were changed.
        """
        opened = self.pieces(key, message, payload)
        first = next(opened, b"")
        if len(first) < box.PIECE:
            return first
        whole = BytesIO()
        whole.write(first)
        for piece in opened:
            whole.write(piece)
        return whole.getvalue()

    def pieces(self, key: bytes | MessageKey, message: str, payload: Payload) -> Iterator[bytes]:
        """Decrypt one form of a message, a piece of at most 1 MiB at a time.

        Raises StoreError where a piece was changed; those before it were right.
        """
        plain = (key if isinstance(key, MessageKey) else self.key(key)).plain
        try:
            yield from box.pieces(plain, _place(message, payload.form), payload.box)
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


class _Lost(KeyFile):
    """A key file that is not there: whatever asks for it is told so, by its name."""

    def stamp(self) -> object:
        """Return what always differs, so that the file is asked for."""
        return object()


def salted(payload: Payload, data: bytes) -> str:
    """Return the digest for the journal (hex): no guessing the bytes once the salt is erased."""
    digest = hashlib.sha256(payload.salt)
    digest.update(data)
    return digest.hexdigest()


def _wrapped(with_: AESGCM, plain: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + with_.encrypt(nonce, plain, None)


def _unwrapped(keys: tuple[AESGCM, ...], wrapped: bytes) -> bytes | None:
    for key in keys:
        with suppress(InvalidTag, ValueError):
            return key.decrypt(wrapped[:NONCE], wrapped[NONCE:], None)
    return None


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
