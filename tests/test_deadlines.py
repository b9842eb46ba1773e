"""Which requests are late, and that each is written down once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from broker.channels.channel import Incoming, Sent
from broker.deadlines import Deadlines, lines
from broker.journal.entry import decode
from broker.message import State, now
from tests import messages
from tests.fakes import Bench, Make, benches

HOUR = timedelta(hours=1)
WITHIN = "deliver_within: 1h"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def watch(broker: Bench) -> Deadlines:
    app = broker.app
    return Deadlines(app.store, lambda: app.site.table.table)


def look(broker: Bench, later: timedelta) -> int:
    return watch(broker).look(now() + later)


def test_without_a_deadline_nothing_is_late(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request())

    assert look(broker, 100 * HOUR) == 0


def test_what_is_not_delivered_in_time_is_late_once_and_in_the_journal(bench: Make) -> None:
    broker = bench(order=WITHIN)
    row = broker.row(broker.accept(messages.request()).id)

    assert [look(broker, HOUR * part) for part in (0.5, 1.1, 1.2, 30)] == [0, 1, 0, 0]

    (late,) = broker.app.store.late()
    assert (late.message, late.kind, late.route) == (row.id, "delivery", "bau")
    assert late.due == row.received + HOUR
    line = decode(list(broker.app.store.entries(row.id))[-1])
    assert (line.event, line.facts["rule"], line.facts["route"]) == ("overdue", "delivery", "bau")
    assert datetime.fromisoformat(line.facts["due"]) == late.due.replace(microsecond=0)


def test_what_is_delivered_in_time_is_not_late(bench: Make) -> None:
    broker = bench(order=WITHIN)
    broker.accept(messages.request())
    broker.run()

    assert look(broker, 2 * HOUR) == 0


def test_what_was_delivered_late_is_late_no_more(bench: Make) -> None:
    broker = bench(order=WITHIN)
    broker.accept(messages.request())
    look(broker, 2 * HOUR)
    assert len(broker.app.store.late()) == 1

    broker.run()
    look(broker, 3 * HOUR)

    assert broker.app.store.late() == []


def test_a_delivered_request_without_an_answer_is_late_until_it_has_one(bench: Make) -> None:
    broker = bench(order="answer_within: 14d")
    row = broker.row(broker.accept(messages.request()).id)
    broker.run()
    assert look(broker, 13 * 24 * HOUR) == 0

    assert look(broker, 15 * 24 * HOUR) == 1
    assert next(lines(broker.app.store)).startswith("bau: 1 not answered in time, the")

    broker.intake.reply("procedure", Incoming("reply", "a", messages.reply(row.reference)))
    assert look(broker, 16 * 24 * HOUR) == 0
    assert broker.app.store.late() == []


def test_an_answer_at_once_is_in_time(bench: Make) -> None:
    broker = bench(order="answer_within: 14d")
    row = broker.row(broker.accept(messages.request()).id)
    broker.script.plan("procedure", Sent("taken", messages.reply(row.reference)))
    broker.run()

    assert look(broker, 15 * 24 * HOUR) == 0


def test_what_no_route_takes_is_never_late(bench: Make) -> None:
    broker = bench(order=f"{WITHIN}\n    answer_within: 2h")
    broker.accept(messages.request(key="bab:03999999"))
    broker.run()

    assert look(broker, 20 * HOUR) == 0


def test_a_pause_of_the_process_hides_nothing(bench: Make) -> None:
    broker = bench(order=WITHIN)
    look(broker, timedelta())
    id = broker.accept(messages.request()).id

    assert look(broker, 60 * 24 * HOUR) == 1
    assert broker.app.store.late()[0].message == id


def test_the_store_remembers_how_far_it_has_looked(bench: Make) -> None:
    broker = bench(order=WITHIN)
    broker.accept(messages.request())
    look(broker, 2 * HOUR)
    broker.crash()

    assert look(broker, 3 * HOUR) == 0
    assert broker.state(broker.app.store.late()[0].message) is State.WAITING
