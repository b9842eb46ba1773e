"""A running broker with every intake, and what must hold after each attack on it.

Good messages go to a procedure of their own, so that a file there is one of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests import messages
from tests.attacks.poison import PLANTED, SECRET, Lure
from tests.attacks.typist import Typed, Typist
from tests.certificates import Authority
from tests.cluster import Node, until, whole
from tests.needs import ROOT
from tests.servers.queues import Queues

TOKEN = "token-des-portals"
#: The most memory that the broker may take, whatever comes (megabytes).
MEMORY = 900
GOOD, BAD = "bab:03102000", "bab:03103000"
QUEUE, QUARANTINE = "eingang", "eingang.quarantine"
SHOWN = (b"Traceback", b'File "', *(name.encode() for name in PLANTED))
ROUTES = """\
parties:
  portal: {name: Portal, key: bap:03000001, token_file: portal.token, answer: zurueck}
channels:
  gut:     {kind: directory, out: gut, test: true}
  boese:   {kind: directory, out: boese, replies: antworten, settle: 0s, test: true}
  stapel:  {kind: directory, out: stapel, replies: stapelantworten, settle: 0s, test: true}
  akten:   {kind: directory, out: akten, replies: quittungen, settle: 0s, test: true}
  zurueck: {kind: directory, out: zurueck, test: true}
  eingang: {kind: directory, in: eingang, from: portal, settle: 0s, max: 20}
"""
AMQP = """\
  queue:   {{kind: amqp, url: "{url}", password_file: "{file}", queue: eingang, from: portal}}
"""
WAYS = """\
routes:
  - name: akten
    match: {standard: xdomea, recipient: "amt:1", sender: portal}
    adapter: braunschweig/akte
    channel: akten
"""
WAY = """\
  - name: {name}
    match: {{standard: xbau, version: 2.6, recipient: "{key}", sender: portal}}
    adapter: {adapter}
    channel: {name}
    retry: {{first: 1h, factor: 2, longest: 2h, give_up: 1d}}
"""
FOLDERS = (
    "gut", "boese", "antworten", "stapel", "stapelantworten", "akten", "quittungen", "zurueck",
    "eingang",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """A channel of the fort and the recipient whose applications go there."""

    name: str
    key: str
    channel: str = ""
    adapter: str = "wolfsburg/bau"


PLAIN = (
    Way("gut", GOOD), Way("boese", BAD), Way("stapel", "bab:03101000", "", "braunschweig/bau"),
)  # fmt: skip


def portal(
    authority: Authority, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """Return what a decent client speaks TLS with."""
    context = ssl.create_default_context(cafile=str(authority.file))
    context.load_cert_chain(*authority.issue("portal"))
    context.maximum_version = newest
    return context


def _sealed(authority: Authority) -> dict[str, str]:
    certificate, key = authority.issue("broker")
    return {
        "XOEV_BROKER_LISTEN_CERTIFICATE": str(certificate),
        "XOEV_BROKER_LISTEN_KEY": str(key),
        "XOEV_BROKER_LISTEN_CLIENT_CA": str(authority.file),
    }


class Fort:
    """The broker under attack; `ways` are more channels with a route each."""

    def __init__(
        self,
        folder: Path,
        queues: Queues | None = None,
        ways: Sequence[Way] = (),
        authority: Authority | None = None,
    ) -> None:
        """Lay it out; `start` runs it. With an authority it speaks TLS, and so must senders."""
        self.folder, self.queues = folder, queues
        self.trap = socket.create_server(("127.0.0.1", 0))
        self.trap.setblocking(False)
        self._lay(ways)
        environ = {
            "XOEV_BROKER_ROUTES": str(folder / "routes.yaml"),
            "XOEV_BROKER_ADAPTERS": str(ROOT / "adapters"),
            "XOEV_BROKER_SCHEMAS": str(folder / "schemas"),
            "XOEV_BROKER_STATE": str(folder / "var"),
            "XOEV_BROKER_LISTEN": "127.0.0.1:0",
            "XOEV_BROKER_POLL": "0.05s",
            "XOEV_BROKER_MAX_MESSAGE": "20 MB",
        }
        environ |= _sealed(authority) if authority else {}
        self.node = Node(folder, environ, "all")
        self.typist = Typist(whole(environ), folder)
        self._scheme = "https" if authority else "http"
        trust = portal(authority) if authority else True
        self._client = httpx.Client(timeout=60, trust_env=False, verify=trust)
        self._seen: set[str] = set()
        self._told = 0

    def _lay(self, ways: Sequence[Way]) -> None:
        for name in FOLDERS:
            (self.folder / name).mkdir()
        amqp = AMQP.format(url=self.queues.address, file=self.queues.file) if self.queues else ""
        channels = "".join(f"  {way.name}: {way.channel}\n" for way in ways)
        routes = "".join(
            WAY.format(name=way.name, key=way.key, adapter=way.adapter) for way in (*PLAIN, *ways)
        )
        self.routes.write_text(ROUTES + amqp + channels + WAYS + routes, "utf-8")
        token = self.folder / "portal.token"
        token.touch(mode=0o600)
        token.write_text(hashlib.sha256(TOKEN.encode()).hexdigest())
        (self.folder / "secret.txt").write_text(SECRET)
        shutil.copytree(
            ROOT / "schemas/xoev",
            self.folder / "schemas",
            ignore=shutil.ignore_patterns("official"),
        )

    @property
    def routes(self) -> Path:
        """Its routes.yaml."""
        return self.folder / "routes.yaml"

    @property
    def lure(self) -> Lure:
        """What hostile documents may name."""
        port = self.trap.getsockname()[1]
        return Lure((self.folder / "secret.txt").as_uri(), f"http://127.0.0.1:{port}")

    def start(self) -> None:
        """Run it until it is ready."""
        self.node.start()

    def close(self) -> None:
        """Stop it."""
        self.typist.close()
        self._client.close()
        self.node.stop()
        self.trap.close()

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        """Send a message over HTTP."""
        given = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/xml"}
        return self._client.post(self._url("/v1/messages"), content=body, headers=given | headers)

    def state(self, id: str) -> dict[str, Any]:
        """Return what a sender sees of its message."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        found: dict[str, Any] = self._client.get(
            self._url(f"/v1/messages/{id}"), headers=headers
        ).json()
        return found

    def drop(self, folder: str, name: bytes, body: bytes) -> None:
        """Leave a file in a folder, complete in one step."""
        target = os.fsencode(self.folder / folder)
        part = target + b"/.kommt"
        with open(part, "wb") as file:
            file.write(body)
        os.rename(part, target + b"/" + name)

    def file(self, name: str, body: bytes) -> Path:
        """Write a file for a command."""
        path = self.folder / name
        path.write_bytes(body)
        return path

    def run(self, *args: str, stdin: Path | None = None) -> Typed:
        """Run a command beside the broker; it shows no traceback and is bounded in memory."""
        typed = self.typist.run(*args, stdin=stdin)
        assert typed.code in (0, 1, 2), (args, typed.code, typed.err[-500:])
        assert "Traceback" not in typed.out + typed.err, typed.err
        assert typed.memory < MEMORY, (args, typed.memory)
        return typed

    def well(self, send: Callable[[bytes], object]) -> float:
        """Send a good message; return the seconds until its procedure has it."""
        before = self.count()
        body = messages.request(key=GOOD)
        begun = time.monotonic()
        send(body)
        until(lambda: self.count() > before, "the good message was delivered")
        return time.monotonic() - begun

    def check(self) -> int:
        """Look whether the attack left a trace where none may be; return the memory it took."""
        assert self.node.alive
        told, self._told = self.node.lines[self._told :], len(self.node.lines)
        shown = [line for line in told if any(word.decode() in line for word in SHOWN)]
        assert not shown, shown[:3]
        assert not [line for line in told if json.loads(line)["event"] == "failed"], told[-3:]
        assert not list(self._leaks())
        with suppress(BlockingIOError):
            raise AssertionError(f"somebody was asked: {self.trap.accept()}")
        memory = self.memory()
        assert memory < MEMORY
        return memory

    def memory(self) -> int:
        """Return the most memory that the broker took so far (megabytes)."""
        for line in Path(f"/proc/{self.node.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) // 1024
        raise AssertionError("the broker is gone")

    def count(self) -> int:
        """Return how many good messages were delivered."""
        return sum(not name.startswith(".") for name in os.listdir(self.folder / "gut"))

    def _leaks(self) -> Iterator[str]:
        for folder in ("boese", "zurueck", "stapel", "akten"):
            for path in (self.folder / folder).iterdir():
                if str(path) not in self._seen and not path.name.startswith("."):
                    self._seen.add(str(path))
                    if SECRET.encode() in path.read_bytes():
                        yield str(path)

    def _url(self, path: str) -> str:
        return f"{self._scheme}://127.0.0.1:{self.node.port}{path}"
