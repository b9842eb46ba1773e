"""Whether more can be taken in: disk, queue and rates, and that it passes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.channels.channel import Incoming
from broker.errors import Forbidden, Overloaded, StoreAway, TooFast, Unreachable
from broker.intake import Intake
from broker.message import State
from broker.poller import Poller
from broker.pressure import Bounds, Bucket, Pressure, Room, free, needed
from broker.stores.contract import Erasure
from tests import messages
from tests.fakes import Bench, Make, benches

SIZE = 1000


class World:
    """A clock and a disk that do as they are told."""

    def __init__(self) -> None:
        self.time = 0.0
        self.free = SIZE

    def clock(self) -> float:
        return self.time

    def look(self, folder: Path) -> Room | None:
        return (self.free, SIZE) if folder.name == "disk" else None


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    yield from benches(tmp_path)


@pytest.fixture
def world() -> World:
    return World()


def pressed(broker: Bench, world: World, **bounds: float) -> Pressure:
    """Let the intake of a bench be held back by these bounds."""
    folders = (Path("gone"), Path("disk"))
    app = broker.app
    made = Pressure(
        app.store, lambda: app.site.table.table, Bounds(folders, **bounds),  # type: ignore[arg-type]
        world.clock, world.look,
    )  # fmt: skip
    broker.intake = Intake(app, pressure=made)
    made.measure()
    return made


def test_nothing_is_held_back_without_bounds(bench: Make, world: World) -> None:
    broker = bench()
    world.free = 0
    pressed(broker, world)

    broker.accept(messages.request())


def test_a_disk_that_is_nearly_full_closes_the_intake_and_heals_by_itself(
    bench: Make, world: World
) -> None:
    broker = bench()
    pressure = pressed(broker, world, stop=100, warn=300)
    id = broker.accept(messages.request()).id
    world.free = 99
    pressure.measure()

    with pytest.raises(Overloaded, match="disk of the broker is nearly full") as caught:
        broker.accept(messages.request())
    assert caught.value.seconds == 60

    broker.run()
    assert broker.state(id) is State.DELIVERED
    world.free = 111
    pressure.measure()
    broker.accept(messages.request())


def test_a_disk_at_its_bound_does_not_open_and_close_all_the_time(
    bench: Make, world: World
) -> None:
    pressure = pressed(bench(), world, stop=100)
    seen = []
    for world.free in (100, 99, 101, 109, 111, 101, 99):
        seen.append(pressure.measure().closed)

    assert seen == [(), ("disk",), ("disk",), ("disk",), (), (), ("disk",)]


def test_a_disk_with_little_room_is_said_before_it_closes(bench: Make, world: World) -> None:
    pressure = pressed(bench(), world, stop=0.1, warn=0.3)
    world.free = 299

    found = pressure.measure()

    assert (found.free, found.little, found.closed) == (299, True, ())


def test_a_refusal_for_want_of_room_is_kept_nowhere(bench: Make, world: World) -> None:
    broker = bench()
    world.free = 1
    pressed(broker, world, stop=100)

    with pytest.raises(Overloaded):
        broker.accept(b"<broken")
    counts = broker.app.store.counts()
    assert (counts.accepted, counts.refused) == (0, 0)


def test_with_so_many_that_wait_nothing_more_is_taken(bench: Make, world: World) -> None:
    broker = bench()
    pressure = pressed(broker, world, depth=3)
    for _ in range(3):
        broker.accept(messages.request())

    with pytest.raises(Overloaded, match="too many messages wait"):
        broker.accept(messages.request())

    broker.run()
    world.time += 1
    pressure.measure()
    broker.accept(messages.request())


def test_what_others_accepted_is_counted_too(bench: Make, world: World) -> None:
    broker = bench()
    pressure = pressed(broker, world, depth=2)
    other = Intake(broker.app)
    for _ in range(2):
        other.accept(messages.request(), "bauportal", "test")
    world.time += 1

    assert pressure.measure().closed == ("depth",)


def test_a_route_that_is_full_leaves_the_others_alone(bench: Make, world: World) -> None:
    broker = bench(order="depth: 2")
    pressed(broker, world)
    for _ in range(2):
        broker.accept(messages.request())

    with pytest.raises(Overloaded, match="wait for the recipient's procedure"):
        broker.accept(messages.request())
    broker.accept(messages.request(key="bab:03999999"))


def test_a_party_sends_as_fast_as_agreed_and_no_faster(bench: Make, world: World) -> None:
    broker = bench(answer="return, rate: 2/s")
    pressed(broker, world)
    for _ in range(2):
        broker.accept(messages.request())

    with pytest.raises(TooFast, match="more messages than the 2 a second agreed") as caught:
        broker.accept(messages.request())
    assert caught.value.seconds == 1
    broker.intake.accept(messages.request(), "wolfsburg", "test")
    world.time += 0.5
    broker.accept(messages.request())


def test_a_party_may_send_no_larger_messages_than_agreed(bench: Make, world: World) -> None:
    broker = bench(answer="return, max_message: 1 KB")
    pressed(broker, world)

    with pytest.raises(Forbidden, match="at most 1024 bytes"):
        broker.accept(messages.request())
    assert broker.app.store.counts().refused == 1


@pytest.mark.parametrize(("rate", "times"), [(0.5, [1, 0, 1]), (3.0, [3, 1, 1])])
def test_a_bucket_fills_with_time_and_holds_one_second(rate: float, times: list[int]) -> None:
    bucket = Bucket(rate, 0)

    taken = [sum(not bucket.take(at) for _ in range(9)) for at in (0, 1 / 3 + 0.01, 60)]

    assert taken == [times[0], times[1], max(1, int(rate))]


def test_without_room_a_channel_is_not_even_looked_into(bench: Make, world: World) -> None:
    broker = bench()
    world.free = 1
    pressed(broker, world, stop=100)
    broker.script.incoming.append(Incoming("reply", "a.xml", messages.reply("0" * 13)))
    poller = Poller(broker.app, broker.intake, lambda: None, 1.0)

    with pytest.raises(Overloaded):
        poller.look(broker.app.site.channels["procedure"])
    assert len(broker.script.incoming) == 1


def test_what_is_too_fast_stays_at_its_source_and_the_rest_is_settled(
    bench: Make, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench(answer="return, rate: 2/s")
    pressed(broker, world)
    channel = broker.app.site.channels["procedure"]
    monkeypatch.setattr(channel, "values", {"from": "bauportal"})
    names = ["a", "b", "c"]
    broker.script.incoming.extend(Incoming("message", name, messages.request()) for name in names)
    broker.script.incoming.append(Incoming("reply", "d", messages.reply("0" * 13)))
    poller = Poller(broker.app, broker.intake, lambda: None, 1.0)

    with pytest.raises(TooFast):
        poller.look(channel)

    assert [name for name, verdict in broker.script.settled] == ["a", "b", "d"]


def test_a_channel_that_fails_is_told_as_disturbed(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    channel = broker.app.site.channels["procedure"]

    def fail() -> list[Incoming]:
        raise Unreachable("no share")

    poller = Poller(broker.app, broker.intake, lambda: None, 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(channel, "receive", fail)
        poller._look(channel)
    assert poller.disturbed() == {"procedure"}
    poller._look(channel)
    assert poller.disturbed() == frozenset()


def test_room_is_bytes_or_a_share() -> None:
    assert (needed(500, SIZE), needed(0.05, SIZE)) == (500, 50)


def test_a_real_disk_is_measured_and_a_missing_one_is_none(tmp_path: Path) -> None:
    found = free(tmp_path)

    assert found is not None
    assert 0 < found[0] <= found[1]
    assert free(tmp_path / "gone") is None


def test_a_disk_is_measured_while_the_store_is_away(
    bench: Make, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    pressure = pressed(broker, world, stop=100, depth=10)

    def away() -> dict[str, int]:
        raise StoreAway

    monkeypatch.setattr(broker.app.store, "depths", away)
    world.free, world.time = 99, 60
    with pytest.raises(StoreAway):
        pressure.measure()

    assert pressure.reading.closed == ("disk",)


def test_counting_that_takes_long_is_done_less_often(
    bench: Make, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, asked = bench(), list[float]()
    pressure = pressed(broker, world, depth=10)

    def slowly() -> dict[str, int]:
        asked.append(world.time)
        world.time += 0.2
        return {}

    monkeypatch.setattr(broker.app.store, "depths", slowly)
    for world.time in (1.0, 2.0, 5.0, 10.9, 11.0):
        pressure.measure()

    assert asked == [1.0, 11.0]


def test_room_that_erasing_has_made_in_the_store_counts(
    bench: Make, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = bench()
    pressure = pressed(broker, world, stop=100)
    monkeypatch.setattr(broker.app.store, "slack", lambda: 500)
    seen = []
    for world.free in (99, 26, 24, 27, 28):
        seen.append(pressure.measure().closed)

    assert seen == [(), (), ("disk",), ("disk",), ()]


def test_a_file_that_something_was_erased_from_has_room_again(bench: Make) -> None:
    broker = bench()
    id = broker.accept(messages.request()).id
    broker.run()
    before = broker.app.store.slack()

    assert broker.app.store.erase([Erasure(id, "payload", "rule")]).result()

    assert broker.app.store.slack() > before
