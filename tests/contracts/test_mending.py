"""What every store promises to whoever repairs: selections, proposals, windows, lanes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from broker.journal.trail import entry
from broker.message import State, new_id, now
from broker.stores.contract import Change, Erasure, Room, Store
from broker.stores.mending import Proposal, Selection, Window
from tests.births import birth, done, lines, state, taken_in

Open = Callable[[], Store]
HOUR = timedelta(hours=1)
NOTE = entry("", "selected", "erika", selection="outage")


def kept(store: Store, ids: list[str], name: str = "outage") -> None:
    made = Selection(name, "replay", "erika", "server is back", now())
    assert store.freeze(made, ids, NOTE).result()


def dead(store: Store, count: int = 1) -> list[str]:
    """Return the ids of messages that a person must look at."""
    taken_in(store, *[birth() for _ in range(count)])
    jobs = store.take(Room())
    store.change([replace(done(job, State.DEAD), reason="S999", error="broken") for job in jobs])
    assert len(jobs) == count
    return sorted(job.id for job in jobs)


def onward(id: str, was: State = State.DEAD, to: State = State.WAITING) -> Change:
    return Change(id, None, to, lines(id, to), due=now(), expected=(was,))


def proposal(message: str) -> Proposal:
    return Proposal(
        "P1", message, new_id(), "erika", "erika", "typo", now(), "bau", 3, b"s", b"box"
    )


def window(start: timedelta, until: timedelta, route: str = "bau") -> Window:
    return Window(new_id(), route, now() + start, now() + until, "erika", "maintenance")


def test_a_selection_keeps_its_messages_in_their_order(store: Store) -> None:
    ids = dead(store, 3)[::-1]
    kept(store, ids)

    (found,) = store.selections()

    assert [one.message for one in store.selected("outage")] == ids
    assert (found.name, found.act, found.actor, found.reason) == (
        "outage", "replay", "erika", "server is back",
    )  # fmt: skip
    assert (found.open, dict(found.counts)) == (3, {"pending": 3})


def test_the_name_of_a_selection_is_given_once(store: Store) -> None:
    kept(store, dead(store))

    again = store.freeze(Selection("outage", "close", "max", "x", now()), ["a"], NOTE).result()

    assert not again
    assert store.selections()[0].act == "replay"
    assert [one.event for one in store.entries(events=("selected",))] == ["selected"]


def test_a_step_of_a_selection_is_done_once_whoever_asks(opened: Open) -> None:
    one, other = opened(), opened()
    (id,) = dead(one)
    kept(one, [id])

    first = one.carry("outage", 1, onward(id)).result()
    second = other.carry("outage", 1, onward(id)).result()

    assert (first, second) == (True, False)
    assert state(one, id) is State.WAITING
    assert [item.progress for item in other.selected("outage")] == ["done"]


def test_a_new_message_of_a_selection_is_made_once(store: Store) -> None:
    (id,) = dead(store)
    kept(store, [id])
    made = birth()

    assert store.carry("outage", 1, made).result()
    assert not store.carry("outage", 1, birth()).result()

    assert store.selected("outage")[0].note == made.message.id
    assert sum(store.counts().states[made.message.direction].values()) == 2


def test_a_step_that_does_not_apply_leaves_the_message_pending(store: Store) -> None:
    (id,) = dead(store)
    kept(store, [id])

    assert not store.carry("outage", 1, onward(id, was=State.HELD)).result()

    assert [one.progress for one in store.selected("outage")] == ["pending"]
    assert state(store, id) is State.DEAD


def test_what_is_refused_keeps_the_reason(store: Store) -> None:
    kept(store, dead(store, 2))

    assert store.pass_over("outage", 2, "was erased").result()
    assert not store.pass_over("outage", 2, "again").result()

    assert [one.note for one in store.selected("outage", "refused")] == ["was erased"]
    assert [one.number for one in store.selected("outage", "pending")] == [1]


def test_what_is_cancelled_is_not_done_any_more(store: Store) -> None:
    ids = dead(store, 3)
    kept(store, ids)
    store.carry("outage", 1, onward(ids[0])).result()

    line = entry("", "cancelled", "erika", selection="outage")
    assert store.cancel("outage", line).result() == 2

    assert not store.carry("outage", 2, onward(ids[1])).result()
    assert dict(store.selections()[0].counts) == {"done": 1, "cancelled": 2}
    assert store.cancel("outage", line).result() == 0
    assert len(list(store.entries(events=("cancelled",)))) == 1


def test_pages_of_a_selection_follow_each_other(store: Store) -> None:
    kept(store, dead(store, 5))

    first = store.selected("outage", "pending", limit=2)

    assert [one.number for one in store.selected("outage", "pending", first[-1].number)] == [
        3, 4, 5,
    ]  # fmt: skip


def test_a_proposal_is_kept_until_it_is_decided(store: Store) -> None:
    (id,) = dead(store)
    made = proposal(id)

    store.propose(made, entry(id, "proposed", "erika")).result()

    (found,) = store.proposals(id, "open")
    assert replace(found, made=made.made) == made
    assert store.proposals("other") == []


def test_a_proposal_is_confirmed_once_and_its_box_is_dropped(opened: Open) -> None:
    one, other = opened(), opened()
    (id,) = dead(one)
    one.propose(proposal(id), entry(id, "proposed", "erika")).result()
    new = birth()
    step = replace(onward(id, to=State.CLOSED), births=(new,))

    assert one.confirm("P1", "max", step).result()
    assert not other.confirm("P1", "moritz", replace(step, births=(birth(),))).result()
    assert not other.decline("P1", "moritz", entry(id, "declined", "moritz")).result()

    (found,) = other.proposals()
    assert (found.decision, found.decider, found.box) == ("confirmed", "max", None)
    assert (state(one, id), state(one, new.message.id)) == (State.CLOSED, State.WAITING)


def test_a_proposal_for_a_message_that_moved_stays_open(store: Store) -> None:
    (id,) = dead(store)
    store.propose(proposal(id), entry(id, "proposed", "erika")).result()
    store.change([onward(id)]).result()

    assert not store.confirm("P1", "max", onward(id, to=State.CLOSED)).result()

    assert [one.decision for one in store.proposals()] == ["open"]


def test_a_declined_proposal_leaves_its_entry_and_no_content(store: Store) -> None:
    (id,) = dead(store)
    store.propose(proposal(id), entry(id, "proposed", "erika")).result()

    assert store.decline("P1", "max", entry(id, "declined", "max")).result()

    assert [(one.decision, one.box) for one in store.proposals()] == [("declined", None)]
    assert [one.event for one in store.entries(id)][-1] == "declined"


def test_proposed_content_goes_with_the_payload_of_its_message(store: Store) -> None:
    (id,) = dead(store)
    store.propose(proposal(id), entry(id, "proposed", "erika")).result()
    store.change([onward(id, to=State.CLOSED)]).result()

    erasure = Erasure(id, "payload", "rule", (entry(id, "erased", rule="rule"),))
    assert store.erase([erasure]).result()

    assert [one.box for one in store.proposals()] == [None]


def test_nothing_of_a_route_is_taken_in_its_window(store: Store) -> None:
    taken_in(store, birth())
    stop = window(-HOUR, HOUR)
    store.plan(stop, entry("", "paused", "erika", route="bau")).result()

    assert store.take(Room()) == []
    assert not store.due()

    assert store.unplan(stop.id, entry("", "resumed", "erika", route="bau")).result()
    assert len(store.take(Room())) == 1


@pytest.mark.parametrize("times", [(HOUR, 2 * HOUR), (-2 * HOUR, -HOUR)], ids=["planned", "over"])
def test_a_window_that_is_not_open_stops_nothing(
    store: Store, times: tuple[timedelta, timedelta]
) -> None:
    taken_in(store, birth())
    store.plan(window(*times), entry("", "paused", "erika", route="bau")).result()

    assert len(store.take(Room())) == 1


def test_a_window_stops_its_own_route_only(store: Store) -> None:
    taken_in(store, birth(), birth(route="other"))
    store.plan(window(-HOUR, HOUR), entry("", "paused", "erika", route="bau")).result()

    assert [job.route for job in store.take(Room())] == ["other"]


def test_windows_of_a_route_are_listed_by_their_begin(store: Store) -> None:
    late, soon, other = window(HOUR, 2 * HOUR), window(-HOUR, HOUR), window(HOUR, HOUR, "other")
    for one in (late, soon, other):
        store.plan(one, entry("", "paused", "erika", route=one.route)).result()

    assert [one.id for one in store.windows("bau")] == [soon.id, late.id]
    assert len(store.windows()) == 3
    assert not store.unplan("unknown", entry("", "resumed")).result()


def test_lanes_add_up_what_is_unfinished(store: Store) -> None:
    dead(store, 2)
    taken_in(store, birth(), birth(route="other"))
    (job,) = store.take(Room(limit=1))
    failed = replace(done(job, State.WAITING), error="no answer", due=now() + HOUR)
    store.change([failed]).result()

    lanes = {lane.route: lane for lane in store.lanes()}

    counts = [dict(lanes[name].states) for name in ("bau", "other")]
    assert sum(count.get(State.WAITING, 0) for count in counts) == 2
    assert counts[0][State.DEAD] == 2
    assert sum(lane.failing for lane in lanes.values()) == 1
    oldest = min(lane.oldest for lane in lanes.values() if lane.oldest)
    assert oldest <= now()


def test_a_store_without_messages_has_no_lanes(store: Store) -> None:
    assert store.lanes() == []
    assert store.moved(0) == {}


def test_what_came_and_went_is_counted_from_an_entry_on(store: Store) -> None:
    taken_in(store, birth())
    newest = store.newest()
    assert newest is not None
    taken_in(store, birth(), birth(route="other"))
    for job in store.take(Room()):
        store.change([done(job)]).result()

    assert store.moved(0)["bau"] == (2, 2)
    assert store.moved(newest.seq) == {"bau": (1, 2), "other": (1, 1)}
