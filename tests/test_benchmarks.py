"""Every part of the benchmark runs with tiny numbers and returns its figures; nothing is timed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import bare, bundles, site, slowdisk
from benchmarks.child import Child
from benchmarks.effort import Effort
from benchmarks.failure import Failed
from benchmarks.figures import Figure, Part, least, most
from broker.app import load_site
from broker.xoev.standards import Standards
from tests.needs import ROOT

TINY = Effort(
    rounds=1,
    backlog=20,
    http=10,
    slow=20,
    connections=2,
    singles=1,
    towns=30,
    matches=50,
    large=200_000,
    idle=0.05,
    judged=3,
    entries=3_000,
    calls=50,
    cluster=20,
    long=40,
    naive=5,
)
FIGURES = {
    "bare": {"one thread", "two threads", "two threads to one", "processor a message", "message"},
    "checks": {"gate to bare lxml", "gate", "parse, head, calendar and gate"},
    "conversion": {
        "wolfsburg/bau, to bare sheet",
        "wolfsburg/bau, answer, to bare sheet",
        "braunschweig/bau, fixed width, to bare sheet",
        "salzgitter/bau, rows, to bare sheet",
    },
    "sealing": {"cost into nowhere", "cost into a folder", "evidence of one message", "verify"},
    "cluster": {
        "8 KB, 1 worker: to bare loop",
        "23 KB, 2 workers: to bare loop",
        "8 KB, 2 workers: to naive",
        "8 KB, 2 workers: draining, worker 2",
        "long backlog: last tenth to first",
    },
    "doorbell": {"one id a message, to bare loop", "ids in batches, to bare loop"},
    "backlog": {"delivered", "delivered to bare loop", "last tenth to first"},
    "http": {"delivered to bare loop", "processor a message, broker", "receipt, median"},
    "slowdisk": {"slow disk to this disk", "messages a sync, slow disk"},
    "single": {"into nowhere, median", "into a folder, median"},
    "towns": {"check, one entry", "match, one entry", "check, entries", "match, entries"},
    "release": {"install XBau 2.6", "diff XBau 2.5 to 2.6", "start with 10 bundles"},
    "large": {"peak of memory", "handed in to delivered"},
    "idle": {"memory", "processor in 5 minutes"},
}


#: What starts servers of its own and takes half a minute.
LONG = {"cluster"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in FIGURES],
)
def test_a_part_returns_its_figures(name: str, tmp_path: Path) -> None:
    if name == "slowdisk" and shutil.which("cc") is None:
        pytest.skip("no C compiler here (cc), which slows the disk")

    if name == "release" and not bundles.there():
        pytest.skip(bundles.ABSENT)

    part = command.PARTS[name](TINY, tmp_path)

    assert FIGURES[name] <= {figure.name for figure in part.figures}


def test_every_part_has_a_test() -> None:
    assert set(FIGURES) == set(command.PARTS)


def test_a_disk_that_cannot_be_slowed_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    part = slowdisk.measure(TINY, tmp_path)

    assert "skipped: no C compiler" in part.table()


def test_without_bundles_their_part_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "XOEV", tmp_path / "nowhere")

    part = command.PARTS["release"](TINY, tmp_path)

    assert "skipped: no official bundles" in part.table()


def test_without_bundles_only_the_schema_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "XOEV", tmp_path / "nowhere")

    part = command.PARTS["checks"](TINY, tmp_path)

    assert "code lists and rules left out" in part.table()
    assert not [figure for figure in part.figures if "rules" in figure.name]


def test_the_run_prints_tables_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "QUICK", TINY)
    file = tmp_path / "figures.json"

    code = command.main(["--quick", "--json", str(file), "bare"])

    assert code == 0
    assert "bare: the XML work alone" in capsys.readouterr().out
    assert [part["part"] for part in json.loads(file.read_text("utf-8"))["parts"]] == ["bare"]


def test_a_part_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_effort: Effort, _folder: Path) -> Part:
        raise Failed("nothing arrived")

    parts = {"broken": fails, "works": lambda _effort, _folder: Part("works", "does")}
    monkeypatch.setattr(command, "PARTS", parts)

    code = command.main([])

    told = capsys.readouterr()
    assert code == 1
    assert "broken: FAILED: nothing arrived" in told.err
    assert "works: does" in told.out


def test_an_unknown_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["bar"])

    assert "no part 'bar'; there are bare, backlog" in capsys.readouterr().err


def test_a_process_that_ends_early_is_told_with_its_last_lines(tmp_path: Path) -> None:
    code = "import sys; sys.exit('no memory left')"

    with (
        Child(["-c", code], {}, tmp_path / "child.log") as child,
        pytest.raises(Failed, match="no memory left"),
    ):
        child.line()


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("ratio", 0.6, goal=least(0.6)), "reached"),
        (Figure("ratio", 0.59, goal=least(0.6)), "not reached"),
        (Figure("time", 29.0, "ms", most(30)), "reached"),
        (Figure("time", 31.0, "ms", most(30)), "not reached"),
        (Figure("rate", 1.0), ""),
    ],
)
def test_a_goal_is_reached_or_not(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


def test_a_table_shows_figure_value_goal_and_verdict() -> None:
    part = Part("x", "a part", (Figure("rate", 1234.5, "msg/s", least(2000)),), ("a note",))

    assert part.table().splitlines() == [
        "x: a part",
        "  a note",
        "  figure  measured     goal     verdict",
        "  rate    1,234 msg/s  ≥ 2,000  not reached",
    ]


def test_messages_are_about_8_kb_and_none_is_like_the_other() -> None:
    first, second = site.messages(2)

    assert 7_000 < len(first) < 9_000
    assert first != second


def test_a_large_message_has_the_size_that_was_asked_for() -> None:
    assert abs(len(site.large(500_000)) - 500_000) < 1_000


def test_the_bare_loop_stops_at_a_message_that_is_not_valid(tmp_path: Path) -> None:
    place = site.build(tmp_path / "site")
    loop = bare.Bare(load_site(place.settings, place.environ, site.BENCH_KINDS))
    wrong = site.template().replace(b"nachrichtenUUID", b"nachrichtenNummer")

    with pytest.raises(Failed, match="not valid"):
        loop.rate([wrong], 1)


def test_large_messages_are_allowed_by_the_standard_they_follow() -> None:
    standards = Standards.load(ROOT / "schemas/xoev")

    assert standards.parse(site.large(10_100_000)).kind == "baugenehmigung.antrag.0200"
