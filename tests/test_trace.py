"""Stories: what belongs to a message, found from every side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import trace
from broker.channels.channel import Incoming, Sent
from broker.errors import Conflict
from broker.message import State
from broker.repair import Repair
from broker.trace import EVENTS, NotFound, document, single, story
from tests import messages
from tests.fakes import Bench, Script


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def bench(tmp_path: Path, script: Script) -> Iterator[Bench]:
    made = Bench(tmp_path, script)
    yield made
    made.app.close()


def ids(bench: Bench, text: str) -> list[str]:
    found = story(bench.app.store, bench.app.vault, text)
    return [chapter.row.id for chapter in found.chapters]


def replayed(bench: Bench) -> list[str]:
    """Deliver one message, then replay it and its replay; return the ids in order."""
    first = bench.accept(messages.request()).id
    bench.run()
    made = [first]
    for _ in range(2):
        repair = Repair(bench.app, "jo")
        made.append(repair.replay(bench.row(made[-1]), "lost", again=True))
        bench.run()
    return made


def test_a_message_alone_is_a_story(bench: Bench) -> None:
    id = bench.accept(messages.request()).id

    assert ids(bench, id) == [id]


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_replays_are_followed_both_ways(bench: Bench, asked: int) -> None:
    made = replayed(bench)

    assert ids(bench, made[asked]) == made


def test_an_answer_leads_to_its_request_and_back(bench: Bench, script: Script) -> None:
    id = bench.accept(messages.request()).id
    reference = bench.row(id).reference
    script.plan("procedure", Sent("taken", messages.reply(reference)))
    bench.run()
    [answer] = bench.answers()

    assert ids(bench, id) == ids(bench, answer.id) == [id, answer.id]


def test_a_long_story_is_cut_and_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "LONGEST", 2)
    for _ in range(4):
        bench.accept(messages.request(case="a-case"))
    found = story(bench.app.store, bench.app.vault, "a-case")

    assert (len(found.chapters), found.cut) == (2, True)


def test_the_order_is_that_of_the_store_whatever_the_clock_said(bench: Bench) -> None:
    made = [bench.accept(messages.request(case="a-case")).id for _ in range(3)]
    table = "UPDATE messages SET received = received - 9000000 WHERE id = ?"
    with bench.app.store._begin() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql(table, (made[2],))

    assert ids(bench, "a-case") == made


def test_other_messages_of_the_case_are_named(bench: Bench) -> None:
    made = [bench.accept(messages.request(case="a-case")).id for _ in range(3)]
    bench.accept(messages.request(case="another"))
    found = story(bench.app.store, bench.app.vault, made[1])

    assert [chapter.row.id for chapter in found.chapters] == [made[1]]
    assert found.siblings == (made[0], made[2])


def test_a_whole_case_has_no_others(bench: Bench) -> None:
    for _ in range(2):
        bench.accept(messages.request(case="a-case"))

    assert story(bench.app.store, bench.app.vault, "a-case").siblings == ()


def test_repeats_are_counted(bench: Bench) -> None:
    body = messages.request()
    for _ in range(4):
        id = bench.accept(body).id
    [chapter] = story(bench.app.store, bench.app.vault, id).chapters

    assert chapter.repeats == 3


def test_other_bytes_under_its_id_are_part_of_the_story(bench: Bench) -> None:
    uuid = "11111111-1111-4111-8111-111111111111"
    id = bench.accept(messages.request(name=uuid)).id
    with pytest.raises(Conflict):
        bench.accept(messages.request(name=uuid, key="bab:03999999"))
    [chapter] = story(bench.app.store, bench.app.vault, id).chapters

    assert [line.event for line in chapter.lines] == ["accepted", "contested"]


def test_a_replay_of_a_rejected_case_leads_to_all_its_answers(bench: Bench, script: Script) -> None:
    made = replayed(bench)
    for at, id in enumerate(made):
        reference = bench.row(id).reference
        bench.intake.reply("procedure", Incoming("reply", f"{at}.xml", messages.reply(reference)))
    bench.run()
    answers = [row.id for row in bench.answers()]

    assert len(answers) == 3
    assert all(ids(bench, id) == [*made, *answers] for id in (*made, *answers))


def test_a_name_that_two_parties_use_must_be_made_clear(bench: Bench) -> None:
    for reference in ("0000000000001", "0000000000002"):
        bench.accept(messages.request(name=reference))
    for id in [row.id for row in trace.find(bench.app.store, bench.app.vault, "0000000000001")]:
        bench.app.store.learn(id, "63-1").result()
    for id in [row.id for row in trace.find(bench.app.store, bench.app.vault, "0000000000002")]:
        bench.app.store.learn(id, "63-1").result()

    with pytest.raises(NotFound, match="several messages have this name"):
        single(bench.app.store, "63-1")


def test_nothing_is_found_by_nothing(bench: Bench) -> None:
    with pytest.raises(NotFound):
        story(bench.app.store, bench.app.vault, "  ")


def test_the_document_has_keys_that_stay(bench: Bench) -> None:
    id = bench.accept(messages.request()).id
    made = document(story(bench.app.store, bench.app.vault, id))

    assert set(made) == {"asked", "cut", "siblings", "messages"}
    assert set(made["messages"][0]) == {
        "id", "direction", "state", "received", "changed", "party", "standard", "version", "kind",
        "uuid", "sender", "recipient", "test", "size", "route", "adapter", "channel", "reference",
        "number", "attempts", "due", "reason", "error", "receipt", "answers", "replays", "entries",
        "repeats",
    }  # fmt: skip
    assert set(made["messages"][0]["entries"][0]) == {"seq", "time", "event", "actor", "facts"}


def test_every_event_of_a_story_has_a_meaning(bench: Bench) -> None:
    made = replayed(bench)
    chapters = story(bench.app.store, bench.app.vault, made[0]).chapters

    assert {line.event for chapter in chapters for line in chapter.lines} <= set(EVENTS)


def test_every_state_has_a_meaning_in_both_languages() -> None:
    assert all(trace.state(state, "en") and trace.state(state, "de") for state in State)
