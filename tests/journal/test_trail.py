"""The trail of one message."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from broker.journal.entry import decode
from broker.journal.trail import Trail, entry
from broker.message import now


def test_a_fact_with_an_unknown_name_is_refused_and_its_value_is_not_repeated() -> None:
    facts: dict[str, str] = {"applicant": "Erika Planck"}

    with pytest.raises(KeyError, match="applicant") as caught:
        entry("m", "accepted", **facts)

    assert "Planck" not in str(caught.value)


def test_facts_that_say_nothing_are_left_out() -> None:
    line = decode(entry("m", "accepted", party="", route=None, size=0, test=False))

    assert dict(line.facts) == {"size": "0", "test": "false"}


def test_an_entry_has_the_time_that_was_given_or_the_time_now() -> None:
    given = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    before = now()

    assert decode(entry("m", "accepted", "broker", given)).time == given
    assert before <= decode(entry("m", "accepted")).time <= now()


def test_a_trail_gives_its_entries_once_and_in_order() -> None:
    trail = Trail("m", "erika")
    trail.note("replayed", reason="lost")
    trail.note("closed")

    taken = trail.taken()

    assert [one.event for one in taken] == ["replayed", "closed"]
    assert {decode(one).actor for one in taken} == {"erika"}
    assert trail.taken() == ()
