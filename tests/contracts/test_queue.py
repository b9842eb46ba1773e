"""What every store promises about taking and finding; one suite for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest

from broker.journal.trail import entry
from broker.message import Direction, State, new_id, now
from broker.stores.contract import Change, Entry, Filter, Job, Pause, Room, Store, Voided
from tests.births import birth, done, state, take_one, taken_in

Open = Callable[[], Store]


# taking


def test_a_lease_counts_the_attempt_before_any_work(opened: Open) -> None:
    store, other = opened(), opened()
    taken_in(store, birth())

    job = take_one(store)

    row = other.row(job.id)
    assert row is not None
    assert (row.state, row.attempts, job.attempts) == (State.WORKING, 1, 1)


def test_two_takers_never_get_the_same_delivery(opened: Open) -> None:
    stores = [opened() for _ in range(3)]
    taken_in(stores[0], *(birth() for _ in range(60)))
    jobs: list[Job] = []

    def work(own: Store) -> None:
        while found := own.take(Room(limit=5)):
            jobs.extend(found)

    threads = [Thread(target=work, args=(own,)) for own in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(jobs) == len({job.id for job in jobs}) == 60


def test_what_is_due_first_is_taken_first(store: Store) -> None:
    taken_in(store, birth(), birth(), birth())
    for job, minutes in zip(store.take(Room()), (1, 3, 2), strict=True):
        due = now() - timedelta(minutes=minutes)
        store.change([replace(done(job, State.WAITING), due=due)]).result()

    order = [take_one(store, Room(limit=1)) for _ in range(3)]

    rows = [store.row(job.id) for job in order]
    dues = [row.due for row in rows if row is not None]
    assert dues == sorted(dues)


def test_what_is_due_later_is_left_alone(store: Store) -> None:
    taken_in(store, birth())
    job = take_one(store)
    store.change([replace(done(job, State.WAITING), due=now() + timedelta(hours=1))]).result()

    assert not store.due()
    assert store.take(Room()) == []


def test_every_channel_gets_its_turn_beside_a_long_backlog(store: Store) -> None:
    taken_in(store, *(birth(channel="long") for _ in range(300)), birth(channel="short"))

    channels = [job.channel for _ in range(29) for job in store.take(Room(limit=10))]

    # The turn begins at a channel by chance: 29 tries without the other one are one in 2**29.
    assert "short" in channels


def test_a_channel_gets_no_more_than_it_has_room_for(store: Store) -> None:
    taken_in(store, *(birth(channel=name) for name in "aaabbbccc"))

    taken = store.take(Room(default=1, channels={"a": 2, "b": 0}))

    assert sorted(job.channel for job in taken) == ["a", "a", "c"]


def test_a_batch_has_no_more_than_the_limit(store: Store) -> None:
    taken_in(store, *(birth(channel=name) for name in "aaabbbccc"))

    assert len(store.take(Room(limit=4))) == 4
    assert store.take(Room(limit=0)) == []


def test_a_batch_fits_the_budget_of_bytes(store: Store) -> None:
    taken_in(store, *(birth(b"x" * 1000) for _ in range(5)))

    assert len(store.take(Room(budget=2500))) == 2
    assert len(store.take(Room(budget=1))) == 1


def test_a_paused_route_is_not_taken_until_it_is_resumed(store: Store) -> None:
    taken_in(store, birth(), birth(route="other"))
    stop = Pause("bau", "erika", "moving", now())
    store.pause(stop, entry("", "paused", route="bau")).result()

    assert [job.route for job in store.take(Room())] == ["other"]
    assert not store.due()
    assert store.pauses() == [stop]

    assert store.resume("bau", entry("", "resumed", route="bau")).result()
    assert [job.route for job in store.take(Room())] == ["bau"]
    assert not store.resume("bau", entry("", "resumed", route="bau")).result()
    assert [line.event for line in store.entries()][-2:] == ["paused", "resumed"]


def test_a_case_goes_in_order_and_others_go_on(store: Store) -> None:
    first, second, other = taken_in(store, birth(case="1"), birth(case="1"), birth(case="2"))

    jobs = store.take(Room())
    assert [job.id for job in jobs] == [first, other]
    assert store.take(Room()) == []

    store.change([done(jobs[0])]).result()
    assert take_one(store).id == second


@pytest.mark.parametrize("held", [State.WAITING, State.HELD, State.UNCLEAR, State.DEAD])
def test_what_is_not_finished_holds_its_case(store: Store, held: State) -> None:
    taken_in(store, birth(case="1"), birth(case="1"))
    later = now() + timedelta(hours=1)

    store.change([replace(done(take_one(store), held), due=later)]).result()

    assert store.take(Room()) == []
    assert not store.due()


@pytest.mark.parametrize("ended", [State.DELIVERED, State.REJECTED, State.CLOSED])
def test_what_is_finished_frees_its_case(store: Store, ended: State) -> None:
    _, second = taken_in(store, birth(case="1"), birth(case="1"))

    store.change([done(take_one(store), ended)]).result()

    assert take_one(store).id == second


def test_a_case_of_one_route_does_not_hold_another_route(store: Store) -> None:
    taken_in(store, birth(case="1"), birth(case="1", route="other"))

    assert len(store.take(Room())) == 2


# crashes


#: A lease whose term is over as soon as it began, as that of a process which died long ago.
LOST = Room(term=-1)


def crash(store: Store) -> int:
    return store.recover(lambda voided: entry(voided.message, "recovered"))


def test_leases_of_an_earlier_start_are_void_with_an_entry_each(store: Store) -> None:
    ids = taken_in(store, birth(), birth())
    store.take(LOST)

    assert crash(store) == 2

    assert [state(store, id) for id in ids] == [State.WAITING] * 2
    assert [line.event for line in store.entries(ids[0])] == ["accepted", "recovered"]
    assert crash(store) == 0


def test_an_outcome_of_an_earlier_start_comes_too_late(store: Store) -> None:
    taken_in(store, birth())
    job = take_one(store, LOST)
    crash(store)

    assert store.change([done(job)]).result() == [False]
    assert state(store, job.id) is State.WAITING


def test_what_was_in_hand_at_a_crash_is_taken_first_and_alone(store: Store) -> None:
    ids = taken_in(store, birth(), birth())
    store.take(LOST)
    crash(store)
    taken_in(store, birth(), birth())

    jobs = [take_one(store), take_one(store)]

    assert [(job.id, job.alone) for job in jobs] == [(id, True) for id in ids]
    assert [job.alone for job in store.take(Room())] == [False, False]


def test_others_are_taken_while_a_suspect_is_in_hand(store: Store) -> None:
    taken_in(store, birth())
    store.take(LOST)
    crash(store)
    (fresh,) = taken_in(store, birth())

    assert [job.id for job in store.take(Room(suspects=False))] == [fresh]


def test_a_mark_without_an_outcome_is_a_doubt_after_the_crash(store: Store) -> None:
    taken_in(store, birth())
    job = take_one(store, LOST)
    store.change([Change(job.id, job.token, State.WORKING, sending=True)]).result()
    crash(store)

    again = take_one(store)

    assert (job.doubt, again.doubt) == (False, True)


def test_crashes_in_company_do_not_count(store: Store) -> None:
    ids = taken_in(store, birth(), birth())
    for _ in range(5):
        store.take(Room(suspects=False, term=-1))
        crash(store)

    assert [state(store, id) for id in ids] == [State.WAITING] * 2


def test_the_entry_of_a_void_lease_can_tell_attempts_and_poison(store: Store) -> None:
    taken_in(store, birth())
    told: list[tuple[int, bool]] = []

    def record(voided: Voided) -> Entry:
        told.append((voided.attempts, voided.poison))
        return entry(voided.message, "recovered")

    for _ in range(4):
        store.take(LOST)
        store.recover(record)

    assert told == [(1, False), (2, False), (3, False), (4, True)]


def test_an_end_in_order_forgets_the_crashes_before_it(store: Store) -> None:
    (id,) = taken_in(store, birth())
    for _ in range(4):
        for _ in range(3):
            store.take(LOST)
            crash(store)
        store.change([replace(done(take_one(store), State.WAITING), due=now())]).result()

    assert state(store, id) is State.WAITING


# reading


def test_a_reply_finds_its_request_by_reference_also_while_it_is_being_sent(store: Store) -> None:
    taken_in(store, birth())
    job = take_one(store)

    found = store.correlate("procedure", job.reference, "")

    assert found is not None
    assert (found.id, found.state) == (job.id, State.WORKING)


def test_a_reply_finds_its_request_by_the_file_number(store: Store) -> None:
    first, second = birth(), birth()
    taken_in(store, first, second)
    store.learn(second.message.id, "63-1", [entry(second.message.id, "numbered")]).result()

    found = store.correlate("procedure", "", "63-1")

    assert found is not None
    assert found.id == second.message.id


def test_nothing_is_found_over_another_channel(store: Store) -> None:
    made = birth()
    taken_in(store, made)

    assert store.correlate("other", made.reference, "") is None


def test_a_wrong_reference_is_not_made_good_by_a_file_number(store: Store) -> None:
    made = birth()
    taken_in(store, made)
    store.learn(made.message.id, "63-1").result()

    assert store.correlate("procedure", "0" * 13, "63-1") is None


def test_one_file_number_of_two_requests_finds_neither(store: Store) -> None:
    births = birth(), birth()
    taken_in(store, *births)
    for made in births:
        store.learn(made.message.id, "63-1").result()

    assert store.correlate("procedure", "", "63-1") is None


def test_an_answer_is_never_found_as_a_request(store: Store) -> None:
    answer = birth(answers=new_id())
    taken_in(store, answer)

    assert store.correlate("procedure", answer.reference, "") is None


def test_neither_reference_nor_number_finds_nothing(store: Store) -> None:
    taken_in(store, birth())

    assert store.correlate("procedure", "", "") is None


def test_rows_are_listed_by_what_a_person_knows(store: Store) -> None:
    made, other = birth(uuid="u-1", case="c-1"), birth(party="sozialportal", route="other")
    id, _ = taken_in(store, made, other)
    store.learn(id, "63-1").result()
    filters = [
        Filter(text=id.upper()),
        Filter(text="u-1"),
        Filter(text=made.reference.lower()),
        Filter(text="63-1"),
        Filter(route="bau"),
        Filter(party="bauportal"),
        Filter(case=made.case),
        Filter(until=other.message.received),
    ]

    assert [[row.id for row in store.rows(one)] for one in filters] == [[id]] * len(filters)
    assert store.rows(Filter(direction=Direction.ANSWER)) == []
    assert store.rows(Filter(since=now())) == []


def test_rows_come_newest_first_and_no_more_than_asked_for(store: Store) -> None:
    ids = taken_in(store, *(birth() for _ in range(5)))

    assert [row.id for row in store.rows(Filter(limit=3))] == ids[:1:-1]


def test_the_sum_of_all_states_is_what_was_accepted(store: Store) -> None:
    taken_in(store, *(birth() for _ in range(4)))
    jobs = store.take(Room(limit=3))
    store.change(
        [
            done(jobs[0], births=(birth(answers=jobs[0].id),)),
            done(jobs[1], State.REJECTED),
        ]
    ).result()

    counts = store.counts()

    assert counts.states[Direction.REQUEST] == {
        State.WAITING: 1,
        State.WORKING: 1,
        State.DELIVERED: 1,
        State.REJECTED: 1,
    }
    assert counts.states[Direction.ANSWER] == {State.WAITING: 1}
    assert counts.accepted == 5


def test_the_journal_is_read_whole_or_from_a_place_on(store: Store) -> None:
    taken_in(store, birth(), birth())
    store.note([entry("", "started"), entry("", "stopped")]).result()

    whole = list(store.entries())

    assert [one.event for one in whole] == ["accepted", "accepted", "started", "stopped"]
    assert [one.seq for one in whole] == sorted(one.seq for one in whole)
    assert list(store.entries(after=whole[1].seq)) == whole[2:]


def test_what_is_not_there_is_none(store: Store) -> None:
    (id,) = taken_in(store, birth())

    assert store.row("nothing") is None
    assert store.payload("nothing", "original") is None
    assert store.payload(id, "converted") is None
