"""The data folder of a running broker's PostgreSQL is replaced by an older copy: it stops."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.standins.postgres import REMEDY, Postgres, binaries
from tests import needs
from tests.alerts.heard import Heard
from tests.cluster import Node, Service, Town, until


@pytest.fixture
def server() -> Iterator[Postgres]:
    needs.server("PostgreSQL", binaries() is not None, REMEDY)
    server = Postgres()
    server.start()
    yield server
    server.close()


def copied(server: Postgres) -> Path:
    """Return a copy of the data folder, as a stopped server leaves it."""
    copy = server.folder / "copy"
    server.stop()
    subprocess.run(["cp", "-a", server.folder / "data", copy], check=True)
    server.start()
    return copy


def swap(server: Postgres, copy: Path) -> None:
    """Put a copy in the place of the newer data."""
    server.stop()
    shutil.move(server.folder / "data", server.folder / "lost")
    shutil.move(copy, server.folder / "data")
    server.start()


def test_every_process_stops_and_none_starts_before_a_person_has_confirmed(
    tmp_path: Path, server: Postgres
) -> None:
    heard = Heard(tmp_path)
    environ = {"ALERT_COMMAND": heard.command, "ALERT_OVER": "1s", "DISK_WARN": "99.99%"}
    settings = {f"XOEV_BROKER_{name}": value for name, value in environ.items()}
    for name in ("var0", "var1"):
        (tmp_path / name).mkdir()
    with Town(tmp_path, server.database(), **settings) as town:
        nodes = [town.node(), town.node("worker")]
        with Service(nodes[:1], 5) as service:
            service.reached(5)
        town.settle(5)
        copy = copied(server)
        with Service(nodes[:1], 5) as later:
            later.reached(5)
        town.settle(10)
        until(lambda: bool(heard.told("disk")), "somebody tells")
        swap(server, copy)
        until(lambda: not any(node.alive for node in nodes), "both stop")

        assert [node.stop(0) for node in nodes] == [1, 1]
        assert all("the store is an older copy" in "".join(node.lines) for node in nodes)
        assert heard.told("copy") == [("raised", "copy")]
        assert "the store is an older copy" in town.run("status")
        assert "the store is an older copy" in town.run("restore", "show")
        refused = Node(tmp_path, town.environ, "all").start(wait=False)
        assert refused.stop(0) == 1
        town.run("restore", "confirm", "--reason", "the disk is lost", "--actor", "erika")
        assert town.node().stop() == 0
        assert town.procedure.doubled() == []
