"""Maintenance windows around the present time, in the time zone of a site without settings."""

from __future__ import annotations

from datetime import timedelta

from broker.maintenance import zone
from broker.message import now

MINUTE = timedelta(minutes=1)


def daily(begin: int, end: int) -> str:
    """Return a window of every day, from and until so many minutes after now."""
    local = now().astimezone(zone("Europe/Berlin"))
    times = [f"{local + at * MINUTE:%H:%M}" for at in (begin, end)]
    return f"daily {'-'.join(times)}"


def running() -> str:
    """Return a window that is open for an hour more."""
    return daily(-60, 60)


def coming() -> str:
    """Return a window that begins in half an hour."""
    return daily(30, 60)
