"""Ids, references and states."""

from __future__ import annotations

import time
import uuid
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from broker.message import Authority, Facts, State, new_id, now, reference


def test_an_id_is_a_uuid_of_version_7() -> None:
    for _ in range(200):
        made = uuid.UUID(new_id())
        assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_an_id_begins_with_its_time() -> None:
    before = time.time_ns() // 1_000_000

    stamps = [uuid.UUID(new_id()).int >> 80 for _ in range(100)]

    assert all(before <= stamp <= time.time_ns() // 1_000_000 for stamp in stamps)
    assert stamps == sorted(stamps)


def test_a_reference_has_13_signs_that_survive_any_code_page() -> None:
    references = {reference(new_id()) for _ in range(5000)}

    assert len(references) == 5000
    assert {len(one) for one in references} == {13}
    assert set("".join(references)) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_a_reference_follows_from_the_id_alone() -> None:
    assert reference("00000000-0000-7000-8000-000000000000") == "8000000000000"
    assert reference("00000000-0000-7000-8000-00000000001f") == "800000000000Z"


def test_the_same_reply_gives_the_same_id_and_another_kind_another_one() -> None:
    facts = Facts("R", "m", datetime(2026, 1, 1, tzinfo=UTC), Authority("a"), Authority("b"))

    assert facts.uuid("1120") == facts.uuid("1120") != facts.uuid("0205")


def test_the_time_is_in_utc() -> None:
    assert now().utcoffset() == datetime.now(UTC).utcoffset()


def test_delivered_rejected_and_closed_are_the_ends() -> None:
    ends = {state for state in State if state.terminal}

    assert ends == {State.DELIVERED, State.REJECTED, State.CLOSED}


def test_values_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Authority("a").key = "b"  # type: ignore[misc]
