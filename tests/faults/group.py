"""A group of processes whose memory the kernel limits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


class Group:
    """One group (cgroup); needs root."""

    def __init__(self, folder: Path, limit: str, used: str) -> None:
        self._folder, self._limit, self._used = folder, limit, used

    @classmethod
    @contextmanager
    def made(cls) -> Iterator[Group]:
        """Make one for the block; skip the test where that is not allowed."""
        old = (_ROOT / "memory/memory.limit_in_bytes").exists()
        parent = _ROOT / "memory" if old else _ROOT
        files = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        folder = parent / f"xoev-broker-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError as error:
            pytest.skip(f"no group for memory can be made here: {error.strerror}")
        try:
            yield cls(folder, *(files if old else ("memory.max", "memory.current")))
        finally:
            folder.rmdir()

    def add(self, pid: int) -> None:
        """Take a process in; what it takes from now on counts."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def limit(self, size: int) -> None:
        """Let all of them together have so many bytes."""
        (self._folder / self._limit).write_text(str(size))

    def used(self) -> int:
        """Return how many bytes they have."""
        return int((self._folder / self._used).read_text())
