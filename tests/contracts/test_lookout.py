"""What every store promises to whoever keeps watch: alarms, deadlines and depth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from broker.journal.trail import entry
from broker.message import State, now
from broker.stores.contract import Entry, Room, Store
from broker.stores.lookout import Alarm, Due, Late, Turn
from tests.births import birth, done, taken_in

Open = Callable[[], Store]
HOUR = timedelta(hours=1)


def turn(store: Store, **parts: object) -> None:
    store.turn(Turn[Entry](**parts)).result()  # type: ignore[arg-type]


def alarm(cause: str = "stuck:bau", at: datetime | None = None, **facts: str) -> Alarm:
    return Alarm(cause, at or now(), facts)


def accepted(store: Store, **way: str) -> str:
    made = birth(**way)  # type: ignore[arg-type]
    taken_in(store, made)
    return made.message.id


def crossed(store: Store, kind: Due = "delivery", *routes: str) -> list[str]:
    found = store.crossed(kind, routes or ("bau",), now() - HOUR, now() + HOUR)
    return [id for id, _route, _received in found]


def deliver(store: Store, state: State = State.DELIVERED) -> None:
    store.change([done(job, state) for job in store.take(Room())]).result()


def test_an_alarm_is_kept_for_all_processes(opened: Open) -> None:
    one, other, at = opened(), opened(), now()
    turn(one, raised=(Alarm("disk:a", at, {"free": "10"}, "host-a"),))

    assert other.alarms() == [Alarm("disk:a", at, {"free": "10"}, "host-a")]


def test_what_is_raised_again_keeps_since_when_and_who_was_told(store: Store) -> None:
    at = now()
    turn(store, raised=(alarm(at=at - HOUR, count="1"),))
    turn(store, told=(("stuck:bau", {"mail": "raised x"}),), calmed=(("stuck:bau", at),))
    turn(store, raised=(alarm(at=at, count="2"),))

    (found,) = store.alarms()
    assert (found.since, found.over, found.told) == (at - HOUR, None, {"mail": "raised x"})
    assert found.facts == {"count": "2"}


def test_an_alarm_is_gone_only_where_it_is_over(store: Store) -> None:
    turn(store, raised=(alarm("a"), alarm("b")))
    turn(store, calmed=(("a", now()),), gone=("a", "b"))

    assert [one.cause for one in store.alarms()] == ["b"]


def test_what_was_over_first_stays_over_since_then(store: Store) -> None:
    at = now()
    turn(store, raised=(alarm(at=at - HOUR),))
    turn(store, calmed=(("stuck:bau", at - HOUR),))
    turn(store, calmed=(("stuck:bau", at),))

    assert store.alarms()[0].over == at - HOUR


def test_a_request_that_is_not_delivered_in_its_time_is_found(store: Store) -> None:
    id = accepted(store)

    assert crossed(store) == [id]
    assert crossed(store, "delivery", "other") == []
    assert store.crossed("delivery", ("bau",), now() - HOUR, now() - HOUR / 2) == []


@pytest.mark.parametrize("state", [State.DELIVERED, State.REJECTED])
def test_what_has_ended_is_not_late(store: Store, state: State) -> None:
    accepted(store)
    deliver(store, state)

    assert crossed(store) == []


def test_what_a_person_must_look_at_is_late_too(store: Store) -> None:
    id = accepted(store)
    deliver(store, State.DEAD)

    assert crossed(store) == [id]


def test_a_delivered_request_without_an_answer_is_not_answered(store: Store) -> None:
    id = accepted(store)
    deliver(store)

    assert crossed(store, "answer") == [id]
    taken_in(store, birth(answers=id, route="", channel="return"))
    assert crossed(store, "answer") == []


def test_what_was_rejected_needs_no_answer(store: Store) -> None:
    accepted(store)
    deliver(store, State.REJECTED)

    assert crossed(store, "answer") == []


def late(store: Store, id: str, kind: Due = "delivery", route: str = "bau") -> None:
    turn(
        store,
        late=(Late(id, kind, route, now() - HOUR),),
        entries=(entry(id, "overdue", rule=kind),),
    )


def test_what_is_known_as_late_is_found_and_written_down_once(store: Store) -> None:
    id = accepted(store)
    late(store, id)
    late(store, id)

    assert crossed(store) == []
    assert [one.event for one in store.entries(id)].count("overdue") == 1
    assert [one.message for one in store.late()] == [id]


def test_late_requests_are_counted_by_route(store: Store) -> None:
    for route in ("bau", "bau", "gewerbe"):
        late(store, accepted(store, route=route), route=route)

    found = [(one.route, one.kind, one.count) for one in store.lateness()]
    assert found == [("bau", "delivery", 2), ("gewerbe", "delivery", 1)]
    assert len(store.late("bau")) == 2
    assert len(store.late(limit=1)) == 1


def test_what_was_delivered_after_all_is_late_no_more(store: Store) -> None:
    id = accepted(store)
    late(store, id)
    assert store.caught_up().result() == 0
    deliver(store)

    assert store.caught_up().result() == 1
    assert store.late() == []


def test_what_was_answered_after_all_is_late_no_more(store: Store) -> None:
    id = accepted(store)
    deliver(store)
    late(store, id, "answer")
    assert store.caught_up().result() == 0
    taken_in(store, birth(answers=id, route="", channel="return"))

    assert store.caught_up().result() == 1


def test_depth_counts_what_waits_and_what_is_worked_on(store: Store) -> None:
    for route in ("bau", "bau", "gewerbe"):
        accepted(store, route=route)
    store.take(Room(limit=1))

    assert store.depths() == {"bau": 2, "gewerbe": 1}
    deliver(store)
    assert sum(store.depths().values()) == 1


def test_a_store_says_what_it_can_use_again(store: Store) -> None:
    assert store.slack() >= 0
