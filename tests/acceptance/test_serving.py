"""The pages about the service, word for word: installing, upgrading, TLS, tokens, alerts, limits.

The program is a release that was installed where the page says so, and else that of this checkout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.alerts.ways import ways
from broker.message import State
from broker.settings import Settings
from tests.acceptance.served import Served, checkout, empty, following, released, tools
from tests.acceptance.test_tutorial import blocks
from tests.needs import ROOT

PAGES = (
    "install.md", "upgrade.md", "service.md", "token.md", "tls.md", "alerts.md", "limits.md",
    "workers.md", "monitoring.md",
)  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Served]:
    """A machine with nothing but systemd."""
    made = empty(tmp_path)
    with made.on():
        yield made


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    """A machine on which the broker of this checkout runs."""
    made = checkout(tmp_path)
    with made.on():
        yield made


def test_a_release_is_installed_upgraded_and_put_back_by_the_pages(machine: Served) -> None:
    files = released(machine.folder / "mnt/release")
    following(files, machine.folder / "mnt/new-release")

    machine.follow("install.md")
    program = machine.folder / "opt/xoev-broker/bin/xoev-broker"
    unit = machine.folder / "etc/systemd/system/xoev-broker.service"

    assert "ExecStart=/opt/xoev-broker/bin/xoev-broker run" in unit.read_text("utf-8")
    assert str(program.parent) in program.read_text("utf-8")
    assert machine.states() == {State.DELIVERED: 1}

    machine.follow("upgrade.md")

    assert machine.states() == {State.DELIVERED: 1}


def test_senders_get_tokens_by_the_page(service: Served) -> None:
    tools("curl")

    service.follow("token.md")

    assert service.states() == {State.DELIVERED: 1}


def test_senders_and_staff_come_over_tls_by_the_page(service: Served) -> None:
    tools("curl", "openssl")

    service.follow("tls.md")

    assert service.states() == {State.DELIVERED: 1}


def test_the_service_is_kept_by_its_page(service: Served) -> None:
    tools("curl")

    service.follow("service.md")

    service.send()
    assert service.states() == {State.DELIVERED: 1}


def test_alerts_come_and_go_by_the_page(service: Served) -> None:
    service.follow("alerts.md")

    (told,) = service.folder.glob("srv/xoev-broker/state/bulletins.jsonl")
    causes = [(one["state"], one["cause"]) for one in bulletins(told)]
    late = "late:delivery:bau"
    assert causes == [("raised", "test"), ("raised", late), ("cleared", late)]


def bulletins(file: Path) -> list[dict[str, str]]:
    """Return all alerts of a file of bulletins, one a line."""
    return [
        one for line in file.read_text("utf-8").splitlines() for one in json.loads(line)["alerts"]
    ]


def test_the_settings_of_all_ways_can_be_used() -> None:
    (shown,) = re.findall(r"^```ini\n(.*?)^```$", page("alerts.md"), re.MULTILINE | re.DOTALL)
    settings = Settings.load(dict(re.findall(r'^(\w+)="(.*)"$', shown, re.MULTILINE)))

    assert [way.name for way in ways(settings)] == ["log", "command", "mail", "webhook"]
    assert shown.count("\n") == len(re.findall(r'^\w+="', shown, re.MULTILINE))


def test_limits_are_seen_by_a_sender_of_the_page(service: Served) -> None:
    tools("curl")

    service.follow("limits.md")

    assert service.states() == {State.DELIVERED: 5}


def test_an_intake_works_beside_a_worker_by_the_page(service: Served) -> None:
    tools("curl")

    service.follow("workers.md")

    assert service.states() == {State.DELIVERED: 1}


def test_the_broker_is_watched_by_the_page(service: Served) -> None:
    tools("curl")
    service.send(2)
    assert service.states() == {State.DELIVERED: 2}

    service.follow("monitoring.md", there=True)

    assert service.taken() == 2


def page(name: str) -> str:
    """Return the text of a page."""
    return (ROOT / "docs/howto" / name).read_text("utf-8")


def test_every_shown_output_belongs_to_a_command() -> None:
    for name in PAGES:
        found = list(blocks(page(name)))
        for number, block in enumerate(found):
            assert block.language != "text" or found[number - 1].language == "sh", name
