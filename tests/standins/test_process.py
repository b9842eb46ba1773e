"""A stand-in as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broker.standins.__main__ import main
from broker.standins.town import Town
from tests.needs import ROOT


@pytest.mark.parametrize("kind", ["soap", "share", "staging"])
def test_it_says_where_it_is_and_ends_in_order(tmp_path: Path, kind: str) -> None:
    words = [sys.executable, "-m", "broker.standins", kind, str(tmp_path), "--faults", "busy"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 0
    place = "http://127.0.0.1:" if kind == "soap" else str(tmp_path)
    assert line.startswith(f"{kind} {place}")


def test_an_unknown_kind_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fax", "folder"])

    assert "fax" in capsys.readouterr().err


def test_nothing_is_filed_where_nothing_was_started(tmp_path: Path) -> None:
    town = Town(tmp_path, ROOT / "adapters")

    assert town.effects() == {"wolfsburg": {}, "braunschweig": {}, "salzgitter": {}}
    assert list(tmp_path.iterdir()) == []


def test_a_town_makes_a_token_that_only_we_may_read_and_keeps_it(tmp_path: Path) -> None:
    town = Town(tmp_path, ROOT / "adapters")
    tokens = set()
    for _ in range(2):
        town.start()
        town.stop()
        tokens.add(town.token())

    assert len(tokens) == 1
    assert (tmp_path / "bauportal.token").stat().st_mode & 0o077 == 0
    assert town.token() not in (tmp_path / "bauportal.token").read_text("utf-8")
