"""Taking over: what is accepted, recognised, refused, and what replies find."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker.adapter import Adapter, Correlation
from broker.channels.channel import Incoming, Mark, Prepared, Sent
from broker.errors import Conflict, Forbidden, NotXml, Refusal, StoreError
from broker.intake import Intake
from broker.journal.entry import decode
from broker.message import State, now
from broker.stores.contract import Room
from tests import messages
from tests.fakes import Bench, Make, benches


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def adapter(broker: Bench) -> Adapter:
    return broker.app.site.catalog.get("wolfsburg/bau")


def offer(broker: Bench, body: bytes, name: str = "a.xml") -> list[str]:
    return broker.intake.reply("procedure", Incoming("reply", name, body))


def without_uuid(body: bytes) -> bytes:
    return re.sub(rb"<nachrichtenUUID>.*?</nachrichtenUUID>", b"", body, count=1)


# messages


def test_the_receipt_has_id_time_and_digest_of_the_bytes_received(bench: Make) -> None:
    broker, body, before = bench(), messages.request(), now()

    receipt = broker.accept(body)

    assert receipt.sha256 == hashlib.sha256(body).hexdigest()
    assert before <= receipt.received <= now()
    assert not receipt.duplicate
    assert broker.row(receipt.id).received == receipt.received


def test_the_original_bytes_are_kept_as_they_came(bench: Make) -> None:
    broker, body = bench(), messages.request() + b"\n<!-- as sent -->\r\n"

    id = broker.accept(body).id

    found = broker.app.store.payload(id, "original")
    assert found is not None
    assert broker.app.vault.unseal(found[0], id, found[1]) == body


def test_the_same_bytes_get_the_same_receipt_and_have_one_effect(bench: Make) -> None:
    broker, body = bench(), messages.request()
    first = broker.accept(body)
    broker.run()

    again = broker.accept(body)
    broker.run()

    assert (again.id, again.sha256, again.received) == (first.id, first.sha256, first.received)
    assert (first.duplicate, again.duplicate) == (False, True)
    assert len(broker.script.sent["procedure"]) == 1
    assert broker.events(first.id)[-1] == "repeated"


def test_other_bytes_under_the_same_id_are_refused_and_kept(bench: Make) -> None:
    broker = bench()
    first = broker.accept(messages.request(name="11111111-1111-4111-8111-111111111111"))

    with pytest.raises(Conflict, match=first.id) as caught:
        broker.accept(messages.request(name="11111111-1111-4111-8111-111111111111"))

    assert caught.value.reason == "S050"
    counts = broker.app.store.counts()
    assert (counts.accepted, counts.refused) == (1, 1)


def test_one_id_of_two_parties_is_two_messages(bench: Make) -> None:
    broker, body = bench(), messages.request()

    receipts = [broker.intake.accept(body, party, "test") for party in ("bauportal", "wolfsburg")]

    assert receipts[0].id != receipts[1].id
    assert not receipts[1].duplicate


def test_without_a_message_id_the_bytes_decide(bench: Make) -> None:
    broker, body = bench(), without_uuid(messages.request())

    first, again, other = (
        broker.accept(one) for one in (body, body, without_uuid(messages.request()))
    )

    assert (again.id, again.duplicate) == (first.id, True)
    assert (other.id != first.id, other.duplicate) == (True, False)


def test_many_senders_of_one_message_get_one_receipt(bench: Make) -> None:
    broker, body = bench(), messages.request()

    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(broker.accept, [body] * 48))

    assert len({(one.id, one.received) for one in receipts}) == 1
    assert [one.duplicate for one in receipts].count(False) == 1
    assert broker.app.store.counts().accepted == 1


def test_a_repeat_is_recognised_after_a_restart(bench: Make) -> None:
    broker, body = bench(), messages.request()
    first = broker.accept(body)
    broker.run()
    broker.crash()

    assert broker.accept(body).id == first.id


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", NotXml),
        (b"no xml at all", NotXml),
        (messages.request()[:-20], NotXml),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', Forbidden),
        (messages.request().decode().encode("utf-16"), Refusal),
    ],
)
def test_what_cannot_be_read_is_refused_and_its_bytes_are_kept(
    bench: Make, body: bytes, error: type[Refusal]
) -> None:
    broker = bench()

    with pytest.raises(error):
        broker.accept(body)

    counts = broker.app.store.counts()
    assert (counts.accepted, counts.refused) == (0, 1)
    assert refused_bytes(broker) == [body]


def refused_bytes(broker: Bench) -> list[bytes]:
    """Open what the store kept of refusals."""
    from sqlalchemy import select

    from broker.stores.contract import Payload
    from broker.stores.sqlite import SqliteStore
    from broker.stores.tables import refusals

    store = broker.app.store
    assert isinstance(store, SqliteStore)
    with store._reading.connect() as connection:
        rows = connection.execute(select(refusals)).all()
    return [
        broker.app.vault.unseal(row.key, row.id, Payload("original", row.box, row.salt, row.size))
        for row in rows
    ]


def test_a_refusal_is_in_the_journal_with_its_reason_and_whence_it_came(bench: Make) -> None:
    broker = bench()

    with pytest.raises(NotXml):
        broker.accept(b"<Planck>")

    (line,) = map(decode, broker.app.store.entries())
    assert (line.event, line.message, line.facts["reason"]) == ("refused", "", "X000")
    assert (line.facts["party"], line.facts["via"]) == ("bauportal", "test")
    assert "Planck" not in str(dict(line.facts))


def test_no_receipt_without_a_commit(bench: Make) -> None:
    broker = bench()
    broker.app.store.close()

    with pytest.raises(StoreError):
        broker.accept(messages.request())


def test_a_refusal_that_cannot_be_kept_is_no_answer_either(bench: Make) -> None:
    broker = bench()
    broker.app.store.close()

    with pytest.raises(StoreError):
        broker.accept(b"<broken")


def test_the_route_is_fixed_at_acceptance(bench: Make) -> None:
    broker = bench()

    row = broker.row(broker.accept(messages.request()).id)

    table = broker.app.site.table.table.digest
    assert (row.route, row.adapter, row.channel) == ("bau", "wolfsburg/bau", "procedure")
    assert row.table == table


def test_a_message_without_a_route_is_accepted_with_the_reason(bench: Make) -> None:
    broker = bench()

    row = broker.row(broker.accept(messages.request(key="bab:03999999")).id)

    assert (row.state, row.route, row.reason) == (State.WAITING, "", "T080")


# replies


def test_a_reply_is_a_message_of_its_own_that_answers_its_request(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())

    (id,) = offer(broker, messages.reply(broker.row(request.id).reference))
    broker.run()

    assert (broker.row(id).answers, broker.state(id)) == (request.id, State.DELIVERED)
    assert len(broker.script.sent["return"]) == 1


def test_the_same_reply_offered_again_is_one_answer(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    body = messages.reply(broker.row(request.id).reference)

    ids = [offer(broker, body), offer(broker, body)]
    broker.run()
    ids.append(offer(broker, body))
    broker.run()

    assert len({id for found in ids for id in found}) == 1
    assert len(broker.script.sent["return"]) == 1
    assert broker.events(request.id).count("answered") == 1


def test_a_reply_for_nobody_is_dead_and_told_to_nobody(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request())
    broker.run()

    (id,) = offer(broker, messages.reply("0" * 13, number="63-unknown"))
    broker.run()

    row = broker.row(id)
    assert (row.state, row.answers) == (State.DEAD, None)
    assert "matches no delivery" in row.error
    assert broker.script.sent.get("return") is None


def test_a_reply_that_overtakes_our_commit_finds_its_request(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    states: list[State] = []

    def reply_first(prepared: Prepared, mark: Mark) -> Sent:
        mark()
        offer(broker, messages.reply(prepared.reference))
        states.append(broker.state(request.id))
        return Sent("taken")

    broker.script.plan("procedure", reply_first)
    broker.run()

    (answer,) = broker.answers()
    assert states == [State.WORKING]
    assert (answer.answers, answer.state) == (request.id, State.DELIVERED)
    assert broker.state(request.id) is State.DELIVERED


def split(monkeypatch: pytest.MonkeyPatch, broker: Bench) -> None:
    monkeypatch.setattr(adapter(broker), "replies", lambda data: tuple(data.split(b"|")))


def test_a_file_of_many_replies_is_as_many_messages(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    split(monkeypatch, broker)
    requests = [broker.accept(messages.request()).id for _ in range(3)]
    parts = [
        messages.reply(broker.row(id).reference, number=f"63-{at}")
        for at, id in enumerate(requests)
    ]
    parts.insert(1, messages.reply("0" * 13, number="63-nobody"))

    ids = offer(broker, b"|".join(parts))
    again = offer(broker, b"|".join(parts))
    broker.run()

    assert again == ids
    answers = [broker.row(id).answers for id in ids]
    assert answers == [requests[0], None, requests[1], requests[2]]
    assert [broker.state(id) for id in ids].count(State.DELIVERED) == 3


def test_a_file_that_was_half_taken_over_is_completed(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    split(monkeypatch, broker)
    requests = [broker.accept(messages.request()).id for _ in range(2)]
    parts = [messages.reply(broker.row(id).reference) for id in requests]
    births = broker.intake._replies("procedure", Incoming("reply", "a.xml", b"|".join(parts)))
    first = broker.app.store.accept(births[0]).result()

    ids = offer(broker, b"|".join(parts))

    assert ids[0] == first.id
    assert [broker.row(id).answers for id in ids] == requests


def test_a_reply_with_the_file_number_only_finds_its_request(bench: Make) -> None:
    broker = bench()
    requests = [broker.accept(messages.request()).id for _ in range(2)]
    offer(broker, messages.reply(broker.row(requests[1]).reference, number="63-7"), "first.xml")

    (id,) = offer(broker, messages.reply("", number="63-7"), "second.xml")

    assert broker.row(id).answers == requests[1]
    assert broker.row(requests[1]).number == "63-7"


def test_the_file_number_of_an_answer_at_once_is_learned(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    reply = messages.reply(broker.row(request.id).reference, number="63-8")
    broker.script.plan("procedure", Sent("taken", reply))
    broker.run()

    (id,) = offer(broker, messages.reply("", number="63-8", status="GENEHMIGT"))

    assert broker.row(id).answers == request.id


def test_a_file_number_of_two_requests_is_not_guessed_at(bench: Make) -> None:
    broker = bench()
    for at in range(2):
        reference = broker.row(broker.accept(messages.request()).id).reference
        offer(broker, messages.reply(reference, number="63-7"), f"{at}.xml")

    (id,) = offer(broker, messages.reply("", number="63-7"), "third.xml")

    assert (broker.state(id), broker.row(id).answers) == (State.DEAD, None)


def test_the_file_number_is_written_down_once(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    body = messages.reply(broker.row(request.id).reference, number="63-7")

    for name in ("a", "a", "b"):
        offer(broker, body, name)

    assert broker.events(request.id).count("numbered") == 1


def test_a_reply_over_a_channel_without_adapters_is_dead(bench: Make) -> None:
    broker = bench()

    (id,) = broker.intake.reply("return", Incoming("reply", "a", messages.reply("0" * 13)))

    row = broker.row(id)
    assert (row.state, row.error) == (
        State.DEAD,
        "the channel return has 0 adapters, a reply needs one",
    )


@pytest.mark.parametrize(
    "body", [b"", b"no xml", b"<a><Referenz>1</Referenz><Referenz>2</Referenz></a>"]
)
def test_a_reply_that_cannot_be_read_is_dead_and_kept(bench: Make, body: bytes) -> None:
    broker = bench()

    (id,) = offer(broker, body)

    found = broker.app.store.payload(id, "original")
    assert found is not None
    assert broker.app.vault.unseal(found[0], id, found[1]) == body
    assert broker.state(id) is State.DEAD


@pytest.mark.parametrize("method", ["replies", "correlate"])
def test_an_adapter_that_fails_on_a_reply_makes_a_dead_letter_not_a_standstill(
    bench: Make, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    broker = bench()

    def fail(_data: bytes) -> Sequence[bytes] | Correlation:
        raise ValueError("Erika Planck is no number")

    monkeypatch.setattr(adapter(broker), method, fail)
    (id,) = offer(broker, messages.reply("0" * 13))

    row = broker.row(id)
    assert row.state is State.DEAD
    assert row.error.startswith("unexpected ValueError at test_intake.py:")


def test_a_reply_in_a_file_whose_name_is_no_text_is_taken_over(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    body = messages.reply(broker.row(request.id).reference)

    (id,) = offer(broker, body, os.fsdecode(b"antwort-\xff.xml"))

    assert broker.row(id).answers == request.id


def test_two_intakes_of_one_reply_agree(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    body = messages.reply(broker.row(request.id).reference)
    intakes = [Intake(broker.app) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        ids = list(
            pool.map(lambda one: one.reply("procedure", Incoming("reply", "a", body)), intakes)
        )

    assert len({id for (id,) in ids}) == 1
    assert len(broker.answers()) == 1


def test_a_reply_to_a_message_that_is_waiting_again_is_an_answer_all_the_same(
    bench: Make,
) -> None:
    broker = bench()
    request = broker.accept(messages.request())
    broker.app.store.take(Room())
    broker.crash()

    (id,) = offer(broker, messages.reply(broker.row(request.id).reference))

    assert broker.row(id).answers == request.id
