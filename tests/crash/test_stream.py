"""kill -9 again and again while messages stream through, and by a message itself."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from broker.app import App
from broker.intake import Intake
from broker.settings import Settings
from tests.crash.judge import killed, look, settled, story
from tests.crash.nursery import KILLED, Nursery
from tests.crash.places import Folders, Place

pytestmark = pytest.mark.crash

#: The kills of one run can be had again with its seed.
SEEDS = [20260105, pytest.param(20260106, marks=pytest.mark.slow)]
MESSAGES, KILLS = 200, 12
POISON = "Giftturm"
ADAPTER = f"""\
import os
import signal

from broker import Adapter


class Bau(Adapter):
    accepts = ("xbau/2.6",)

    def to_legacy(self, document, facts):
        if any("{POISON}" in text for text in document.root.itertext()):
            os.kill(os.getpid(), signal.SIGKILL)
        return facts.reference.encode()

    def to_xoev(self, reply, facts):
        return reply
"""


class Stream(Folders):
    """Many applications, in small batches."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environ["XOEV_BROKER_BATCH"] = "10"

    def fill(self) -> None:
        for number in range(MESSAGES):
            self.put(f"{number:03}.xml", self.request(case=f"c-{number // 2}"))

    @property
    def requests(self) -> int:
        return MESSAGES


class Poisoned(Place):
    """Six applications, the adapter dies of one of them; nothing is answered."""

    answers = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "out").mkdir()
        adapter = folder / "adapters/wolfsburg/bau/adapter.py"
        adapter.parent.mkdir(parents=True)
        adapter.write_text(ADAPTER)
        self.environ["XOEV_BROKER_ADAPTERS"] = str(folder / "adapters")

    @property
    def channel(self) -> str:
        return "kind: directory, out: out"

    def run(self) -> Any:
        return nullcontext()

    def effects(self) -> Mapping[str, int]:
        return Counter(file.stem for file in (self.folder / "out").iterdir())

    def fill(self) -> None:
        """Accept them all before anything works on them, so that they are in hand together."""
        app = App(Settings.load(self.environ), self.environ)
        for number in range(6):
            body = self.request(case=f"c-{number}")
            if number == 2:
                body = body.replace(b"Gartenhaus", POISON.encode())
            self.bodies[f"{number}.xml"] = body
            Intake(app).accept(body, "portal", "test")
        app.close()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stream_with_many_kills_arrives_whole_and_once(
    nursery: Nursery, tmp_path: Path, seed: int
) -> None:
    chance, place = random.Random(seed), Stream(tmp_path)
    with place.open():
        while place.crashes < KILLS:
            kill = f"commit#{chance.randint(3, 20)}"
            if nursery.live(place.order(kill)) != KILLED:
                break
            place.crashes += 1
            assert list(killed(place)) == [], f"{kill}: {story(place)}"
        assert nursery.live(place.order("")) == 0
        assert list(settled(place)) == []

    assert place.crashes >= 8


def test_a_message_that_kills_the_process_dies_alone(nursery: Nursery, tmp_path: Path) -> None:
    place = Poisoned(tmp_path)
    with place.open():
        while nursery.live(place.order("")) == KILLED and place.crashes < 10:
            place.crashes += 1

    found = look(place)
    dead = found.of("request", "dead")
    assert [row["error"].partition(":")[0] for row in dead] == ["poison"]
    delivered = found.of("request", "delivered")
    assert place.effects() == {row["reference"]: 1 for row in delivered}
    # once with the others in hand, three times alone
    assert (len(delivered), place.crashes) == (5, 4)
    assert found.events("recovered")[dead[0]["id"]] == 4
    assert len(found.events("recovered")) > 1
