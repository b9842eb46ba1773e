"""What every channel promises, run against each kind with a real other side."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from broker.channels.amqp import Amqp
from broker.channels.channel import Channel, Declared, Found, Prepared, Verdict
from broker.channels.directory import Directory
from broker.channels.rest import Rest
from broker.channels.soap import Soap
from broker.channels.table import Table
from broker.errors import ChannelError, StoreError, Unreachable
from broker.fields import Field
from broker.standins.daemon import until
from tests.servers.http import Request, Server, answer
from tests.servers.queues import Queues

PERSON = "Erika Muster"
SECRET = "geheim-4711"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSDL = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:t"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" targetNamespace="urn:t">
  <types><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t">
    <xs:element name="Antrag" type="xs:string"/></xs:schema></types>
  <message name="In"><part name="p" element="t:Antrag"/></message>
  <portType name="P"><operation name="Anlegen"><input message="t:In"/></operation></portType>
  <binding name="B" type="t:P">
    <soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Anlegen"><soap:operation soapAction=""/>
      <input><soap:body use="literal"/></input></operation></binding>
  <service name="S"><port name="P" binding="t:B"><soap:address location="urn:x"/></port></service>
</definitions>"""


@dataclass(frozen=True)
class Case:
    """One kind with its other side: how it is declared, what arrived there, what a message is."""

    build: Callable[..., Channel]
    kind: type[Channel]
    arrived: Callable[[], int]
    body: bytes
    gone: dict[str, Any]


@contextmanager
def directory(folder: Path) -> Iterator[Case]:
    out = folder / "out"
    out.mkdir()
    yield Case(
        lambda **other: Directory(Declared("amt", "directory", {"out": out} | other)),
        Directory,
        lambda: len([path for path in out.iterdir() if path.suffix != ".part"]),
        PERSON.encode(),
        {"out": folder / "fehlt"},
    )


@contextmanager
def table(folder: Path) -> Iterator[Case]:
    database = sqlite3.connect(folder / "db", isolation_level=None)
    database.execute("create table ANTRAG (NAME varchar(40))")
    known = {"url": f"sqlite:///{folder}/db", "out": ("ANTRAG",)}
    yield Case(
        lambda **other: Table(Declared("amt", "table", known | other)),
        Table,
        lambda: int(database.execute("select count(*) from ANTRAG").fetchone()[0]),
        f"<zeilen><ANTRAG><NAME>{PERSON}</NAME></ANTRAG></zeilen>".encode(),
        {"url": f"postgresql://broker:{SECRET}@127.0.0.1:1/db"},
    )
    database.close()


@contextmanager
def http(folder: Path, kind: type[Channel], body: bytes, known: dict[str, Any]) -> Iterator[Case]:
    """Run a server that takes each Idempotency-Key once."""
    keys: set[str] = set()
    password = folder / "password"
    password.write_text(SECRET, "utf-8")

    def take(request: Request, connection: Any) -> bool:
        keys.add(request.headers["idempotency-key"])
        return answer(202)(request, connection)

    with Server(take) as server:
        values = known | {
            "address": server.address,
            "user": "broker",
            "password_file": password,
            "repeats": "recognised",
        }
        yield Case(
            lambda **other: kind(Declared("amt", kind.kind, values | other)),
            kind,
            lambda: len(keys),
            body,
            {"address": "http://127.0.0.1:1/"},
        )


def rest(folder: Path) -> AbstractContextManager[Case]:
    return http(folder, Rest, PERSON.encode(), {})


def soap(folder: Path) -> AbstractContextManager[Case]:
    (folder / "amt.wsdl").write_text(WSDL, "utf-8")
    body = f'<Antrag xmlns="urn:t">{PERSON}</Antrag>'.encode()
    return http(folder, Soap, body, {"wsdl": folder / "amt.wsdl"})


@contextmanager
def amqp(folder: Path, queues: Queues) -> Iterator[Case]:
    """Let a consumer take each message_id once."""
    queues.make("eingang")
    keys: set[str] = set()
    wrong = folder / "wrong.password"
    wrong.write_text(SECRET, "utf-8")
    known = queues.values | {"routing_key": "eingang", "repeats": "recognised"}

    def arrived() -> int:
        keys.update(found.properties.message_id for found in queues.take("eingang"))
        return len(keys)

    yield Case(
        lambda **other: Amqp(Declared("amt", "amqp", known | other)),
        Amqp,
        arrived,
        PERSON.encode(),
        {"url": "amqp://broker@127.0.0.1:1", "password_file": wrong},
    )


@pytest.fixture(params=[amqp, directory, soap, table, rest], ids=lambda make: str(make.__name__))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    made: list[Channel] = []
    other = (request.getfixturevalue("queues"),) if request.param is amqp else ()
    with request.param(tmp_path, *other) as found:

        def build(**other: Any) -> Channel:
            made.append(found.build(**other))
            return made[-1]

        yield Case(build, found.kind, found.arrived, found.body, found.gone)
        for channel in made:
            channel.close()


def letter(case: Case, number: int = 1) -> Prepared:
    return Prepared(str(UUID(int=number)), f"{number:013}", "antrag", case.body)


def nothing() -> None:
    """Stand in for a mark that succeeds."""


def dies() -> None:
    raise StoreError("the disk of the store is gone")


def test_fields_have_a_help_and_a_name_of_their_own(case: Case) -> None:
    fields: tuple[Field, ...] = (*Channel.COMMON, *case.kind.fields)

    assert len({field.name for field in fields}) == len(fields)
    assert all(field.help and not field.help.endswith(".") for field in fields)
    assert all(field.default in field.choices for field in fields if field.choices)
    assert all(field.default is None for field in fields if field.required)


def test_building_touches_neither_network_nor_disk(case: Case) -> None:
    channel = case.build(**case.gone)

    assert (channel.name, channel.kind, channel.inflight) == ("amt", case.kind.kind, 4)
    assert not channel.receives
    assert list(channel.receive()) == []


def test_a_message_arrives_once_with_one_mark(case: Case) -> None:
    marks: list[int] = []

    sent = case.build().send(letter(case), lambda: marks.append(case.arrived()))

    assert marks == [0]
    assert case.arrived() == 1
    assert sent.receipt
    assert PERSON not in sent.receipt


def test_a_mark_that_fails_stops_the_send(case: Case) -> None:
    with pytest.raises(StoreError):
        case.build().send(letter(case), dies)

    assert case.arrived() == 0


def test_after_a_mark_that_failed_the_channel_goes_on(case: Case) -> None:
    channel = case.build()
    with pytest.raises(StoreError):
        channel.send(letter(case), dies)

    channel.send(letter(case), nothing)

    assert case.arrived() == 1


def test_what_cannot_be_reached_is_unreachable_and_says_where(case: Case) -> None:
    channel = case.build(**case.gone)

    with pytest.raises(Unreachable, match=r"amt: |fehlt: ") as caught:
        channel.send(letter(case), nothing)

    assert PERSON not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_error_carries_no_cause_that_would_show_values(case: Case) -> None:
    with pytest.raises(Unreachable) as caught:
        case.build(**case.gone).send(letter(case), nothing)

    assert caught.value.__suppress_context__


def test_a_repeat_has_no_second_effect(case: Case) -> None:
    channel = case.build()

    for _ in range(3):
        channel.send(letter(case), nothing)

    assert case.arrived() == 1


def test_an_arrived_key_is_never_said_to_be_missing(case: Case) -> None:
    channel = case.build()
    channel.send(letter(case), nothing)

    assert channel.find(letter(case).key) is not Found.NOT_THERE


def test_a_key_whose_mark_failed_is_never_said_to_be_there(case: Case) -> None:
    channel = case.build()
    with pytest.raises(StoreError):
        channel.send(letter(case), dies)

    assert channel.find(letter(case).key) is not Found.THERE


def test_asking_what_cannot_be_reached_is_no_error(case: Case) -> None:
    assert case.build(**case.gone).find(letter(case).key) is Found.UNKNOWN


def test_the_probe_says_what_it_found_and_sends_nothing(case: Case) -> None:
    said = case.build().probe()

    assert said
    assert SECRET not in said
    assert case.arrived() == 0


def test_the_probe_of_what_cannot_be_reached_fails(case: Case) -> None:
    with pytest.raises(ChannelError):
        case.build(**case.gone).probe()


def test_a_closed_channel_may_be_used_again(case: Case) -> None:
    channel = case.build()
    channel.send(letter(case), nothing)
    channel.close()
    channel.close()

    channel.send(letter(case, 2), nothing)

    assert case.arrived() == 2


def test_several_senders_at_once_deliver_each_message(case: Case) -> None:
    channel = case.build()
    start = threading.Barrier(4)

    def run(first: int) -> None:
        start.wait()
        for number in range(first, 40, 4):
            channel.send(letter(case, number), nothing)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))

    assert case.arrived() == 40


def waiting(queues: Queues) -> Iterator[Callable[[], Channel]]:
    """Yield a builder of a channel with three replies in a queue.

    What is fetched is hidden from others, so the channel before is closed first.
    """
    queues.make("ausgang", "ausgang.quarantine")
    for number in range(3):
        queues.put("ausgang", b"B", message_id=str(number))
    made: list[Channel] = []

    def build() -> Channel:
        for channel in made:
            held = len(list(channel.receive()))
            channel.close()
            assert until(lambda: queues.count("ausgang") == held, 30)  # noqa: B023 - called here
        values = queues.values | {"replies": "ausgang"}
        made[:] = [Amqp(Declared("amt", "amqp", values))]
        return made[0]

    yield build
    for channel in made:
        channel.close()


@pytest.fixture(params=["folder", "rows", "queue"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Channel]]:
    """Return a builder of a channel with three replies waiting."""
    if request.param == "queue":
        yield from waiting(request.getfixturevalue("queues"))
        return
    if request.param == "folder":
        for number in range(3):
            (tmp_path / f"{number}.txt").write_bytes(b"B")
        values: dict[str, Any] = {"replies": tmp_path, "settle": 0.0}
        yield lambda: Directory(Declared("amt", "directory", values))
        return
    with sqlite3.connect(tmp_path / "db") as database:
        database.execute("create table AUSGANG (ID integer primary key, ABGEHOLT_AM timestamp)")
        database.executemany("insert into AUSGANG (ID) values (?)", [(0,), (1,), (2,)])
    database.close()
    made: list[Channel] = []

    def build() -> Channel:
        known = {"url": f"sqlite:///{tmp_path}/db", "replies": "AUSGANG"}
        made.append(Table(Declared("amt", "table", known)))
        return made[-1]

    yield build
    for channel in made:
        channel.close()


def test_replies_come_in_order_and_stay_until_settled(source: Callable[[], Channel]) -> None:
    channel = source()

    first = list(channel.receive())
    again = list(source().receive())

    assert channel.receives
    assert [incoming.role for incoming in first] == ["reply"] * 3
    assert [(each.name, each.body) for each in first] == [(each.name, each.body) for each in again]


@pytest.mark.parametrize("taken", [True, False])
def test_a_settled_reply_is_gone_and_settling_repeats(
    source: Callable[[], Channel], taken: bool
) -> None:
    channel = source()
    first, second, _ = channel.receive()

    for incoming in (first, second, first, second):
        channel.settle(incoming, Verdict(taken, "a text", "X000"))

    assert len(list(channel.receive())) == 1
    assert len(list(source().receive())) == 1
