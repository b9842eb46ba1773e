"""Kill points: every commit, every call to a procedure and every step on a file gets a name.

`install` wraps what makes these steps; a `Points` counts them and kills the process at one of them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from broker.app import KINDS
from broker.channels.channel import Channel, Mark, Prepared, Sent
from broker.stores.writer import Writer

#: A step on a file that only takes a path; `rename` and its like take two.
SINGLE, DOUBLE = ("unlink", "remove"), ("rename", "replace", "link")


class Points:
    """Writes the name and number of every point into a file, and dies where it was told to."""

    def __init__(self, log: Path, deadly: str) -> None:
        """Take the file, and the point to die at as `name#number` (empty: none)."""
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._deadly = deadly
        self._count: Counter[str] = Counter()
        self._lock = threading.Lock()

    def hit(self, name: str) -> None:
        """Pass a point, or die there."""
        with self._lock:
            self._count[name] += 1
            point = f"{name}#{self._count[name]}"
            os.write(self._log, f"{point}\n".encode())
            if point == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function with a point before and one after it; it must not be the lock's."""

        @wraps(act)
        def wrapped(*args: Any, **named: Any) -> Any:
            self.hit(f"{name} before")
            result = act(*args, **named)
            self.hit(f"{name} after")
            return result

        return wrapped


def install(points: Points, folder: Path) -> None:
    """Set points at all commits, channels, and files below the folder; there is no way back."""
    _commits(points)
    _channels(points)
    _wire(points)
    _files(points, folder)


def _commits(points: Points) -> None:
    """A commit of the store has a point for each kind of write in it."""
    now = threading.local()
    write = Writer._write
    commit: Any = DefaultDialect.do_commit

    def named(self: Writer, group: list[Any]) -> None:
        now.names = sorted({waiter.batch.name for waiter in group})
        write(self, group)

    def committed(self: DefaultDialect, connection: Any) -> None:
        names = getattr(now, "names", ["elsewhere"])
        for name in names:
            points.hit(f"commit {name} before")
        commit(self, connection)
        for name in names:
            points.hit(f"commit {name} after")
        points.hit("commit")

    Writer._write = named  # type: ignore[method-assign]
    DefaultDialect.do_commit = committed  # type: ignore[method-assign]


def _channels(points: Points) -> None:
    """Calls that are nothing but steps on files have their points there."""
    for kind in KINDS.values():
        _sends(points, kind)
        for name in ("find", "settle"):
            if name in vars(kind) and (kind.kind, name) != ("directory", "settle"):
                setattr(kind, name, points.around(f"{kind.kind} {name}", vars(kind)[name]))


def _sends(points: Points, kind: type[Channel]) -> None:
    send = kind.send

    def sent(self: Channel, prepared: Prepared, mark: Mark) -> Sent:
        def marking() -> None:
            mark()
            points.hit(f"{self.name} marked")

        result: Sent = points.around(f"{self.name} send", send)(self, prepared, marking)
        return result

    kind.send = sent  # type: ignore[method-assign]


def _wire(points: Points) -> None:
    from broker.channels.sockets import Stream

    Stream.write = points.around("request", Stream.write)  # type: ignore[method-assign]
    Stream.read = points.around("answer", Stream.read)  # type: ignore[method-assign]


def _files(points: Points, folder: Path) -> None:
    for name in (*SINGLE, *DOUBLE):
        setattr(os, name, _moving(points, folder, name, getattr(os, name)))
    synced, opened = os.fsync, os.open

    def fsync(descriptor: int) -> None:
        place = _place(folder, Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        if place:
            points.hit(f"fsync {place} before")
        synced(descriptor)

    def open_(path: Any, flags: int, *args: Any, **named: Any) -> int:
        descriptor = opened(path, flags, *args, **named)
        if flags & os.O_CREAT and (place := _place(folder, Path(os.fsdecode(path)))):
            points.hit(f"create {place} after")
        return descriptor

    setattr(os, "fsync", fsync)  # noqa: B010
    setattr(os, "open", open_)  # noqa: B010


def _moving(points: Points, folder: Path, name: str, act: Callable[..., None]) -> Any:
    def moved(*paths: Any, **named: Any) -> None:
        places = [_place(folder, Path(os.fsdecode(path))) for path in paths]
        if not any(places) or not os.path.lexists(paths[0]):
            return act(*paths, **named)
        points.around(f"{name} {' to '.join(places)}", act)(*paths, **named)

    return moved


def _place(folder: Path, path: Path) -> str:
    """Return the folder of a file relative to the site, with the kind of file; no random name."""
    if not path.is_relative_to(folder):
        return ""
    inside = path.relative_to(folder)
    if path.is_dir():
        return f"folder {inside}"
    return f"{inside.parent}/{'part' if path.name.startswith('.') else 'file'}"
