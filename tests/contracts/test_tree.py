"""What every store promises about the tree over its journal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from broker.errors import StoreError
from broker.journal.trail import entry
from broker.stores.contract import Store
from broker.stores.custody import Stamp
from broker.stores.tree import Leaf, Note, Seal

Open = Callable[[], Store]
HASH = bytes(range(32))


def noted(store: Store, count: int) -> list[int]:
    """Write entries; return their sequence numbers."""
    store.note([entry("m", "paused", attempt=at) for at in range(count)]).result()
    return [one.seq for one in store.tree.unsealed(0, 1000)]


def seal(first: int, entries: list[int]) -> Seal:
    return Seal(tuple(Leaf(first + at, seq, HASH) for at, seq in enumerate(entries)))


def test_a_new_tree_is_empty(store: Store) -> None:
    assert store.tree.extent() == (0, 0)
    assert store.tree.notes(last=True) == []
    assert list(store.tree.walk()) == []


def test_entries_without_a_leaf_come_in_order_and_not_more_than_asked(store: Store) -> None:
    entries = noted(store, 5)

    assert [one.seq for one in store.tree.unsealed(entries[0], 3)] == entries[1:4]


def test_leaves_are_appended_and_found_again(store: Store) -> None:
    entries = noted(store, 3)

    assert store.tree.append(seal(0, entries[:2])).result()

    assert store.tree.extent() == (2, entries[1])
    assert store.tree.leaf(entries[1]) == Leaf(1, entries[1], HASH)
    assert store.tree.leaf(entries[2]) is None
    assert [one.seq for one in store.tree.unsealed(0, 9)] == entries[2:]


@pytest.mark.parametrize("first", [1, 3])
def test_leaves_that_do_not_continue_the_tree_are_refused(store: Store, first: int) -> None:
    entries = noted(store, 4)
    store.tree.append(seal(0, entries[:2])).result()

    assert not store.tree.append(seal(first, entries[2:])).result()
    assert store.tree.extent() == (2, entries[1])


def test_an_entry_gets_one_leaf_only(store: Store) -> None:
    entries = noted(store, 1)
    store.tree.append(seal(0, entries)).result()

    with pytest.raises(StoreError):
        store.tree.append(seal(1, entries)).result()
    assert store.tree.extent() == (1, entries[0])


def test_kept_hashes_are_given_by_level_and_place(store: Store) -> None:
    entries = noted(store, 2)
    nodes = ((8, 0, b"a" * 32), (8, 1, b"b" * 32), (16, 0, b"c" * 32))
    store.tree.append(Seal(seal(0, entries).leaves, nodes)).result()

    assert store.tree.hashes(0, 0, 2) == [HASH, HASH]
    assert store.tree.hashes(8, 1, 1) == [b"b" * 32]
    assert list(store.tree.nodes()) == list(nodes)
    with pytest.raises(StoreError, match="lacks hashes at level 8 from 1 on"):
        store.tree.hashes(8, 1, 2)


def test_the_walk_gives_each_leaf_with_its_entry(store: Store) -> None:
    entries = noted(store, 2)
    store.tree.append(seal(0, [*entries, entries[-1] + 100])).result()

    walked = list(store.tree.walk())

    assert [leaf.number for leaf, _ in walked] == [0, 1, 2]
    assert [one.seq if one else None for _, one in walked] == [*entries, None]
    assert [one.body for _, one in walked[:2] if one] == [one.body for one in store.entries()]


def test_checkpoints_come_smallest_first_with_the_lines_of_witnesses(store: Store) -> None:
    for size in (5, 3):
        store.tree.publish(Note(size, f"note {size}\n")).result()

    assert store.tree.countersign(3, "nebenan", "line\n").result()
    assert store.tree.countersign(3, "nebenan", "newer line\n").result()

    assert store.tree.notes() == [Note(3, "note 3\nnewer line\n"), Note(5, "note 5\n")]
    assert store.tree.notes(after=3) == store.tree.notes(last=True) == [Note(5, "note 5\n")]


def test_time_stamps_are_kept_beside_their_checkpoints_and_in_no_note(store: Store) -> None:
    for size in (3, 5, 9):
        store.tree.publish(Note(size, f"note {size}\n")).result()
    first = Stamp(3, datetime(2026, 3, 2, 8, tzinfo=UTC), b"one")
    last = Stamp(9, datetime(2026, 3, 2, 9, tzinfo=UTC), bytes(range(256)))

    assert store.tree.latest() is None
    assert store.tree.stamp(last).result()
    assert store.tree.stamp(first).result()

    assert store.tree.stamps() == [first, last]
    assert store.tree.stamps(after=3) == store.tree.stamps(after=3, limit=1) == [last]
    assert store.tree.stamps(limit=1) == [first]
    assert store.tree.latest() == last
    assert store.tree.notes(limit=2) == [Note(3, "note 3\n"), Note(5, "note 5\n")]


def test_a_checkpoint_that_is_not_there_cannot_be_stamped(store: Store) -> None:
    assert not store.tree.stamp(Stamp(3, datetime(2026, 3, 2, 8, tzinfo=UTC), b"one")).result()


def test_the_first_checkpoint_of_a_size_stays(store: Store) -> None:
    store.tree.publish(Note(3, "first\n")).result()
    store.tree.publish(Note(3, "second\n")).result()

    assert store.tree.notes() == [Note(3, "first\n")]


def test_a_checkpoint_that_is_not_there_cannot_be_countersigned(store: Store) -> None:
    assert not store.tree.countersign(3, "nebenan", "line\n").result()


def test_everything_is_there_after_opening_anew(opened: Open) -> None:
    store = opened()
    entries = noted(store, 2)
    store.tree.append(seal(0, entries)).result()
    store.tree.publish(Note(2, "note\n")).result()
    store.close()

    again = opened()

    assert again.tree.extent() == (2, entries[1])
    assert again.tree.notes(last=True) == [Note(2, "note\n")]
