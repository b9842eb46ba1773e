"""Where checkpoints go: files that only grow, here and elsewhere, and the system's log."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from broker.journal.checkpoint import notes, sync
from broker.settings import Settings
from broker.stores.tree import Note

#: The last note of a file is within so many bytes of its end.
_TAIL = 65_536
#: RFC 5424: facility "log audit", severity "informational".
_PRIORITY = 13 * 8 + 6


class Place(Protocol):
    """Takes checkpoints; raises OSError where it cannot."""

    name: str

    def last(self) -> str | None:
        """The last signed note that it has, or None where it has none or cannot know."""

    def add(self, found: Sequence[Note]) -> None:
        """Append checkpoints; they are durable afterwards, as far as the place can be."""


class FilePlace:
    """A file that only grows. A folder that is not there is not made: a share may be missing."""

    def __init__(self, file: Path) -> None:
        """Take the file; it is made by the first checkpoint."""
        self.name = str(file)
        self._file = file

    def last(self) -> str | None:
        """The last signed note in the file."""
        try:
            with self._file.open("rb") as stream:
                stream.seek(max(0, self._file.stat().st_size - _TAIL))
                text = stream.read().decode(errors="replace")
        except FileNotFoundError:
            return None
        # The first piece may be the end of a note.
        found = list(notes(text))
        return found[-1] if found else None

    def add(self, found: Sequence[Note]) -> None:
        """Append checkpoints, each with an empty line after it, and flush them to the disk."""
        fresh = not self._file.exists()
        text = "".join(f"{note.text}\n" for note in found)
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 2, size - 2) != b"\n\n":
                # What a crash cut off must not run into what follows.
                text = "\n\n" + text
            _write(handle, text.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        if fresh:
            sync(self._file.parent)


def places(settings: Settings) -> list[Place]:
    """Return where the checkpoints of this site go; the first one is on this machine."""
    files = (settings.checkpoint_file, *settings.checkpoint_places)
    found: list[Place] = [FilePlace(file) for file in files]
    if settings.checkpoint_syslog:
        found.append(SyslogPlace(settings.checkpoint_syslog))
    return found


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


class SyslogPlace:
    """The system's log, by a socket path such as `/dev/log` or by `host:port` (UDP, RFC 5424)."""

    def __init__(self, address: str) -> None:
        """Take the address; nothing is opened yet."""
        self.name = f"syslog {address}"
        self._address = address
        self._sent: str | None = None

    def last(self) -> str | None:
        """The last signed note that this process has sent."""
        return self._sent

    def add(self, found: Sequence[Note]) -> None:
        """Send the last checkpoint on one line; the ones before it are in it."""
        note = found[-1].text
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        head = f"<{_PRIORITY}>1 {time} {socket.gethostname()} xoev-broker {os.getpid()} checkpoint"
        self._send(f"{head} - {' '.join(note.split())}".encode())
        self._sent = note

    def _send(self, line: bytes) -> None:
        if self._address.startswith("/"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
                local.connect(self._address)
                local.send(line)
            return
        host, _, port = self._address.rpartition(":")
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, kind, protocol) as remote:
            remote.sendto(line, address)
