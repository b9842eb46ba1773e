"""The site's keys as a file or a command has them: one that wraps, one for fingerprints, and while
a rotation runs, the one that wrapped before.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import shlex
import subprocess
import time
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from broker.errors import ConfigError

KEY = 32
HEAD = b"xoev-broker site key 2\n"
#: A command that takes longer hangs (seconds).
PATIENCE = 60
#: A command is asked again after so many seconds whether the key was changed: much less than the
#: hour that must pass before an old key is forgotten.
AGAIN = 300
_HEX = re.compile(rb"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Ring:
    """Keys of 32 bytes each. `made` is when `wrap` was made, None for the first one."""

    wrap: bytes = field(repr=False)
    mark: bytes = field(repr=False)
    old: bytes | None = field(default=None, repr=False)
    made: datetime | None = None

    @classmethod
    def of(cls, site: bytes) -> Ring:
        """Return the ring of a first site key: both keys follow from it."""
        wrap = hmac.digest(site, b"xoev-broker wrap 1", "sha256")
        return cls(wrap, hmac.digest(site, b"xoev-broker fingerprint 1", "sha256"))

    @classmethod
    def parse(cls, data: bytes, where: str) -> Ring:
        """Return the ring: 32 bytes, their 64 hex digits, or what `text` writes.

        Raises ConfigError where it is none of these; its text names `where` and no byte of it.
        """
        if data.startswith(HEAD):
            return _parsed(data, where)
        if _HEX.fullmatch(data.strip()):
            data = bytes.fromhex(data.strip().decode("ascii"))
        if len(data) != KEY:
            raise ConfigError(f"{where} has {len(data)} bytes, must have {KEY}; restore it")
        return cls.of(data)

    def text(self) -> bytes:
        """Return the ring as it is written into a file."""
        keys = {"wrap": self.wrap, "fingerprint": self.mark, "before": self.old}
        lines = [f"{name} {b64encode(key).decode()}\n" for name, key in keys.items() if key]
        if self.made:
            lines.append(f"made {self.made.astimezone(UTC).isoformat(timespec='seconds')}\n")
        return HEAD + "".join(lines).encode("ascii")

    @property
    def name(self) -> str:
        """A short name of the key that wraps; it tells nothing about the key."""
        return short(self.wrap)


def short(key: bytes) -> str:
    """Return a name of a key that tells nothing about it."""
    return hashlib.sha256(b"xoev-broker key name 1" + key).hexdigest()[:12]


def _parsed(data: bytes, where: str) -> Ring:
    broken = f"{where} is no site key any more, a line of it was changed; restore it"
    try:
        pairs = dict(line.split(" ", 1) for line in data.decode("ascii").splitlines()[1:])
        made = datetime.fromisoformat(pairs.pop("made")) if "made" in pairs else None
        keys = {name: b64decode(value, validate=True) for name, value in pairs.items()}
        ring = Ring(keys.pop("wrap"), keys.pop("fingerprint"), keys.pop("before", None), made)
    except (ValueError, KeyError, Error) as error:
        raise ConfigError(broken) from error
    if keys or any(len(key) != KEY for key in (ring.wrap, ring.mark, ring.old or ring.wrap)):
        raise ConfigError(broken)
    return ring


class Source(Protocol):
    """Where the ring comes from."""

    def read(self) -> Ring:
        """Return the ring as it is now; raises ConfigError."""

    def stamp(self) -> object:
        """Return what changes when the ring may have changed; None where that is unknown."""

    def write(self, ring: Ring) -> None:
        """Replace the ring in one step; raises ConfigError."""

    @property
    def patient(self) -> bool:
        """Whether it may be away for a while, so that the ring in hand goes on to be used."""


class KeyFile:
    """A ring in a file with mode 0600."""

    patient = False

    def __init__(self, file: Path) -> None:
        """Take the file."""
        self.file = file

    def read(self) -> Ring:
        """Return the ring as it is now; raises ConfigError where others may read it."""
        try:
            mode, data = self.file.stat().st_mode & 0o777, self.file.read_bytes()
        except FileNotFoundError as error:
            raise ConfigError(
                f"the site key {self.file} is missing, and what the store holds is sealed with it; "
                "restore it from a backup"
            ) from error
        except OSError as error:
            text = f"the site key {self.file} cannot be used: {error.strerror}"
            raise ConfigError(text) from error
        if mode & 0o077:
            text = f"the site key {self.file} may be read by others (mode {mode:04o}); chmod 600"
            raise ConfigError(text)
        return Ring.parse(data, f"the site key {self.file}")

    def stamp(self) -> object:
        """Return what changes when the file is replaced; None where it cannot be seen."""
        try:
            found = os.stat(self.file)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def write(self, ring: Ring) -> None:
        """Replace the file in one step, on disk when this returns."""
        part = self.file.with_name(f".{self.file.name}.{os.urandom(4).hex()}.ring")
        handle = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        try:
            os.write(handle, ring.text())
            os.fsync(handle)
        finally:
            os.close(handle)
        part.replace(self.file)
        folder = os.open(self.file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class KeyCommand:
    """A ring that a command prints, such as the client of a secret store; no shell runs it."""

    patient = True

    def __init__(
        self, command: str, write: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the command line, and the one that takes a changed ring on standard input."""
        self._command = command
        self._write = write
        self._clock = clock

    def read(self) -> Ring:
        """Return what the command prints; raises ConfigError, without a word of its output."""
        printed = _run(self._command, "site_key_command")
        return Ring.parse(printed, "the output of site_key_command")

    def stamp(self) -> object:
        """Return what changes now and then: only asking the command again tells."""
        return int(self._clock() // AGAIN)

    def write(self, ring: Ring) -> None:
        """Give the ring to the other command, and see that the first one prints it now.

        Raises ConfigError.
        """
        _run(self._write, "site_key_write_command", ring.text())
        if self.read() != Ring.parse(ring.text(), "the ring"):
            raise ConfigError(
                "site_key_write_command has taken the changed key, but site_key_command still "
                "prints another one; the old key stays in use"
            )


def _run(command: str, name: str, given: bytes = b"") -> bytes:
    """Return what the operator's own command prints; raises ConfigError, without its output."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command
            shlex.split(command), input=given, capture_output=True, timeout=PATIENCE, check=True
        )
    except subprocess.CalledProcessError as error:
        raise ConfigError(f"{name} failed with exit code {error.returncode}") from error
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{name} cannot be used: {type(error).__name__}") from error
    return done.stdout
