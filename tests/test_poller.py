"""Looking into channels: everything is taken over once, and settled only after the commit."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Event

import pytest

from broker.channels.channel import Channel, Incoming, Verdict
from broker.errors import NotAllowed, StoreAway, StoreError, Unreachable
from broker.message import Direction, State
from broker.poller import Poller
from broker.stores.contract import Filter
from broker.stores.sqlite import SqliteStore
from tests import messages
from tests.fakes import WAIT, Bench, Make, benches, until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def channel(broker: Bench, party: str = "bauportal") -> Channel:
    found = broker.app.site.channels["procedure"]
    found.values = {**found.values, "from": party}
    return found


def poller(broker: Bench, woken: list[bool] | None = None) -> Poller:
    wake: Callable[[], None] = lambda: (woken or []).append(True)  # noqa: E731
    return Poller(broker.app, broker.intake, wake, 0.01)


def message(name: str, body: bytes) -> Incoming:
    return Incoming("message", name, body)


def test_a_message_that_lies_there_is_accepted_and_then_settled(bench: Make) -> None:
    broker, woken = bench(), [False]
    broker.script.incoming.append(message("a.xml", messages.request()))

    assert poller(broker, woken).look(channel(broker)) == 1

    ((name, verdict),) = broker.script.settled
    assert (name, verdict.taken) == ("a.xml", True)
    assert verdict.text.startswith("accepted as ")
    assert broker.app.store.counts().accepted == 1
    assert woken[-1]


def test_it_is_settled_only_after_the_commit(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = bench()
    there: list[bool] = []
    found = channel(broker)

    def settle(_incoming: Incoming, verdict: Verdict) -> None:
        id = verdict.text.split()[-1 if "taken over" in verdict.text else 2].strip(",")
        there.append(broker.app.store.row(id) is not None)

    monkeypatch.setattr(found, "settle", settle)
    broker.script.incoming.append(message("a.xml", messages.request()))
    broker.script.incoming.append(Incoming("reply", "b.xml", messages.reply("0" * 13)))
    poller(broker).look(found)

    assert there == [True, True]


def test_a_message_that_is_refused_is_kept_and_settled_as_refused(bench: Make) -> None:
    broker = bench()
    broker.script.incoming.append(message("a.xml", b"<broken"))

    poller(broker).look(channel(broker))

    ((_, verdict),) = broker.script.settled
    assert (verdict.taken, verdict.reason) == (False, "X000")
    assert broker.app.store.counts().refused == 1


def test_other_bytes_under_the_same_id_are_settled_as_refused(bench: Make) -> None:
    broker = bench()
    for at in range(2):
        body = messages.request(name="11111111-1111-4111-8111-111111111111")
        broker.script.incoming.append(message(f"{at}.xml", body))

    poller(broker).look(channel(broker))

    assert [(one.taken, one.reason) for _, one in broker.script.settled] == [
        (True, ""),
        (False, "S050"),
    ]


def test_what_the_channel_itself_does_not_take_is_kept_and_settled_as_refused(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, begun = bench(), list[bytes]()
    begin = broker.intake.begin

    def noting(body: bytes, *args: str) -> object:
        begun.append(body)
        return begin(body, *args)

    monkeypatch.setattr(broker.intake, "begin", noting)
    good, foreign = messages.request(), messages.request()
    error = NotAllowed("the queue lets this user send as somebody else")
    broker.script.incoming.append(Incoming("message", "a.xml", foreign, refusal=error))
    broker.script.incoming.append(message("b.xml", good))

    poller(broker).look(channel(broker))

    first, (_, second) = broker.script.settled
    assert first == ("a.xml", Verdict(False, str(error), error.reason))
    assert second.taken
    assert begun == [good], "what is refused is not even parsed"
    assert (broker.app.store.counts().accepted, broker.app.store.counts().refused) == (1, 1)
    (kept,) = broker.app.store.refusals(None, None).items()
    assert kept == (error.reason, 1)


def test_what_the_channel_itself_does_not_take_counts_against_no_rate(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()

    def admit(_party: str) -> None:
        raise AssertionError

    monkeypatch.setattr(broker.intake.pressure, "admit", admit)
    refused = Incoming("message", "a.xml", b"", refusal=NotAllowed("not this user"))
    broker.script.incoming.append(refused)

    assert poller(broker).look(channel(broker)) == 1


def test_a_bad_message_does_not_hold_up_the_others(bench: Make) -> None:
    broker = bench()
    bodies = [messages.request(), b"<broken", b"", messages.request()]
    for at, body in enumerate(bodies):
        broker.script.incoming.append(message(f"{at}.xml", body))

    poller(broker).look(channel(broker))

    assert [one.taken for _, one in broker.script.settled] == [True, False, False, True]


def test_the_same_file_again_gets_the_same_receipt(bench: Make) -> None:
    broker, body = bench(), messages.request()
    for _ in range(2):
        broker.script.incoming.append(message("a.xml", body))
        poller(broker).look(channel(broker))

    first, second = (one.text for _, one in broker.script.settled)
    assert first == second
    assert broker.app.store.counts().accepted == 1


def test_a_reply_is_taken_over_and_says_as_what(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    body = messages.reply(broker.row(request.id).reference)
    broker.script.incoming.append(Incoming("reply", "a.xml", body))

    poller(broker).look(channel(broker))

    (answer,) = broker.answers()
    assert broker.script.settled == [("a.xml", Verdict(True, f"taken over as {answer.id}"))]


def test_nothing_is_settled_when_the_store_fails(bench: Make) -> None:
    broker = bench()
    broker.script.incoming.append(message("a.xml", messages.request()))
    broker.app.store.close()

    with pytest.raises(StoreError):
        poller(broker).look(channel(broker))

    assert broker.script.settled == []


def test_a_party_that_may_not_send_this_is_told_by_a_rejection(bench: Make) -> None:
    broker = bench()
    broker.script.incoming.append(message("a.xml", messages.request()))

    poller(broker).look(channel(broker, "wolfsburg"))
    broker.run()

    (row,) = broker.app.store.rows(Filter(direction=Direction.REQUEST))
    assert (row.state, row.reason) == (State.REJECTED, "T070")


def test_it_looks_again_and_again_until_it_is_stopped(bench: Make) -> None:
    broker = bench()
    running = poller(broker)
    running.start()
    for at in range(3):
        body = messages.reply("0" * 13, number=f"63-{at}")
        broker.script.incoming.append(Incoming("reply", f"{at}.xml", body))
        assert until(lambda at=at: len(broker.script.settled) == at + 1)  # type: ignore[misc]

    running.stop()

    broker.script.incoming.append(Incoming("reply", "z.xml", b""))
    assert len(broker.script.settled) == 3


@pytest.mark.parametrize("error", [Unreachable("gone"), OSError("gone"), ValueError("Planck")])
def test_a_channel_that_fails_is_looked_at_again_and_it_is_said_once(
    bench: Make, monkeypatch: pytest.MonkeyPatch, quiet: io.BytesIO, error: Exception
) -> None:
    broker, fails = bench(), [3]
    found = channel(broker)
    receive = found.receive

    def failing() -> Iterable[Incoming]:
        if fails[0]:
            fails[0] -= 1
            raise error
        return receive()

    monkeypatch.setattr(found, "receive", failing)
    broker.script.incoming.append(Incoming("reply", "a.xml", messages.reply("0" * 13)))
    running = poller(broker)
    running.start()

    assert until(lambda: len(broker.script.settled) == 1)
    running.stop()
    lines = [json.loads(line) for line in quiet.getvalue().splitlines()]
    events = [line["event"] for line in lines if line["event"] in ("disturbed", "restored")]
    assert events in (["disturbed", "restored"], ["disturbed"], [])
    assert "Planck" not in quiet.getvalue().decode()


def test_a_channel_that_hangs_delays_no_other(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    broker, gate, begun, looked = bench(), Event(), Event(), Event()
    hanging, other = broker.app.site.channels["procedure"], broker.app.site.channels["return"]

    def hang() -> Iterable[Incoming]:
        begun.set()
        gate.wait(WAIT)
        return ()

    def look() -> Iterable[Incoming]:
        if begun.is_set():
            looked.set()
        return ()

    monkeypatch.setattr(type(hanging), "receives", property(lambda _self: True))
    monkeypatch.setattr(hanging, "receive", hang)
    monkeypatch.setattr(other, "receive", look)
    running = poller(broker)
    running.start()

    assert looked.wait(WAIT)
    running.stop()
    gate.set()


def test_it_looks_only_where_it_may(bench: Make) -> None:
    broker = bench()
    running = poller(broker)
    asked: list[str] = []

    def may(name: str) -> bool:
        asked.append(name)
        return False

    running.may = may
    broker.script.incoming.append(Incoming("reply", "a.xml", messages.reply("0" * 13)))
    running.start()

    assert until(lambda: len(asked) > 3)
    running.stop()
    assert set(asked) == {"procedure"}
    assert broker.script.settled == []


def test_while_the_store_is_away_everything_is_left_at_its_source(
    bench: Make, monkeypatch: pytest.MonkeyPatch, quiet: io.BytesIO
) -> None:
    broker, accept = bench(), broker_accept(monkeypatch)
    found = channel(broker)
    monkeypatch.setattr(found, "receive", lambda: [message("a.xml", messages.request())])
    running = poller(broker)
    running.start()

    assert until(lambda: len(accept) > 3)
    running.stop()
    assert broker.script.settled == []
    said = [json.loads(line)["event"] for line in quiet.getvalue().splitlines()]
    assert [name for name in said if name in ("away", "failed")] == ["away"]


def broker_accept(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Let no acceptance be answered; return what was handed in."""
    calls: list[object] = []

    def away(_store: SqliteStore, birth: object) -> Future[object]:
        calls.append(birth)
        lost: Future[object] = Future()
        lost.set_exception(StoreAway("no answer from the database"))
        return lost

    monkeypatch.setattr(SqliteStore, "accept", away)
    return calls
