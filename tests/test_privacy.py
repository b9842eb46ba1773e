"""No personal value in the journal, the log, a row's text or the database file."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.channels.channel import Incoming, Sent
from broker.errors import Conflict, Refusal, Unreachable
from broker.message import now
from broker.repair import Repair
from broker.retention import Policy, run
from broker.settings import Settings
from broker.stores.contract import Filter
from broker.web.metrics import text
from tests import messages
from tests.fakes import Bench, Make, benches

#: Invented, and found nowhere but in the messages below.
NAMES = ("Quastenflosser", "Zwirbelbart", "Xanthippe-Ottokar", "Moosgrundallee", "1999-09-09")
MANY = 30
ALL = Filter(limit=100_000)
#: Nothing is measured: the most that a busy machine may need for the largest number (seconds).
DEADLINE = 600.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


def planted(body: bytes) -> bytes:
    """Put the names into every element of the application that holds free text."""
    head, end, data = _parts(body)
    for tag, name in zip(("name", "vorname", "nachname", "strasse"), NAMES, strict=False):
        data = re.sub(rf"(<(?:\w+:)?{tag}>)[^<]+(</)", rf"\g<1>{name}\g<2>", data)
    data = re.sub(
        r"(</[\w:]*baugenehmigung\.antrag\.0200>)",
        "".join(f"<notiz>{name}</notiz>" for name in NAMES) + r"\g<1>",
        data,
    )
    return (head + end + data).encode()


def applicant(body: bytes) -> bytes:
    """Name the applicant, and keep the message valid."""
    head, end, rest = _parts(body)
    data, count = re.subn(
        r"(<(?:\w+:)?(?:name|vorname|familienname|strasse|hausnummer|text)>)[^<]+(</)",
        rf"\g<1>{NAMES[0]}\g<2>",
        rest,
    )
    assert count
    return (head + end + data).encode()


def _parts(body: bytes) -> tuple[str, str, str]:
    """Part the head from the rest: it names offices, and these are kept as they are."""
    return body.decode().partition("</nachrichtenkopf.g2g>")


def bodies(many: int = MANY) -> list[bytes]:
    """Return applications that end in every way: well, invalid, without route, unreadable …"""
    made = [messages.request() for _ in range(many - 8)]
    made += [messages.invalid() for _ in range(3)]
    made.append(messages.request(key="bab:03999999"))
    made.append(messages.request(namespace="urn:example:unknown"))
    made.append(messages.request(namespace="http://www.xleitstelle.de/xbau/2/9"))
    made.append(messages.request(sender="bap:09999999"))
    made.append(messages.request(test=False))
    return [planted(body) if at % 2 else applicant(body) for at, body in enumerate(made)]


def work(broker: Bench, many: int = MANY) -> None:
    for body in bodies(many):
        broker.accept(body)
    for broken in (
        b"<" + NAMES[0].encode() + b">",
        f"<a b='{NAMES[1]}' b='{NAMES[2]}'/>".encode(),
        f"<!DOCTYPE a [<!ENTITY b '{NAMES[3]}'>]><a>&b;</a>".encode(),
        f"<a>&{NAMES[0]};</a>".encode(),
        f"<{NAMES[0]}:a/>".encode(),
        f"{NAMES[4]} no xml".encode(),
    ):
        with pytest.raises(Refusal):
            broker.accept(broken)
    uuid = "11111111-1111-4111-8111-111111111111"
    broker.accept(planted(messages.request(name=uuid)))
    with pytest.raises(Conflict):
        broker.accept(applicant(messages.request(name=uuid)))
    broker.script.plan("procedure", Unreachable("no answer"), ValueError(NAMES[0]))
    broker.run(DEADLINE)


def replies(broker: Bench) -> None:
    ids = [row.id for row in broker.app.store.rows(ALL) if row.route]
    named = messages.reply("R").replace(b"</w:Ant", f"<x>{NAMES[1]}</x></w:Ant".encode())
    for at, id in enumerate(ids):
        body = named.replace(b">R<", f">{broker.row(id).reference}<".encode())
        if at % 3 == 0:
            body = body.replace(b"ANGENOMMEN", NAMES[0].encode())
        if at % 5 == 0:
            body = f"<{NAMES[2]}>{NAMES[3]}".encode()
        broker.intake.reply("procedure", Incoming("reply", f"{at}.xml", body))
    broker.accept(applicant(messages.request()))
    broker.script.plan("procedure", Sent("taken", named))
    broker.run(DEADLINE)


def found(data: bytes) -> list[str]:
    return [name for name in NAMES if name.encode() in data]


def test_the_names_are_really_in_the_messages() -> None:
    whole = b"".join(bodies())

    assert len(bodies()) == MANY
    assert found(whole) == list(NAMES)


@pytest.mark.parametrize("many", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_name_of_a_message_is_anywhere_but_in_its_sealed_payload(
    bench: Make, tmp_path: Path, quiet: io.BytesIO, many: int
) -> None:
    broker = bench(first="0.001s")
    work(broker, many)
    replies(broker)
    repair = Repair(broker.app, "erika")
    for row in broker.app.store.rows(ALL):
        if row.state.value in ("dead", "unclear"):
            repair.close(row, "sent by letter")

    store = broker.app.store
    entries = b"\n".join(entry.body for entry in store.entries())
    rows = json.dumps([str(row) for row in store.rows(ALL)]).encode()
    metrics = text(store.counts(), broker.app.site, now()).encode()
    files = b"".join(file.read_bytes() for file in (tmp_path / "var").rglob("*") if file.is_file())
    sent = b"".join(one.body for some in broker.script.sent.values() for one in some)

    assert found(sent)
    assert len(entries) > 10_000
    assert len(files) > 100_000
    assert [found(data) for data in (entries, rows, quiet.getvalue(), metrics, files)] == [[]] * 5


def test_no_name_is_in_the_file_after_the_log_was_written_back(bench: Make, tmp_path: Path) -> None:
    broker = bench()
    work(broker)
    broker.app.store.close()

    files = b"".join(file.read_bytes() for file in (tmp_path / "var").rglob("*") if file.is_file())

    assert found(files) == []


@pytest.mark.parametrize("many", [MANY, pytest.param(1000, marks=pytest.mark.slow)])
def test_after_the_erasure_not_even_the_name_of_an_office_is_in_any_file(
    bench: Make, tmp_path: Path, many: int
) -> None:
    broker = bench(first="0.001s")
    work(broker, many)
    replies(broker)
    repair = Repair(broker.app, "erika")
    for row in broker.app.store.rows(ALL):
        if not row.state.terminal:
            repair.close(row, "sent by letter")
    assert offices(tmp_path)

    ended = [row for row in broker.app.store.rows(ALL) if row.state.terminal]
    settings = Settings.load(broker.environ | {"XOEV_BROKER_RETENTION_PAYLOAD": "0.001s"})
    report = run(broker.app.store, Policy(settings, broker.app.site.table.table.routes))

    assert report.clean
    assert len(ended) == len(broker.app.store.rows(ALL))
    assert sum(share.count for share in report.shares if share.part == "payload") == len(ended)
    assert offices(tmp_path) == 0
    assert all(broker.app.store.payload(row.id, "original") is None for row in ended)


def offices(folder: Path) -> int:
    """Return how often the name of the office in the heads stands in a file of the store."""
    name = b"Stadt Wolfsburg, Bauaufsicht"
    return sum(
        file.read_bytes().count(name) for file in (folder / "var").rglob("*") if file.is_file()
    )
