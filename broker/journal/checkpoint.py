"""Checkpoints: what the journal was at one moment, signed, in three lines of text.

The text is a C2SP tlog-checkpoint (origin, number of entries, root in Base64), signed as a C2SP
signed note with Ed25519; a witness adds a C2SP cosignature/v1 line.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from broker.errors import BrokerError, ConfigError

#: Key types of C2SP signed-note.
LOG, WITNESS = 1, 4
_KEY = 32
_NAME = re.compile(r"[^\s+]+")
#: A whole note in a file: signatures have a fixed length, so that what was cut off is none.
_NOTE = re.compile(
    r"^[^\s+][^\n]*\n[0-9]+\n[A-Za-z0-9+/]{43}=\n\n"
    r"(?:— [^\s+]+ (?:[A-Za-z0-9+/]{91}=|[A-Za-z0-9+/]{102}==)\n)+",
    re.MULTILINE,
)
_SIGNED = re.compile(r"— (?P<name>[^\s+]+) (?P<data>[A-Za-z0-9+/]+=*)")


class BadCheckpoint(BrokerError):
    """The text is no signed checkpoint, or its signature is not that of the key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log was: `origin` names it, `size` counts entries, `root` is the tree's (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Return what the text, or the text of a signed note, says; raises BadCheckpoint."""
        lines = text.split("\n\n", maxsplit=1)[0].removesuffix("\n").split("\n")
        if len(lines) < 3 or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1], re.ASCII):
            raise BadCheckpoint("a checkpoint needs three lines: origin, size and root")
        root = _decoded(lines[2])
        if len(root) != _KEY or not lines[0]:
            raise BadCheckpoint("the root of a checkpoint must be 32 bytes in Base64")
        return cls(lines[0], int(lines[1]), root)


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with the name of its owner; checks signatures of notes."""

    name: str
    kind: int
    key: bytes

    @classmethod
    def parse(cls, line: str) -> Verifier:
        """Read a verifier key line, `name+id+key`; raises ConfigError."""
        name, _, rest = line.strip().partition("+")
        given, _, data = rest.partition("+")
        try:
            raw = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != _KEY + 1 or raw[0] not in (LOG, WITNESS):
            raise ConfigError("this is no Ed25519 verifier key: needed is name+id+key on one line")
        verifier = cls(name, raw[0], raw[1:])
        if verifier.id.hex() != given:
            raise ConfigError(f"the verifier key of {name} was damaged: its id does not fit")
        return verifier

    @property
    def id(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        data = self.name.encode() + b"\n" + bytes([self.kind]) + self.key
        return hashlib.sha256(data).digest()[:4]

    @property
    def line(self) -> str:
        """The verifier key as C2SP signed-note writes it."""
        data = base64.b64encode(bytes([self.kind]) + self.key).decode()
        return f"{self.name}+{self.id.hex()}+{data}"

    def verify(self, note: str) -> Checkpoint:
        """Return the checkpoint of a note that this key has signed; raises BadCheckpoint."""
        text, lines = _taken_apart(note)
        for name, data in lines:
            if name == self.name and data[:4] == self.id and self._signed(text, data[4:]):
                return Checkpoint.parse(text)
        raise BadCheckpoint(f"the checkpoint has no valid signature of {self.name}")

    def _signed(self, text: str, signature: bytes) -> bool:
        signed = text
        if self.kind == WITNESS:
            signed = _cosigned(int.from_bytes(signature[:8]), text)
            signature = signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, signed.encode())
        except InvalidSignature:
            return False
        return True


class Signer:
    """The private key of a log or a witness."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        """Take the owner's name, without spaces or plus signs; raises ConfigError."""
        if not _NAME.fullmatch(name):
            raise ConfigError(f'the origin "{name}" must not be empty or hold a space or a plus')
        self.name = name
        self._key = key

    @classmethod
    def open(cls, file: Path, name: str = "xoev-broker", fresh: bool = True) -> Signer:
        """Read the key, or make one at the first start (32 bytes, mode 0600).

        Raises ConfigError where others may read it or it is no key, and where it is missing
        though the journal is not `fresh`: a new key is a new journal to everybody outside.
        """
        try:
            if not file.exists():
                if not fresh:
                    raise ConfigError(
                        f"the key {file} is missing, and the journal was signed with it; restore "
                        "it from a backup. Only if it is lost for good: make 32 random bytes, "
                        "mode 0600, the new key, and tell witnesses and auditors"
                    )
                _create(file, Ed25519PrivateKey.generate().private_bytes_raw())
            mode, data = stat.S_IMODE(file.stat().st_mode), file.read_bytes()
        except OSError as error:
            raise ConfigError(f"the key {file} cannot be used: {error.strerror}") from error
        if mode & 0o077:
            raise ConfigError(f"the key {file} may be read by others (mode {mode:04o}); chmod 600")
        if len(data) != _KEY:
            raise ConfigError(f"the key {file} has {len(data)} bytes, must have {_KEY}; restore it")
        return cls(name, Ed25519PrivateKey.from_private_bytes(data))

    @property
    def public(self) -> str:
        """The verifier key line that others check checkpoints with."""
        return self.verifier(LOG).line

    def verifier(self, kind: int = LOG) -> Verifier:
        """Return the public half, as a log or as a witness."""
        return Verifier(self.name, kind, self._key.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> str:
        """Return the signed note of a checkpoint."""
        signature = self._key.sign(checkpoint.text.encode())
        return f"{checkpoint.text}\n{_line(self.verifier(LOG), signature)}"

    def attest(self, text: str) -> str:
        """Return a signed note of another text that ends with a newline; never of a checkpoint."""
        with suppress(BadCheckpoint):
            Checkpoint.parse(text)
            raise ValueError("a checkpoint is signed by sign alone")
        return f"{text}\n{_line(self.verifier(LOG), self._key.sign(text.encode()))}"

    def cosign(self, note: str, time: int) -> str:
        """Return the line by which a witness says at `time` (seconds) that the log only grew."""
        text, _ = _taken_apart(note)
        signature = time.to_bytes(8) + self._key.sign(_cosigned(time, text).encode())
        return _line(self.verifier(WITNESS), signature)


def notes(text: str) -> Iterator[str]:
    """Yield every signed note of a file, in its order; what is cut off or no note is left out."""
    for found in _NOTE.finditer(text):
        yield found[0]


def _cosigned(time: int, text: str) -> str:
    return f"cosignature/v1\ntime {time}\n{text}"


def _line(verifier: Verifier, signature: bytes) -> str:
    return f"— {verifier.name} {base64.b64encode(verifier.id + signature).decode()}\n"


def _taken_apart(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    text, blank, signed = note.rpartition("\n\n")
    if not blank or not signed.endswith("\n"):
        raise BadCheckpoint("the text is no signed note: it ends without a signature")
    lines = [_SIGNED.fullmatch(line) for line in signed.removesuffix("\n").split("\n")]
    return text + "\n", [(found["name"], _decoded(found["data"])) for found in lines if found]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCheckpoint("the checkpoint holds what is no Base64") from error


def _create(file: Path, key: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f".{file.name}.{os.urandom(4).hex()}.part")
    handle = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    try:
        os.write(handle, key)
        os.fsync(handle)
    finally:
        os.close(handle)
    # Fails where another process was quicker: its key counts.
    with suppress(FileExistsError):
        os.link(part, file)
    part.unlink()
    sync(file.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
