"""The pytest plug-in: samples of adapters kept outside this repository as tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import ROOT


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with adapters, and beside it a test that must not run."""
    for part in ("shared/bau", "wolfsburg/bau"):
        shutil.copytree(ROOT / "adapters" / part, tmp_path / "mine" / part)
    for case in ("bescheid", "anlagen", "rueckweisung", "sonderzeichen", "mehrere-antragsteller"):
        shutil.rmtree(tmp_path / "mine/wolfsburg/bau/samples" / case)
    (tmp_path / "test_other.py").write_text("def test_other():\n    pass\n")
    return tmp_path


def run(place: Path, *args: str) -> tuple[int, str]:
    command = [
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:xdist",
        "-v", "--rootdir", str(place), "-c", os.devnull, *args,
    ]  # fmt: skip
    if "broker.kit.plugin" not in _loaded():
        command[3:3] = ["-p", "broker.kit.plugin"]
    environ = {
        **os.environ, "PYTHONPATH": str(ROOT), "XOEV_BROKER_SCHEMAS": str(ROOT / "schemas/xoev"),
    }  # fmt: skip
    ran = subprocess.run(
        command, cwd=place, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


def _loaded() -> set[str]:
    """Return the plug-ins that pytest finds by itself, ours among them once it is installed."""
    from importlib.metadata import entry_points

    return {entry.value for entry in entry_points(group="pytest11")}


def test_every_sample_and_every_adapter_is_a_test(place: Path) -> None:
    code, out = run(place, "--xoev-adapters", "mine")

    assert code == 0, out
    assert "wolfsburg/bau PASSED" in out
    assert "wolfsburg/bau/einfach PASSED" in out
    assert "wolfsburg/bau/code-unbekannt PASSED" in out
    assert "test_other" not in out


def test_other_tests_run_beside_them_where_they_are_named(place: Path) -> None:
    _, out = run(place, "--xoev-adapters", "mine", "test_other.py")

    assert "test_other PASSED" in out
    assert "wolfsburg/bau/einfach PASSED" in out


def test_without_the_option_nothing_is_collected(place: Path) -> None:
    code, out = run(place)

    assert (code, "wolfsburg" in out) == (0, False)


def test_a_failure_shows_the_difference_and_no_traceback(place: Path) -> None:
    file = place / "mine/wolfsburg/bau/samples/einfach/2-request.legacy.xml"
    file.write_text(file.read_text("utf-8").replace("<Mandant>103", "<Mandant>104"), "utf-8")

    code, out = run(place, "--xoev-adapters", "mine")

    assert code == 1
    assert "@@ /AntragAnlegen/Mandant" in out
    assert "+  <Mandant>103</Mandant>" in out
    assert "Traceback" not in out
    assert "plugin.py" not in out


def test_a_broken_adapter_is_one_failure_with_its_place(place: Path) -> None:
    (place / "mine/wolfsburg/bau/to_legacy.xsl").write_text("<xsl:stylesheet>")

    code, out = run(place, "--xoev-adapters", "mine")

    assert code == 1
    assert "wolfsburg/bau/to_legacy.xsl:1" in out
    assert "1 failed, 3 skipped" in out


def test_a_folder_that_is_not_there_is_wrong_usage(place: Path) -> None:
    code, out = run(place, "--xoev-adapters", "yours")

    assert code == 4
    assert "there is no folder" in out


def test_a_new_adapter_passes_in_a_clean_folder(place: Path) -> None:
    from broker.kit.scaffold import Plan, make
    from broker.xoev.standards import Standards

    standards = Standards.load(ROOT / "schemas/xoev")
    (place / "new").mkdir()
    make(Plan("musterstadt/bau", "xbau/2.6", "python"), place / "new", standards)

    code, out = run(place, "--xoev-adapters", "new", "--xoev-schemas", str(ROOT / "schemas/xoev"))

    assert code == 0, out
    assert "4 passed" in out
