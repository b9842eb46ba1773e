"""The steps of a message, each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.channels.channel import Found, Sent
from broker.errors import (
    DeliveryUnclear,
    NoRoute,
    ReplyError,
    SenderNotAllowed,
    TestMessage,
    Unreachable,
)
from broker.journal.entry import decode
from broker.journal.trail import Trail
from broker.pipeline import adapter, allowed, answer, asked, channel, deliver, original, prepare
from broker.stores.contract import Job, Room
from tests import messages
from tests.fakes import Bench, Make, Script, benches


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def taken(broker: Bench, body: bytes | None = None) -> Job:
    broker.accept(body or messages.request())
    (job,) = broker.app.store.take(Room())
    return job


def unmarked() -> None:
    raise AssertionError("marked")


def test_a_request_is_judged_and_then_converted(bench: Make) -> None:
    broker, body = bench(), messages.request()
    job, trail = taken(broker, body), Trail("m")

    made = prepare(job, body, broker.app, trail)

    lines = [decode(one) for one in trail.taken()]
    assert [line.event for line in lines] == ["validated", "converted"]
    assert lines[0].facts["artefact"]
    assert lines[1].facts["size"] == str(len(made))
    assert job.reference.encode() in made


def test_converting_twice_gives_the_same_bytes(bench: Make) -> None:
    broker, body = bench(), messages.request()
    job = taken(broker, body)

    assert len({prepare(job, body, broker.app, Trail("m")) for _ in range(3)}) == 1


@pytest.mark.parametrize(("reason", "error"), [("T080", NoRoute), ("T070", SenderNotAllowed)])
def test_what_has_no_route_is_refused_with_the_reason_found_at_acceptance(
    bench: Make, reason: str, error: type[Exception]
) -> None:
    broker = bench()
    job = replace(taken(broker), route="", reason=reason, error="not here")

    with pytest.raises(error, match="not here"):
        allowed(broker.app.site, job)


@pytest.mark.parametrize(("channel_is_test", "flag"), [("true", None), ("false", "true")])
def test_test_and_real_never_meet(bench: Make, channel_is_test: str, flag: str | None) -> None:
    broker = bench(test=channel_is_test)
    job = taken(broker)
    job = replace(job, envelope=replace(job.envelope, test=flag))

    with pytest.raises(TestMessage):
        allowed(broker.app.site, job)


@pytest.mark.parametrize("flag", ["", "0815", "false"])
def test_any_value_of_the_flag_makes_it_a_test_message(bench: Make, flag: str) -> None:
    broker = bench(test="false")
    job = taken(broker)
    job = replace(job, envelope=replace(job.envelope, test=flag))

    with pytest.raises(TestMessage):
        allowed(broker.app.site, job)


@pytest.mark.parametrize(
    ("found", "repeats", "result"),
    [
        (Found.THERE, False, Sent("found at the other side after an interruption")),
        (Found.THERE, True, Sent("found at the other side after an interruption")),
        (Found.NOT_THERE, False, None),
        (Found.NOT_THERE, True, None),
        (Found.UNKNOWN, True, None),
    ],
)
def test_the_other_side_is_believed(
    bench: Make, found: Found, repeats: bool, result: Sent | None
) -> None:
    broker = bench(Script(found=found, repeats=repeats))

    assert asked(broker.app.site.channels["procedure"], taken(broker)) == result


def test_nobody_knowing_is_unclear_where_repeats_do_harm(bench: Make) -> None:
    broker = bench(Script(found=Found.UNKNOWN))

    with pytest.raises(DeliveryUnclear, match="settle it with: xoev-broker settle"):
        asked(broker.app.site.channels["procedure"], taken(broker))


def test_without_a_doubt_nobody_is_asked(bench: Make) -> None:
    broker = bench()

    deliver(taken(broker), b"legacy", broker.app, Trail("m"), unmarked)

    assert broker.script.asked == []
    assert broker.script.sent["procedure"][0].body == b"legacy"


def test_an_answer_is_converted_and_judged(bench: Make) -> None:
    broker = bench()
    job = taken(broker)
    row, trail = broker.row(job.id), Trail("m")
    reply = messages.reply(job.reference)

    made, envelope = answer(job, reply, row, broker.app, trail)

    assert [decode(one).event for one in trail.taken()] == ["converted", "validated"]
    assert (envelope.sender, envelope.recipient) == (row.envelope.recipient, row.envelope.sender)
    assert envelope.uuid.encode() in made


def test_the_same_reply_makes_the_same_answer(bench: Make) -> None:
    broker = bench()
    job = taken(broker)
    row, reply = broker.row(job.id), messages.reply(job.reference)

    made = [answer(job, reply, row, broker.app, Trail("m"))[0] for _ in range(2)]

    assert made[0] == made[1]


def test_an_answer_that_the_adapter_made_wrong_is_not_sent(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    job = taken(broker)
    made = adapter(broker.app.site, "wolfsburg/bau")
    monkeypatch.setattr(made, "to_xoev", lambda *_: b"<no-message/>")

    with pytest.raises(ReplyError, match=r"the answer made by wolfsburg/bau is not valid: "):
        answer(job, b"", broker.row(job.id), broker.app, Trail("m"))


@pytest.mark.parametrize("get", [adapter, channel])
def test_what_is_not_there_now_may_be_there_later(bench: Make, get: object) -> None:
    broker = bench()

    with pytest.raises(Unreachable):
        get(broker.app.site, "no/where")  # type: ignore[operator]


def test_the_original_is_empty_once_it_was_erased(bench: Make) -> None:
    broker, body = bench(), messages.request()
    job = taken(broker, body)

    assert original(broker.app, job.id) == body
    assert original(broker.app, "erased") == b""
