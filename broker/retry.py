"""The timetable of attempts: seconds are a channel's affair, hours are the store's."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from broker.config.model import Retry

#: Waits are spread by this share, so that what failed together does not come back together.
JITTER = 0.2


def next_attempt(
    retry: Retry, attempts: int, received: datetime, at: datetime, chance: random.Random
) -> datetime | None:
    """Return when to try again after so many attempts, or None when it is time to give up."""
    if (at - received).total_seconds() >= retry.give_up:
        return None
    # Capped before the power, so that a year of attempts does not overflow.
    steps = min(max(attempts - 1, 0), 64)
    wait = min(retry.first * retry.factor**steps, retry.longest)
    wait *= 1 + JITTER * (2 * chance.random() - 1)
    last = received + timedelta(seconds=retry.give_up)
    return min(at + timedelta(seconds=wait), max(last, at + timedelta(seconds=1)))
