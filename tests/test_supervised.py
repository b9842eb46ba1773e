"""The real process under a supervisor that speaks the protocol of systemd."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import site
from tests.certificates import Authority
from tests.site import Site

WAIT = 60


@pytest.fixture
def place(tmp_path: Path) -> Site:
    return site.build(tmp_path)


class Supervisor:
    """Starts `run`, and hears what it says."""

    def __init__(self, place: Site, ear: socket.socket, **environ: str) -> None:
        self.ear = ear
        self.words: list[str] = []
        self.log = place.folder / "log"
        self.stream = self.log.open("wb")
        self.process = subprocess.Popen(
            place.command("run"),
            env=place.process() | {"NOTIFY_SOCKET": ear.getsockname()} | environ,
            cwd=place.folder, stdout=subprocess.PIPE, stderr=self.stream, text=True,
        )  # fmt: skip

    def until(self, word: str) -> list[str]:
        """Return everything that is said up to a word; the watchdog is left out elsewhere."""
        said: list[str] = []
        while not said or word not in said[-1]:
            said.append(self.ear.recv(4096).decode())
        return said

    def port(self) -> int:
        assert self.process.stdout is not None
        line = next(line for line in self.process.stdout if "listens on" in line)
        return int(line.partition("127.0.0.1:")[2].partition(",")[0])


@contextmanager
def supervised(place: Site, **environ: str) -> Iterator[Supervisor]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(place.folder / "notify"))
        ear.settimeout(WAIT)
        found = Supervisor(place, ear, **environ)
        try:
            yield found
        finally:
            found.process.kill()
            found.process.wait(WAIT)
            assert found.process.stdout is not None
            found.process.stdout.close()
            found.stream.close()


def test_it_says_when_it_is_ready_and_when_it_stops(place: Site) -> None:
    with supervised(place) as found:
        assert found.until("READY=1")[-1].startswith("READY=1\nSTATUS=role all, listens on port ")
        found.process.send_signal(signal.SIGTERM)

        assert found.until("STOPPING=1")
        assert found.process.wait(WAIT) == 0


def test_a_reload_ends_with_ready_whether_it_is_applied_or_not(place: Site) -> None:
    with supervised(place) as found:
        found.until("READY=1")
        found.process.send_signal(signal.SIGHUP)
        assert found.until("READY=1")[0].startswith("RELOADING=1")

        place.routes.write_text("routes: 1\n", "utf-8")
        found.process.send_signal(signal.SIGHUP)
        assert "reload refused" in found.until("READY=1")[-1]


def test_the_watchdog_is_fed_as_often_as_it_wants(place: Site) -> None:
    with supervised(place, WATCHDOG_USEC="3000000") as found:
        found.until("READY=1")

        assert [found.until("WATCHDOG=1")[-1] for _ in range(3)] == ["WATCHDOG=1"] * 3


def test_a_process_that_replaces_itself_is_ready_again_afterwards(place: Site) -> None:
    with supervised(place) as found:
        found.until("READY=1")
        found.process.send_signal(signal.SIGUSR2)

        said = found.until("READY=1")
        assert said[0].startswith("RELOADING=1")
        assert "STOPPING=1" not in said


def shown(port: int, authority: Authority) -> bytes:
    """Return the certificate that a new connection sees."""
    context = ssl.create_default_context(cafile=str(authority.file))
    with (
        socket.create_connection(("127.0.0.1", port), WAIT) as line,
        context.wrap_socket(line, server_hostname="127.0.0.1") as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def test_a_reload_takes_a_renewed_certificate_and_keeps_the_old_one_where_it_is_broken(
    place: Site,
) -> None:
    authority = Authority(place.folder)
    certificate, key = authority.issue("broker")
    tls = {
        "XOEV_BROKER_LISTEN_CERTIFICATE": str(certificate),
        "XOEV_BROKER_LISTEN_KEY": str(key),
    }
    with supervised(place, **tls) as found:
        found.until("READY=1")
        port = found.port()
        first = shown(port, authority)
        for new, old in zip(authority.issue("renewed"), (certificate, key), strict=True):
            shutil.copy(new, old)
        found.process.send_signal(signal.SIGHUP)
        found.until("READY=1")
        second = shown(port, authority)
        certificate.write_text("broken", "ascii")
        found.process.send_signal(signal.SIGHUP)
        assert "reload refused" in found.until("READY=1")[-1]

        assert first != second == shown(port, authority)
        assert b"XOEV_BROKER_LISTEN_CERTIFICATE" in found.log.read_bytes()
