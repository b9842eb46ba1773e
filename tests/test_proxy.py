"""The proxy of deploy/, as a real nginx before a real broker: what it passes, and what not."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import needs
from tests.certificates import Authority
from tests.web.house import TOKEN, House, message, send

CONF = needs.ROOT / "deploy/nginx/xoev-broker.conf"
TYPED = "listen 443 ssl;\n    listen [::]:443 ssl;"
#: `client_max_body_size` of the file.
LIMIT = 64 << 20
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Proxy:
    """An nginx with the file of deploy/: only its paths and ports are others."""

    folder: Path
    program: str
    authority: Authority

    def conf(self, port: int, broker: int) -> Path:
        certificate, key = self.authority.issue("broker")
        text = CONF.read_text("utf-8")
        assert TYPED in text
        for old, new in (
            (TYPED, f"listen 127.0.0.1:{port} ssl;"),
            ("/etc/nginx/tls/broker.pem", str(certificate)),
            ("/etc/nginx/tls/broker.key", str(key)),
            ("/var/log/nginx", str(self.folder)),
            ("127.0.0.1:8017;", f"127.0.0.1:{broker};"),
        ):
            text = text.replace(old, new)
        own = "".join(f"{one}_temp_path {self.folder}/{one};\n" for one in _TEMPORARY)
        user = "user root;\n" if os.geteuid() == 0 else ""
        head = f"{user}daemon off;\npid {self.folder}/pid;\nevents {{}}\n"
        conf = self.folder / "nginx.conf"
        conf.write_text(f"{head}http {{\n{own}{text}\n}}\n", "utf-8")
        return conf

    def command(self, conf: Path) -> list[str]:
        return [self.program, "-e", str(self.folder / "log"), "-c", str(conf)]

    @contextmanager
    def before(self, broker: int) -> Iterator[int]:
        """Run it before the broker at a port; yield its own."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = int(listener.getsockname()[1])
            # nginx takes a socket over from its predecessor so: nobody else gets the port.
            environ = {"NGINX": f"{listener.fileno()};", "PATH": os.environ["PATH"]}
            process = subprocess.Popen(
                self.command(self.conf(port, broker)),
                env=environ, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            yield port
        finally:
            process.terminate()
            process.wait(30)

    @contextmanager
    def client(self, port: int) -> Iterator[httpx.Client]:
        context = ssl.create_default_context(cafile=str(self.authority.file))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=context, headers=headers,
            trust_env=False, timeout=30,
        ) as opened:  # fmt: skip
            yield opened


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    # Where only root has it in the path.
    program = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    needs.server("nginx", program is not None, "apt install nginx-light")
    folder = tmp_path / "nginx"
    folder.mkdir()
    return Proxy(folder, str(program), Authority(folder))


@pytest.fixture
def portal(proxy: Proxy, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of the proxy, behind which a broker waits for messages."""
    (tmp_path / "broker").mkdir()
    house = House(tmp_path / "broker")
    house.prepare()
    app = house.open()
    try:
        with (
            house.serve(app),
            proxy.before(house.server.port) as port,
            proxy.client(port) as client,
        ):
            yield client
    finally:
        app.close()


def test_nginx_takes_the_file(proxy: Proxy) -> None:
    done = subprocess.run(
        [*proxy.command(proxy.conf(8443, 8017)), "-t"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, "warn" in done.stderr) == (0, False), done.stderr


def test_a_message_comes_in_through_the_proxy_and_its_state_goes_out(portal: httpx.Client) -> None:
    sent = send(portal, message())

    assert sent.status_code == 202
    assert portal.get(sent.json()["links"]["self"]).json()["state"] == "waiting"


def test_the_token_is_asked_for_behind_the_proxy_too(portal: httpx.Client) -> None:
    answer = send(portal, message(), Authorization="Bearer of-nobody")

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/health/live", "/health/ready", "/v1/status", "/v1/", "/V1/messages"]
)
def test_what_is_for_the_inside_stays_inside(portal: httpx.Client, path: str) -> None:
    answer = portal.get(path)

    assert answer.status_code == 404
    assert "nginx" in answer.text, "the broker was not asked"


def test_the_description_for_machines_is_passed(portal: httpx.Client) -> None:
    assert portal.get("/openapi.json").json()["openapi"].startswith("3.")


def test_a_message_that_is_too_large_is_refused_by_the_proxy(portal: httpx.Client) -> None:
    answer = send(portal, bytes(LIMIT + 1))

    assert answer.status_code == 413
    assert "nginx" in answer.text
