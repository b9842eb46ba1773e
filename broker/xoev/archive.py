"""Taking a bundle into a folder of ours: from a zip, or a folder; nothing hostile comes along."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

from broker.errors import ConfigError, Finding
from broker.xoev.record import FILE

_CHUNK: Final = 1024 * 1024
_SMALL: Final = 1024 * 1024  # below this no ratio is a bomb
_LONGEST: Final = 1_000
_LONGEST_STEP: Final = 200
_ODD: Final = frozenset('\\*?"<>|')
_DRIVE: Final = re.compile(r"[A-Za-z]:.*")
_IGNORED: Final = ("__MACOSX", ".DS_Store", "Thumbs.db", FILE)
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Measure:
    """How big a bundle may be: files, bytes of one and of all, packing ratio, zips within zips."""

    files: int = 10_000
    bytes: int = 64 * 1024 * 1024
    total: int = 512 * 1024 * 1024
    ratio: int = 200
    nested: int = 3


def take(source: Path, target: Path, measure: Measure | None = None) -> None:
    """Copy a folder, or unpack a zip and the zips within it, into an empty folder.

    Raises ConfigError for whatever could write elsewhere, grow without end or hide: paths that lead
    out, absolute or odd names, links, two entries for one name, encryption, bombs.
    """
    intake = _Intake(target, measure or Measure())
    if source.is_dir():
        _copy(source, intake)
    elif source.is_file() and zipfile.is_zipfile(source):
        with source.open("rb") as file:
            _unpack(file, PurePosixPath(), intake, 0)
    elif source.exists():
        raise ConfigError(f"{source} is neither a zip nor a folder")
    else:
        raise ConfigError(f"there is no file or folder {source}")


def add(target: Path, name: str, content: bytes, measure: Measure | None = None) -> None:
    """Put one downloaded file into the folder, a zip unpacked; the name is judged like any other.

    Raises ConfigError as `take` does.
    """
    intake = _Intake(target, measure or Measure())
    path = target / ".download"
    path.write_bytes(content)
    try:
        _add(path, PurePosixPath(_clean(name)), intake)
    finally:
        path.unlink()


def _add(path: Path, name: PurePosixPath, intake: _Intake) -> None:
    with path.open("rb") as file:
        if zipfile.is_zipfile(path):
            _unpack(file, name.with_suffix(""), intake, 0)
        else:
            intake.write(name, file, path.stat().st_size)


class _Intake:
    """The folder that is being filled, and how much is in it."""

    def __init__(self, target: Path, measure: Measure) -> None:
        self.target = target
        self.measure = measure
        self._files = 0
        self._total = 0
        self._names: dict[str, bool] = {}

    def write(self, name: PurePosixPath, source: IO[bytes], declared: int) -> Path:
        """Write one file, never more than declared; return its place."""
        self._count(name, declared)
        place = self.target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            left = declared
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise _hostile(name, "is larger than it says")
                file.write(chunk)
        return place

    def free(self, name: PurePosixPath) -> bool:
        """Whether no entry has this name."""
        return _folded(name) not in self._names

    def forget(self, name: PurePosixPath) -> None:
        """Take a file away again; its bytes stay counted."""
        (self.target / name).unlink()
        del self._names[_folded(name)]

    def _count(self, name: PurePosixPath, size: int) -> None:
        self._files += 1
        self._total += size
        if self._files > self.measure.files:
            raise ConfigError(f"the bundle has more than {self.measure.files} files")
        if size > self.measure.bytes:
            raise _hostile(name, f"has more than {self.measure.bytes} bytes")
        if self._total > self.measure.total:
            raise ConfigError(f"the bundle has more than {self.measure.total} bytes unpacked")
        for parent in list(name.parents)[:-1]:
            if self._names.setdefault(_folded(parent), True) is False:
                raise _hostile(parent, "is there as a file and as a folder")
        if _folded(name) in self._names:
            raise _hostile(name, "is there twice")
        self._names[_folded(name)] = False


def _unpack(file: IO[bytes], below: PurePosixPath, intake: _Intake, depth: int) -> None:
    if depth > intake.measure.nested:
        raise ConfigError(f"zips lie in zips more than {intake.measure.nested} deep")
    try:
        with zipfile.ZipFile(file) as archive:
            if len(archive.infolist()) > intake.measure.files:
                raise ConfigError(f"the zip has more than {intake.measure.files} entries")
            nested = [_entry(archive, entry, below, intake) for entry in archive.infolist()]
    except _BROKEN as error:
        raise ConfigError(f"the zip is broken ({type(error).__name__}), get it again") from None
    for name in filter(None, nested):
        _nested(name, intake, depth)


def _entry(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, below: PurePosixPath, intake: _Intake
) -> PurePosixPath | None:
    """Write one entry; return its name if it is a zip itself."""
    name = _clean(entry.orig_filename)
    _check(entry, name, intake.measure)
    if entry.is_dir() or _ignored(name):
        return None
    with archive.open(entry) as source:
        place = intake.write(below / name, source, entry.file_size)
    return below / name if _is_zip(place) else None


def _nested(name: PurePosixPath, intake: _Intake, depth: int) -> None:
    below = name.with_suffix("")
    below = below if intake.free(below) else name.with_name(f"{name.name}.d")
    place = intake.target / name
    with place.open("rb") as file:
        _unpack(file, below, intake, depth + 1)
    intake.forget(name)


def _check(entry: zipfile.ZipInfo, name: PurePosixPath, measure: Measure) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _hostile(name, "is a link or a device")
    if entry.flag_bits & 1:
        raise _hostile(name, "is encrypted")
    if entry.file_size > max(_SMALL, measure.ratio * entry.compress_size):
        raise _hostile(name, f"is packed more than {measure.ratio} to one")


def _copy(source: Path, intake: _Intake) -> None:
    for path, name in _walk(source):
        if path.is_symlink() or not path.is_file():
            raise _hostile(name, "is a link or a device")
        with path.open("rb") as file:
            place = intake.write(_clean(name.as_posix()), file, path.stat().st_size)
        if _is_zip(place):
            _nested(name, intake, 0)


def _walk(source: Path) -> Iterator[tuple[Path, PurePosixPath]]:
    for top, folders, files in os.walk(source):
        folders.sort()
        for name in sorted([*files, *_links(top, folders)]):
            path = Path(top) / name
            place = PurePosixPath(path.relative_to(source).as_posix())
            if not _ignored(place):
                yield path, place


def _links(top: str, folders: Iterable[str]) -> list[str]:
    return [name for name in folders if (Path(top) / name).is_symlink()]


def _is_zip(place: Path) -> bool:
    return place.suffix.lower() == ".zip" and zipfile.is_zipfile(place)


def _ignored(name: PurePosixPath) -> bool:
    """Whether it is what macOS or Windows leave behind, and no part of the bundle."""
    return name.parts[0] in _IGNORED or name.name in _IGNORED or name.name.startswith("._")


def _clean(name: str) -> PurePosixPath:
    """Return a name as a relative path, or raise: nothing is repaired."""
    steps = name.removesuffix("/").split("/")
    wrong = [step for step in steps if not _plain(step)] or _DRIVE.fullmatch(name)
    if wrong or len(name) > _LONGEST:
        shown = ascii(name[:80])
        raise ConfigError(f"the bundle has an entry with a name that is not taken: {shown}")
    return PurePosixPath(*steps)


def _plain(step: str) -> bool:
    if step in ("", ".", "..") or len(step.encode("utf-8", "replace")) > _LONGEST_STEP:
        return False
    if _ODD & set(step) or step != step.strip() or step.startswith((".staging", ".download", "~")):
        return False
    return all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn") for char in step)


def _folded(name: PurePosixPath) -> str:
    """Two names that some file system takes for one."""
    return unicodedata.normalize("NFC", name.as_posix()).casefold()


def _hostile(name: PurePosixPath, text: str) -> ConfigError:
    return ConfigError("the bundle is not taken", findings=[Finding(text, file=name.as_posix())])
