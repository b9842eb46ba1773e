"""The command line as a whole: help, exit codes, errors, hostile text."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.cli import main
from broker.cli.commands import COMMANDS, build
from broker.cli.groups import GROUPS
from broker.cli.terminal import counted, language, safe
from tests.cli.conftest import Type
from tests.site import Site

HEAVY = ("lxml", "sqlalchemy", "structlog", "httpx", "xmlschema", "zeep", "rich.console")


def paths() -> Iterator[tuple[str, ...]]:
    yield from ((command.name,) for command in COMMANDS)
    for name, (_, commands) in GROUPS.items():
        yield from ((name, command.name) for command in commands)
    yield from (("routes",), ("routes", "schema"))


@pytest.mark.parametrize("path", list(paths()), ids="-".join)
def test_every_command_has_a_help_with_an_example_of_itself(type_: Type, path: str) -> None:
    ran = type_(*path, "--help")

    assert ran.code == 0
    assert f"  xoev-broker {' '.join(path)}" in ran.out.partition("Examples:")[2]


def test_every_first_sentence_is_shown_whole_in_the_list(type_: Type) -> None:
    assert "..." not in type_("--help").out.partition("Commands:")[2]


def test_the_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from broker.cli import main; main(['--help']); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.splitlines()[-1] == "[]"


def test_the_entry_point_is_installed() -> None:
    entry = Path(sys.executable).with_name("xoev-broker")
    ran = subprocess.run([entry, "version"], capture_output=True, text=True, check=True)

    assert re.fullmatch(r"xoev-broker \d+\.\d+\.\d+\n", ran.stdout)


def test_a_wrong_option_is_a_wrong_usage(type_: Type) -> None:
    ran = type_("status", "--jsno")

    assert ran.code == 2
    assert "--jsno" in ran.err


def test_a_mistake_of_the_user_gives_a_text_and_no_traceback(place: Site) -> None:
    place.routes.write_text("routes: []\nrouts: []\n", "utf-8")
    ran = place.run("run")

    assert ran.returncode == 1
    assert b'routes.yaml:2:1: unknown field "routs", did you mean "routes"?' in ran.stderr
    assert b"Traceback" not in ran.stderr


def test_a_wrong_setting_is_named(type_: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XOEV_BROKER_POLLL", "1s")
    ran = type_("status")

    assert ran.code == 1
    assert "XOEV_BROKER_POLLL" in ran.err


def test_a_closed_pipe_is_no_error(place: Site) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        ran = subprocess.run(
            place.command("routes", "schema"),
            stdout=closed,
            stderr=subprocess.PIPE,
            env=place.process(),
            check=False,
        )

    assert b"Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Straße, größer", "Straße, größer"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb", "a\\u202eb"),
        ("a\rb\tc", "a\\rb\\tc"),
    ],
)
def test_nothing_can_act_on_a_terminal(text: str, shown: str) -> None:
    assert safe(text) == shown


@pytest.mark.parametrize(
    ("chosen", "environ", "expected"),
    [
        (None, {}, "en"),
        (None, {"LANG": "de_DE.UTF-8"}, "de"),
        (None, {"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, "en"),
        ("de", {"LANG": "en_GB.UTF-8"}, "de"),
        ("en", {"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_language_is_the_chosen_one_or_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None, environ: dict[str, str], expected: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert language(chosen) == expected


def test_building_the_commands_twice_gives_two_of_them() -> None:
    assert build() is not build()
    assert main(["version"]) == 0


def test_one_is_not_many() -> None:
    assert [counted(number, "route") for number in (0, 1, 2)] == ["0 routes", "1 route", "2 routes"]
    assert [counted(number, "party", "parties") for number in (1, 2)] == ["1 party", "2 parties"]
