"""Codes and rules beyond the schema, as strictly as a route says."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.message import State
from tests import messages
from tests.fakes import Bench, Script
from tests.needs import ROOT
from tests.xoev.lists import genericode, key, row, written

DIRECTORIES = "urn:xoev-de:kosit:codeliste:verzeichnisdienst"
Make = Callable[[str], Bench]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    """Return a broker whose XBau counts as official, with one list that lacks the code DVDV."""
    schemas = tmp_path / "schemas"
    shutil.copytree(ROOT / "schemas/xoev", schemas, ignore=shutil.ignore_patterns("official"))
    (schemas / "xbau/2.6/profile").rename(schemas / "xbau/2.6/official")
    other = genericode(DIRECTORIES, "3", key("code"), row("ANDERES", "Ein anderes Verzeichnis"))
    written(schemas / "codelists", other, "verzeichnisdienst_3.xml")
    made: list[Bench] = []

    def make(level: str) -> Bench:
        levels = f"checks: {{codelists: {level}}}"
        made.append(Bench(tmp_path, Script(), schemas=str(schemas), order=levels))
        return made[-1]

    yield make
    for one in made:
        one.app.close()


@pytest.mark.parametrize(
    ("level", "state", "reason"),
    [
        ("error", State.REJECTED, "X011"),
        ("warning", State.DELIVERED, ""),
        ("off", State.DELIVERED, ""),
    ],
)
def test_a_code_that_its_list_lacks_is_judged_as_the_route_says(
    bench: Make, level: str, state: State, reason: str
) -> None:
    broker = bench(level)
    receipt = broker.accept(messages.request())

    broker.run()

    row_ = broker.row(receipt.id)
    assert (row_.state, row_.reason) == (state, reason)


@pytest.mark.parametrize(("level", "noted"), [("warning", True), ("off", False)])
def test_a_warning_is_in_the_journal(bench: Make, level: str, noted: bool) -> None:
    broker = bench(level)
    receipt = broker.accept(messages.request())

    broker.run()

    assert ("checked" in broker.events(receipt.id)) is noted
