"""A store that is away is said once, and waited for."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from broker.errors import StoreAway, StoreError
from broker.outage import Outage


def failing(times: int, error: type[StoreError] = StoreAway) -> Callable[[], str]:
    left = [times]

    def act() -> str:
        if left[0]:
            left[0] -= 1
            raise error("no answer from the database")
        return "done"

    return act


def events(quiet: io.BytesIO) -> list[str]:
    return [json.loads(line)["event"] for line in quiet.getvalue().splitlines()]


def test_it_is_tried_again_until_the_store_is_back() -> None:
    assert Outage().insist(failing(3), 30) == "done"


def test_beginning_and_end_are_logged_once_each(quiet: io.BytesIO) -> None:
    outage = Outage()
    outage.insist(failing(3), 30)
    outage.over()

    assert events(quiet) == ["away", "back"]


def test_who_insists_for_too_long_gets_the_error() -> None:
    with pytest.raises(StoreAway):
        Outage().insist(failing(1000), -1)


def test_the_time_counts_from_the_beginning_of_the_outage_for_everybody() -> None:
    outage = Outage()
    outage.begun(StoreAway())

    with pytest.raises(StoreAway):
        outage.insist(failing(1), 0)


def test_a_store_that_failed_is_not_insisted_on() -> None:
    with pytest.raises(StoreError):
        Outage().insist(failing(1, StoreError), 30)


def test_at_the_end_nobody_waits_any_more() -> None:
    outage = Outage()
    outage.end()

    with pytest.raises(StoreAway):
        outage.insist(failing(1), 30)


def test_it_says_whether_the_store_is_away() -> None:
    outage = Outage()
    assert not outage.away

    outage.begun(StoreAway())

    assert outage.away
