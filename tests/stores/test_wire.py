"""What travels over the doorbell: queue names and ids."""

from __future__ import annotations

from broker.stores import wire


def test_a_channel_rings_in_the_same_queue_for_ever() -> None:
    # Written down: a release that counts otherwise would not be heard by the one before.
    assert [wire.place(name) for name in ("wolfsburg-bau", "salzgitter-bau")] == [10, 6]


def test_ids_survive_the_way() -> None:
    ids = ("019c0f00-0000-7000-8000-000000000001", "019c0f00-0000-7000-8000-000000000002")

    assert wire.decode(wire.encode(ids)) == ids


def test_more_ids_than_anybody_sends_are_none() -> None:
    assert wire.decode(wire.encode(["019c0f00-0000-7000-8000-000000000001"] * 101)) == ()
