"""The timetable of attempts."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from broker.config.model import Retry
from broker.retry import JITTER, next_attempt

RECEIVED = datetime(2026, 3, 4, tzinfo=UTC)


class Middle(random.Random):
    """Chance that always lands in the middle, so that nothing is spread."""

    def random(self) -> float:
        return 0.5


def waits(retry: Retry, count: int) -> list[float]:
    times = [next_attempt(retry, at, RECEIVED, RECEIVED, Middle()) for at in range(1, count + 1)]
    return [(time - RECEIVED).total_seconds() for time in times if time is not None]


def test_waits_grow_by_the_factor_up_to_the_longest() -> None:
    retry = Retry(first=30, factor=2, longest=200, give_up=86400)

    assert waits(retry, 5) == [30, 60, 120, 200, 200]


def test_a_factor_of_one_waits_the_same_time_every_time() -> None:
    assert waits(Retry(first=30, factor=1, longest=60, give_up=86400), 3) == [30, 30, 30]


def test_the_last_attempt_is_made_when_the_time_is_over_and_then_it_is_given_up() -> None:
    retry = Retry(first=3600, factor=2, longest=7200, give_up=5000)
    at = RECEIVED + timedelta(seconds=4000)

    last = next_attempt(retry, 3, RECEIVED, at, Middle())

    assert last == RECEIVED + timedelta(seconds=5000)
    assert next_attempt(retry, 4, RECEIVED, last, Middle()) is None


def test_what_failed_together_does_not_come_back_together() -> None:
    chance = random.Random(1)
    retry = Retry(first=100, factor=2, longest=1000, give_up=86400)

    dues = {next_attempt(retry, 1, RECEIVED, RECEIVED, chance) for _ in range(50)}

    assert len(dues) > 40


@given(
    st.integers(0, 10**9),
    st.floats(0, 10**7),
    st.floats(0.001, 10**6),
    st.floats(1, 100),
    st.integers(),
)
def test_an_attempt_is_never_in_the_past_nor_far_beyond_the_longest_wait(
    attempts: int, elapsed: float, first: float, factor: float, seed: int
) -> None:
    retry = Retry(first=first, factor=factor, longest=first * 10, give_up=10**6)
    at = RECEIVED + timedelta(seconds=elapsed)

    due = next_attempt(retry, attempts, RECEIVED, at, random.Random(seed))

    assert (due is None) is ((at - RECEIVED).total_seconds() >= retry.give_up)
    if due is not None:
        wait = (due - at).total_seconds()
        assert 0 <= wait <= first * 10 * (1 + JITTER) + 1
