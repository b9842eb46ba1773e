"""Making a new adapter; whoever works at a terminal is asked for what is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from broker.cli.desk import settings
from broker.cli.terminal import complain, say
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.kit.scaffold import Made

_ASKED = {
    "NAME": "City and procedure, as in musterstadt/bau",
    "--standard": "Standard and version",
    "--target": "How the procedure is reached",
    "--ags": "The municipality's key (AGS)",
}


def new(
    name: Annotated[
        str, Argument(metavar="CITY/PROCEDURE", help="as in musterstadt/bau", show_default=False)
    ] = "",
    standard: Annotated[
        str, Option(metavar="NAME/VERSION", help="an installed standard, as in xbau/2.6")
    ] = "",
    target: Annotated[
        str, Option(help="soap, directory (fixed width), table, rest (XML) or python (JSON)")
    ] = "",
    sample: Annotated[
        Path | None, Option(metavar="FILE", help="a message to start from; invented people only")
    ] = None,
    ags: Annotated[
        str, Option(metavar="AGS", help="the municipality's key; else 03999000, which is invented")
    ] = "",
    folder: Annotated[
        Path | None, Option(metavar="FOLDER", help="where adapters lie; else as the settings say")
    ] = None,
) -> None:
    """Make the folder of a new adapter, which runs at once and passes its own samples.

    For building applications (xbau/2.6) with a mapping, samples both ways and an unknown code;
    for every other standard with all values of a message and where they stood, to be replaced
    field by field. At a terminal you are asked for what is missing. Overwrites nothing.
    """
    from broker.app import load_standards
    from broker.kit.scaffold import INVENTED, TARGETS, Plan, installed, make

    found = settings()
    standards = load_standards(found)
    asked = _asks(name, standard, target)
    plan = Plan(
        _given("NAME", name),
        _given("--standard", standard, installed(standards)),
        _given("--target", target, TARGETS),
        ags or (_given("--ags", "", default=INVENTED) if asked else INVENTED),
        _read(sample) if sample else b"",
    )
    place = folder or found.adapters[0]
    _report(plan.adapter, make(plan, place, standards))


def _asks(*given: str) -> bool:
    """Whether somebody is there who can be asked, and something is missing."""
    return not all(given) and sys.stdin.isatty() and sys.stdout.isatty()


def _given(what: str, value: str, choices: tuple[str, ...] = (), default: str = "") -> str:
    """Return a value, asking for it at a terminal; elsewhere a missing one is wrong usage."""
    if value:
        return value
    if not _asks(value):
        more = f"; there are {', '.join(choices)}" if choices else ""
        raise BadParameter(f"is missing{more}", param_hint=what)
    from rich.prompt import Prompt

    if default:
        return Prompt.ask(_ASKED[what], default=default)
    # Prompt would put a slash between the choices, which have slashes themselves.
    asked = f"{_ASKED[what]} ({', '.join(choices)})" if choices else _ASKED[what]
    return str(Prompt.ask(asked, choices=list(choices) or None, show_choices=False))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BrokerError(f"{file} cannot be read: {error.strerror}") from error


def _report(name: str, made: Made) -> None:
    say(f"made {made.folder}:")
    for file in made.files:
        if not file.startswith("samples/"):
            say(f"  {file}")
    if made.cases:
        say(f"  samples: {', '.join(made.cases)} (all pass: xoev-broker adapters test {name})")
    if made.remark:
        complain(made.remark.strip())
    say("\nLines for routes.yaml, each below the heading of its name:\n")
    say(made.routes)
    say(f"\nNext steps: {made.folder / 'README.md'}")
