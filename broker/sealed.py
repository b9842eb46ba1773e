"""Runs an adapter so that one that is not pure is found out: files, network, clock, chance.

For samples and tests, never for a running broker. It finds mistakes and is no prison: whoever means
to get out gets out. The first run watches what Python code does and says who did what. The second
run may open nothing at all, in C libraries either, and must give the same.
"""

from __future__ import annotations

import gc
import os
import random
import resource
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import lru_cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self, TypeVar

from broker.errors import (
    BrokerError,
    ConversionFailed,
    guarded,
)

Made = TypeVar("Made")

#: What is refused, and what to do instead.
FILES: Final = "touches files while it converts; put tables into codes/*.csv or a layout"
NETWORK: Final = "opens a connection while it converts; carrying is the work of a channel"
CLOCK: Final = "asks for the time; take facts.received, so that a repeat gives the same"
CHANCE: Final = "asks for chance; take facts.uuid(kind), so that a repeat gives the same"
PROCESS: Final = "starts something outside while it converts; an adapter is message in, bytes out"
ENVIRONMENT: Final = "reads the environment; give a stylesheet or a step a parameter instead"
OPENED: Final = "a library opens a file or a connection while it converts; an adapter may not"
DIFFERS: Final = "the same message becomes something else the second time; an adapter may not"

#: By the start of the name of an audit event of Python.
_EVENTS: Final = {
    "open": FILES,
    "os.": FILES,
    "shutil.": FILES,
    "glob.": FILES,
    "tempfile.": FILES,
    "sqlite3.connect": FILES,
    "socket.": NETWORK,
    "urllib.Request": NETWORK,
    "http.client.": NETWORK,
    "ftplib.": NETWORK,
    "smtplib.": NETWORK,
    "subprocess.": PROCESS,
    "os.exec": PROCESS,
    "os.fork": PROCESS,
    "os.posix_spawn": PROCESS,
    "os.spawn": PROCESS,
    "os.system": PROCESS,
    "os.putenv": ENVIRONMENT,
    "os.unsetenv": ENVIRONMENT,
    "ctypes.dlopen": PROCESS,
}
#: Functions of `time` that look at the clock whoever calls them.
_CLOCKS: Final = {
    f"{name}{end}"
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time")
    for end in ("", "_ns")
} | {"clock_gettime", "clock_gettime_ns", "ctime", "localtime", "sleep"}
_NOW: Final = {"now", "today", "utcnow"}
_CHANCE: Final = {"urandom", "generate_time_safe"}
_IMPORT: Final = "<frozen importlib"
_HOUSE: Final = str(Path(__file__).parent) + os.sep


def run(convert: Callable[..., Made], *args: Any) -> Made:
    """Return what `convert(*args)` makes; raise ConversionFailed with a sentence if it is not pure.

    Otherwise it raises what `convert` raises. Not for several threads at once: for the second run
    nothing in this process can be opened.
    """
    with _Guard():
        made = convert(*args)
    with _Guard(), _nothing_opens():
        again = _again(convert, *args)
    if made != again:
        raise ConversionFailed(DIFFERS)
    return made


def _again(convert: Callable[..., Made], *args: Any) -> Made:
    # A library makes anything of a file that it cannot open, so any error means the same here.
    try:
        with guarded():
            return convert(*args)
    except BrokerError as error:
        raise ConversionFailed(OPENED) from error


@contextmanager
def _nothing_opens() -> Iterator[None]:
    """Let the system refuse every new file and connection: libxml2 asks no hook of Python."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class _Guard:
    """Watches this thread; what was tried is also raised at the end, whoever caught it before."""

    def __init__(self) -> None:
        self.tried = ""
        self._before: Any = None

    def __enter__(self) -> Self:
        # A collection would run finalisers and callbacks of others in the adapter's name.
        self._collects = gc.isenabled()
        gc.disable()
        _watch().guard = self
        self._before = sys.getprofile()
        sys.setprofile(self._called)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sys.setprofile(self._before)
        _watch().guard = None
        if self._collects:
            gc.enable()
        if self.tried:
            raise ConversionFailed(self.tried) from (error if _ours(error) else None)

    def event(self, name: str) -> None:
        """Refuse what an audit event tells."""
        found = [start for start in _EVENTS if name.startswith(start)]
        if found:
            self._refuse(_EVENTS[max(found, key=len)], sys._getframe(2))

    def _called(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call":
            what = _asked(arg, frame)
            if what:
                self._refuse(what, frame)
        elif event == "call" and frame.f_code in _environment() and _direct(frame):
            self._refuse(ENVIRONMENT, frame)

    def _refuse(self, what: str, frame: FrameType) -> None:
        place = _culprit(frame)
        if place:
            self.tried = self.tried or f"{place}: {what}"
            raise ConversionFailed(self.tried)


def _ours(error: BaseException | None) -> bool:
    return isinstance(error, BrokerError)


@lru_cache
def _watch() -> threading.local:
    """Put up the audit hook, once: Python knows no way to take it down."""
    here = threading.local()

    def hook(event: str, _: tuple[Any, ...]) -> None:
        guard: _Guard | None = getattr(here, "guard", None)
        if guard is not None:
            guard.event(event)

    sys.addaudithook(hook)
    return here


@lru_cache
def _environment() -> frozenset[Any]:
    return frozenset((os.getenv.__code__, type(os.environ).__getitem__.__code__))


@lru_cache
def _library() -> tuple[str, ...]:
    """Return where Python's own modules lie; packages that were installed are not among them."""
    return (sysconfig.get_path("stdlib") + os.sep, "<frozen ")


def _asked(function: Any, frame: FrameType) -> str:
    """Say what a function written in C asks for."""
    name, owner = getattr(function, "__name__", ""), getattr(function, "__self__", None)
    if getattr(function, "__module__", None) == "time":
        return CLOCK if _reads_clock(name, frame) else ""
    if name in _NOW and isinstance(owner, type) and issubclass(owner, date):
        return CLOCK
    shared = owner is getattr(random, "_inst")  # noqa: B009 - unknown to mypy
    return CHANCE if shared or name in _CHANCE else ""


def _reads_clock(name: str, frame: FrameType) -> bool:
    """Whether a function of `time` does; what only formats is of use to the library alone."""
    return name in _CLOCKS or (name != "strptime" and not _is_library(frame.f_code.co_filename))


def _direct(frame: FrameType | None) -> bool:
    """Whether code outside the library reads a variable, not a module of Python for its own use."""
    while frame is not None and frame.f_globals.get("__name__") in ("os", "collections.abc"):
        frame = frame.f_back
    return frame is not None and not _is_library(frame.f_code.co_filename)


def _is_library(file: str) -> bool:
    return file.startswith(_library()) and "site-packages" not in file


def _culprit(frame: FrameType | None) -> str:
    """Return the place in the adapter that is behind it; nothing if an import or the broker is."""
    found: FrameType | None = None
    while frame is not None and not frame.f_code.co_filename.startswith(_HOUSE):
        if frame.f_code.co_filename.startswith(_IMPORT):
            return ""
        if not _is_library(frame.f_code.co_filename):
            found = frame
        frame = frame.f_back
    if found is None:
        return ""
    return f"{'/'.join(Path(found.f_code.co_filename).parts[-3:])}:{found.f_lineno}"
