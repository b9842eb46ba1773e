"""What every store promises about erasure, holds and keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from broker.journal.trail import entry
from broker.message import State, now
from broker.stores.contract import Change, Erasure, Room, Store
from broker.stores.custody import Hold, Part, Wrapped
from tests.births import birth, done, refused, taken_in

Open = Callable[[], Store]
LATER = timedelta(days=1)


def ended(store: Store, count: int = 1) -> list[str]:
    """Return the ids of messages that were delivered."""
    ids = taken_in(store, *[birth() for _ in range(count)])
    jobs = store.take(Room())
    store.change([done(job) for job in jobs]).result()
    assert len(jobs) == count
    return sorted(ids)


def erasure(id: str, part: Part = "payload") -> Erasure:
    message = "" if part == "refusal" else id
    return Erasure(id, part, "a rule", (entry(message, "erased", rule="a rule"),))


def left(store: Store, part: Part = "payload", after: str = "", limit: int = 10) -> list[str]:
    return [one.id for one in store.leftovers(part, now() + LATER, after, limit)]


def hold(id: str) -> Hold:
    return Hold(id, "erika", "lawsuit", now())


def test_what_ended_is_left_in_pages_in_the_order_of_ids(store: Store) -> None:
    ids = ended(store, 5)

    assert left(store, limit=3) == ids[:3]
    assert left(store, after=ids[2]) == ids[3:]


def test_only_what_ended_before_is_left(store: Store) -> None:
    ended(store)
    taken_in(store, birth())

    assert len(left(store)) == 1
    assert store.leftovers("payload", now() - LATER, "", 10) == []


def test_an_erased_message_has_no_payload_and_no_key(store: Store) -> None:
    (id,) = ended(store)
    (found,) = store.leftovers("payload", now() + LATER, "", 10)

    assert store.erase([erasure(id)]).result()

    assert store.payload(id, "original") is None
    assert store.keys("", 10, False) == []
    known = store.erased(id)
    assert known
    assert (known.rule, known.size) == ("a rule", found.size)
    assert known.size > 0
    assert store.erasures() == {"a rule": (1, found.size)}
    assert [one.event for one in store.entries(id)][-1] == "erased"


def test_a_group_is_erased_whole_or_not_at_all(store: Store) -> None:
    ids = ended(store, 2)
    (waiting,) = taken_in(store, birth())

    assert not store.erase([erasure(id) for id in (*ids, waiting)]).result()

    assert left(store) == ids
    assert "erased" not in [one.event for one in store.entries()]


@pytest.mark.parametrize("state", [state for state in State if not state.terminal])
def test_a_message_in_use_is_not_erased(store: Store, state: State) -> None:
    (id,) = taken_in(store, birth())
    (job,) = store.take(Room())
    store.change([Change(id, job.token, state)]).result()

    assert not store.erase([erasure(id)]).result()


def test_a_message_is_erased_once(store: Store) -> None:
    (id,) = ended(store)

    assert store.erase([erasure(id)]).result()
    assert not store.erase([erasure(id)]).result()
    assert not store.erase([erasure("no such id")]).result()


def test_the_same_message_twice_in_a_group_is_no_erasure(store: Store) -> None:
    (id,) = ended(store)

    assert not store.erase([erasure(id), erasure(id)]).result()


def test_metadata_goes_only_after_the_payload(store: Store) -> None:
    (id,) = ended(store)
    assert left(store, "metadata") == []
    assert not store.erase([erasure(id, "metadata")]).result()
    store.erase([erasure(id)]).result()

    assert left(store, "metadata") == [id]
    assert store.erase([erasure(id, "metadata")]).result()

    assert left(store, "metadata") == []
    known = store.erased(id)
    assert known
    assert known.forgotten is not None


def test_payload_and_metadata_of_one_message_may_go_together(store: Store) -> None:
    (id,) = ended(store)
    store.erase([erasure(id)]).result()
    (other,) = ended(store)

    assert store.erase([erasure(id, "metadata"), erasure(other)]).result()


def test_refused_bytes_can_be_erased(store: Store) -> None:
    one = refused()
    store.refuse(one).result()

    assert left(store, "refusal") == [one.id]
    assert store.erase([erasure(one.id, "refusal")]).result()

    assert left(store, "refusal") == []
    assert store.keys("", 10, True) == []


def test_a_held_message_is_not_erased(store: Store) -> None:
    (id,) = ended(store)
    line = entry(id, "locked")

    assert store.hold(hold(id), line).result()
    assert not store.hold(hold(id), line).result()

    assert [one.held for one in store.leftovers("payload", now() + LATER, "", 10)] == [True]
    assert not store.erase([erasure(id)]).result()
    assert store.unhold(id, entry(id, "unlocked")).result()
    assert not store.unhold(id, entry(id, "unlocked")).result()
    assert store.erase([erasure(id)]).result()
    assert [one.event for one in store.entries(id)][-3:] == ["locked", "unlocked", "erased"]


def test_the_time_of_a_run_outlives_a_start(opened: Open) -> None:
    first = opened()
    at = now()
    assert first.last("retention") is None
    first.ran("retention", at - LATER).result()
    first.ran("retention", at).result()

    assert opened().last("retention") == at


def test_the_newest_entry_is_found(store: Store) -> None:
    assert store.newest() is None
    store.note([entry("", "started"), entry("", "stopped")]).result()

    newest = store.newest()

    assert newest
    assert newest.event == "stopped"


def test_a_key_is_replaced_only_where_it_is_still_the_old_one(store: Store) -> None:
    ended(store, 2)
    first, second = store.keys("", 10, False)
    wrong = Wrapped(second.id, b"another", b"n" * 60)

    store.rewrap([Wrapped(first.id, first.key, b"n" * 60), wrong]).result()

    assert [one.key for one in store.keys("", 10, False)] == [b"n" * 60, second.key]
    assert [one.id for one in store.keys(first.id, 10, False)] == [second.id]


def test_a_store_leaves_nothing_behind_when_nobody_reads(store: Store) -> None:
    ended(store)

    assert store.scrub()
