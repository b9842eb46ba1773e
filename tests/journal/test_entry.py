"""Canonical bytes, version 1: written by hand here, so that the code cannot move them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import StoreError
from broker.journal.entry import FACTS, Line, decode, encode, stamp
from broker.stores.contract import Entry

TIME = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)

#: No facts: version, then message "m", the time, event "accepted", actor "broker".
PLAIN = bytes.fromhex(
    "01"
    "00000001 6d"
    "00000020 323032362d30332d30345430353a30363a30372e3030303030382b30303a3030"
    "00000008 6163636570746564"
    "00000006 62726f6b6572"
)
#: Two facts, given in the wrong order: state "waiting" and party "straße" (UTF-8, seven bytes).
FACTUAL = bytes.fromhex(
    "01"
    "00000000"
    "00000020 323032362d30332d30345430353a30363a30372e3030303030382b30303a3030"
    "00000004 68656c64"
    "00000005 6572696b61"
    "00000005 7061727479"
    "00000007 73747261c39f65"
    "00000005 7374617465"
    "00000007 77616974696e67"
)


def line(message: str, event: str, actor: str = "broker", **facts: str) -> Line:
    return Line(message, TIME, event, actor, MappingProxyType(facts))


def test_an_entry_without_facts_has_the_bytes_of_version_1() -> None:
    assert encode(line("m", "accepted")) == PLAIN


def test_facts_follow_in_the_order_of_their_names() -> None:
    assert encode(line("", "held", "erika", state="waiting", party="straße")) == FACTUAL


def test_the_bytes_of_version_1_can_be_read_back() -> None:
    found = decode(Entry("", "held", FACTUAL, seq=7))

    assert (found.message, found.event, found.actor, found.seq) == ("", "held", "erika", 7)
    assert (found.time, dict(found.facts)) == (TIME, {"party": "straße", "state": "waiting"})


def test_the_time_is_written_in_utc_with_microseconds_whatever_its_zone() -> None:
    there = TIME.astimezone(timezone(timedelta(hours=2)))

    assert stamp(there) == "2026-03-04T05:06:07.000008+00:00"


@pytest.mark.parametrize("version", [b"\x00", b"\x02", b"1", b""])
def test_another_version_is_refused(version: bytes) -> None:
    with pytest.raises(StoreError, match="version"):
        decode(Entry("m", "accepted", version + PLAIN[1:] if version else b""))


#: A cut between two pairs of facts cannot be seen here; the tree over the journal sees it.
BETWEEN = {FACTUAL.index(b"\0\0\0\5party"), FACTUAL.index(b"\0\0\0\5state")}


@pytest.mark.parametrize("length", sorted(set(range(1, len(FACTUAL))) - BETWEEN))
def test_cut_off_bytes_are_refused(length: int) -> None:
    with pytest.raises(StoreError):
        decode(Entry("", "held", FACTUAL[:length]))


@pytest.mark.parametrize(
    "body",
    [
        PLAIN + b"\xff",
        PLAIN + b"\xff\xff\xff\xff",
        PLAIN.replace(b"broker", b"brok\xff\xfe"),
        PLAIN.replace(b"2026-03", b"2026-33"),
    ],
)
def test_bytes_that_say_nothing_are_refused(body: bytes) -> None:
    with pytest.raises(StoreError):
        decode(Entry("m", "accepted", body))


@given(
    st.dictionaries(st.sampled_from(sorted(FACTS)), st.text(max_size=20), max_size=8),
    st.text(max_size=20),
    st.datetimes(timezones=st.just(UTC)),
)
def test_whatever_is_written_is_read_back(
    facts: dict[str, str], message: str, time: datetime
) -> None:
    written = Line(message, time, "noted", "erika", MappingProxyType(facts))

    assert decode(Entry(message, "noted", encode(written))) == written
