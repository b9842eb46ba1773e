"""Who sends: bearer tokens of parties, kept as hashes in files that may be changed at any time."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from broker.config.model import Party, Table
from broker.logs import get

#: The files are looked at so often (seconds); a new or withdrawn token counts after that.
LOOK = 1.0

_BEARER = re.compile(rb"bearer +(\S+) *", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OTHERS = 0o077
Stamp = tuple[int, int, int, int]


class Tokens:
    """Finds the party of a token.

    A file holds SHA-256 hashes of tokens in hex, one a line (the output of `sha256sum` will do),
    with `#` comments; several are in force at once, so that a token can be exchanged without a gap.
    A file that cannot be read opens nothing, nor does a token that two parties share.
    """

    def __init__(
        self, table: Callable[[], Table], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take what returns the table in force, and the clock."""
        self._table = table
        self._clock = clock
        self._looked = float("-inf")
        self._parties: Mapping[str, Party] = {}
        self._files: dict[str, tuple[Path, Stamp | None, frozenset[str]]] = {}
        self._owners: dict[str, str] = {}
        self._log = get()

    def party(self, authorization: bytes) -> str | None:
        """Return the party that an Authorization header proves, or None.

        Looked up is the hash: how long that takes tells nothing about a token.
        """
        found = _BEARER.fullmatch(authorization)
        if found is None:
            return None
        self._refresh()
        return self._owners.get(hashlib.sha256(found[1]).hexdigest())

    def _refresh(self) -> None:
        parties, now = self._table().parties, self._clock()
        if parties is self._parties and now - self._looked < LOOK:
            return
        self._parties, self._looked = parties, now
        files = {
            party.name: self._file(party.name, party.token_file)
            for party in parties.values()
            if party.token_file is not None
        }
        if files != self._files:
            self._files = files
            self._owners = self._owned()

    def _file(self, party: str, path: Path) -> tuple[Path, Stamp | None, frozenset[str]]:
        known, stamp = self._files.get(party), _stamp(path)
        if known is not None and known[:2] == (path, stamp):
            return known
        hashes, findings = _read(path)
        for finding in findings:
            self._log.warning("disturbed", party=party, finding=f"token_file: {finding}")
        return path, stamp, hashes

    def _owned(self) -> dict[str, str]:
        owners: dict[str, str] = {}
        shared: set[str] = set()
        for party, (_, _, hashes) in self._files.items():
            shared |= hashes & owners.keys()
            owners.update(dict.fromkeys(hashes, party))
        for digest in shared:
            text = "token_file: another party has the same token, it opens nothing"
            self._log.warning("disturbed", party=owners.pop(digest), finding=text)
        return owners


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def _read(path: Path) -> tuple[frozenset[str], list[str]]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset(), ["cannot be read, so that the party cannot send"]
    findings = ["others may read it, set its mode to 0600"] if mode & _OTHERS else []
    hashes = set()
    for number, line in enumerate(lines, 1):
        word = line.partition("#")[0].split()[:1]
        if word and _HASH.fullmatch(word[0].lower()):
            hashes.add(word[0].lower())
        elif word:
            findings.append(f"line {number} is no SHA-256 hash (64 hex digits)")
    return frozenset(hashes), findings
