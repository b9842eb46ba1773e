"""A confirmed copy asks before it sends, and leaves to a person what nobody can be asked about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from broker.channels.channel import Declared, Found
from broker.channels.directory import Directory
from broker.channels.rest import Rest
from broker.channels.table import Table
from broker.journal.restore import LOST, repeats
from broker.message import State, now
from tests import messages
from tests.fakes import Bench, Make, Script, benches


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def sent(broker: Bench) -> int:
    return len(broker.script.sent.get("procedure", []))


def copied(broker: Bench) -> str:
    """Return the id of a message that waits in a confirmed copy, after the worker had its turn."""
    id = broker.accept(messages.request()).id
    assert broker.app.store.distrust().result() == 1
    broker.run()
    return id


@pytest.mark.parametrize(
    ("found", "count"), [(Found.THERE, 0), (Found.NOT_THERE, 1)], ids=["there", "not there"]
)
def test_who_can_be_asked_gets_only_what_is_not_there(
    bench: Make, found: Found, count: int
) -> None:
    broker = bench(Script(found=found, asks=True))

    id = copied(broker)

    assert broker.script.asked == [id]
    assert (broker.state(id), sent(broker)) == (State.DELIVERED, count)


def test_who_does_not_know_now_is_left_to_a_person(bench: Make) -> None:
    broker = bench(Script(found=Found.UNKNOWN, asks=True))

    assert (broker.state(copied(broker)), sent(broker)) == (State.UNCLEAR, 0)


def test_who_recognises_repeats_gets_it_under_the_same_key(bench: Make) -> None:
    broker = bench(Script(repeats=True))

    id = copied(broker)

    assert broker.state(id) is State.DELIVERED
    assert [one.key for one in broker.script.sent["procedure"]] == [id]


@pytest.mark.parametrize("found", [Found.THERE, Found.NOT_THERE])
def test_what_only_our_own_traces_say_does_not_count(bench: Make, found: Found) -> None:
    broker = bench(Script(found=found))

    id = copied(broker)

    assert (broker.state(id), broker.script.asked, sent(broker)) == (State.UNCLEAR, [], 0)


def test_only_channels_that_know_by_the_other_side_alone_are_asked(tmp_path: Path) -> None:
    def rest(**values: str) -> bool:
        return Rest(Declared("r", "rest", {"address": "https://127.0.0.1/", **values})).asks

    assert rest(ask="https://127.0.0.1/{key}")
    assert not rest()
    assert not rest(ask="https://127.0.0.1/{key}", reply="body")
    assert not Directory(Declared("d", "directory", {"out": tmp_path})).asks
    url = tmp_path / "url"
    url.write_text("sqlite://")
    assert Table(Declared("t", "table", {"url_file": url, "out": "A"})).asks


def test_a_lost_message_holds_its_own_case_only(bench: Make) -> None:
    broker = bench(order="order: case")
    broker.app.store.ran(LOST, now()).result()
    lost = broker.accept(messages.request(case="one")).id
    broker.app.store.ran(LOST, now() - timedelta(days=9999)).result()
    broker.crash()
    same, other = (broker.accept(messages.request(case=name)).id for name in ("one", "two"))
    broker.run()

    found = [broker.state(id) for id in (lost, same, other)]
    assert found == [State.UNCLEAR, State.WAITING, State.DELIVERED]


@pytest.mark.parametrize(
    ("created", "doubtful"),
    [
        ("2020-01-01T00:00:00", True),
        ("2020-01-01T00:00:00+01:00", True),
        ("2199-01-01T00:00:00Z", False),
        ("", False),
        ("gestern", False),
    ],
)
def test_only_the_time_of_the_head_tells_a_possible_repeat(created: str, doubtful: bool) -> None:
    assert repeats(now(), created) is doubtful
    assert not repeats(None, created)
