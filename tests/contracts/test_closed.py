"""What every store promises while a channel is closed: nothing goes over it, and all else goes."""

from __future__ import annotations

import pytest

from broker.journal.trail import entry
from broker.stores.contract import Room, Store
from tests.births import birth, taken_in

LOST = Room(term=-1)


def channels(store: Store, room: Room) -> list[str]:
    return sorted(job.channel for job in store.take(room))


def suspected(store: Store, *names: str) -> list[str]:
    """Let messages over these channels be in hand when the process dies; return their ids."""
    ids = taken_in(store, *(birth(channel=name) for name in names))
    assert len(store.take(LOST)) == len(names)
    assert store.recover(lambda voided: entry(voided.message, "recovered")) == len(names)
    return ids


def test_nothing_over_a_closed_channel_is_taken(store: Store) -> None:
    taken_in(store, birth(channel="a"), birth(channel="b"), birth(channel="c"))

    assert channels(store, Room(closed=("a", "c", "unknown"))) == ["b"]
    assert channels(store, Room()) == ["a", "c"]


def test_what_waits_for_a_closed_channel_is_not_due(store: Store) -> None:
    taken_in(store, birth(channel="a"))

    assert not store.due(("a",))
    assert store.due(("b",))
    assert store.due()


def test_what_was_named_waits_where_its_channel_is_closed(store: Store) -> None:
    ids = tuple(taken_in(store, birth(channel="a"), birth(channel="b")))

    assert channels(store, Room(ids=ids, closed={"a"})) == ["b"]


def test_what_waits_for_a_closed_channel_is_not_overdue(store: Store) -> None:
    _, other = taken_in(store, birth(channel="a"), birth(channel="b"))

    assert store.overdue(-1, 10, ("a",)) == [(other, "b")]


@pytest.mark.parametrize("named", [False, True], ids=["any", "named"])
def test_what_was_in_hand_at_a_crash_waits_for_its_channel_and_holds_nobody_up(
    store: Store, named: bool
) -> None:
    ids = suspected(store, "a", "b")
    fresh = taken_in(store, birth(channel="c"))
    room = Room(ids=(*ids, *fresh) if named else (), closed=("a",))

    taken = [channels(store, room) for _ in range(3)]

    assert taken == [["b"], ["c"], []]
    assert not store.due(("a",))
    assert store.overdue(-1, 10, ("a",)) == []
    assert channels(store, Room()) == ["a"]
