"""Plugs are pulled while messages come in: nothing is lost, doubled, left waiting or unprovable."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from broker.standins.postgres import Postgres
from broker.standins.rabbitmq import RabbitCluster
from tests.faults.fault import Fault, lasting
from tests.faults.judge import judge
from tests.faults.region import Region
from tests.faults.strikes import FAULTS
from tests.faults.table import PROPERTY

pytestmark = pytest.mark.faults

#: The first is for every run, the others for `make test-all`.
SEEDS = (1, 2, 3)
#: So much is accepted before a fault strikes at the earliest, and before the load ends.
BEFORE, AFTER = 30, 60


def cases() -> Iterator[object]:
    """Every fault with every seed; one of each takes part in `make test`."""
    for fault in FAULTS:
        for seed in SEEDS:
            slow = fault.slow or seed != SEEDS[0]
            marks = [pytest.mark.slow] if slow else []
            yield pytest.param(fault, seed, id=f"{fault.name}-{seed}", marks=marks)


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Region]]:
    """Hold the region of this module: one fault after the other strikes it."""
    held: list[Region] = []
    yield held
    while held:
        held.pop().__exit__(None, None, None)


@pytest.fixture
def region(
    regions: list[Region],
    postgres: Postgres,
    rabbit_cluster: RabbitCluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Region:
    """Return a region that runs: that of the test before, unless something was wrong with it."""
    if regions and not regions[0].well:
        regions.pop().__exit__(None, None, None)
    if not regions:
        folder = tmp_path_factory.mktemp("region")
        with ExitStack() as undo:
            undo.callback(regions.clear)
            regions.append(Region(folder, postgres, rabbit_cluster))
            regions[0].__enter__()
            undo.pop_all()
    return regions[0]


@pytest.mark.parametrize(("fault", "seed"), list(cases()))
def test_nothing_is_lost_or_doubled(
    region: Region, fault: Fault, seed: int, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(f"{seed} {fault.name}")
    region.well = False
    load = region.load()
    try:
        load.reached(BEFORE + chance.randrange(BEFORE))
        with fault.strike(region, chance):
            lasting(fault.seconds)
            region.goes_on(fault.goes_on)
        healed = time.monotonic()
        load.reached(len(load.receipts) + AFTER)
    finally:
        load.stop()
    verdict = judge(region, load, f"{fault.name} ({seed})", fault.doubt, healed)
    record_property(PROPERTY, verdict.line())

    assert verdict.wrong == ()
    region.well = not fault.doubt


@pytest.mark.slow
def test_the_judge_sees_what_is_lost_and_doubled(region: Region) -> None:
    region.well = False
    load = region.load()
    load.reached(BEFORE)
    load.stop()
    assert judge(region, load, "none", False, time.monotonic()).wrong == ()
    lost = next(iter(load.receipts))
    name = region.database.rpartition("/")[2]
    region.postgres.ask("UPDATE deliveries SET state = 'closed' WHERE message = %s", (lost,), name)
    office = region.offices["west"]
    office.file(office.references()[0], "another key")

    wrong = " ".join(judge(region, load, "both", False, time.monotonic()).wrong)

    assert f"{lost} is closed" in wrong
    assert f"{lost} is closed, the journal says delivered" in wrong
    assert "took effect more than once" in wrong
