"""`make servers`: both servers until Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys

import psycopg
import pytest

from broker.standins.node import REMEDY, binaries
from broker.standins.postgres import Postgres
from tests import needs


@pytest.mark.slow
def test_it_prints_addresses_that_take_clients_and_ends_at_ctrl_c(postgres: Postgres) -> None:
    needs.server("RabbitMQ", binaries() is not None, REMEDY)
    command = [sys.executable, "-m", "broker.standins.servers"]
    with subprocess.Popen(command, cwd=needs.ROOT, stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdout is not None
        lines = [servers.stdout.readline().split() for _ in range(3)]
        url = lines[0][1].replace("+psycopg", "", 1)
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT 1").fetchone()
        servers.send_signal(signal.SIGINT)

    assert [line[0] for line in lines] == ["postgres", "rabbitmq", "Ctrl-C"]
    assert (found, servers.returncode) == ((1,), 0)
