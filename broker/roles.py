"""What a process of the broker does: take messages in, work on them, or both."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from broker.errors import ConfigError


class Role(StrEnum):
    """`intake` takes over and answers, `worker` converts and delivers, `all` does both."""

    INTAKE = "intake"
    WORKER = "worker"
    ALL = "all"

    @property
    def accepts(self) -> bool:
        """Whether it takes messages in."""
        return self is not Role.WORKER

    @property
    def beside(self) -> tuple[str, ...]:
        """Return the roles of all processes that can be there at a time, on one machine."""
        return ("all",) if self is Role.ALL else ("intake", "worker")

    @property
    def works(self) -> bool:
        """Whether it converts and delivers."""
        return self is not Role.INTAKE


def owner(role: Role, shared: bool) -> str:
    """Return the name under which a process asks for offices.

    On a store of one machine the locks see to it that a name has one process; a process that was
    killed is so followed without waiting for the end of its term.
    """
    if not shared:
        return "worker" if role.works else "intake"
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def lay(state: Path) -> None:
    """Make the state folder where it is missing. Raises ConfigError where that is not possible."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        text = (
            f"the state folder {state} cannot be made ({error.strerror}): check XOEV_BROKER_STATE"
        )
        raise ConfigError(text) from error


def lock(state: Path, role: Role = Role.ALL) -> list[int]:
    """Take the locks that let one process of a role work on a store; they end with the process.

    Returns their descriptors. Raises ConfigError naming the process that has one.
    """
    lay(state)
    held: list[int] = []
    names = [("run.lock", role.works), ("intake.lock", role.accepts)]
    for name in [name for name, wanted in names if wanted]:
        try:
            held.append(_lock(state, name))
        except ConfigError:
            unlock(held)
            raise
    return held


def unlock(held: Sequence[int]) -> None:
    """Give locks back."""
    for file in held:
        os.close(file)


def _lock(state: Path, name: str) -> int:
    file = os.open(state / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        other = os.pread(file, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(file)
        raise ConfigError(
            f"another run (process {other}) works on {state}; stop it first, or use another "
            "XOEV_BROKER_STATE. All other commands work beside it"
        ) from error
    os.ftruncate(file, 0)
    os.pwrite(file, str(os.getpid()).encode(), 0)
    return file
