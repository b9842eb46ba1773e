"""The model of hosts, database and backlogs: its arithmetic, and what was measured beside it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from benchmarks import model
from benchmarks.figures import aligned
from benchmarks.model import COUNTED, LOADS, MEASURED, WITHIN, Counted, Load, Plan
from tests.needs import ROOT


@pytest.mark.parametrize("counted", COUNTED, ids=lambda one: f"{one.workers} workers")
def test_the_model_is_near_what_was_measured(counted: Counted) -> None:
    told = MEASURED.rate(counted.workers, counted.processors(MEASURED))

    assert 1 / WITHIN < told / counted.rate < WITHIN


def test_a_second_worker_helps_only_where_processors_are_left() -> None:
    few, many = MEASURED.rate(1, 64), MEASURED.rate(2, 64)

    assert many == pytest.approx(2 * few)
    assert MEASURED.rate(2, 0.5) == MEASURED.rate(1, 0.5) < few


def test_a_year_counts_requests_and_answers() -> None:
    load = Load("a town", 1000, 1000, messages=3, answers=1)

    assert load.year == 6000


def test_an_hour_of_the_release_day_has_more_than_usual_and_the_year_stays() -> None:
    usual = LOADS[0]
    day = replace(usual, surge=5)

    assert day.busiest == pytest.approx(5 * usual.busiest)
    assert day.year == usual.year


def test_one_host_more_is_planned_than_needed() -> None:
    assert Plan(MEASURED, LOADS[0]).hosts == 2


def test_a_backlog_of_a_day_drains_at_what_the_limit_leaves() -> None:
    load = Load("a city", 2_400_000, 2_400_000, messages=3, answers=0)

    plan = Plan(MEASURED, load, limit=2.0)

    assert plan.depth == 28_800
    assert plan.drained == pytest.approx(8.0)
    assert math.isinf(replace(plan, limit=1.0).drained)


def test_erasing_payloads_leaves_the_journal() -> None:
    plan = Plan(MEASURED, LOADS[1])

    assert plan.load.year * MEASURED.rest / 1e6 < plan.retained < plan.kept


def test_the_command_prints_a_column_for_each_load(capsys: pytest.CaptureFixture[str]) -> None:
    assert model.main(["--limit", "100"]) == 0

    told = capsys.readouterr().out
    assert all(load.name in told for load in LOADS)
    assert "drained at 100 a second" in told


def test_the_page_on_scaling_shows_what_the_model_says() -> None:
    page = (ROOT / "docs/explanation/scaling.md").read_text("utf-8")
    told = aligned(model.rows([Plan(MEASURED, load) for load in model.loads()]))

    assert "\n".join(line.strip("\n") for line in told) in page
