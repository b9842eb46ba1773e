"""Reading leaves a trace, and the trace tells nothing about a citizen."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.access import ACTS, Access, acts, described
from broker.cli.commands import COMMANDS
from broker.cli.groups import GROUPS
from broker.cli.repair import acting
from broker.errors import StoreError
from broker.journal.birth import business_key
from broker.journal.entry import Line, decode
from broker.repair import Repair
from broker.stores.contract import Filter
from broker.trace import EVENTS
from tests import messages
from tests.births import VAULT
from tests.fakes import Bench, Script


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, Script())
    yield made
    made.app.close()


def access(bench: Bench, actor: str = "erika") -> Access:
    return Access(bench.app.store, bench.app.vault, actor)


def last(bench: Bench) -> Line:
    return [decode(entry) for entry in bench.app.store.entries()][-1]


def found(bench: Bench, about: str = "", actor: str = "") -> list[tuple[str, str]]:
    return [
        (line.actor, line.event) for line in acts(bench.app.store, bench.app.vault, about, actor)
    ]


def test_a_search_is_noted_with_person_command_and_count(bench: Bench) -> None:
    access(bench).searched("messages", (("state", "dead"), ("route", "")), 3)
    line = last(bench)

    assert (line.actor, line.event, line.message) == ("erika", "searched", "")
    assert dict(line.facts) == {"via": "messages", "filters": "state=dead", "count": "3"}


def test_what_was_searched_for_is_kept_as_a_fingerprint_only(bench: Bench) -> None:
    access(bench).searched("messages", (("text", "Zwirbelbart"), ("key:name", "Moosgrund")), 0)
    body = b"".join(entry.body for entry in bench.app.store.entries())

    assert b"Zwirbelbart" not in body
    assert b"Moosgrund" not in body
    assert b"key:name=#" in body


def test_a_route_is_named_only_where_it_led_to_messages() -> None:
    asked = (("route", "bau/wolfsburg"),)

    assert described(VAULT, asked, 1) == "route=bau/wolfsburg"
    assert described(VAULT, asked, 0).startswith("route=#")


def test_opening_and_exporting_are_noted(bench: Bench) -> None:
    id = bench.accept(messages.request()).id
    access(bench).opened(id, "original", "complaint")
    opened = last(bench)
    access(bench).exported((), 7, "csv", "ab" * 32)

    assert (opened.message, opened.facts["form"], opened.facts["reason"]) == (
        id,
        "original",
        "complaint",
    )
    assert last(bench).facts["digest"] == "ab" * 32


def test_who_knows_the_words_finds_the_search(bench: Bench) -> None:
    access(bench).searched("messages", (("key:name", "Zwirbelbart"),), 1)
    access(bench).searched("messages", (("key:name", "Moosgrund"),), 1)

    assert found(bench, " ZWIRBELBART ") == [("erika", "searched")]


def test_who_opened_or_replayed_a_message_is_found_by_its_id(bench: Bench) -> None:
    id = bench.accept(messages.request()).id
    access(bench, "otto").opened(id, "original", "complaint")
    Repair(bench.app, "erika").replay(bench.row(id), "again")

    assert found(bench, id) == [("otto", "opened"), ("erika", "replayed")]
    assert found(bench, id, "otto") == [("otto", "opened")]


def test_what_the_broker_does_by_itself_is_no_act_of_a_person(bench: Bench) -> None:
    bench.accept(messages.request())
    bench.run()

    assert found(bench) == []


def test_without_an_entry_nothing_is_read(bench: Bench) -> None:
    made = access(bench)
    bench.app.store.close()

    with pytest.raises(StoreError):
        made.searched("messages", (), 0)


def test_every_act_has_a_meaning_where_it_is_known() -> None:
    assert {"searched", "opened", "exported"} <= set(ACTS) & set(EVENTS)


def test_every_command_that_needs_a_reason_names_a_person() -> None:
    every = [*COMMANDS, *(one for _, some in GROUPS.values() for one in some)]
    options = {one.name: set(inspect.signature(one.act).parameters) for one in every}
    administrative = {name for name, known in options.items() if "reason" in known}

    assert {"replay", "close", "settle", "pause", "resume", "payload"} <= administrative
    assert [name for name in sorted(administrative) if "actor" not in options[name]] == []
    reading = ("messages", "trace", "export", "submit", "install", "remove")
    assert [n for n in reading if "actor" not in options[n]] == []


def test_behind_sudo_the_person_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "erika")

    assert acting(None) == "erika"
    assert acting("otto") == "otto"


# business keys in the store


def by_key(bench: Bench, *pairs: tuple[str, str]) -> list[str]:
    keys = tuple(business_key(bench.app.vault, *pair) for pair in pairs)
    return [row.id for row in bench.app.store.rows(Filter(keys=keys))]


def test_a_message_is_found_by_its_business_keys(bench: Bench) -> None:
    id = bench.accept(messages.request()).id

    assert by_key(bench, ("antragsteller", "  beispielMANN ")) == [id]
    assert by_key(bench, ("antragsteller", "Beispielmann"), ("flurstueck", "117")) == [id]
    assert by_key(bench, ("antragsteller", "Beispielmann"), ("flurstueck", "118")) == []
    assert by_key(bench, ("strasse", "Beispielmann")) == []


def test_an_answer_is_found_by_the_keys_of_its_request(bench: Bench) -> None:
    id = bench.accept(messages.invalid()).id
    bench.run()
    [rejection] = bench.answers()

    assert by_key(bench, ("antragsteller", "Beispielmann")) == [rejection.id, id]


def test_a_replay_has_the_keys_of_the_first(bench: Bench) -> None:
    id = bench.accept(messages.request()).id
    bench.run()
    again = Repair(bench.app, "erika").replay(bench.row(id), "lost", again=True)

    assert by_key(bench, ("antragsteller", "Beispielmann")) == [again, id]


def test_a_duplicate_adds_no_keys(bench: Bench) -> None:
    body = messages.request()
    id = bench.accept(body).id
    bench.accept(body)

    assert by_key(bench, ("antragsteller", "Beispielmann")) == [id]


def test_no_value_of_a_key_is_in_the_store(bench: Bench, tmp_path: Path) -> None:
    bench.accept(messages.request())
    bench.app.store.close()
    files = b"".join(file.read_bytes() for file in (tmp_path / "var").rglob("*") if file.is_file())

    assert b"beispielmann" not in files.lower()
