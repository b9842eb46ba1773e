"""Tells systemd how it is: ready, reloading, stopping, alive (the protocol of sd_notify)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Notify:
    """Speaks to the supervisor that `NOTIFY_SOCKET` names; without one, every word is free.

    A word that cannot be sent is lost: the supervisor then finds out by its own clock.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the environment; nothing is sent yet."""
        self._place = _place(environ.get("NOTIFY_SOCKET", ""))
        self.period = _period(environ)

    @property
    def watched(self) -> bool:
        """Whether `alive` is expected, at least once each `period` seconds."""
        return self.period > 0

    def ready(self, text: str = "") -> None:
        """Say that messages are taken; also after `reloading`. `text` is for `systemctl status`."""
        self._send("READY=1", *_status(text))

    def reloading(self) -> None:
        """Say that the configuration is read anew; `ready` must follow, whatever comes of it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that what is in hand is finished and nothing more is taken."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Say that work goes on; only where it really does."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`: figures and names of routes, never of people."""
        self._send(*_status(text))

    def extend(self, seconds: float) -> None:
        """Ask for more time for starting or stopping, from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def _send(self, *words: str) -> None:
        if not self._place or not words:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as line:
            line.setblocking(False)
            line.connect(self._place)
            line.send("\n".join(words).encode())


def _place(text: str) -> str:
    """Return the address of a socket: a path, or a name in Linux' abstract space (`@name`)."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else ""


def _period(environ: Mapping[str, str]) -> float:
    """Return half the time after which systemd would restart a silent process; 0 if it does not."""
    text, owner = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not text.isdecimal() or owner not in ("", str(os.getpid())):
        return 0.0
    return int(text) / 2_000_000


def _status(text: str) -> tuple[str, ...]:
    return (f"STATUS={' '.join(text.split())}",) if text else ()
