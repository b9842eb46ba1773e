"""Laying out a site: the folder in which a broker is at home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from broker.cli.terminal import say


def init(
    folder: Annotated[Path, Argument(metavar="DIR", help="a new or empty folder")],
    owner: Annotated[
        str | None, Option(help="user of the service, who gets secrets and state; needs root")
    ] = None,
    missing: Annotated[
        bool, Option("--missing", help="add what is not there, change nothing that is")
    ] = False,
) -> None:
    """Lay out a site: a folder with all that one installation needs.

    It has an example that runs, and keys of its own. A folder with contents is left alone
    unless `--missing` is given.
    """
    from broker.layout import Site

    made = Site(folder, owner).lay(missing)
    for name in made:
        say(f"made  {folder / name}")
    if missing and not made:
        say(f"{folder}: nothing was missing")
        return
    say()
    say(_NEXT.format(folder=folder))


_NEXT = """\
Next:
  cd {folder}
  set -a; . ./xoev-broker.env; set +a
  xoev-broker doctor
  xoev-broker run
Then make a backup of secrets/, and write your parties, channels and routes into routes.yaml.
As a service: deploy/systemd/xoev-broker.service; all of it: README.md"""
