"""The disk of the database is full, and is freed later: nothing is lost or doubled."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from broker.errors import Unreachable
from broker.standins.postgres import REMEDY, Postgres, binaries
from broker.standins.rabbitmq import RabbitCluster
from tests import needs
from tests.cluster import until
from tests.faults.fault import lasting
from tests.faults.judge import judge
from tests.faults.region import Region
from tests.faults.table import PROPERTY

pytestmark = pytest.mark.faults

NAME = "PostgreSQL: disk full"
SIZE = "200m"
#: Who sends is told of it only after ten seconds.
LASTS = 12


@pytest.fixture
def disk() -> Iterator[Path]:
    """Return a small file system of its own."""
    folder = Path(tempfile.mkdtemp(prefix="xoev-disk-"))
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(folder)]
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode:
        folder.rmdir()
        pytest.skip("no file system can be mounted here; it takes root")
    folder.chmod(0o755)  # PostgreSQL runs as another user
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture
def server(disk: Path) -> Iterator[Postgres]:
    needs.server("PostgreSQL", binaries() is not None, REMEDY)
    server = Postgres(disk / "postgres")
    server.start()
    yield server
    server.close()


def fill(disk: Path) -> Path:
    """Leave not a byte."""
    file = disk / "filler"
    with file.open("wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * (1 << 16)):
                pass
        except OSError:
            os.fsync(stream.fileno())
    return file


@pytest.mark.parametrize("log", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_nothing_is_lost_or_doubled_when_the_disk_is_full(
    disk: Path,
    server: Postgres,
    rabbit_cluster: RabbitCluster,
    tmp_path: Path,
    log: bool,
    record_property: Callable[[str, object], None],
) -> None:
    chance = random.Random(NAME)
    site = tmp_path / "region"
    site.mkdir()
    with Region(site, server, rabbit_cluster) as region:
        load = region.load()
        try:
            load.reached(30 + chance.randrange(30))
            file = fill(disk)
            if log:
                switch(server)
            until(lambda: b"No space left on device" in (server.folder / "log").read_bytes())
            lasting(LASTS)
            file.unlink()
            ready(server)
            healed = time.monotonic()
            load.reached(len(load.receipts) + 60)
        finally:
            load.stop()
        verdict = judge(region, load, f"{NAME}{' for its log' if log else ''} (1)", False, healed)
        record_property(PROPERTY, verdict.line())

        assert verdict.wrong == ()


def switch(server: Postgres) -> None:
    """Let the database need a new file for its log, for want of which it ends."""
    with suppress(psycopg.Error):
        server.ask("SELECT pg_switch_wal()")


def ready(server: Postgres) -> None:
    """Start it again, if the full disk ended it: it may be on its way out."""

    def started() -> bool:
        try:
            server.start()
        except Unreachable:
            return False
        return server.answers()

    until(started, "PostgreSQL is back")
