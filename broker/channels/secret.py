"""Secrets in files: read late, read again when the file changes, never shown."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from broker.errors import Unreachable

Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp:
    """Return what changes when a file is replaced or rewritten; Unreachable if it is not there."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise Unreachable(f"{path} cannot be read ({name(error)}); check path and rights") from None
    return status.st_mtime_ns, status.st_size, status.st_ino


def name(error: OSError) -> str:
    """Return the short name of an operating system error (`ENOSPC`), without paths or values."""
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


class Secret:
    """The text in a file, without the line end."""

    def __init__(self, path: Path) -> None:
        """Remember the path; the file is read at the first use."""
        self._path = path
        self._known: tuple[Stamp, str] | None = None

    def read(self) -> str:
        """Return the present text; raise Unreachable, naming the file only, if that fails."""
        now = stamp(self._path)
        known = self._known
        if known is None or known[0] != now:
            known = now, self._text()
            self._known = known
        return known[1]

    def _text(self) -> str:
        try:
            return self._path.read_text("utf-8").rstrip("\r\n")
        except OSError as error:
            raise Unreachable(f"{self._path} cannot be read ({name(error)})") from None
        except UnicodeDecodeError:
            raise Unreachable(f"{self._path} is not UTF-8 text") from None
