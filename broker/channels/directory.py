"""Folders: hands messages over as files, and takes replies or messages from files.

Out: the bytes go to `.<key>.part` in the same folder and to disk; after the mark the file gets its
name. So after a crash one look tells: part still there means not delivered, gone means delivered.
With a `done_marker` the file itself comes first, and the marker is what is renamed, because the
procedure waits for it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from broker.channels.channel import (
    Channel,
    Declared,
    Found,
    Incoming,
    Mark,
    Prepared,
    Sent,
    Verdict,
)
from broker.channels.deadline import Clock
from broker.channels.files import explain, reachable, sync, write
from broker.channels.inbox import Inbox, Rules
from broker.errors import DeliveryUnclear, Refused, Unreachable
from broker.fields import Field

MEGABYTE = 1_000_000
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Directory(Channel):
    """Folders of a file share, watched for what others put there."""

    kind: ClassVar[str] = "directory"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("out", "path", "folder that messages are written to, as <reference><suffix>"),
        Field("replies", "path", "folder in which the procedure leaves its answers"),
        Field("in", "path", "folder in which a party leaves its messages"),
        Field("from", "text", "party that the messages of `in` belong to"),
        Field("suffix", "text", "end of the names of the files written", ".xml"),
        Field(
            "done_marker",
            "text",
            "suffix of an empty file that says that the one beside it is complete",
        ),
        Field(
            "settle",
            "seconds",
            "how long a file must be unchanged, unless it was renamed from *.part",
            "2s",
        ),
        Field("max", "number", "largest file that is taken, in megabytes", "64"),
    )

    def __init__(self, declared: Declared, clock: Clock = time.monotonic) -> None:
        """Take the checked values; folders are looked at when they are needed."""
        super().__init__(declared)
        values = self.values
        self._out: Path | None = values.get("out")
        self._suffix = str(values.get("suffix") or "")
        self._marker = str(values.get("done_marker") or "")
        settle = values.get("settle")
        limit = int(float(values.get("max") or 64) * MEGABYTE)
        rules = Rules(2.0 if settle is None else float(settle), self._marker, limit)
        replies, taken = values.get("replies"), values.get("in")
        self._inboxes = {
            "reply": Inbox(Path(replies), "reply", rules, clock) if replies else None,
            "message": Inbox(Path(taken), "message", rules, clock) if taken else None,
        }

    def send(self, prepared: Prepared, mark: Mark) -> Sent:
        """Write one file; the result names it."""
        folder = self._folder()
        name = self._name(prepared)
        part = self._part(prepared.key)
        with reachable(folder):
            if self._marker:
                self._place(
                    part.with_name(f".{prepared.key}.data.part"), prepared.body, folder / name
                )
                _renew(part, b"")
            elif self._is_there(folder / name, prepared.body):
                part.unlink(missing_ok=True)
                return Sent(name)
            else:
                _renew(part, prepared.body)
            # A file's own sync does not keep its name everywhere, and a part that is gone counts
            # as delivered.
            sync(folder)
        mark()
        with reachable(folder):
            os.rename(part, folder / (name + self._marker))
        try:
            sync(folder)
        except OSError as error:
            raise DeliveryUnclear(
                f"{self.name}: {folder}: {explain(error)}; look whether {name} arrived"
            ) from None
        return Sent(name)

    def find(self, key: str) -> Found:
        """Look for the part: there means not delivered, gone means delivered."""
        try:
            folder = self._folder()
            with reachable(folder):
                os.scandir(folder).close()
                there = os.path.lexists(self._part(key))
        except Unreachable:
            return Found.UNKNOWN
        return Found.NOT_THERE if there else Found.THERE

    @property
    def receives(self) -> bool:
        """Whether a folder is watched."""
        return any(self._inboxes.values())

    def receive(self) -> Iterable[Incoming]:
        """Return what lies complete in the watched folders, also where one of them fails."""
        found: list[Incoming] = []
        failure: Unreachable | None = None
        for inbox in filter(None, self._inboxes.values()):
            try:
                found += inbox.receive()
            except Unreachable as error:
                failure = Unreachable(f"{self.name}: {error}")
        if failure is not None and not found:
            raise failure
        return found

    def settle(self, incoming: Incoming, verdict: Verdict) -> None:
        """Move the file to `done`, or to `rejected` with its reason beside it."""
        inbox = self._inboxes[incoming.role]
        if inbox is not None:
            inbox.settle(incoming, verdict)

    def probe(self) -> str:
        """Look whether every folder is there and may be written to."""
        folders = [self._out, *(inbox.folder for inbox in self._inboxes.values() if inbox)]
        for folder in filter(None, folders):
            with reachable(folder):
                os.scandir(folder).close()
            if not os.access(folder, os.W_OK | os.X_OK):
                raise Unreachable(
                    f"{self.name}: {folder}: the broker may not write there; check owner and rights"
                )
        return f"{len([*filter(None, folders)])} folder(s) there and writable"

    def _folder(self) -> Path:
        if self._out is None:
            raise Unreachable(f"{self.name}: has no folder to write to; set `out`")
        return self._out

    def _part(self, key: str) -> Path:
        return self._folder() / f".{key}.part"

    def _name(self, prepared: Prepared) -> str:
        if not (SAFE.fullmatch(prepared.key) and SAFE.fullmatch(prepared.reference)):
            raise Refused(f"{self.name}: key or reference cannot be a file name")
        return prepared.reference + self._suffix

    def _place(self, part: Path, body: bytes, final: Path) -> None:
        if not self._is_there(final, body):
            write(part, body)
            os.rename(part, final)
            sync(final.parent)

    def _is_there(self, final: Path, body: bytes) -> bool:
        """Whether an earlier attempt left this very file; other bytes are never overwritten."""
        if not os.path.lexists(final):
            return False
        if final.is_symlink() or not final.is_file() or final.read_bytes() != body:
            raise Unreachable(f"{self.name}: {final} is there with other content; move it away")
        return True


def _renew(part: Path, body: bytes) -> None:
    """Write the part; one that is there never goes missing: that would say it was delivered."""
    if os.path.lexists(part):
        fresh = part.with_name(part.name + ".new")
        write(fresh, body)
        os.replace(fresh, part)
    else:
        write(part, body)
