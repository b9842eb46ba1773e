"""The pages for operators, word for word, on a site that `init` has laid out.

Replaced are the places of the pages (`/srv`, `/mnt`), and what only a whole machine has: systemd,
other users, mounts. Everything else is typed as it stands there.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from broker.message import State
from broker.standins.daemon import port
from tests.acceptance.machine import Machine, Page, bare, delivered, end, follow, running
from tests.acceptance.test_tutorial import blocks
from tests.needs import ROOT


def down(machine: Machine) -> None:
    """Let a procedure be away: three messages wait for it."""
    running(machine)
    inbox = machine.site / "exchange/musterstadt/eingang"
    inbox.rename(inbox.with_name("weg"))
    machine.send(3)
    machine.tried(1)


def full(machine: Machine) -> None:
    """Let the disk count as full: the settings ask for more room than any disk has."""
    bare(machine)
    words = ["xoev-broker", "init", str(machine.site)]
    subprocess.run(words, env=machine.environ, check=True, capture_output=True)
    machine.send(2)
    with (machine.site / "xoev-broker.env").open("a") as file:
        file.write('XOEV_BROKER_DISK_STOP="1000000 GB"\n')
    machine.shell("systemctl start xoev-broker")


def wrong(machine: Machine) -> None:
    """Let an adapter convert four messages wrongly."""
    running(machine)
    shutil.copytree(machine.site / "adapters/wolfsburg/bau", machine.folder / "mnt/corrected")
    machine.send(4)
    assert machine.states() == {State.DELIVERED: 4}


PAGES = (
    Page("backup.md", delivered, lambda one: one.states() == {State.DELIVERED: 2}),
    Page("incident-procedure-down.md", down, lambda one: one.states() == {State.DELIVERED: 3}),
    Page("incident-disk-full.md", full, lambda one: one.states() == {State.DELIVERED: 2}),
    Page("incident-wrong-adapter.md", wrong, lambda one: one.states() == {State.DELIVERED: 8}),
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_for_operators_can_be_followed(page: Page, tmp_path: Path) -> None:
    machine = Machine(tmp_path, port())
    try:
        page.begin(machine)
        found = list(blocks(page.text(machine)))
        told = follow(machine, found, page.there)
        assert [f"{page.name}:{one}" for one in told] == []
        assert page.end(machine), machine.states()
    finally:
        end(machine)


def test_every_shown_output_belongs_to_a_command() -> None:
    for page in PAGES:
        found = list(blocks((ROOT / "docs/howto" / page.name).read_text("utf-8")))
        for number, block in enumerate(found):
            assert block.language != "text" or found[number - 1].language == "sh", page.name
