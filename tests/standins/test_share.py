"""Braunschweig's stand-in: batch files in, batch files out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from broker.adapter import Adapter
from broker.catalog import Catalog
from broker.message import Authority, Envelope, Facts
from broker.standins.desk import STRANGER
from broker.standins.script import Fault, Script
from broker.standins.share import Share
from tests.needs import ROOT

SAMPLE = ROOT / "adapters/braunschweig/bau/samples/einfach/2-request.legacy.txt"
REFERENCE = "0123456789ABC"


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def share(tmp_path: Path, clock: Hand) -> Share:
    standin = Share(tmp_path, pause=1, clock=clock)
    standin.prepare()
    return standin


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    return Catalog.load([ROOT / "adapters"]).get("braunschweig/bau")


def leave(share: Share, reference: str = REFERENCE, project: str = "Anbau") -> None:
    text = SAMPLE.read_bytes().decode("iso8859-15")
    head = f"K{reference}{text[14:30]}{project:<120}"
    (share.folder / f"eingang/{reference}.txt").write_bytes((head + text[150:]).encode("latin-1"))


def batches(share: Share) -> list[bytes]:
    return [path.read_bytes() for path in sorted((share.folder / "ausgang").iterdir())]


def test_an_application_is_filed_once(share: Share) -> None:
    leave(share)
    share.look()
    share.look()

    assert share.effects() == {REFERENCE: 1}
    assert not list((share.folder / "eingang").iterdir())


def test_the_same_application_left_again_counts_twice(share: Share) -> None:
    for _ in range(2):
        leave(share)
        share.look()

    assert Share(share.folder).effects() == {REFERENCE: 2}


def test_several_receipts_are_one_file_that_the_adapter_splits(
    share: Share, adapter: Adapter
) -> None:
    leave(share)
    leave(share, "123456789ABCD")
    share.look()

    (batch,) = batches(share)
    found = [adapter.correlate(part) for part in adapter.replies(batch)]
    assert [one.reference for one in found] == [REFERENCE, "123456789ABCD"]
    assert found[0].number.startswith("BS 0630/00001/")


def test_a_decision_comes_later_in_a_file_of_its_own(share: Share, clock: Hand) -> None:
    leave(share, project="Neubau eines Einfamilienhauses")
    share.look()
    assert len(batches(share)) == 1
    clock.time = 10
    share.look()

    first, second = batches(share)
    assert first.splitlines()[1][34:36] == b"E "
    assert second.splitlines()[1][34:36] == b"BG"


def test_the_adapter_makes_an_answer_of_a_reply(share: Share, adapter: Adapter) -> None:
    leave(share)
    share.look()
    (part,) = adapter.replies(batches(share)[0])
    at = datetime(2026, 3, 4, tzinfo=UTC)
    somebody = Authority("bap:03000001")
    asked = Envelope("xbau", "2.6", "k", "n", somebody, somebody, "0200", "u", at.isoformat())
    facts = Facts(REFERENCE, "id", at, somebody, somebody, asked)

    assert "Vollständigkeit geprüft" in adapter.to_xoev(part, facts).decode()


def test_a_file_that_is_not_whole_is_put_aside(share: Share) -> None:
    leave(share)
    path = share.folder / f"eingang/{REFERENCE}.txt"
    path.write_bytes(path.read_bytes()[:-8])
    share.look()

    assert share.effects() == {}
    assert [path.name for path in (share.folder / "fehler").iterdir()] == [f"{REFERENCE}.txt"]


def test_a_part_is_not_looked_at(share: Share) -> None:
    leave(share)
    path = share.folder / f"eingang/{REFERENCE}.txt"
    path.rename(path.with_name(".x.part"))
    share.look()

    assert share.effects() == {}


def test_an_error_leaves_it_for_the_next_look(share: Share) -> None:
    share.play(Script((Fault.ERROR,)))
    leave(share)
    share.look()
    assert share.effects() == {}
    share.look()

    assert share.effects() == {REFERENCE: 1}


def test_what_hangs_goes_on_with_another_script(share: Share) -> None:
    share.play(Script((Fault.HANG,)))
    leave(share)
    share.look()
    share.look()
    assert share.effects() == {}
    share.play(Script())
    share.look()

    assert share.effects() == {REFERENCE: 1}


def test_a_refusal_has_no_file_number(share: Share, adapter: Adapter) -> None:
    share.play(Script((Fault.REFUSE,)))
    leave(share)
    share.look()

    assert adapter.correlate(adapter.replies(batches(share)[0])[0]).number == ""


def test_an_answer_may_come_twice(share: Share, adapter: Adapter) -> None:
    share.play(Script((Fault.TWICE,)))
    leave(share)
    share.look()

    assert len(adapter.replies(batches(share)[0])) == 2


def test_an_answer_may_come_late(share: Share, clock: Hand) -> None:
    share.play(Script((Fault.LATE,), late=60))
    leave(share)
    share.look()
    assert share.effects() == {REFERENCE: 1}
    assert batches(share) == []
    clock.time = 61
    share.look()

    assert len(batches(share)) == 1


def test_an_answer_may_be_for_nobody(share: Share, adapter: Adapter, clock: Hand) -> None:
    share.play(Script((Fault.STRANGER,)))
    leave(share)
    share.look()
    clock.time = 10
    share.look()

    parts = [part for batch in batches(share) for part in adapter.replies(batch)]
    assert [adapter.correlate(part).reference for part in parts] == [REFERENCE, STRANGER]


def test_a_thread_does_the_looking(tmp_path: Path) -> None:
    with Share(tmp_path, pause=0.001) as standin:
        leave(standin)
        while not batches(standin):
            Event().wait(0.01)

    assert standin.effects() == {REFERENCE: 1}
