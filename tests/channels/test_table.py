"""What `kind: table` promises beyond the contract of all channels."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from broker.channels.channel import Declared, Found, Incoming, Prepared, Verdict
from broker.channels.table import Table
from broker.errors import BrokerError, Unreachable

TABLES = """
create table ANTRAG (
  ID integer primary key, REFERENZ varchar(13) not null unique, NAME varchar(20), ART integer,
  BETRAG numeric(8, 2), DATUM date, ZEIT timestamp, EILIG boolean, INHALT blob, FREI);
create table PERSON (REFERENZ varchar(13) not null, NAME varchar(20) not null);
create table FREMD (A integer);
create table AUSGANG (
  ID integer primary key, REFERENZ varchar(13), TEXT varchar(200), ANLAGE blob, ERLEDIGT boolean,
  ABGEHOLT_AM timestamp);
"""
Build = Callable[..., Table]
TAKEN = Verdict(True, "0190-id")


def nothing() -> None:
    """Stand in for a mark that succeeds."""


def letter(rows: str, key: str = "0190-key") -> Prepared:
    return Prepared(key, "ABCDEFGHJKMNP", "antrag", f"<zeilen>{rows}</zeilen>".encode())


GOOD = letter(
    "<ANTRAG><REFERENZ>ABCDEFGHJKMNP</REFERENZ><NAME>Erika Muster</NAME></ANTRAG>"
    "<PERSON><REFERENZ>ABCDEFGHJKMNP</REFERENZ><NAME>Erika Muster</NAME></PERSON>"
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "verfahren.db", isolation_level=None)
    connection.executescript(TABLES)
    yield connection
    connection.close()


@pytest.fixture
def build(database: sqlite3.Connection, tmp_path: Path) -> Iterator[Build]:
    made: list[Table] = []

    def make(**values: Any) -> Table:
        known = {
            "url": f"sqlite:///{tmp_path}/verfahren.db",
            "out": ("ANTRAG", "PERSON"),
            "replies": "AUSGANG",
            "deadline": 5.0,
        }
        made.append(Table(Declared("salzgitter-bau", "table", known | values)))
        return made[-1]

    yield make
    for channel in made:
        channel.close()


def count(database: sqlite3.Connection, table: str) -> int:
    return int(database.execute(f"select count(*) from {table}").fetchone()[0])


def outcome(channel: Table, prepared: Prepared) -> str:
    """Return the text of the error, which must not show what was sent."""
    with pytest.raises(BrokerError) as caught:
        channel.send(prepared, nothing)
    assert "Muster" not in str(caught.value)
    return f"{type(caught.value).__name__}: {caught.value}"


def test_all_rows_and_the_ledger_arrive_together(
    database: sqlite3.Connection, build: Build
) -> None:
    sent = build().send(GOOD, nothing)

    assert sent.receipt == "2 row(s), the first in ANTRAG"
    assert database.execute("select ID, NAME from ANTRAG").fetchall() == [(1, "Erika Muster")]
    assert count(database, "PERSON") == 1
    ledger = database.execute("select MESSAGE_KEY, REFERENCE from XOEV_BROKER_LEDGER").fetchall()
    assert ledger == [("0190-key", "ABCDEFGHJKMNP")]


def test_a_repeat_has_no_effect_even_when_the_rows_are_gone(
    database: sqlite3.Connection, build: Build
) -> None:
    channel = build()
    channel.send(GOOD, nothing)
    database.execute("delete from ANTRAG")

    assert channel.send(GOOD, nothing).receipt == "the ledger had it before"
    assert count(database, "ANTRAG") == 0


def test_one_row_that_fails_takes_all_back(database: sqlite3.Connection, build: Build) -> None:
    channel = build()
    rows = "<PERSON><REFERENZ>A</REFERENZ><NAME>Erika Muster</NAME></PERSON>"
    channel.send(GOOD, nothing)

    text = outcome(
        channel, letter(rows + "<ANTRAG><REFERENZ>ABCDEFGHJKMNP</REFERENZ></ANTRAG>", "2")
    )

    assert text == "Refused: salzgitter-bau: the database does not take it (IntegrityError)"
    assert count(database, "PERSON") == 1
    assert channel.find("2") is Found.NOT_THERE


def test_the_ledger_answers_for_a_key(build: Build) -> None:
    channel = build()
    assert channel.find("0190-key") is Found.NOT_THERE

    channel.send(GOOD, nothing)

    assert channel.find("0190-key") is Found.THERE


def test_values_get_the_type_of_their_column(database: sqlite3.Connection, build: Build) -> None:
    build().send(
        letter(
            "<antrag><referenz>A</referenz><art>7</art><betrag>12.50</betrag><frei>x</frei>"
            "<datum>2026-11-24</datum><zeit>2026-11-24T08:30:00</zeit><eilig>true</eilig>"
            "<inhalt>aGFs\nbG8=</inhalt><name/></antrag>"
        ),
        nothing,
    )

    row = database.execute(
        "select ART, BETRAG, DATUM, ZEIT, EILIG, INHALT, NAME, FREI from ANTRAG"
    ).fetchone()
    assert row == (7, 12.5, "2026-11-24", "2026-11-24 08:30:00.000000", 1, b"hallo", None, "x")


def test_an_empty_text_stays_a_text_where_null_is_not_allowed(
    database: sqlite3.Connection, build: Build
) -> None:
    build().send(letter("<PERSON><REFERENZ>A</REFERENZ><NAME/></PERSON>"), nothing)

    assert database.execute("select NAME from PERSON").fetchall() == [("",)]


@pytest.mark.parametrize("value", ["'); drop table ANTRAG; --", "' or 1=1", "%s :a ?", "ž̄"])
def test_values_are_never_read_as_sql(
    database: sqlite3.Connection, build: Build, value: str
) -> None:
    build().send(
        letter(f"<PERSON><REFERENZ>A</REFERENZ><NAME>{value[:20]}</NAME></PERSON>"), nothing
    )

    assert database.execute("select NAME from PERSON").fetchall() == [(value[:20],)]
    assert count(database, "ANTRAG") == 0


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ("<FREMD><A>1</A></FREMD>", "table FREMD is not named in `out`"),
        ("<sqlite_master><A>1</A></sqlite_master>", "table SQLITE_MASTER is not named in `out`"),
        ("<ANTRAG><GIBTS>Muster</GIBTS></ANTRAG>", "table ANTRAG has no column GIBTS"),
        ("<ANTRAG><ART>Muster</ART></ANTRAG>", "ANTRAG.ART does not take this as int"),
        ("<ANTRAG><BETRAG>Muster</BETRAG></ANTRAG>", "ANTRAG.BETRAG does not take this as Decimal"),
        ("<ANTRAG><DATUM>Muster</DATUM></ANTRAG>", "ANTRAG.DATUM does not take this as date"),
        ("<ANTRAG><EILIG>Muster</EILIG></ANTRAG>", "ANTRAG.EILIG does not take this as bool"),
        ("<ANTRAG><INHALT>Muster!</INHALT></ANTRAG>", "ANTRAG.INHALT does not take this as bytes"),
        (f"<ANTRAG><NAME>{'Muster' * 4}</NAME></ANTRAG>", "takes 20 characters, this has 24"),
        ("<ANTRAG><NAME>a</NAME><NAME>b</NAME></ANTRAG>", "ANTRAG.NAME is there twice"),
        ("<ANTRAG><NAME><b>Muster</b></NAME></ANTRAG>", "ANTRAG.NAME is there twice or has"),
        ("<ANTRAG/>", "the database does not take it (IntegrityError)"),
        ("", "has no rows"),
        ("<a>", "not well-formed"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_their_place(
    database: sqlite3.Connection, build: Build, rows: str, text: str
) -> None:
    found = outcome(build(), letter(rows))

    assert found.startswith("Refused: salzgitter-bau: ")
    assert text in found
    assert count(database, "ANTRAG") == 0


def test_a_column_that_was_added_later_is_found(database: sqlite3.Connection, build: Build) -> None:
    channel = build()
    channel.send(GOOD, nothing)
    database.execute("alter table PERSON add column ORT varchar(20)")

    channel.send(
        letter("<PERSON><REFERENZ>A</REFERENZ><NAME>B</NAME><ORT>C</ORT></PERSON>", "2"), nothing
    )

    assert database.execute("select ORT from PERSON where REFERENZ = 'A'").fetchall() == [("C",)]


def test_a_locked_database_is_busy(database: sqlite3.Connection, build: Build) -> None:
    channel = build(deadline=0.1)
    channel.send(GOOD, nothing)
    database.execute("begin immediate")

    assert outcome(
        channel, letter("<PERSON><REFERENZ>A</REFERENZ><NAME>B</NAME></PERSON>", "2")
    ) == ("Busy: salzgitter-bau: the database is locked by somebody else")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all.db",
        "nonsense geheim-4711",
        "gibtsnicht://u:geheim-4711@127.0.0.1/x",
        "",
    ],
)
def test_a_database_that_cannot_be_used_is_unreachable(build: Build, url: str) -> None:
    channel = build(url=url)

    text = outcome(channel, GOOD)

    assert text.startswith("Unreachable: salzgitter-bau: ")
    assert "geheim" not in text
    assert channel.find("0190-key") is Found.UNKNOWN


def test_a_missing_table_is_named(build: Build) -> None:
    with pytest.raises(Unreachable, match="no table GIBTSNICHT"):
        build(replies="GIBTSNICHT").probe()


def test_a_missing_column_is_named(build: Build) -> None:
    with pytest.raises(Unreachable, match="AUSGANG has no column GEHOLT"):
        build(reply_done="GEHOLT").probe()


def test_the_url_is_read_from_its_file_and_again_when_it_changes(
    build: Build, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    file.write_text(f"sqlite:///{tmp_path}/falsch.db\n", "utf-8")
    channel = build(url=None, url_file=file)
    with pytest.raises(Unreachable, match=r"falsch\.db is not there"):
        channel.probe()
    file.write_text(f"sqlite:///{tmp_path}/verfahren.db\n", "utf-8")

    assert channel.probe().startswith("4 table(s) there: ANTRAG, PERSON, AUSGANG")


# --- replies


def reply(database: sqlite3.Connection, text: str, identity: int | None = None) -> None:
    database.execute(
        "insert into AUSGANG (ID, REFERENZ, TEXT) values (?, 'ABCDEFGHJKMNP', ?)", (identity, text)
    )


def test_a_reply_is_a_document_of_its_row(database: sqlite3.Connection, build: Build) -> None:
    reply(database, "Größe <1> & mehr\r\nzwei", 7)
    database.execute("update AUSGANG set ANLAGE = x'00ff', ERLEDIGT = 1")

    (incoming,) = build().receive()

    root = etree.fromstring(incoming.body)
    found = {child.tag: child.text for child in root}
    assert (incoming.role, incoming.name, root.tag) == ("reply", "7", "AUSGANG")
    assert found == {
        "ID": "7",
        "REFERENZ": "ABCDEFGHJKMNP",
        "TEXT": "Größe <1> & mehr\r\nzwei",
        "ANLAGE": "AP8=",
        "ERLEDIGT": "true",
    }


def test_a_reply_comes_again_until_it_is_settled(
    database: sqlite3.Connection, build: Build
) -> None:
    reply(database, "a")
    channel = build()
    (first,) = channel.receive()
    (again,) = channel.receive()
    assert again == first

    channel.settle(first, TAKEN)
    channel.settle(first, TAKEN)

    assert list(channel.receive()) == []
    assert database.execute("select ABGEHOLT_AM is not null from AUSGANG").fetchall() == [(1,)]


def test_settling_twice_keeps_the_first_time(database: sqlite3.Connection, build: Build) -> None:
    reply(database, "a")
    channel = build()
    (incoming,) = channel.receive()
    database.execute("update AUSGANG set ABGEHOLT_AM = '2026-01-01 00:00:00.000000'")

    channel.settle(incoming, TAKEN)

    times = database.execute("select ABGEHOLT_AM from AUSGANG").fetchall()
    assert times == [("2026-01-01 00:00:00.000000",)]


def test_replies_come_in_the_order_of_their_key_and_bounded(
    database: sqlite3.Connection, build: Build
) -> None:
    for number in range(120, 0, -1):
        reply(database, "x", number)

    found = [incoming.name for incoming in build().receive()]

    assert found == [str(number) for number in range(1, 101)]


def test_a_character_that_xml_forbids_is_not_changed_in_silence(
    database: sqlite3.Connection, build: Build
) -> None:
    reply(database, "a\x01b")
    reply(database, "good")

    bad, good = build().receive()

    assert b"a\x01b" in bad.body
    assert etree.fromstring(good.body).findtext("TEXT") == "good"


@pytest.mark.parametrize(
    ("kind", "stored"), [("date", "text"), ("integer", "integer"), ("varchar(40)", "text")]
)
def test_the_mark_of_a_reply_has_the_type_of_its_column(
    database: sqlite3.Connection, build: Build, kind: str, stored: str
) -> None:
    database.execute(f"create table ANTWORT (NR integer primary key, GEHOLT {kind})")
    database.execute("insert into ANTWORT (NR) values (1)")
    channel = build(replies="antwort", reply_key="nr", reply_done="geholt")

    for incoming in channel.receive():
        channel.settle(incoming, TAKEN)

    assert database.execute("select typeof(GEHOLT) from ANTWORT").fetchall() == [(stored,)]


def test_without_a_table_of_replies_nothing_is_polled(build: Build) -> None:
    channel = build(replies=None)

    assert not channel.receives
    assert list(channel.receive()) == []


def test_replies_of_a_database_that_is_gone_are_unreachable(build: Build, tmp_path: Path) -> None:
    channel = build(url=f"sqlite:///{tmp_path}/weg.db")

    with pytest.raises(Unreachable, match="is not there"):
        channel.receive()
    with pytest.raises(Unreachable):
        channel.settle(Incoming("reply", "1", b"", 1), TAKEN)
