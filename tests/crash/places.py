"""The sites that are crashed: one way in, one procedure that survives, one way back."""

from __future__ import annotations

import hashlib
import socket
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx

from broker.standins.share import Share
from broker.standins.soap import Soap
from broker.standins.staging import Staging
from broker.standins.standin import Standin
from tests import messages
from tests.needs import ROOT
from tests.servers.http import Request, Server, answer

TOKEN = "token-des-portals"
ROUTES = """\
parties:
  {city}: {{name: Stadt, ags: {ags}}}
  portal: {{name: Portal, key: bap:03000001, answer: return, token_file: portal.token}}
channels:
  return: {{kind: directory, out: return, test: true}}
  inbox: {{kind: directory, in: in, from: portal, settle: 0s, test: true}}
  procedure: {{test: true, {channel}}}
routes:
  - name: bau
    match: {{standard: xbau, version: 2.6, recipient: "bab:{ags}", sender: portal}}
    adapter: {city}/bau
    channel: procedure
    order: case
    retry: {{first: 0.02s, factor: 2, longest: 0.1s, give_up: 1d}}
"""
AGS = {"wolfsburg": "03103000", "braunschweig": "03101000", "salzgitter": "03102000"}


class Place(ABC):
    """A folder with a configuration, messages and a procedure. `effects` counts by reference."""

    city: ClassVar[str] = "wolfsburg"
    #: Whether a send without known outcome may be left to a person.
    harmful: ClassVar[bool] = False
    #: Folders that are empty once all is done.
    empty: ClassVar[tuple[str, ...]] = ("in",)
    http: ClassVar[bool] = False
    #: Whether every request gets an answer.
    answers: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.crashes = 0
        self.receipts: list[str] = []
        self.bodies: dict[str, bytes] = {}
        for name in ("in", "return"):
            (folder / name).mkdir(parents=True)
        self.environ = {
            "XOEV_BROKER_ROUTES": str(folder / "routes.yaml"),
            "XOEV_BROKER_ADAPTERS": str(ROOT / "adapters"),
            "XOEV_BROKER_SCHEMAS": str(ROOT / "schemas/xoev"),
            "XOEV_BROKER_STATE": str(folder / "var"),
            "XOEV_BROKER_LISTEN": "127.0.0.1:0" if self.http else "",
            "XOEV_BROKER_POLL": "0.01s",
            "XOEV_BROKER_XML_THREADS": "2",
        }

    @property
    @abstractmethod
    def channel(self) -> str:
        """The procedure's channel in routes.yaml."""

    @abstractmethod
    def run(self) -> Any:
        """Return a context in which the procedure works."""

    @abstractmethod
    def effects(self) -> Mapping[str, int]:
        """Return how often each reference took effect."""

    def fill(self) -> None:
        """Put three applications there, two of them of one case."""
        for name, case in (("a.xml", "c-1"), ("b.xml", "c-1"), ("c.xml", "c-2")):
            self.put(name, self.request(case=case))

    def request(self, **parts: Any) -> bytes:
        """Return an application that gets one answer."""
        return messages.request(self.city, **parts).replace(b"Einfamilienhaus", b"Gartenhaus")

    def put(self, name: str, body: bytes) -> None:
        self.bodies[name] = body
        if not self.http:
            (self.folder / "in" / f".{name}").write_bytes(body)
            (self.folder / "in" / f".{name}").rename(self.folder / "in" / name)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Write the configuration once the procedure is there, and bring in messages."""
        with self.run():
            text = ROUTES.format(city=self.city, ags=AGS[self.city], channel=self.channel)
            (self.folder / "routes.yaml").write_text(text)
            token = hashlib.sha256(TOKEN.encode()).hexdigest()
            (self.folder / "portal.token").write_text(token)
            (self.folder / "portal.token").chmod(0o600)
            self.fill()
            with self.sender():
                yield

    @contextmanager
    def sender(self) -> Iterator[None]:
        """Post every message until it has a receipt, where HTTP is the way in."""
        ended = threading.Event()
        thread = threading.Thread(target=self._post, args=(ended,))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _post(self, ended: threading.Event) -> None:
        for body in self.bodies.values() if self.http else ():
            while not ended.is_set():
                if (receipt := _posted(self.folder / "port", body)) is not None:
                    self.receipts.append(receipt)
                    break
                ended.wait(0.01)

    @property
    def requests(self) -> int:
        """How many messages will be accepted."""
        return len(self.bodies)

    def order(self, kill: str) -> dict[str, Any]:
        """Return what a life is told."""
        return {
            "environ": self.environ,
            "folder": str(self.folder),
            "kill": kill,
            "files": self.requests,
            "empty": self.empty,
            "answers": self.answers,
        }


def _posted(port: Path, body: bytes) -> str | None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/xml"}
    try:
        url = f"http://127.0.0.1:{port.read_text()}/v1/messages"
        said = httpx.post(url, content=body, headers=headers, timeout=10, trust_env=False)
    except (OSError, httpx.TransportError):
        return None
    return str(said.json()["id"]) if said.status_code in (200, 202) else None


class Offices(Place):
    """The procedure is one of the stand-ins."""

    @property
    @abstractmethod
    def standin(self) -> Standin:
        """The procedure."""

    def run(self) -> Any:
        return self.standin

    def effects(self) -> Mapping[str, int]:
        return self.standin.effects()


class Folders(Offices):
    """All is files; beside the three there are a repeat, one that is no XML and an invalid one."""

    city = "braunschweig"
    empty = ("in", "office/eingang", "office/ausgang")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._share = Share(folder / "office", pause=0.005)

    @property
    def standin(self) -> Standin:
        return self._share

    @property
    def channel(self) -> str:
        folders = "out: office/eingang, replies: office/ausgang"
        return f"kind: directory, {folders}, suffix: .txt, settle: 0s"

    def fill(self) -> None:
        super().fill()
        self.put("e.xml", self.bodies["a.xml"])
        self.put("f.xml", b"this is no XML")
        self.put("g.xml", messages.invalid(self.city))

    @property
    def requests(self) -> int:
        return 4


class Calls(Offices):
    """The procedure is a SOAP service that answers at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._wsdl = ROOT / "adapters/wolfsburg/bau/bau.wsdl"
        self._soap = Soap(folder / "office", self._wsdl, recognises=not self.harmful)

    @property
    def standin(self) -> Standin:
        return self._soap

    @property
    def channel(self) -> str:
        repeats = "harmful" if self.harmful else "recognised"
        return (
            f"kind: soap, wsdl: {self._wsdl}, address: '{self._soap.address}', repeats: {repeats}"
        )


class HarmfulCalls(Calls):
    """A SOAP service that files every call anew, and cannot be asked."""

    harmful = True


class Rows(Offices):
    """The procedure takes rows of a database, deletes them, and answers with rows."""

    city = "salzgitter"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        tables = ROOT / "adapters/salzgitter/bau/tables.sql"
        self._staging = Staging(folder / "office", tables, pause=0.005)

    @property
    def standin(self) -> Standin:
        return self._staging

    @property
    def channel(self) -> str:
        url = f"sqlite:///{self._staging.database}"
        out = "[ANTRAG_EINGANG, ANTRAG_PERSON, ANTRAG_ANLAGE]"
        return f"kind: table, url: '{url}', out: {out}, replies: ANTRAG_AUSGANG"


class Resources(Place):
    """Messages come over HTTP; the procedure is a resource that recognises repeats."""

    http = True
    channel_end = "repeats: recognised, reply: body"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._filed: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._server = Server(self._serve)

    @property
    def channel(self) -> str:
        place = self._server.address
        end = self.channel_end.format(place=place)
        return f"kind: rest, address: '{place}/{{reference}}', {end}"

    def run(self) -> Any:
        return self._server

    def effects(self) -> Mapping[str, int]:
        with self._lock:
            return Counter(reference for reference, _key in self._filed)

    def _serve(self, request: Request, connection: socket.socket) -> bool:
        name = request.path.rpartition("/")[2]
        if request.method == "GET":
            status = 200 if self._has(name) else 404
            return answer(status)(request, connection)
        key = request.headers["idempotency-key"]
        if self.answers and self._has(key):
            return answer(200, messages.reply(name))(request, connection)
        with self._lock:
            self._filed.append((name, key))
        return answer(200, messages.reply(name))(request, connection)

    def _has(self, name: str) -> bool:
        with self._lock:
            return any(key == name for _reference, key in self._filed)


class AskedResources(Resources):
    """The resource files every request anew, but can be asked; it gives no answers."""

    answers = False
    channel_end = "repeats: harmful, ask: '{place}/{{key}}'"


PLACES: Mapping[str, Callable[[Path], Place]] = {
    "directory": Folders,
    "soap-recognised": Calls,
    "soap-harmful": HarmfulCalls,
    "table": Rows,
    "rest-recognised": Resources,
    "rest-asked": AskedResources,
}
