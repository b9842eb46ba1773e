"""Bounded senders: a line for every channel, and nobody waits for another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Condition, Event, Lock

import pytest

from broker.message import State
from broker.senders import Senders
from broker.stores.contract import Change, Job
from tests.test_hand import job

WAIT = 30


@dataclass
class Works:
    """Sends by noting it; channels named in `gates` hang until their Event is set."""

    gates: dict[str, Event] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    _changed: Condition = field(default_factory=Condition)
    _lock: Lock = field(default_factory=Lock)

    def send(self, job: Job, _body: bytes) -> Change:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        if job.channel in self.gates:
            self.gates[job.channel].wait(WAIT)
        with self._lock:
            self.at_once -= 1
        return Change(job.id, job.token, State.DELIVERED)

    def commit(self, jobs: Sequence[Job], changes: Sequence[Change]) -> None:
        assert [one.id for one in jobs] == [one.id for one in changes]
        with self._changed:
            self.done += [one.channel for one in jobs]
            self.commits.append(len(jobs))
            self._changed.notify_all()

    def wait(self, count: int, channel: str = "") -> bool:
        def there() -> bool:
            return len([one for one in self.done if channel in ("", one)]) >= count

        with self._changed:
            return self._changed.wait_for(there, WAIT)

    def busy(self, count: int, senders: Senders, inflight: int = 1) -> bool:
        """Wait until so many send at once, asking for relief as the dispatcher does."""
        end = Event()
        for _ in range(WAIT * 100):
            if self.at_once >= count:
                return True
            end.wait(0.01)
            senders.relieve(lambda _name: inflight)
        return False


def work(channel: str, count: int = 1) -> list[tuple[Job, bytes]]:
    return [(replace(job(channel), id=f"{channel}-{at}"), b"") for at in range(count)]


def test_everything_that_is_handed_in_is_sent_and_committed() -> None:
    works = Works()
    senders = Senders(works.send, works.commit, 8)

    senders.put(work("a", 100) + work("b", 100), lambda _name: 3)

    assert works.wait(200)
    senders.stop()
    assert sorted(works.done) == ["a"] * 100 + ["b"] * 100


def test_outcomes_are_handed_in_together_while_more_work_waits() -> None:
    works = Works(gates={"a": Event()})
    senders = Senders(works.send, works.commit, 8)
    senders.put(work("a", 1), lambda _name: 1)
    assert works.busy(1, senders)
    senders.put(work("a", 40), lambda _name: 1)

    works.gates["a"].set()

    assert works.wait(41)
    senders.stop()
    assert len(works.commits) < 41


@pytest.mark.parametrize("inflight", [1, 3])
def test_no_more_are_on_their_way_than_the_channel_allows(inflight: int) -> None:
    works = Works(gates={"a": Event()})
    senders = Senders(works.send, works.commit, 64)

    senders.put(work("a", 20), lambda _name: inflight)
    assert works.busy(inflight, senders, inflight)
    works.gates["a"].set()

    assert works.wait(20)
    senders.stop()
    assert works.most == inflight


def test_a_hanging_channel_does_not_delay_another() -> None:
    works = Works(gates={"a": Event()})
    senders = Senders(works.send, works.commit, 64)
    senders.put(work("a", 50), lambda _name: 4)
    assert works.busy(4, senders, 4)

    senders.put(work("b", 50), lambda _name: 4)

    assert works.wait(50, "b")
    assert "a" not in works.done
    works.gates["a"].set()
    senders.stop()


def test_every_channel_gets_a_sender_also_when_all_threads_are_taken() -> None:
    works = Works(gates={"a": Event(), "b": Event()})
    senders = Senders(works.send, works.commit, limit=2)
    senders.put(work("a", 5) + work("b", 5), lambda _name: 5)
    assert works.busy(2, senders, 5)

    senders.put(work("c", 5), lambda _name: 5)

    assert works.wait(5, "c")
    for gate in works.gates.values():
        gate.set()
    senders.stop()


def test_a_quick_procedure_keeps_one_sender() -> None:
    works = Works()
    senders = Senders(works.send, works.commit, 64)

    for count in range(1, 200):
        senders.put(work("a"), lambda _name: 8)
        assert works.wait(count)

    senders.stop()
    assert works.most == 1


def test_what_waits_is_sent_after_the_stop_too() -> None:
    works = Works(gates={"a": Event()})
    senders = Senders(works.send, works.commit, 8)
    senders.put(work("a", 10), lambda _name: 1)
    assert works.busy(1, senders)

    senders.stop()
    works.gates["a"].set()

    assert works.wait(10)


def test_a_delivery_that_comes_while_the_last_sender_leaves_is_sent() -> None:
    works = Works()
    senders = Senders(works.send, works.commit, 8, idle=0)

    for count in range(1, 1000):
        senders.put(work("a"), lambda _name: 1)
        assert works.wait(count)

    senders.stop()


def test_a_line_without_work_is_given_up() -> None:
    works = Works()
    senders = Senders(works.send, works.commit, 8, idle=0)
    senders.put(work("a", 3), lambda _name: 2)
    assert works.wait(3)

    gone, tick = False, Event()
    while not gone and not tick.wait(0.01):
        with senders._lock:
            gone = not senders._lines and senders._total == 0

    senders.stop()
