"""What the broker does now and then by itself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from broker.channels.channel import Sent
from broker.errors import SchemaMissing
from broker.journal.entry import decode
from broker.journal.trail import entry
from broker.message import State, new_id, now
from broker.stores.contract import Room
from broker.stores.mending import Window
from broker.upkeep import expire, recover, release, reopen
from broker.xoev.standards import Standards
from tests import messages
from tests.fakes import Bench, Make, benches

NAMESPACE = "http://www.xleitstelle.de/xbau/2/9"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def held(broker: Bench) -> str:
    id = broker.accept(messages.request(namespace=NAMESPACE)).id
    broker.run()
    return id


def test_a_void_lease_is_written_down_with_its_attempt(bench: Make) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    broker.app.store.take(Room())

    assert recover(broker.app) == 1

    line = decode(list(broker.app.store.entries(id))[-1])
    assert (line.event, dict(line.facts)) == (
        "recovered",
        {"attempt": "1", "state": "waiting", "was": "working"},
    )


def test_poison_is_written_down_as_the_end_of_the_lease(bench: Make) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    for _ in range(4):
        broker.app.store.take(Room())
        recover(broker.app)

    line = decode(list(broker.app.store.entries(id))[-1])

    assert (line.facts["state"], line.facts["attempt"]) == ("dead", "4")
    assert broker.row(id).error.startswith("poison: ")


def test_nothing_in_hand_is_nothing_to_recover(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request())

    assert recover(broker.app) == 0


def test_a_held_message_goes_on_when_its_standard_is_there(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    id = held(broker)
    monkeypatch.setattr(Standards, "installed", lambda *_: True)

    assert release(broker.app) == 1

    assert broker.state(id) is State.WAITING
    assert broker.events(id)[-1] == "released"


def test_a_reply_that_waited_for_a_code_list_is_tried_again(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    reply = messages.reply(broker.row(request.id).reference)
    broker.script.plan("procedure", Sent("taken", reply))
    adapter = broker.app.site.catalog.get("wolfsburg/bau")
    missing = SchemaMissing("the code list is not installed")
    with monkeypatch.context() as patch:
        patch.setattr(adapter, "to_xoev", lambda *_: (_ for _ in ()).throw(missing))
        broker.run()
    (answer,) = broker.answers()
    assert answer.state is State.HELD

    assert release(broker.app) == 1

    broker.run()
    assert broker.state(answer.id) is State.DELIVERED


def test_only_what_is_held_is_let_go(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request())

    assert release(broker.app) == 0


def test_a_held_message_is_not_buried_before_its_time(bench: Make) -> None:
    broker = bench()
    id = held(broker)

    assert expire(broker.app, timedelta(hours=1).total_seconds()) == 0
    assert broker.state(id) is State.HELD


def test_a_message_held_too_long_says_so(bench: Make, quiet: io.BytesIO) -> None:
    broker = bench()
    id = held(broker)

    assert expire(broker.app, 0) == 1

    row = broker.row(id)
    assert row.error == "held too long: nobody installed the missing schema"
    assert broker.events(id)[-1] == "buried"


def test_the_end_of_a_pause_is_written_down_once(bench: Make) -> None:
    broker = bench()
    hour = timedelta(hours=1)
    store = broker.app.store
    for start, until in ((-2 * hour, -hour), (-hour, hour)):
        one = Window(new_id(), "bau", now() + start, now() + until, "erika", "update")
        store.plan(one, entry("", "paused", "erika", route="bau")).result()

    assert (reopen(broker.app), reopen(broker.app)) == (1, 0)

    (line,) = map(decode, store.entries(events=("resumed",)))
    assert (line.actor, line.facts["route"]) == ("broker", "bau")
    assert [one.open(now()) for one in store.windows()] == [True]
