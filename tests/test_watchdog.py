"""The supervisor hears that work goes on only while it does."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from broker import watchdog
from broker.errors import StoreAway, StoreError
from broker.hand import Hand
from broker.notify import Notify
from broker.watchdog import STALL, Watchdog
from tests.test_hand import job


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.setblocking(False)
        yield one


@pytest.fixture
def notify(ear: socket.socket) -> Notify:
    return Notify({"NOTIFY_SOCKET": ear.getsockname(), "WATCHDOG_USEC": "120000000"})


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "PATIENCE", 0.0)


def heard(ear: socket.socket) -> bool:
    try:
        return ear.recv(100) == b"WATCHDOG=1"
    except BlockingIOError:
        return False


def ended(error: Exception | None = None) -> Future[None]:
    future: Future[None] = Future()
    if error:
        future.set_exception(error)
    else:
        future.set_result(None)
    return future


def test_it_is_fed_while_writer_and_dispatcher_go_on(ear: socket.socket, notify: Notify) -> None:
    Watchdog(notify, ended, lambda: 0.0, lambda: STALL / 2).look()

    assert heard(ear)


def test_it_starves_when_the_dispatcher_hangs(ear: socket.socket, notify: Notify) -> None:
    Watchdog(notify, ended, lambda: 0.0, lambda: STALL + 1).look()

    assert not heard(ear)


def test_it_starves_when_the_writer_hangs_and_is_fed_when_it_goes_on(
    ear: socket.socket, notify: Notify
) -> None:
    writes: list[Future[None]] = []

    def write() -> Future[None]:
        writes.append(Future())
        return writes[-1]

    found = Watchdog(notify, write)
    found.look()
    found.look()
    assert not heard(ear)
    assert len(writes) == 1, "one that hangs is enough"

    writes[0].set_result(None)
    found.look()
    assert heard(ear)


def test_a_store_that_is_away_for_now_is_no_reason_to_start_anew(
    ear: socket.socket, notify: Notify
) -> None:
    Watchdog(notify, lambda: ended(StoreAway())).look()
    assert heard(ear)

    Watchdog(notify, lambda: ended(StoreError())).look()
    assert not heard(ear)


def test_it_looks_three_times_in_the_time_that_it_has(notify: Notify) -> None:
    assert Watchdog(notify, ended).pause(60.0) == 20.0
    assert Watchdog(Notify({}), ended).pause(60.0) == 60.0


def test_without_a_supervisor_nothing_is_written() -> None:
    def never() -> Future[None]:
        raise AssertionError

    Watchdog(Notify({}), never).look()


def test_a_conversion_that_never_ends_counts_as_hanging() -> None:
    hand = Hand(10, 10)
    before = time.monotonic()
    assert hand.moved() >= before, "nothing to do is no hanging"

    hand.take([job()])
    begun = hand.moved()
    assert hand.moved() == begun
    hand.sent_on(1)
    assert hand.moved() > begun
