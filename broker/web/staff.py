"""Who may look at the broker over HTTP: people and programs of the site, each with a role."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from broker.logs import get
from broker.web.problem import Problem
from broker.web.request import Request

#: The file is looked at so often (seconds); a new or withdrawn token counts after that.
LOOK = 1.0

_BEARER = re.compile(rb"bearer +(\S+) *", re.IGNORECASE)
_LINE = re.compile(r"([0-9a-fA-F]{64})\s+(\w+)\s+(\S+)", re.ASCII)
_OTHERS = 0o077


class Role(StrEnum):
    """What somebody may do; senders are parties of routes.yaml and no staff."""

    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the staff, by the name in the file."""

    name: str
    role: Role


class Staff:
    """Finds the person of a token.

    The file has a line for each token: its SHA-256 in hex, a role, a name; several lines may have
    one name, so that a token can be exchanged without a gap. A file that cannot be read opens
    nothing.
    """

    def __init__(self, file: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the file; without one nobody is asked, and only what is open to all is shown."""
        self._file = file
        self._clock = clock
        self._looked = float("-inf")
        self._stamp: object = None
        self._people: Mapping[str, Person] = {}
        self._log = get()

    @property
    def known(self) -> bool:
        """Whether there is a file, so that people are asked for their token."""
        return self._file is not None

    def person(self, request: Request, *roles: Role) -> Person:
        """Return who asks; any role will do where none is given.

        Raises Problem where the token is missing, unknown, or of somebody with another role.
        """
        header = request.headers.get(b"authorization", b"")
        token = _BEARER.fullmatch(header)
        found = self._look().get(hashlib.sha256(token[1]).hexdigest()) if token else None
        if found is None:
            self._log.info("refused", channel="http", error="token")
            text = "send your token: Authorization: Bearer …"
            raise Problem("token", text, headers=((b"www-authenticate", b"Bearer"),))
        if roles and found.role not in roles:
            raise Problem("not-allowed", f"this is for: {', '.join(roles)}")
        return found

    def _look(self) -> Mapping[str, Person]:
        now = self._clock()
        if self._file is None or now - self._looked < LOOK:
            return self._people
        self._looked = now
        try:
            status = os.stat(self._file)
            stamp = status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode
            if stamp != self._stamp:
                self._people = self._read(self._file, status.st_mode)
                self._stamp = stamp
        except (OSError, UnicodeDecodeError):
            self._people, self._stamp = {}, None
            self._warn("cannot be read, so that nobody of the staff can look")
        return self._people

    def _read(self, file: Path, mode: int) -> Mapping[str, Person]:
        if stat.S_IMODE(mode) & _OTHERS:
            self._warn("others may read it, set its mode to 0600")
        people = {}
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            text = line.partition("#")[0].strip()
            found = _LINE.fullmatch(text)
            if found and found[2] in tuple(Role):
                people[found[1].lower()] = Person(found[3], Role(found[2]))
            elif text:
                self._warn(f"line {number} is not: SHA-256 in hex, {' or '.join(Role)}, name")
        return people

    def _warn(self, text: str) -> None:
        self._log.warning("disturbed", finding=f"staff_file: {text}")
