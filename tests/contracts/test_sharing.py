"""What every store promises to several processes that work on it at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread

import pytest

from broker.journal.trail import entry
from broker.message import State, new_id, now
from broker.stores.contract import Change, Entry, Job, Pause, Room, Store, Voided
from broker.stores.tree import Leaf, Seal
from tests.births import birth, done, state, take_one, taken_in

Open = Callable[[], Store]
LOST = Room(term=-1)


def record(voided: Voided) -> Entry:
    return entry(voided.message, "recovered", attempt=voided.attempts)


def together(*acts: Callable[[], object]) -> None:
    """Do all of these at the same time, each on a thread of its own."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        barrier.wait(30)
        act()

    threads = [Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# what a doorbell named


@pytest.mark.parametrize("count", [1, 3, 70])
def test_only_what_was_named_is_taken(store: Store, count: int) -> None:
    ids = taken_in(store, *(birth() for _ in range(count + 5)))

    jobs = store.take(Room(ids=tuple(ids[:count])))

    assert [job.id for job in jobs] == ids[:count]


def test_what_was_named_and_is_gone_is_passed_over(store: Store) -> None:
    ids = taken_in(store, birth(), birth())
    take_one(store, Room(ids=(ids[0],)))

    jobs = store.take(Room(ids=(new_id(), *ids)))

    assert [job.id for job in jobs] == [ids[1]]
    assert store.take(Room(ids=(new_id(),))) == []


def test_what_was_named_waits_for_its_case_its_route_and_its_time(store: Store) -> None:
    first, second = taken_in(store, birth(case="1"), birth(case="1"))
    stopped, later = taken_in(store, birth(route="other"), birth())
    store.pause(Pause("other", "erika", "moving", now()), entry("", "paused")).result()
    job = take_one(store, Room(ids=(later,)))
    store.change([replace(done(job, State.WAITING), due=now() + timedelta(hours=1))]).result()

    jobs = store.take(Room(ids=(later, stopped, second, first)))

    assert [job.id for job in jobs] == [first]


def test_what_was_named_has_to_fit_into_the_room(store: Store) -> None:
    ids = tuple(taken_in(store, *(birth(b"x" * 1000, channel=name) for name in "aaabbbccc")))

    taken = store.take(Room(default=1, channels={"a": 2, "b": 0}, ids=ids))
    assert sorted(job.channel for job in taken) == ["a", "a", "c"]
    assert len(store.take(Room(ids=ids, limit=1))) == 1
    assert len(store.take(Room(ids=ids, budget=2500))) == 2
    assert len(store.take(Room(ids=ids, budget=1))) == 1


def test_a_suspect_that_was_named_is_taken_alone(store: Store) -> None:
    ids = taken_in(store, birth(), birth())
    store.take(LOST)
    store.recover(record)
    fresh = taken_in(store, birth())

    others = store.take(Room(ids=(*ids, *fresh), suspects=False))
    job = take_one(store, Room(ids=(*ids, *fresh)))

    assert [one.id for one in others] == fresh
    assert (job.id, job.alone) == (ids[0], True)


def test_a_delivery_whose_end_lets_the_next_of_its_case_go_says_so(store: Store) -> None:
    taken_in(store, birth(case="1"), birth())

    assert [job.ordered for job in store.take(Room())] == [True, False]


# giving back


def test_what_is_given_back_is_due_at_once_with_an_entry_and_no_suspicion(store: Store) -> None:
    ids = taken_in(store, birth(), birth())
    jobs = store.take(Room())
    store.change([Change(ids[0], jobs[0].token, State.WORKING, sending=True)]).result()

    assert store.release([jobs[0].token], record).result() == 2

    again = store.take(Room())
    assert [(job.id, job.alone, job.doubt) for job in again] == [
        (ids[0], False, True),
        (ids[1], False, False),
    ]
    assert [line.event for line in store.entries(ids[1])] == ["accepted", "recovered"]


def test_only_the_named_leases_are_given_back(store: Store) -> None:
    taken_in(store, birth(), birth())
    first, second = take_one(store, Room(limit=1)), take_one(store, Room(limit=1))

    assert store.release([first.token, "unknown"], record).result() == 1
    assert store.release([], record).result() == 0

    assert [state(store, job.id) for job in (first, second)] == [State.WAITING, State.WORKING]


def test_an_outcome_of_what_was_given_back_comes_too_late(store: Store) -> None:
    taken_in(store, birth())
    job = take_one(store)
    store.release([job.token], record).result()

    assert store.change([done(job)]).result() == [False]


def test_a_lease_that_is_renewed_stays_as_it_is(store: Store) -> None:
    taken_in(store, birth())
    job = take_one(store)

    store.renew([job.token, "unknown"], 30).result()
    store.renew([], 30).result()

    assert store.change([done(job)]).result() == [True]


# what could have been taken


def test_what_could_have_been_taken_is_told_oldest_first(store: Store) -> None:
    ids = taken_in(store, birth(channel="a"), birth(channel="b"), birth(channel="a"))
    for job, minutes in zip(store.take(Room()), (1, 3, 2), strict=True):
        due = now() - timedelta(minutes=minutes)
        store.change([replace(done(job, State.WAITING), due=due)]).result()
    found = store.overdue(30, 10)

    rows = [row for row in (store.row(id) for id, _ in found) if row is not None]
    assert sorted(row.id for row in rows) == sorted(ids)
    assert [row.due for row in rows] == sorted(row.due for row in rows)
    assert [channel for _, channel in found] == [row.channel for row in rows]
    assert store.overdue(30, 2) == found[:2]
    assert len(store.overdue(90, 10)) == 2
    assert store.overdue(600, 10) == []


def test_what_nobody_may_take_is_not_overdue(store: Store) -> None:
    first, _ = taken_in(store, birth(case="1"), birth(case="1"))
    taken_in(store, birth(route="other"), birth())
    store.pause(Pause("other", "erika", "moving", now()), entry("", "paused")).result()
    working = store.take(Room())

    assert store.overdue(-1, 10) == []

    store.release([working[0].token], record).result()
    assert (first, "procedure") in store.overdue(-1, 10)


def test_what_was_in_hand_at_a_crash_is_overdue_too(store: Store) -> None:
    (id,) = taken_in(store, birth())
    store.take(LOST)
    store.recover(record)

    assert store.overdue(-1, 10) == [(id, "procedure")]


# offices


def test_an_office_has_one_holder_until_it_resigns(opened: Open) -> None:
    one, other = opened(), opened()

    assert one.elect(["sweeper"], "one", 30).result() == {"sweeper"}
    assert other.elect(["sweeper"], "other", 30).result() == set()
    assert one.elect(["sweeper"], "one", 30).result() == {"sweeper"}
    one.resign("one").result()
    assert other.elect(["sweeper"], "other", 30).result() == {"sweeper"}


def test_an_office_is_free_when_its_term_is_over(opened: Open) -> None:
    one, other = opened(), opened()
    one.elect(["sweeper"], "one", -1).result()

    assert other.elect(["sweeper"], "other", 30).result() == {"sweeper"}
    assert one.elect(["sweeper"], "one", 30).result() == set()


def test_offices_are_held_one_by_one(opened: Open) -> None:
    one, other = opened(), opened()
    one.elect(["sealer"], "one", 30).result()

    assert other.elect(["sweeper", "sealer"], "other", 30).result() == {"sweeper"}
    assert one.elect(["sealer", "sweeper"], "one", 30).result() == {"sealer"}
    assert one.elect([], "one", 30).result() == set()


def test_of_many_that_ask_at_once_one_is_elected(opened: Open) -> None:
    stores = [opened(), opened()]
    won: list[tuple[str, str]] = []

    def ask(at: int) -> None:
        names = ["a", "b", "c"] if at % 2 else ["c", "b", "a"]
        found = stores[at % 2].elect(names, f"owner-{at}", 30).result()
        won.extend((name, f"owner-{at}") for name in found)

    together(*(lambda at=at: ask(at) for at in range(8)))

    assert sorted(name for name, _ in won) == ["a", "b", "c"]


# sharing the work


def test_each_delivery_is_leased_once_by_many_threads_of_two_processes(opened: Open) -> None:
    stores = [opened(), opened()]
    taken_in(stores[0], *(birth(channel="abc"[at % 3]) for at in range(240)))
    jobs: list[Job] = []

    def work(own: Store) -> None:
        while own.due():
            jobs.extend(own.take(Room(limit=7)))

    together(*(lambda own=own: work(own) for own in stores * 4))

    assert len(jobs) == len({job.id for job in jobs}) == 240


def test_a_case_keeps_its_order_over_two_processes(opened: Open) -> None:
    stores = [opened(), opened()]
    ids = taken_in(stores[0], *(birth(case=str(at % 5)) for at in range(60)))
    ended: list[str] = []

    def work(own: Store) -> None:
        while len(ended) < 60:
            for job in own.take(Room(limit=3)):
                ended.append(job.id)
                own.change([done(job)]).result()

    together(*(lambda own=own: work(own) for own in stores * 2))

    assert sorted(ended) == sorted(ids)
    for case in range(5):
        assert [id for id in ended if id in ids[case::5]] == ids[case::5]


def test_of_one_identity_that_comes_to_two_processes_at_once_one_is_new(opened: Open) -> None:
    stores = [opened(), opened()]
    verdicts: list[tuple[str, str]] = []

    def submit(own: Store, turn: int) -> None:
        names = [f"u-{at}" for at in range(40)]
        futures = [own.accept(birth(uuid=name)) for name in (names if turn else names[::-1])]
        verdicts.extend((one.result(30).id, one.result(30).verdict) for one in futures)

    together(*(lambda at=at: submit(stores[at], at) for at in range(2)))

    new = {id for id, verdict in verdicts if verdict == "new"}
    assert (len(new), len(verdicts)) == (40, 80)
    assert {id for id, verdict in verdicts if verdict == "duplicate"} == new
    assert stores[0].counts().accepted == 40


def test_of_one_identity_with_two_bodies_one_is_a_conflict(opened: Open) -> None:
    stores = [opened(), opened()]
    verdicts: list[str] = []

    def submit(own: Store, body: bytes) -> None:
        futures = [own.accept(birth(body, uuid=f"u-{at}")) for at in range(20)]
        verdicts.extend(one.result(30).verdict for one in futures)

    together(lambda: submit(stores[0], b"<a/>"), lambda: submit(stores[1], b"<b/>"))

    assert sorted(verdicts) == ["conflict"] * 20 + ["new"] * 20


def test_of_two_sealers_at_once_one_continues_the_tree(opened: Open) -> None:
    stores = [opened(), opened()]
    stores[0].note([entry("", "started") for _ in range(20)]).result()
    seqs = [one.seq for one in stores[0].entries()]
    done_: list[bool] = []

    def seal(own: Store) -> None:
        for number, seq in enumerate(seqs):
            part = Seal((Leaf(number, seq, bytes(32)),))
            done_.append(own.tree.append(part).result(30))

    together(*(lambda own=own: seal(own) for own in stores))

    assert done_.count(True) == 20
    assert stores[0].tree.extent() == (20, seqs[-1])
    assert [leaf.number for leaf, _ in stores[1].tree.walk()] == list(range(20))
