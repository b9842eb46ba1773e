"""A listening socket is taken over only where it was really given, and nobody hears of it after."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from broker.renewal import inherited, resident
from tests.needs import ROOT

#: Begins anew once with a socket; the second life answers on it.
TWICE = """
import os, signal, socket
from broker.renewal import inherited, renew
given = inherited(os.environ)
if given is None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(os.getpid(), listener.getsockname()[1], flush=True)
    renew(listener, os.environ)
names = [name for name in os.environ if name.startswith("LISTEN_")]
inherits = os.get_inheritable(given.fileno())
given.setblocking(True)
connection, _ = given.accept()
deaf = signal.getsignal(signal.SIGHUP) is signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN
connection.sendall(f"{os.getpid()} {names} {inherits} {deaf}".encode())
"""


def test_a_process_that_begins_anew_keeps_its_id_and_its_socket() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TWICE],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:  # fmt: skip
        assert child.stdout is not None
        pid, port = child.stdout.readline().split()
        # At once: the successor may not even have begun.
        with socket.create_connection(("127.0.0.1", int(port)), 30) as client:
            said = client.makefile().read()

    assert said == f"{pid} [] False True"
    assert child.returncode == 0


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many"},
    ],
)
def test_what_was_not_given_is_not_taken(environ: dict[str, str]) -> None:
    assert inherited(environ) is None
    assert environ == {}


def test_the_memory_of_this_process_is_known() -> None:
    assert 1_000_000 < resident() < 100_000_000_000
