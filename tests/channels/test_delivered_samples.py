"""What the adapters of this repository make is what the channels of their routes take."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from broker.channels.channel import Channel, Declared, Prepared
from broker.channels.soap import Soap
from broker.channels.table import Table
from tests.servers.http import Server, answer

ADAPTERS = Path(__file__).parents[2] / "adapters"
SALZGITTER, WOLFSBURG = ADAPTERS / "salzgitter" / "bau", ADAPTERS / "wolfsburg" / "bau"
OUT = ("ANTRAG_EINGANG", "ANTRAG_PERSON", "ANTRAG_ANLAGE")


def samples(adapter: Path, name: str) -> list[Path]:
    return sorted(adapter.glob(f"samples/*/{name}"))


def case(path: Path) -> str:
    return path.parent.name


def send(channel: Channel, body: bytes) -> str:
    return channel.send(Prepared("key", "ABCDEFGHJKMNP", "antrag", body), lambda: None).receipt


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[tuple[Table, sqlite3.Connection]]:
    database = sqlite3.connect(tmp_path / "db", isolation_level=None)
    database.executescript((SALZGITTER / "tables.sql").read_text("utf-8"))
    values = {"url": f"sqlite:///{tmp_path}/db", "out": OUT, "replies": "ANTRAG_AUSGANG"}
    channel = Table(Declared("salzgitter-bau", "table", values))
    yield channel, database
    channel.close()
    database.close()


@pytest.mark.parametrize("path", samples(SALZGITTER, "2-request.legacy.xml"), ids=case)
def test_the_rows_of_salzgitter_fit_its_tables(
    staging: tuple[Table, sqlite3.Connection], path: Path
) -> None:
    channel, database = staging

    send(channel, path.read_bytes())

    rows = sum(database.execute(f"select count(*) from {name}").fetchone()[0] for name in OUT)
    assert rows == len(etree.fromstring(path.read_bytes()))


@pytest.mark.parametrize("path", samples(SALZGITTER, "3-reply.legacy.xml"), ids=case)
def test_a_reply_of_salzgitter_is_what_its_adapter_reads(
    staging: tuple[Table, sqlite3.Connection], path: Path
) -> None:
    channel, database = staging
    values = {str(each.tag): each.text or None for each in etree.fromstring(path.read_bytes())}
    places = ", ".join("?" * len(values))
    database.execute(
        f"insert into ANTRAG_AUSGANG ({', '.join(values)}) values ({places})", [*values.values()]
    )

    (incoming,) = channel.receive()

    root = etree.fromstring(incoming.body)
    assert root.tag == "ANTRAG_AUSGANG"
    assert {str(each.tag): each.text for each in root} == values


@pytest.mark.parametrize("path", samples(WOLFSBURG, "2-request.legacy.xml"), ids=case)
def test_the_element_of_wolfsburg_is_an_operation_of_its_wsdl(path: Path) -> None:
    with Server(answer(202)) as server:
        values = {"wsdl": WOLFSBURG / "bau.wsdl", "address": server.address}
        channel = Soap(Declared("wolfsburg-bau", "soap", values))

        assert send(channel, path.read_bytes()) == "HTTP 202"
        channel.close()
