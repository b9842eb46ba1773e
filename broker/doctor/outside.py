"""What the broker stands on: disk, clock, certificates, the address of the intake."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from broker.certificates import term, watched
from broker.channels.channel import Declared
from broker.doctor.remark import Remark, error, ok, warning
from broker.errors import ConfigError
from broker.settings import Settings

#: Below these the disk is low, or full: bytes, and the share of the whole that is low.
LOW, FULL, SHARE = 2 << 30, 200 << 20, 0.05
NODES = 1000
#: Certificates are told of so long before they end.
ENDING = timedelta(days=30)
#: Clocks may differ by so many seconds.
APART = 2.0
_REMOTE = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "glusterfs"))
_UNSYNCHRONISED = 5
_TIMEX = 256


@dataclass(frozen=True, slots=True)
class World:
    """What a test sets: free bytes and inodes of a folder, its file system, the clock."""

    room: Callable[[Path], tuple[int, int, int]]
    system: Callable[[Path], str]
    synchronised: Callable[[], bool]
    now: Callable[[], datetime]

    @classmethod
    def real(cls) -> World:
        """Return this machine."""
        return cls(_room, _system, _synchronised, lambda: datetime.now(UTC))


def disk(settings: Settings, world: World) -> Iterator[Remark]:
    """Look at the file system of the state folder."""
    folder = _existing(settings.state)
    free, whole, nodes = world.room(folder)
    kind = world.system(folder)
    if settings.database().startswith("sqlite") and kind in _REMOTE:
        yield error("store.remote", str(settings.state), kind=kind)
    if 0 < nodes < NODES:
        yield error("disk.nodes", str(folder), free=nodes)
    said = f"{free / (1 << 30):.1f} GB"
    if free < FULL:
        yield error("disk.full", str(folder), free=said)
    elif free < min(LOW, SHARE * whole):
        yield warning("disk.low", str(folder), free=said)
    else:
        yield ok("disk.good", str(folder), free=said)


def clock(settings: Settings, world: World, newest: datetime | None) -> Iterator[Remark]:
    """Look at the clock: is it set by others, and does it go forward?"""
    problems = [*_behind(world, newest), *_apart(settings, world)]
    if not world.synchronised():
        problems.append(warning("clock.free"))
    yield from problems or [ok("clock.good")]


def _behind(world: World, newest: datetime | None) -> Iterator[Remark]:
    if newest is not None and (late := (newest - world.now()).total_seconds()) > APART:
        yield error("clock.back", "the newest entry of the journal", seconds=f"{late:.0f}")


def _apart(settings: Settings, world: World) -> Iterator[Remark]:
    """The clock of a file server sets the times of files, which `settle` of folders goes by."""
    folder = _existing(settings.state)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".clock-") as file:
            os.utime(file.name)
            found = datetime.fromtimestamp(os.stat(file.name).st_mtime, UTC)
    except OSError:
        return  # that nothing can be written there is told elsewhere
    seconds = abs((world.now() - found).total_seconds())
    if seconds > APART:
        yield warning("clock.apart", str(folder), seconds=f"{seconds:.0f}")


def intake(settings: Settings) -> Iterator[Remark]:
    """Look at where the intake listens, and whether it speaks TLS there."""
    if settings.address is None:
        yield ok("intake.off")
    elif settings.listen_certificate is not None:
        yield ok("intake.sealed", settings.listen)
    elif settings.listen_plain == "allowed":
        yield warning("intake.plain", settings.listen)
    else:
        yield ok("intake.local", settings.listen)


def certificates(
    settings: Settings, channels: Iterator[Declared] | tuple[Declared, ...], world: World
) -> Iterator[Remark]:
    """Look at every certificate file: can it be read, and until when is it valid?"""
    for path in watched(settings, (channel.values for channel in channels)):
        yield from _certificate(path, world.now())
    yield from _pair(settings)


def _pair(settings: Settings) -> Iterator[Remark]:
    import ssl

    if settings.listen_certificate is None or settings.listen_key is None:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.listen_certificate, settings.listen_key)
    except (OSError, ssl.SSLError) as problem:
        text = getattr(problem, "reason", None) or getattr(problem, "strerror", None) or "no key"
        yield error("certificates.wrong", str(settings.listen_key), text=text)


def _certificate(path: Path, now: datetime) -> Iterator[Remark]:
    try:
        found = term(path)
    except ConfigError as problem:
        yield error("certificates.wrong", str(path), text=str(problem))
        return
    day = found.until.date().isoformat()
    if found.until < now:
        yield error("certificates.ended", str(path), until=day)
    elif found.since > now:
        yield error("certificates.early", str(path), since=found.since.date().isoformat())
    elif found.until - now < ENDING:
        yield warning("certificates.ending", str(path), until=day, days=(found.until - now).days)
    else:
        yield ok("certificates.good", str(path), until=day)


def _existing(folder: Path) -> Path:
    """Return the folder, or the one above it that is there already."""
    path = folder.absolute()
    while not path.is_dir():
        path = path.parent
    return path


def _room(folder: Path) -> tuple[int, int, int]:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, found.f_favail


def _system(folder: Path) -> str:
    """Return the type of the file system: that of the longest mount point above the folder."""
    best, kind = "", ""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        _, point, name, *_ = line.split(" ")
        inside = folder.is_relative_to(point.replace("\\040", " "))
        if inside and len(point) >= len(best):
            best, kind = point, name
    return kind


def _synchronised() -> bool:
    """Ask the kernel; True where it cannot be asked."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        answer = library.adjtimex(ctypes.create_string_buffer(_TIMEX))
    except (OSError, AttributeError):
        return True
    return int(answer) != _UNSYNCHRONISED
