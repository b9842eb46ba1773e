"""Invented applications: valid, different from each other, the same for the same seed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.catalog import Catalog
from broker.message import Authority, Facts
from broker.standins.applications import Writer, id_of, written
from broker.standins.play import CITIES, By, End, parts
from broker.xoev.standards import Standards
from tests.needs import ROOT
from tests.xoev.folders import SCHEMAS, official

ADAPTERS = ROOT / "adapters"
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def standards() -> Standards:
    found = Standards.load(SCHEMAS)
    found.compile_all()
    return found


def some(seed: int = 1) -> list[bytes]:
    writer = Writer(ADAPTERS, seed)
    return [written(writer.write(city, AT)) for city in CITIES for _ in range(10)]


def judge(standards: Standards, bodies: list[bytes]) -> set[bool]:
    """Validate all; return whether a profile judged."""
    documents = [standards.parse(body) for body in bodies]
    return {standards.validate(each, standards.envelope(each), AT).profile for each in documents}


def test_they_are_valid_by_the_profile(standards: Standards) -> None:
    assert judge(standards, some()) == {True}


def test_they_are_valid_by_the_official_schema(shared: Path, tmp_path: Path) -> None:
    standards = Standards.load(official(shared, tmp_path / "xoev"))
    standards.compile_all()

    assert judge(standards, some()) == {False}


def test_they_have_the_size_of_a_usual_message() -> None:
    assert {len(body) // 1000 for body in some()} <= {8, 9}


def test_the_same_seed_writes_the_same() -> None:
    assert some(7) == some(7)
    assert some(7) != some(8)


def test_no_two_have_the_same_id() -> None:
    writer = Writer(ADAPTERS)

    assert len({id_of(writer.write("wolfsburg", AT)) for _ in range(50)}) == 50


def test_a_real_message_has_no_test_flag(standards: Standards) -> None:
    body = written(Writer(ADAPTERS).write("wolfsburg", AT, test=None))

    assert standards.envelope(standards.parse(body)).test is None


@pytest.mark.parametrize("city", CITIES)
def test_each_citys_adapter_converts_them(standards: Standards, city: str) -> None:
    adapter = Catalog.load([ADAPTERS]).get(f"{city}/bau")
    facts = Facts("0123456789ABC", "id", AT, Authority("a"), Authority("b"))
    writer = Writer(ADAPTERS)
    for _ in range(20):
        body = written(writer.write(city, AT))
        assert b"0123456789ABC" in adapter.to_legacy(standards.parse(body), facts)


def test_the_demo_sends_what_the_issue_asks_for() -> None:
    every = parts(ADAPTERS, AT)
    reasons = {part.reason for part in every if part.reason}

    assert len(every) >= 24
    assert {part.city for part in every} > set(CITIES)
    assert {part.by for part in every} == set(By)
    assert reasons == {"S999", "X001", "T080", "S102", "V001", "X000", "S050"}
    assert sum(part.end is End.REPEATED for part in every) == 1
    assert all(b'test="Demo"' in part.body for part in every)
