"""What every doorbell promises, tried on RabbitMQ and on the one that tests use instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from broker.amqp import Address
from broker.standins.rabbitmq import RabbitMq
from broker.stores.doorbell import Doorbell
from broker.stores.rabbitmq import RabbitDoorbell
from tests.bells import House, MemoryDoorbell, Worker

Hang = Callable[[], Doorbell]


def ids(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


@pytest.fixture(params=["memory", "rabbitmq"])
def hang(request: pytest.FixtureRequest) -> Iterator[Hang]:
    """Return what hangs up another doorbell of the same house."""
    hung: list[Doorbell] = []
    if request.param == "memory":
        house = House()
        make: Hang = lambda: MemoryDoorbell(house)  # noqa: E731
    else:
        server: RabbitMq = request.getfixturevalue("rabbitmq")
        url = server.address(request.getfixturevalue("vhost"))
        make = lambda: RabbitDoorbell(Address.read(url, None, None))  # noqa: E731

    def one() -> Doorbell:
        hung.append(make())
        return hung[-1]

    yield one
    for bell in hung:
        if not isinstance(bell, MemoryDoorbell) or bell in bell.house.bells:
            bell.close()


def test_what_is_rung_is_heard_by_another(hang: Hang) -> None:
    worker = Worker(hang()).connected()
    rung = ids(3)
    hang().ring([("wolfsburg-bau", rung[0]), ("salzgitter-bau", rung[1]), ("x", rung[2])])

    worker.hear(rung)
    assert sorted(worker.ids) == sorted(rung)


def test_one_hears_what_it_rings_itself(hang: Hang) -> None:
    bell = hang()
    rung = ids(1)
    bell.ring([("wolfsburg-bau", rung[0])])

    assert [call.ids for call in Worker(bell).hear(rung)] == [(rung[0],)]


def test_nothing_is_there_where_nobody_rang(hang: Hang) -> None:
    assert list(Worker(hang()).connected().bell.calls(10)) == []


def test_ten_thousand_arrive_all_and_no_others(hang: Hang) -> None:
    worker = Worker(hang())
    rung = ids(10_000)
    hang().ring((f"channel-{number % 50}", id) for number, id in enumerate(rung))

    worker.hear(rung)
    assert set(worker.ids) == set(rung)


def test_a_worker_gets_about_as_many_as_it_asks_for(hang: Hang) -> None:
    worker = Worker(hang()).connected()
    rung = ids(200)
    worker.bell.ring(("wolfsburg-bau", id) for id in rung)
    first: list[int] = []

    def one() -> bool:
        first.extend(len(call.ids) for call in worker.bell.calls(1))
        return bool(first)

    worker.until(one)
    assert len(first) == 1
    assert 1 <= first[0] <= 20


def test_what_was_not_taken_comes_again_when_its_worker_is_gone(hang: Hang) -> None:
    first = Worker(hang())
    rung = ids(30)
    hang().ring(("wolfsburg-bau", id) for id in rung)
    first.hear(rung, take=False)
    first.bell.close()
    second = Worker(hang())

    second.hear(rung)
    assert sorted(second.ids) == sorted(rung)


def test_what_was_taken_does_not_come_again(hang: Hang) -> None:
    first, ringer = Worker(hang()), hang()
    done, last = ids(30), ids(1)
    ringer.ring(("wolfsburg-bau", id) for id in done)
    first.hear(done)
    first.bell.close()
    ringer.ring([("wolfsburg-bau", last[0])])
    second = Worker(hang())

    second.hear(last)
    assert second.ids == last


def test_calls_may_be_taken_out_of_order_and_twice(hang: Hang) -> None:
    first, ringer = Worker(hang()), hang()
    rung, last = ids(100), ids(1)
    ringer.ring((f"channel-{number % 7}", id) for number, id in enumerate(rung))
    calls = first.hear(rung, take=False)
    kept = calls.pop(0)
    for call in reversed(calls):
        first.bell.taken([call])
    first.bell.taken(calls)
    first.bell.close()
    ringer.ring([("wolfsburg-bau", last[0])])
    second = Worker(hang())

    second.hear([*kept.ids, *last])
    assert sorted(second.ids) == sorted([*kept.ids, *last])


def test_two_workers_share(hang: Hang) -> None:
    workers = [Worker(hang()).connected(), Worker(hang()).connected()]
    rung = ids(3_000)
    hang().ring(("wolfsburg-bau", id) for id in rung)
    left = set(rung)
    while left:
        for worker in workers:
            for call in worker.bell.calls(20):
                worker.ids += call.ids
                left.difference_update(call.ids)
                worker.bell.taken([call])

    assert all(worker.ids for worker in workers)


def test_what_was_rung_before_closing_is_heard(hang: Hang) -> None:
    ringer = hang()
    rung = ids(500)
    ringer.ring(("wolfsburg-bau", id) for id in rung)
    ringer.close()
    worker = Worker(hang())

    worker.hear(rung)
    assert set(worker.ids) == set(rung)
