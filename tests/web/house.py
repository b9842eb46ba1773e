"""A broker in a temporary folder with one route, and its HTTP server on loopback."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from broker.app import App
from broker.intake import Intake
from broker.settings import Settings
from broker.web.app import application
from broker.web.openapi import description
from broker.web.request import Gate, Limits
from broker.web.server import HttpServer

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "adapters/wolfsburg/bau/samples/einfach/1-request.xoev.xml"
#: Stands in every sample and may stand in no answer and no log.
PLANTED = "Beispielmann"
TOKEN, OTHER = "token-des-bauportals", "token-des-anderen"
ROUTES = """\
parties:
  wolfsburg: {name: Stadt Wolfsburg, ags: 03103000}
  bauportal: {name: Bauportal, key: bap:03000001, token_file: bauportal.token, answer: back}
  anderes:   {name: Anderes Portal, key: bap:03000002, token_file: anderes.token, answer: back}
channels:
  bau:  {kind: directory, out: bau, test: true}
  back: {kind: directory, out: back, test: true}
routes:
  - name: bau
    match: {standard: xbau, version: 2.6, recipient: "bab:03103000", sender: bauportal}
    adapter: wolfsburg/bau
    channel: bau
"""


@dataclass
class House:
    """A folder with a configuration; brokers are opened on it, one after the other or at once."""

    folder: Path
    woken: list[bool] = field(default_factory=list)
    schemas: Path = ROOT / "schemas/xoev"
    server: HttpServer = field(init=False)

    def prepare(self) -> None:
        (self.folder / "routes.yaml").write_text(ROUTES)
        self.tokens("bauportal", TOKEN)
        self.tokens("anderes", OTHER)

    def tokens(self, party: str, *tokens: str) -> None:
        """Put a token file in place as an administrator would: a new file, renamed."""
        part = self.folder / "part"
        part.touch(0o600)
        part.write_text("# tokens\n" + "".join(f"{hashed(token)}  -\n" for token in tokens))
        part.rename(self.folder / f"{party}.token")

    def calendar(self, text: str) -> None:
        """Give the standards dates of their own."""
        self.schemas = self.folder / "schemas"
        shutil.copytree(ROOT / "schemas/xoev", self.schemas)
        (self.schemas / "calendar.yaml").write_text(text)

    def open(self) -> App:
        environ = {
            "XOEV_BROKER_ROUTES": str(self.folder / "routes.yaml"),
            "XOEV_BROKER_ADAPTERS": str(ROOT / "adapters"),
            "XOEV_BROKER_SCHEMAS": str(self.schemas),
            "XOEV_BROKER_STATE": str(self.folder / "var"),
        }
        return App(Settings.load(environ), environ)

    @contextmanager
    def serve(
        self, app: App, limits: Limits | None = None, gate: Gate | None = None, drain: float = 5
    ) -> Iterator[httpx.Client]:
        """Serve a broker; yield a client that has the token of the portal."""
        wake = lambda: self.woken.append(True)  # noqa: E731
        asgi = application(app, Intake(app), wake, limits=limits, gate=gate)
        self.server = HttpServer(asgi, "127.0.0.1", 0)
        self.server.start()
        try:
            with client(self.server.port) as opened:
                yield opened
        finally:
            self.server.stop(drain)


def client(port: int, token: str = TOKEN) -> httpx.Client:
    """Return a client; each answer is checked against the description for machines."""
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {token}"},
        event_hooks={"response": [documented]},
        timeout=30,
        trust_env=False,
    )


def documented(response: httpx.Response) -> None:
    """Fail where the description does not have this path, method, status or content type."""
    path, method = response.request.url.path, response.request.method.lower()
    method = "get" if method == "head" else method
    if path.startswith("/v1/messages/"):
        path = "/v1/messages/{id}"
    paths = description()["paths"]
    if path not in paths or method not in paths[path]:
        assert response.status_code in (404, 405)
        return
    found = paths[path][method]["responses"][str(response.status_code)]
    assert response.headers["content-type"].partition(";")[0] in found["content"]


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def message(*changes: tuple[str, str]) -> bytes:
    """Return a valid application with an id of its own, then changed."""
    text = SAMPLE.read_text("utf-8")
    start = text.index("<nachrichtenUUID>") + len("<nachrichtenUUID>")
    text = text[:start] + str(uuid.uuid4()) + text[start + 36 :]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def send(client: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    headers = {"Content-Type": "application/xml"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return client.post("/v1/messages", content=body, headers=headers)
