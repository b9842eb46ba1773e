"""Repair of many: what is shown is what is done, each once, and it can be stopped and resumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from broker.batch import Batch, Pace, chosen, selection
from broker.causes import STUCK, every
from broker.errors import DeliveryUnclear
from broker.journal.entry import Line, decode
from broker.message import State
from broker.repair import Act, NotPossible, Repair
from broker.stores.contract import Filter
from tests import messages
from tests.fakes import Bench, Make, benches

QUICK = Pace(2)
AGAIN = Act("server is back", again=True)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def unclear(broker: Bench, count: int) -> list[str]:
    """Return the ids of messages that may have arrived."""
    broker.script.plan("procedure", *[DeliveryUnclear("the connection broke")] * count)
    ids = [broker.accept(messages.request()).id for _ in range(count)]
    broker.run()
    return ids


def erika(broker: Bench) -> Batch:
    return Batch(broker.app, "erika")


def frozen(broker: Bench, ids: list[str], act: Act = AGAIN, name: str = "outage") -> None:
    erika(broker).freeze(selection(name, "replay", "erika", act), ids)


def ran(broker: Bench, who: str = "erika", stop: Event | None = None) -> dict[str, int]:
    ended = Batch(broker.app, who).run("outage", QUICK, stop or Event(), lambda _count: None)
    return {str(name): count for name, count in ended.counts.items()}


def line(broker: Bench, event: str, message: str = "") -> Line:
    return [decode(one) for one in broker.app.store.entries(message, events=(event,))][-1]


def test_a_preview_says_what_would_happen_and_does_nothing(bench: Make) -> None:
    broker = bench()
    one, other = unclear(broker, 2)
    Repair(broker.app, "max").settle(broker.row(one), "found")
    rows = [broker.row(one), broker.row(other)]

    first, second = erika(broker).preview(rows, "replay", Act("x"))

    assert "needs --again" in first.refused
    assert "may have arrived" in second.refused
    assert [one.refused for one in erika(broker).preview(rows, "replay", AGAIN)] == ["", ""]
    assert broker.state(other) is State.UNCLEAR


def test_a_preview_shows_the_old_and_the_new_route(bench: Make) -> None:
    broker = bench()
    rows = [broker.row(id) for id in unclear(broker, 1)]
    changed = broker.file.read_text(encoding="utf-8").replace("name: bau\n", "name: bau-neu\n")
    broker.file.write_text(changed, encoding="utf-8")
    broker.app.reload()

    (found,) = erika(broker).preview(rows, "replay", replace(AGAIN, reroute=True))

    assert (found.row.route, found.route) == ("bau", "bau-neu")


def test_what_was_frozen_is_done_and_nothing_else(bench: Make) -> None:
    broker = bench()
    ids = unclear(broker, 3)
    frozen(broker, ids)
    (later,) = unclear(broker, 1)

    assert ran(broker) == {"done": 3}

    broker.run()
    assert [broker.state(id) for id in ids] == [State.DELIVERED] * 3
    assert broker.state(later) is State.UNCLEAR


def test_every_message_and_the_selection_itself_name_person_and_reason(bench: Make) -> None:
    broker = bench()
    (id,) = unclear(broker, 1)
    frozen(broker, [id])

    ran(broker, "max")

    one, whole, end = (line(broker, "replayed", id), line(broker, "selected"),
                       line(broker, "carried"))  # fmt: skip
    assert (one.actor, one.facts["reason"], one.facts["selection"]) == (
        "max", "server is back", "outage",
    )  # fmt: skip
    assert (whole.actor, whole.facts["count"], whole.facts["reason"]) == (
        "erika", "1", "server is back",
    )  # fmt: skip
    assert (end.actor, end.facts["count"], end.facts["outcome"]) == ("max", "1", "done")


def test_a_selection_that_was_stopped_goes_on_where_it_stopped(bench: Make) -> None:
    broker = bench()
    ids = unclear(broker, 5)
    frozen(broker, ids)
    stop = Event()

    erika(broker).run("outage", QUICK, stop, lambda _count: stop.set())
    halfway = dict(chosen(broker.app, "outage").counts)
    assert line(broker, "carried").facts["outcome"] == "stopped"

    assert (halfway, ran(broker)) == ({"done": 2, "pending": 3}, {"done": 5})
    broker.run()
    assert sorted(one.key for one in broker.script.sent["procedure"]) == ids


def test_after_a_crash_nothing_is_done_twice(bench: Make) -> None:
    broker = bench()
    ids = [broker.accept(messages.request()).id for _ in range(4)]
    broker.run()
    frozen(broker, ids)

    def die(_count: int) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        erika(broker).run("outage", QUICK, Event(), die)
    broker.crash()
    ran(broker)
    ran(broker)
    broker.run()

    replays = [row.replays for row in broker.app.store.rows(Filter()) if row.replays]
    assert sorted(replays) == sorted(ids)
    assert len(broker.script.sent["procedure"]) == 8


def test_what_moved_since_is_refused_with_the_reason(bench: Make) -> None:
    broker = bench()
    one, other = unclear(broker, 2)
    frozen(broker, [one, other])
    Repair(broker.app, "max").close(broker.row(one), "by letter")

    assert ran(broker) == {"done": 1, "refused": 1}

    (refused,) = broker.app.store.selected("outage", "refused")
    assert (refused.message, "is closed" in refused.note) == (one, True)


def test_a_cancelled_selection_does_nothing_more(bench: Make) -> None:
    broker = bench()
    ids = unclear(broker, 4)
    frozen(broker, ids)

    def cancel(_count: int) -> None:
        Batch(broker.app, "max").cancel("outage", "wrong list")

    ended = erika(broker).run("outage", QUICK, Event(), cancel)

    assert dict(ended.counts) == {"done": 2, "cancelled": 2}
    assert [broker.state(id) for id in ids[2:]] == [State.UNCLEAR] * 2
    assert (line(broker, "cancelled").actor, line(broker, "cancelled").facts["reason"]) == (
        "max", "wrong list",
    )  # fmt: skip


def test_a_whole_cause_is_closed(bench: Make) -> None:
    broker = bench()
    ids = unclear(broker, 3)
    made = selection("outage", "close", "erika", Act("test data"))
    erika(broker).freeze(made, ids)

    assert ran(broker) == {"done": 3}

    assert [broker.state(id) for id in ids] == [State.CLOSED] * 3
    assert line(broker, "closed", ids[0]).facts["selection"] == "outage"


def test_an_empty_list_is_not_kept(bench: Make) -> None:
    broker = bench()

    with pytest.raises(NotPossible, match="nothing was chosen"):
        frozen(broker, [])


def test_a_name_is_given_once_and_unknown_ones_get_a_hint(bench: Make) -> None:
    broker = bench()
    ids = unclear(broker, 1)
    frozen(broker, ids)

    with pytest.raises(NotPossible, match="taken"):
        frozen(broker, ids)
    with pytest.raises(NotPossible, match="selection list"):
        chosen(broker.app, "outrage")


def test_an_unknown_message_of_a_list_is_refused(bench: Make) -> None:
    broker = bench()
    frozen(broker, ["nothing"])

    assert ran(broker) == {"refused": 1}


def test_a_rate_keeps_batches_small_enough_to_hold_it() -> None:
    assert [Pace(50).batch, Pace(50, 10.0).batch, Pace(50, 0.2).batch, Pace(5, 100.0).batch] == [
        50, 10, 1, 5,
    ]  # fmt: skip


def test_a_rate_makes_it_wait_between_batches(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = bench()
    frozen(broker, unclear(broker, 3))
    waits: list[float] = []
    stop = Event()
    monkeypatch.setattr(stop, "wait", waits.append)

    erika(broker).run("outage", Pace(50, 0.5), stop, lambda _count: None)

    assert len(waits) == 3
    assert waits[-1] > waits[0] > 1


def test_a_change_of_routes_and_adapters_moves_nothing_that_is_stuck(bench: Make) -> None:
    broker = bench()
    ids = unclear(broker, 1)
    broker.accept(messages.request(key="bab:03999999"))
    broker.run()
    before = list(every(broker.app.store, Filter()))
    changed = broker.file.read_text(encoding="utf-8").replace("03103000", "03999999")
    broker.file.write_text(changed.replace("name: bau\n", "name: bau-neu\n"), encoding="utf-8")

    broker.app.reload()
    broker.run()

    assert list(every(broker.app.store, Filter())) == before
    assert {row.state for row in before} == {State.UNCLEAR, State.REJECTED, State.DELIVERED}
    assert [row.id for row in every(broker.app.store, Filter(states=STUCK))] == ids


def test_large_messages_wait_for_their_commit_before_more_are_read(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    ids = [broker.accept(messages.request()).id for _ in range(3)]
    broker.run()
    frozen(broker, ids)
    monkeypatch.setattr("broker.batch.BUDGET", 1)

    assert ran(broker) == {"done": 3}
