"""What every store promises about messages; one suite for all of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread

import pytest

from broker.errors import StoreError
from broker.message import Direction, State, now
from broker.stores.contract import Change, Filter, Room, Store
from tests.births import VAULT, birth, done, envelope, lines, refused, state, take_one, taken_in

Open = Callable[[], Store]


# acceptance and duplicates


def test_a_new_message_is_there_with_payload_delivery_and_entry(store: Store) -> None:
    made = birth(b"<antrag>1</antrag>")

    accepted = store.accept(made).result()

    row, found = store.row(accepted.id), store.payload(accepted.id, "original")
    assert row is not None
    assert found is not None
    assert (accepted.verdict, accepted.received) == ("new", made.message.received)
    assert (row.state, row.attempts, row.envelope) == (State.WAITING, 0, made.message.envelope)
    assert VAULT.unseal(found[0], accepted.id, found[1]) == b"<antrag>1</antrag>"
    assert [one.body for one in store.entries(accepted.id)] == [one.body for one in made.entries]


def test_the_same_bytes_again_are_a_duplicate_of_the_first(store: Store) -> None:
    first, again = birth(uuid="u-1"), birth(uuid="u-1")
    store.accept(first).result()

    accepted = store.accept(again).result()

    assert (accepted.verdict, accepted.id) == ("duplicate", first.message.id)
    assert accepted.received == first.message.received
    assert store.row(again.message.id) is None
    assert list(store.entries(again.message.id)) == []


def test_other_bytes_under_the_same_id_are_a_conflict(store: Store) -> None:
    first = birth(b"<a/>", uuid="u-1")
    store.accept(first).result()

    accepted = store.accept(birth(b"<b/>", uuid="u-1")).result()

    assert (accepted.verdict, accepted.id) == ("conflict", first.message.id)
    assert store.counts().accepted == 1


def test_the_same_id_from_another_party_is_another_message(store: Store) -> None:
    one, other = birth(uuid="u-1"), birth(uuid="u-1", party="sozialportal")

    assert [store.accept(made).result().verdict for made in (one, other)] == ["new", "new"]


def test_two_that_race_in_one_group_commit_are_one_message(store: Store) -> None:
    first = birth(uuid="u-0")
    futures = [store.accept(birth(uuid="u-1")) for _ in range(50)]
    futures += [store.accept(first)]

    verdicts = [future.result().verdict for future in futures]

    assert verdicts.count("new") == 2
    assert len({future.result().id for future in futures[:50]}) == 1


def test_two_processes_that_race_agree_on_one_message(opened: Open) -> None:
    stores = [opened() for _ in range(3)]
    barrier = Barrier(len(stores))
    verdicts: list[tuple[str, str]] = []

    def send(own: Store) -> None:
        barrier.wait()
        for number in range(20):
            accepted = own.accept(birth(uuid=f"u-{number}")).result()
            verdicts.append((accepted.id, accepted.verdict))

    threads = [Thread(target=send, args=(own,)) for own in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id for id, _ in verdicts}) == 20
    assert [verdict for _, verdict in verdicts].count("new") == 20
    assert stores[0].counts().accepted == 20


def test_the_window_for_duplicates_outlives_a_restart(opened: Open) -> None:
    store = opened()
    (id,) = taken_in(store, birth(uuid="u-1"))
    store.close()

    accepted = opened().accept(birth(uuid="u-1")).result()

    assert (accepted.id, accepted.verdict) == (id, "duplicate")


def test_a_commit_is_visible_to_others_before_the_waiter_is_released(opened: Open) -> None:
    store, other = opened(), opened()
    seen: list[bool] = []
    for _ in range(20):
        made = birth()
        future = store.accept(made)
        future.add_done_callback(lambda done: seen.append(other.row(done.result().id) is not None))
        future.result()
    store.close()

    assert seen == [True] * 20


def test_what_was_handed_in_before_closing_is_written(opened: Open) -> None:
    store = opened()
    futures = [store.accept(birth()) for _ in range(100)]

    store.close()

    assert all(future.done() for future in futures)
    assert opened().counts().accepted == 100


def test_a_closed_store_fails_at_once_and_nobody_waits(store: Store) -> None:
    store.close()

    with pytest.raises(StoreError, match="closed"):
        store.accept(birth()).result(timeout=10)


def test_a_waiter_that_goes_away_does_not_take_its_message_back(store: Store) -> None:
    futures = [store.accept(birth()) for _ in range(20)]
    for future in futures:
        future.cancel()
    (id,) = taken_in(store, birth())

    assert state(store, id) is State.WAITING
    assert store.counts().accepted == 21


# refusals


def test_refusals_are_kept_and_counted_apart(store: Store) -> None:
    taken_in(store, birth())

    for _ in range(3):
        store.refuse(refused()).result()

    counts = store.counts()
    assert (counts.accepted, counts.refused) == (1, 3)
    assert [one.event for one in store.entries()][1:] == ["refused"] * 3


# one caller's failure


def test_a_birth_that_cannot_be_written_does_not_fail_its_neighbours(store: Store) -> None:
    first = birth()
    clash = replace(birth(), reference=first.reference)
    births = [first, clash, *(birth() for _ in range(20))]

    futures = [store.accept(made) for made in births]
    wait(futures)

    assert [future.exception() is None for future in futures] == [True, False] + [True] * 20
    assert isinstance(futures[1].exception(), StoreError)
    assert store.counts().accepted == 21
    assert list(store.entries(clash.message.id)) == []


def test_a_value_that_the_driver_cannot_write_fails_its_caller_alone(store: Store) -> None:
    made = birth()
    broken = replace(made, message=replace(made.message, party=os.fsdecode(b"\xff")))
    futures = [store.accept(one) for one in (birth(), broken, birth())]
    wait(futures, timeout=30)

    assert [future.done() and future.exception() is None for future in futures] == [
        True,
        False,
        True,
    ]
    assert taken_in(store, birth())


def test_the_text_of_a_failure_holds_no_value(store: Store) -> None:
    first = birth(party="Erika Planck")
    clash = replace(birth(party="Erika Planck"), reference=first.reference)
    store.accept(first).result()

    error = store.accept(clash).exception()

    assert error is not None
    assert "Planck" not in str(error)


def test_a_change_that_cannot_be_written_changes_nothing_of_its_own_and_no_neighbour(
    store: Store,
) -> None:
    taken_in(store, birth(), birth())
    one, other = store.take(Room())
    clash = replace(birth(answers=one.id), reference=one.reference)

    failed = store.change([done(one, births=(clash,))])
    fine = store.change([done(other)])

    assert isinstance(failed.exception(), StoreError)
    assert fine.result() == [True]
    assert state(store, one.id) is State.WORKING
    assert [line.event for line in store.entries(one.id)] == ["accepted"]


# changes


def test_births_appear_with_their_cause(opened: Open) -> None:
    store, other = opened(), opened()
    taken_in(store, birth())
    job = take_one(store)
    answer = birth(answers=job.id)

    assert other.row(answer.message.id) is None
    assert store.change([done(job, births=(answer,))]).result() == [True]

    assert state(other, job.id) is State.DELIVERED
    assert state(other, answer.message.id) is State.WAITING


def test_a_late_outcome_changes_nothing_and_bears_nothing(store: Store) -> None:
    taken_in(store, birth())
    job = take_one(store)
    late, answer = replace(job, token="0" * 32), birth(answers=job.id)

    assert store.change([done(late, births=(answer,))]).result() == [False]

    assert state(store, job.id) is State.WORKING
    assert store.row(answer.message.id) is None
    assert [line.event for line in store.entries(job.id)] == ["accepted"]


def test_one_late_outcome_among_many_does_not_hold_up_the_others(store: Store) -> None:
    taken_in(store, *(birth() for _ in range(4)))
    jobs = store.take(Room())
    changes = [done(job) for job in jobs]
    changes[2] = replace(changes[2], token="0" * 32)

    assert store.change(changes).result() == [True, True, False, True]

    assert [state(store, job.id) for job in jobs].count(State.DELIVERED) == 3
    assert [line.event for line in store.entries(jobs[2].id)] == ["accepted"]
    assert len(list(store.entries())) == 4 + 3


def test_two_steps_of_one_delivery_in_one_commit_apply_in_order(store: Store) -> None:
    taken_in(store, birth(), birth())
    one, other = store.take(Room())
    first = Change(one.id, one.token, State.WORKING, sending=True, error="first")

    results = store.change([first, done(other), done(one), done(one)]).result()

    assert results == [True, True, True, False]
    row = store.row(one.id)
    assert row is not None
    assert (row.state, row.error) == (State.DELIVERED, "")


def test_many_changes_in_one_commit_are_all_written(store: Store) -> None:
    taken_in(store, *(birth() for _ in range(150)))
    jobs = store.take(Room(default=150, limit=150))
    answers = [birth(answers=job.id) for job in jobs]

    results = store.change(
        [done(job, births=(made,)) for job, made in zip(jobs, answers, strict=True)]
    ).result()

    assert results == [True] * 150
    assert store.counts().states == {
        Direction.REQUEST: {State.DELIVERED: 150},
        Direction.ANSWER: {State.WAITING: 150},
    }
    assert [store.row(made.message.id) is not None for made in answers] == [True] * 150


def test_what_a_change_leaves_open_stays_as_it_was(store: Store) -> None:
    taken_in(store, birth())
    job = take_one(store)
    due = now() + timedelta(hours=1)
    full = Change(
        job.id, job.token, State.WORKING, due=due, sending=True, reason="S1", error="e", receipt="r"
    )
    store.change([full]).result()
    before = store.row(job.id)

    store.change([Change(job.id, job.token, State.WORKING)]).result()

    after = store.row(job.id)
    assert before is not None
    assert after is not None
    assert replace(after, changed=before.changed) == before
    assert (after.reason, after.error, after.receipt) == ("S1", "e", "r")


def test_an_outcome_counts_once(store: Store) -> None:
    taken_in(store, birth())
    job = take_one(store)

    done_twice = [store.change([done(job)]) for _ in range(2)]

    assert [future.result() for future in done_twice] == [[True], [False]]


def test_an_act_from_outside_applies_only_in_the_expected_state(store: Store) -> None:
    (id,) = taken_in(store, birth())
    close = Change(id, None, State.CLOSED, lines(id, State.CLOSED), expected=(State.DEAD,))

    assert store.change([close]).result() == [False]
    assert store.change([replace(close, expected=(State.WAITING,))]).result() == [True]
    assert state(store, id) is State.CLOSED


def test_converted_bytes_are_what_the_next_attempt_gets(store: Store) -> None:
    taken_in(store, birth(b"<xoev/>"))
    job = take_one(store)
    made = VAULT.seal(VAULT.key(job.key), job.id, "converted", b"legacy")
    store.change([Change(job.id, job.token, State.WORKING, payload=made)]).result()
    store.change([replace(done(job, State.WAITING), due=now())]).result()

    again = take_one(store)

    assert (again.ready, again.attempts) == (True, 2)
    assert VAULT.unseal(again.key, again.id, again.payload) == b"legacy"


def test_a_new_route_drops_what_was_converted_for_the_old_one(store: Store) -> None:
    (id,) = taken_in(store, birth(b"<xoev/>"))
    job = take_one(store)
    made = VAULT.seal(VAULT.key(job.key), id, "converted", b"legacy")
    store.change([Change(id, job.token, State.WORKING, payload=made)]).result()
    store.change([done(job, State.DEAD)]).result()
    route = ("neu", "n" * 64, "salzgitter/bau", "other")
    act = Change(id, None, State.WAITING, due=now(), expected=(State.DEAD,), route=route)

    assert store.change([act]).result() == [True]

    again = take_one(store)
    assert (again.route, again.adapter, again.channel, again.ready) == (
        "neu",
        "salzgitter/bau",
        "other",
        False,
    )
    assert VAULT.unseal(again.key, id, again.payload) == b"<xoev/>"


def test_an_answer_gets_its_head_when_it_was_converted(store: Store) -> None:
    taken_in(store, birth())
    job = take_one(store)
    head = envelope("u-new", "c-1")

    store.change([Change(job.id, job.token, State.WORKING, envelope=head)]).result()

    row = store.row(job.id)
    assert row is not None
    assert row.envelope == head
    assert [found.id for found in store.rows(Filter(text="u-new"))] == [job.id]
