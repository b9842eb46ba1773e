"""Where bundles lie, and how one takes the place of another: whole, or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from broker.errors import ConfigError

OFFICIAL: Final = "official"
#: The old bundle in the moment between two renames; a kill may leave it.
PREVIOUS: Final = ".previous"
_STAGING: Final = ".staging-"
_LOCK: Final = ".install.lock"


def official(folder: Path) -> tuple[Path, ...]:
    """Return all official bundles below `schemas/xoev`: what one imports may lie in another."""
    versions = (path for path in sorted(folder.glob("[!.]*/[!.]*")) if path.is_dir())
    return tuple(path for path in map(current, versions) if path.is_dir())


def current(version: Path) -> Path:
    """Return the official bundle of a version folder, also in the middle of an installation."""
    place, previous = version / OFFICIAL, version / PREVIOUS
    return previous if previous.is_dir() and not place.exists() else place


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Give a folder to work in, on the same file system; nobody else installs meanwhile.

    First what a killed installation left is put right. Raises ConfigError where another one works,
    or the disk does not do what it should.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("a") as lock:
            _lock(lock, folder)
            _recover(folder)
            stage = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder)).resolve()
            try:
                yield stage
            finally:
                shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        where = error.filename or folder
        raise ConfigError(f"{where} cannot be read or written: {error.strerror}") from error


def _lock(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = f"another installation works in {folder}, wait until it is done"
        raise ConfigError(text) from None


def activate(ready: Path, version: Path) -> None:
    """Put a complete bundle in place. Killed at any point, the old one or the new one is there."""
    version.mkdir(parents=True, exist_ok=True)
    sync(ready)
    place, previous = version / OFFICIAL, version / PREVIOUS
    if place.exists():
        place.rename(previous)
    ready.rename(place)
    for folder in (version, version.parent, version.parent.parent):
        _sync(folder)
    shutil.rmtree(previous, ignore_errors=True)


def withdraw(version: Path, stage: Path) -> None:
    """Take an official bundle away, at once; what is left empty goes too."""
    current(version).rename(stage / f"withdrawn-{version.parent.name}-{version.name}")
    _sync(version)
    for folder in (version, version.parent):
        if not any(folder.iterdir()):
            folder.rmdir()


def write(path: Path, text: str) -> None:
    """Write a small file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    _sync(path.parent)


def sync(folder: Path) -> None:
    """Bring every file and folder below a folder to the disk."""
    for top, _, files in os.walk(folder):
        for name in files:
            _sync(Path(top) / name)
        _sync(Path(top))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _recover(folder: Path) -> None:
    for stage in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(stage)
    for previous in folder.glob(f"*/*/{PREVIOUS}"):
        if (previous.parent / OFFICIAL).exists():
            shutil.rmtree(previous)
        else:
            previous.rename(previous.parent / OFFICIAL)
