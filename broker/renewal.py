"""A process replaces itself: same process id, same listening socket, fresh memory, newest code.

libxml2 keeps every name that it ever read, and refuses new ones when its dictionary is full; no
library call empties it. The listening socket goes over as systemd would pass it (LISTEN_FDS), so
that connections wait for the successor instead of being refused.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import NoReturn

#: Where the first socket that is passed on must be, by the convention of systemd.
FIRST = 3
#: The number of a limit in the C library (glibc), by its header.
_MMAP_THRESHOLD = -3
_OWNER, _COUNT, _NAMES = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"


def inherited(environ: MutableMapping[str, str]) -> socket.socket | None:
    """Return the listening socket that this process was given, None where it was given none.

    What says so is taken out of the environment: no child shall think that it was meant.
    """
    owner, count = environ.pop(_OWNER, ""), environ.pop(_COUNT, "")
    environ.pop(_NAMES, None)
    if owner != str(os.getpid()) or not count.isdecimal() or int(count) < 1:
        return None
    given = socket.socket(fileno=FIRST)
    given.set_inheritable(False)
    given.setblocking(False)
    return given


def renew(listening: socket.socket | None, environ: Mapping[str, str]) -> NoReturn:
    """Begin this program anew in the same process; what is not closed by now is gone.

    Call it on the main thread.
    """
    passed = dict(environ)
    if listening is not None:
        os.dup2(listening.fileno(), FIRST, inheritable=True)
        if listening.fileno() == FIRST:
            os.set_inheritable(FIRST, True)
        passed |= {_OWNER: str(os.getpid()), _COUNT: "1"}
    for number in (signal.SIGHUP, signal.SIGUSR2):
        # Until the successor listens to them, they would end it.
        signal.signal(number, signal.SIG_IGN)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], passed)  # noqa: S606 - ourselves


def resident() -> int:
    """Return how many bytes of memory this process takes now; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError, IndexError):
        return 0


def steady_memory() -> None:
    """Give large blocks back to the system as soon as they are free (glibc only; else nothing).

    The C library raises the size from which it does so after the first large message, and would
    keep the memory of a 30 MB attachment for ever.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1 << 20)
