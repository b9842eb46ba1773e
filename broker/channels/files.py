"""Single steps on files of a shared folder, safe against whatever names and kinds lie in it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from broker.channels.secret import name as error_name
from broker.errors import Unreachable

LONGEST = 255  #: bytes of a file name on the usual file systems
#: what file systems answer whose folders cannot be synchronised
NO_SYNC = frozenset((errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES))


class Unusable(Exception):
    """A file that can never be taken, with a text for whoever put it there."""


class reachable:
    """Turns errors of the file system into Unreachable, with the folder and the short name."""

    def __init__(self, folder: Path) -> None:
        """Take the folder to name."""
        self._folder = folder

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise Unreachable for an OSError, let everything else pass."""
        if isinstance(error, OSError):
            raise Unreachable(f"{self._folder}: {explain(error)}") from None


def explain(error: OSError) -> str:
    """Return the error's short name and what to do about it, without a file name."""
    advice = {
        errno.ENOENT: "the folder is not there; create it or mount the share",
        errno.ENOSPC: "the disk is full; make room",
        errno.EDQUOT: "the quota is used up; make room",
        errno.EROFS: "it is mounted read-only; mount it writable",
        errno.EACCES: "the broker may not write or read there; check owner and rights",
        errno.ESTALE: "the share went away; mount it again",
    }
    return f"{advice.get(error.errno or 0, 'the file system failed')} ({error_name(error)})"


def read(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file; raise Unusable for anything else, or if it is larger."""
    try:
        # neither follows a link nor waits for the other end of a pipe
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EACCES):
            raise  # the share has a problem, not this file
        raise Unusable(f"this is no file that can be opened ({error_name(error)})") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unusable("this is not an ordinary file")
        body = file.read(limit + 1)
    if len(body) > limit:
        raise Unusable(f"the file is larger than {limit / 1_000_000:g} MB")
    return body


def below(folder: Path, name: str) -> Path:
    """Return a folder of ours below a folder that exists; make it at the first use.

    Raises Unreachable where something else has its name: whoever may write into the folder could
    else lead files to wherever a link points.
    """
    path = folder / name
    with suppress(FileExistsError):
        path.mkdir(mode=0o770)
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise Unreachable(f"{path}: this must be a folder of the broker; move what is there away")
    return path


def free(folder: Path, name: str) -> Path:
    """Return a path in the folder that is not taken: the name, or the name with a number."""
    path, number = folder / name, 1
    while os.path.lexists(path):
        number += 1
        path = folder / shorten(name, f".{number}")
    return path


def shorten(name: str, suffix: str) -> str:
    """Return name and suffix; of a name too long for that a digest replaces the end."""
    raw = os.fsencode(name)
    if len(raw) + len(suffix) <= LONGEST:
        return name + suffix
    digest = hashlib.sha256(raw).hexdigest()[:16]
    return os.fsdecode(raw[: LONGEST - len(suffix) - 17]) + "." + digest + suffix


def printable(name: str) -> str:
    """Return a name with everything escaped that could hurt a log, a table or a terminal."""
    return "".join(
        letter if letter.isprintable() and letter != "\\" else ascii(letter)[1:-1]
        for letter in os.fsencode(name).decode("utf-8", "surrogateescape")
    )


def write(path: Path, body: bytes) -> None:
    """Write a file and wait until the disk has it; an earlier file of that name is replaced."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(descriptor)


def sync(folder: Path) -> None:
    """Wait until the disk has the names in a folder, where its file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(descriptor)
