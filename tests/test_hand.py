"""What is in hand limits what may be taken."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

from broker.hand import BUDGET, Hand
from broker.message import Direction, now
from broker.stores.contract import Job
from tests.births import VAULT, envelope


def job(channel: str = "a", size: int = 100, alone: bool = False) -> Job:
    key = VAULT.new_key()
    payload = VAULT.seal(key, "m", "original", b"")
    return Job(
        "m", "t", Direction.REQUEST, envelope(), "p", now() - timedelta(1), key.wrapped, size,
        payload, False, "bau", "x/y", channel, "R", 1, alone=alone,
    )  # fmt: skip


def test_an_empty_hand_takes_two_batches_and_any_suspect() -> None:
    room = Hand(batch=10, depth=40).room()

    assert (room.limit, room.default, room.suspects, dict(room.channels)) == (20, 40, True, {})


def test_what_is_in_hand_of_a_channel_leaves_less_room_for_it() -> None:
    hand = Hand(10, 4)
    hand.take([job("a"), job("a"), job("b")])

    assert dict(hand.room().channels) == {"a": 2, "b": 3}
    assert hand.room().limit == 17


def test_a_channel_never_has_less_than_no_room() -> None:
    hand = Hand(10, 2)
    hand.take([job("a")] * 5)

    assert hand.room().channels["a"] == 0


def test_what_left_the_xml_threads_makes_room_for_more_of_them() -> None:
    hand = Hand(10, 40)
    hand.take([job()] * 20)
    assert hand.room().limit == 0

    hand.sent_on(15)

    assert hand.room().limit == 15


def test_what_is_done_with_is_out_of_hand() -> None:
    hand = Hand(10, 40)
    jobs = [job("a", 5), job("b", 7, alone=True)]
    hand.take(jobs)
    hand.sent_on(2)

    hand.drop(jobs)

    room = hand.room()
    assert (dict(room.channels), room.limit, room.budget, room.suspects) == ({}, 20, BUDGET, True)
    assert hand.wait(lambda xml, total: xml == total == 0, 0)


def test_one_suspect_in_hand_is_enough() -> None:
    hand = Hand(10, 40)
    hand.take([job(alone=True)])

    assert not hand.room().suspects


def test_a_weak_channel_is_tried_with_one_at_a_time_until_it_is_strong() -> None:
    hand = Hand(10, 40)
    hand.strength("a", False)
    assert hand.room().channels["a"] == 1
    hand.take([job("a")])
    assert hand.room().channels["a"] == 0

    hand.strength("a", True)

    assert hand.room().channels["a"] == 39


def test_many_bytes_in_hand_leave_one_for_each_channel() -> None:
    hand = Hand(10, 40)
    hand.take([job("a", BUDGET + 1)])

    room = hand.room()

    assert (room.default, room.budget, room.channels["a"]) == (1, 0, 0)


def test_whoever_waits_is_woken_by_what_is_dropped() -> None:
    hand, jobs = Hand(10, 40), [job()]
    hand.take(jobs)
    thread = Thread(target=hand.drop, args=(jobs,))
    thread.start()

    assert hand.wait(lambda _xml, total: total == 0, 30)
    thread.join()


def test_waiting_ends_when_the_time_is_over() -> None:
    hand = Hand(10, 40)
    hand.take([job()])

    assert not hand.wait(lambda _xml, total: total == 0, 0)


def test_the_leases_of_what_is_in_hand_are_to_be_renewed_until_it_is_done() -> None:
    hand = Hand(10, 40)
    first, second = job("a"), job("b")
    hand.take([first, second])
    hand.drop([first])
    assert hand.leased() == ["t"]

    hand.drop([second])

    assert hand.leased() == hand.tokens() == []


def test_what_is_given_up_is_not_renewed_and_still_known() -> None:
    hand = Hand(10, 40)
    hand.take([job("a"), job("b")])

    hand.leave([job("a")])

    assert (hand.leased(), hand.tokens()) == ([], ["t"])
    assert hand.room().channels == {"b": 39}


def test_it_says_when_a_channel_has_recovered() -> None:
    hand = Hand(10, 40)

    assert [hand.strength("a", strong) for strong in (True, False, False, True, True)] == [
        False, False, False, True, False,
    ]  # fmt: skip


def test_what_is_taken_is_leased_for_the_term() -> None:
    assert Hand(10, 40, 12.5).room().term == 12.5
