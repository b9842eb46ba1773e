"""A watched folder: files are claimed whole, stay until settled, are never overwritten.

```
in/                what others put here; *.part and dotfiles are not looked at
in/.taken/         claimed, not settled yet; offered again until they are
in/done/           taken
in/rejected/       refused, each with <name>.reason.txt beside it
```
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from broker.channels.channel import Incoming, Verdict
from broker.channels.deadline import Clock
from broker.channels.files import (
    Unusable,
    below,
    free,
    printable,
    reachable,
    read,
    shorten,
    write,
)
from broker.errors import Unreachable

PART = ".part"
REASON = ".reason.txt"
TAKEN, DONE, REJECTED = ".taken", "done", "rejected"
BATCH = 100


@dataclass(frozen=True, slots=True)
class Rules:
    """How a folder is watched.

    `settle`: seconds a file must be unchanged, 0 for at once; `marker`: suffix of the empty file
    that says that the file beside it is complete, or empty; `limit`: largest file in bytes.
    """

    settle: float
    marker: str
    limit: int


@dataclass(frozen=True, slots=True)
class Look:
    """A file as it was seen, and since when nothing of it has changed."""

    size: int
    written: int
    changed: int
    since: float

    def same(self, other: Look) -> bool:
        """Whether nothing changed between two looks."""
        mine = self.size, self.written, self.changed
        return mine == (other.size, other.written, other.changed)


class Inbox:
    """One watched folder."""

    def __init__(
        self, folder: Path, role: Literal["message", "reply"], rules: Rules, clock: Clock
    ) -> None:
        """Take the folder, which must exist when `receive` is called."""
        self.folder = folder
        self._role = role
        self._rules = rules
        self._clock = clock
        self._seen: dict[str, Look] = {}
        self._parts: frozenset[int] = frozenset()
        self._lock = threading.Lock()

    def receive(self) -> list[Incoming]:
        """Claim what is complete; return it and what was claimed before, oldest first.

        At most 100 files, and not much more than the size of one largest file. Raises Unreachable
        if the folder cannot be read.
        """
        with self._lock, reachable(self.folder):
            stuck = self._claim_all(self._ready())
            offered = list(self._offer())
        if stuck and not offered:
            raise Unreachable(
                f"{self.folder}: {stuck} file(s) may not be read or moved; check owner and rights"
            )
        return offered

    def settle(self, incoming: Incoming, verdict: Verdict) -> None:
        """Move a claimed file to `done` or, with its reason, to `rejected`; once only."""
        name, inode = incoming.handle
        claimed = self.folder / TAKEN / name
        with self._lock, reachable(self.folder):
            if not os.path.lexists(claimed) or claimed.lstat().st_ino != inode:
                return  # settled before; what has the name now is another file
            if verdict.taken:
                self._move(claimed, DONE)
            else:
                self._reject(claimed, " ".join(filter(None, (verdict.reason, verdict.text))))

    def _ready(self) -> list[os.DirEntry[str]]:
        with os.scandir(self.folder) as entries:
            every = list(entries)
        files = [entry for entry in every if not entry.name.startswith(".")]
        names = {entry.name for entry in files}
        ready = [entry for entry in files if self._is_ready(entry, names)]
        self._parts = frozenset(entry.inode() for entry in every if entry.name.endswith(PART))
        self._seen = {name: look for name, look in self._seen.items() if name in names}
        return sorted(ready, key=_age)

    def _is_ready(self, entry: os.DirEntry[str], names: set[str]) -> bool:
        marker = self._rules.marker
        if entry.name.endswith(PART) or entry.is_dir(follow_symlinks=False):
            return False
        if marker:
            return not entry.name.endswith(marker) and entry.name + marker in names
        return self._rules.settle == 0 or entry.inode() in self._parts or self._is_still(entry)

    def _is_still(self, entry: os.DirEntry[str]) -> bool:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        now = Look(status.st_size, status.st_mtime_ns, status.st_ctime_ns, self._clock())
        before = self._seen.get(entry.name)
        if before is None or not before.same(now):
            self._seen[entry.name] = now
            return False
        return now.since - before.since >= self._rules.settle

    def _claim_all(self, ready: list[os.DirEntry[str]]) -> int:
        """Claim up to a batch; return how many may not be read or moved."""
        room = BATCH - len(os.listdir(below(self.folder, TAKEN)))
        stuck = 0
        for entry in ready:
            if room <= 0:
                break
            try:
                room -= self._claim(entry)
            except PermissionError:
                stuck += 1
        return stuck

    def _claim(self, entry: os.DirEntry[str]) -> bool:
        name = entry.name
        if entry.is_file(follow_symlinks=False) and not os.access(entry.path, os.R_OK):
            raise PermissionError
        target = self.folder / TAKEN / name
        if os.path.lexists(target):
            return False  # one of that name is in hand; this one waits until it is settled
        with suppress(FileNotFoundError):
            os.rename(self.folder / name, target)
            self._seen.pop(name, None)
            self._unmark(name)
        return True

    def _offer(self) -> Iterator[Incoming]:
        room = self._rules.limit
        with os.scandir(below(self.folder, TAKEN)) as entries:
            claimed = sorted(entries, key=_age)
        for entry in claimed[:BATCH]:
            path = Path(entry.path)
            try:
                body = read(path, self._rules.limit)
            except Unusable as error:
                self._reject(path, str(error))
                continue
            yield Incoming(self._role, printable(entry.name), body, (entry.name, entry.inode()))
            room -= len(body)
            if room <= 0:
                return

    def _reject(self, claimed: Path, text: str) -> None:
        final = free(below(self.folder, REJECTED), claimed.name)
        reason = final.with_name(shorten(final.name, REASON))
        write(reason, (text + "\n").encode("utf-8", "backslashreplace"))
        os.rename(claimed, final)
        self._unmark(claimed.name)

    def _move(self, claimed: Path, folder: str) -> None:
        os.rename(claimed, free(below(self.folder, folder), claimed.name))
        self._unmark(claimed.name)

    def _unmark(self, name: str) -> None:
        # a marker comes after its file, so one without a file is left over
        if self._rules.marker and not os.path.lexists(self.folder / name):
            (self.folder / (name + self._rules.marker)).unlink(missing_ok=True)


def _age(entry: os.DirEntry[str]) -> tuple[int, str]:
    try:
        return entry.stat(follow_symlinks=False).st_mtime_ns, entry.name
    except FileNotFoundError:
        return 0, entry.name
