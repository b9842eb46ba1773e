"""New content goes on only when a second person has looked at it and confirms it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.channels.channel import Incoming, Sent
from broker.errors import DeliveryUnclear, NotXml, Refused, ReplyError, SenderNotAllowed
from broker.journal.entry import Line, decode
from broker.message import State
from broker.proposals import Person, Proposals
from broker.repair import NotPossible, Repair
from broker.stores.contract import Erasure
from broker.stores.mending import Proposal
from broker.stores.sqlite import SqliteStore
from broker.trace import story
from tests import messages
from tests.fakes import Bench, Make, benches

ERIKA, MAX = Person("erika", "erika"), Person("max", "max")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def of(broker: Bench, person: Person = ERIKA) -> Proposals:
    return Proposals(broker.app, person)


def unclear(broker: Bench, body: bytes = b"") -> str:
    broker.script.plan("procedure", DeliveryUnclear("the connection broke"))
    id = broker.accept(body or messages.request()).id
    broker.run()
    return id


def proposed(broker: Bench, id: str, body: bytes = b"") -> Proposal:
    content = body or messages.request()
    return of(broker).propose(broker.row(id), content, "typo", again=True)


def confirmed(broker: Bench, made: Proposal) -> str:
    of(broker, MAX).contents(made)
    return of(broker, MAX).confirm(made, "compared")


def lines(broker: Bench, id: str, event: str) -> list[Line]:
    return [decode(one) for one in broker.app.store.entries(id, events=(event,))]


def test_nothing_goes_on_until_it_is_confirmed(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)

    made = proposed(broker, id)
    broker.run()

    assert broker.state(id) is State.UNCLEAR
    assert broker.app.store.row(made.became) is None
    assert broker.app.store.proposals(id, "open")[0].id == made.id


def test_confirmed_content_is_a_new_linked_message_and_the_original_stays(bench: Make) -> None:
    broker = bench()
    first, second = messages.request(), messages.request()
    id = unclear(broker, first)
    made = proposed(broker, id, second)

    new = confirmed(broker, made)
    broker.run()

    assert (broker.state(id), broker.state(new)) == (State.CLOSED, State.DELIVERED)
    assert (broker.row(new).replays, broker.row(new).route) == (id, "bau")
    found = broker.app.store.payload(id, "original")
    again = broker.app.store.payload(new, "original")
    assert found is not None
    assert again is not None
    assert broker.app.vault.unseal(found[0], id, found[1]) == first
    assert broker.app.vault.unseal(again[0], new, again[1]) == second


def test_the_journal_has_both_persons_and_a_digest_of_its_own(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)
    made = proposed(broker, id)
    new = confirmed(broker, made)

    (offer,), (seal,) = lines(broker, id, "proposed"), lines(broker, id, "confirmed")
    (origin,), (birth,) = lines(broker, id, "accepted"), lines(broker, new, "accepted")

    assert (offer.actor, offer.facts["reason"]) == ("erika", "typo")
    assert (seal.actor, seal.facts["reason"], seal.facts["name"]) == ("max", "compared", new)
    assert offer.facts["proposal"] == seal.facts["proposal"] == made.id
    assert len({offer.facts["digest"], origin.facts["digest"], birth.facts["digest"]}) == 3


def test_the_story_leads_from_the_original_to_the_new_message(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)
    new = confirmed(broker, proposed(broker, id))

    found = story(broker.app.store, broker.app.vault, id)

    assert [chapter.row.id for chapter in found.chapters] == [id, new]


@pytest.mark.parametrize(
    "person",
    [ERIKA, Person("Erika", "max"), Person("max", "erika"), Person("erika", "max")],
    ids=["same", "same-name", "same-account", "renamed"],
)
def test_who_proposed_it_cannot_confirm_it_under_any_name(bench: Make, person: Person) -> None:
    broker = bench()
    made = proposed(broker, unclear(broker))
    of(broker, person).contents(made)

    with pytest.raises(NotPossible, match="another person"):
        of(broker, person).confirm(made, "fine")

    assert broker.app.store.proposals("", "open") != []


def test_who_has_not_looked_cannot_confirm(bench: Make) -> None:
    broker = bench()
    made = proposed(broker, unclear(broker))

    with pytest.raises(NotPossible, match="look at it first"):
        of(broker, MAX).confirm(made, "fine")


def test_looking_is_written_down(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)
    made = proposed(broker, id)

    of(broker, MAX).contents(made)

    (line,) = lines(broker, id, "opened")
    assert (line.actor, line.facts["proposal"]) == ("max", made.id)


def test_a_proposal_is_confirmed_once(bench: Make) -> None:
    broker = bench()
    made = proposed(broker, unclear(broker))
    confirmed(broker, made)
    (decided,) = broker.app.store.proposals()

    for stale in (made, decided):
        with pytest.raises(NotPossible):
            of(broker, MAX).confirm(stale, "again")


def test_a_declined_proposal_has_no_effect(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)
    made = proposed(broker, id)

    of(broker, MAX).decline(made, "wrong case")

    assert broker.state(id) is State.UNCLEAR
    assert lines(broker, id, "declined")[0].facts["reason"] == "wrong case"
    with pytest.raises(NotPossible):
        of(broker, MAX).decline(made, "again")


def test_a_message_that_moved_meanwhile_is_not_replaced(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)
    made = proposed(broker, id)
    of(broker, MAX).contents(made)
    Repair(broker.app, "moritz").close(broker.row(id), "by letter")

    new = of(broker, MAX).confirm(made, "compared")

    assert broker.state(id) is State.CLOSED
    assert broker.row(new).replays == id


@pytest.mark.parametrize("state", ["waiting", "rejected", "delivered"])
def test_what_is_on_its_way_or_has_ended_is_not_edited_by_accident(bench: Make, state: str) -> None:
    broker = bench()
    if state == "rejected":
        broker.script.plan("procedure", Refused("no"))
    id = broker.accept(messages.request()).id
    if state != "waiting":
        broker.run()

    with pytest.raises(NotPossible, match=state):
        of(broker).propose(broker.row(id), messages.request(), "typo")


def test_the_same_content_is_no_proposal(bench: Make) -> None:
    broker = bench()
    body = messages.request()

    with pytest.raises(NotPossible, match="the same"):
        proposed(broker, unclear(broker, body), body)


def test_there_is_one_open_proposal_for_a_message(bench: Make) -> None:
    broker = bench()
    id = unclear(broker)
    proposed(broker, id)

    with pytest.raises(NotPossible, match="has an open proposal"):
        proposed(broker, id)


@pytest.mark.parametrize(
    ("body", "error"),
    [(b"<broken", NotXml), (messages.request(sender="bap:03999999"), SenderNotAllowed)],
    ids=["broken", "foreign-author"],
)
def test_content_that_could_not_be_sent_is_no_proposal(
    bench: Make, body: bytes, error: type[Exception]
) -> None:
    broker = bench()

    with pytest.raises(error):
        proposed(broker, unclear(broker), body)


def test_another_route_than_the_proposed_one_is_not_taken(bench: Make) -> None:
    broker = bench()
    made = proposed(broker, unclear(broker))
    of(broker, MAX).contents(made)
    changed = broker.file.read_text(encoding="utf-8").replace("name: bau\n", "name: bau-neu\n")
    broker.file.write_text(changed, encoding="utf-8")
    broker.app.reload()

    with pytest.raises(NotPossible, match="the routing table has changed"):
        of(broker, MAX).confirm(made, "compared")


def test_a_reply_whose_reference_was_corrected_finds_its_request(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request()).id
    broker.run()
    (id,) = broker.intake.reply("procedure", Incoming("reply", "a", messages.reply("0" * 13)))
    good = messages.reply(broker.row(request).reference)

    new = confirmed(broker, proposed(broker, id, good))
    broker.run()

    row = broker.row(new)
    assert (row.answers, row.replays, row.state) == (request, id, State.DELIVERED)
    assert lines(broker, request, "answered")[0].facts["name"] == new
    assert broker.state(id) is State.CLOSED


def test_a_reply_that_still_matches_nothing_is_no_proposal(bench: Make) -> None:
    broker = bench()
    (id,) = broker.intake.reply("procedure", Incoming("reply", "a", messages.reply("0" * 13)))

    for body in (messages.reply("1" * 13), b"no reply at all"):
        with pytest.raises(ReplyError):
            proposed(broker, id, body)


def test_a_rejection_is_edited_as_the_xoev_message_that_it_is(bench: Make) -> None:
    broker = bench()
    broker.accept(messages.request(key="bab:03999999"))
    broker.run()
    (answer,) = broker.answers()
    found = broker.app.store.payload(answer.id, "original")
    assert found is not None
    body = broker.app.vault.unseal(found[0], answer.id, found[1])

    new = confirmed(broker, proposed(broker, answer.id, body.replace(b"\n", b" \n", 1) + b"\n"))
    broker.run()

    assert broker.state(new) is State.DELIVERED
    assert len(broker.script.sent["return"]) == 2


def test_an_answer_is_corrected_over_its_known_request(bench: Make) -> None:
    broker = bench()
    request = broker.accept(messages.request()).id
    reference = broker.row(request).reference
    broker.script.plan("procedure", Sent("taken", messages.reply(reference, status="ERFUNDEN")))
    broker.run()
    (answer,) = broker.answers()
    assert answer.state is State.DEAD

    new = confirmed(broker, proposed(broker, answer.id, messages.reply(reference)))
    broker.run()

    assert (broker.state(new), broker.row(new).answers) == (State.DELIVERED, request)


def test_erased_content_can_neither_be_edited_nor_confirmed(bench: Make) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    broker.run()
    made = proposed(broker, id)
    assert broker.app.store.erase([Erasure(id, "payload", "rule")]).result()

    with pytest.raises(NotPossible, match="was erased"):
        of(broker, MAX).contents(made)
    with pytest.raises(NotPossible, match="was erased"):
        of(broker).propose(broker.row(id), messages.request(), "typo", again=True)


def test_content_that_was_exchanged_in_the_store_is_not_taken(bench: Make) -> None:
    broker = bench()
    one, other = unclear(broker), unclear(broker)
    made, foreign = proposed(broker, one), proposed(broker, other)
    store = broker.app.store
    assert isinstance(store, SqliteStore)
    with store._writing.begin() as connection:
        connection.execute(
            text("UPDATE proposals SET salt = :salt WHERE id = :id"),
            {"salt": foreign.salt, "id": made.id},
        )
    (changed,) = store.proposals(one)

    with pytest.raises(NotPossible, match="not what the journal says"):
        of(broker, MAX).contents(changed)
    with pytest.raises(NotPossible, match="is gone"):
        of(broker, MAX).contents(replace(made, message="nothing"))
