"""What every store promises about a copy of itself: nothing that has not ended is simply sent."""

from __future__ import annotations

from collections.abc import Callable

from broker.message import State
from broker.stores.contract import Change, Room, Store
from tests.births import birth, done, taken_in

Open = Callable[[], Store]


def test_what_has_not_ended_is_doubted_in_a_copy(store: Store) -> None:
    taken_in(store, birth())
    store.change([done(job) for job in store.take(Room())]).result()
    (waiting,) = taken_in(store, birth())

    assert store.distrust().result() == 1

    (job,) = store.take(Room())
    assert (job.id, job.doubt, job.copied) == (waiting, True, True)


def test_a_doubt_stays_until_an_attempt_settles_it(store: Store) -> None:
    taken_in(store, birth())
    store.distrust().result()
    (job,) = store.take(Room())

    store.change([Change(job.id, job.token, State.WAITING, sending=None)]).result()
    (again,) = store.take(Room())
    store.change([Change(again.id, again.token, State.WAITING, sending=False)]).result()
    (settled,) = store.take(Room())

    assert (again.copied, settled.copied, settled.doubt) == (True, False, False)


def test_a_mark_of_our_own_is_no_doubt_of_a_copy(store: Store) -> None:
    taken_in(store, birth())
    (job,) = store.take(Room())
    store.change([Change(job.id, job.token, State.WAITING, sending=True)]).result()

    (again,) = store.take(Room())

    assert (again.doubt, again.copied) == (True, False)
