"""Salzgitter's stand-in: rows in, rows out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from broker.channels.channel import Declared, Prepared, Verdict
from broker.channels.table import Table
from broker.standins.desk import STRANGER
from broker.standins.script import Fault, Script
from broker.standins.staging import Staging
from tests.needs import ROOT

FOLDER = ROOT / "adapters/salzgitter/bau"
SAMPLE = FOLDER / "samples/einfach/2-request.legacy.xml"
REFERENCE = "0123456789ABC"


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    standin = Staging(tmp_path, FOLDER / "tables.sql", pause=0)
    standin.prepare()
    return standin


@pytest.fixture
def channel(staging: Staging) -> Iterator[Table]:
    values = {
        "url": f"sqlite:///{staging.database}",
        "out": ("ANTRAG_EINGANG", "ANTRAG_PERSON", "ANTRAG_ANLAGE"),
        "replies": "ANTRAG_AUSGANG",
    }
    made = Table(Declared("salzgitter-bau", "table", values))
    yield made
    made.close()


def leave(channel: Table, project: str = "Anbau") -> None:
    text = SAMPLE.read_text("utf-8")
    body = text.replace("Neubau eines Einfamilienhauses mit Carport", project)
    channel.send(Prepared("key", REFERENCE, "0200", body.encode()), lambda: None)


def rows(staging: Staging, query: str) -> list[Any]:
    with closing(sqlite3.connect(staging.database)) as connection:
        return connection.execute(query).fetchall()


def test_an_application_is_filed_once_and_its_rows_are_gone(
    staging: Staging, channel: Table
) -> None:
    leave(channel)
    staging.look()
    staging.look()

    assert staging.effects() == {REFERENCE: 1}
    for table in ("ANTRAG_EINGANG", "ANTRAG_PERSON", "ANTRAG_ANLAGE"):
        assert rows(staging, f"SELECT * FROM {table}") == []


def test_a_repeat_of_the_broker_has_no_second_effect(staging: Staging, channel: Table) -> None:
    for _ in range(2):
        leave(channel)
        staging.look()

    assert staging.effects() == {REFERENCE: 1}


def test_the_broker_fetches_the_answers_in_order(staging: Staging, channel: Table) -> None:
    leave(channel, "Errichtung einer Werkstatt")
    staging.look()
    found = list(channel.receive())
    for incoming in found:
        channel.settle(incoming, Verdict(True, "taken"))

    assert [b"<ART>EINGANG</ART>" in one.body for one in found] == [True, False]
    assert b"-SZ-0001</AKTENZEICHEN>" in found[1].body
    assert list(channel.receive()) == []


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (Fault.REFUSE, [("RUECKWEISUNG", REFERENCE)]),
        (Fault.TWICE, [("EINGANG", REFERENCE)] * 2),
        (Fault.STRANGER, [("EINGANG", REFERENCE), ("EINGANG", STRANGER)]),
        (Fault.HANG, []),
    ],
)
def test_a_fault_shows_in_the_answers(
    staging: Staging, channel: Table, fault: Fault, kinds: list[tuple[str, str]]
) -> None:
    staging.play(Script((fault,)))
    leave(channel)
    staging.look()

    assert rows(staging, "SELECT ART, REFERENZ FROM ANTRAG_AUSGANG ORDER BY ID") == kinds


def test_another_process_can_count(staging: Staging, channel: Table) -> None:
    leave(channel)
    staging.look()

    assert Staging(staging.folder, FOLDER / "tables.sql").effects() == {REFERENCE: 1}


def test_a_second_start_keeps_what_is_there(staging: Staging, channel: Table) -> None:
    leave(channel)
    staging.look()
    staging.prepare()

    assert staging.effects() == {REFERENCE: 1}
