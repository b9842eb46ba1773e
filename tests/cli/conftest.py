"""A site for each test of the command line, and the command to type."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.cli import main
from tests import messages, site
from tests.site import Site


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """What it printed, as one JSON document a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Type = Callable[..., Ran]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a built site; commands of this process work on it, in English."""
    built = site.build(tmp_path)
    for name, value in built.environ.items():
        monkeypatch.setenv(name, value)
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    return built


@pytest.fixture
def type_(place: Site, capsys: pytest.CaptureFixture[str]) -> Type:
    """Return what runs a command line as the entry point does."""

    def run(*args: str) -> Ran:
        capsys.readouterr()
        code = main(args)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def submitted(place: Site, type_: Type) -> str:
    """Return the id of an application for Wolfsburg that was submitted and not worked on yet."""
    place.file("antrag.xml", messages.request("wolfsburg"))
    return str(type_("submit", "antrag.xml", "--json").lines[0]["id"])


@pytest.fixture
def delivered(place: Site, submitted: str) -> str:
    """Return the id of an application that Wolfsburg has."""
    place.work()
    return submitted


@pytest.fixture
def answered(place: Site, delivered: str) -> str:
    """Return the id of an application that Wolfsburg acknowledged, file number 63-WOB-00123-26."""
    place.answer("wolfsburg", messages.reply(place.out("wolfsburg")[0].stem))
    place.work()
    return delivered
