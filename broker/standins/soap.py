"""Wolfsburg's stand-in: a SOAP 1.1 service with its WSDL."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from broker.standins.book import Book
from broker.standins.desk import STRANGER, TEXTS, Kind, judge
from broker.standins.script import Fault, Script
from broker.standins.standin import Standin

SPACE = "urn:wolfsburg:bauantrag:1"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
PATH = "/bauantrag"
STATES = {
    Kind.RECEIVED: "ANGENOMMEN",
    Kind.FILED: "REGISTRIERT",
    Kind.GRANTED: "GENEHMIGT",
    Kind.DENIED: "ABGELEHNT",
}
LONGEST = 64_000_000


@dataclass(frozen=True, slots=True)
class Said:
    """What goes back over HTTP."""

    status: int
    body: bytes
    kind: str = "text/xml; charset=utf-8"


class Soap(Standin):
    """Serves `AntragAnlegen`; answers at once, and recognises a repeat unless told not to."""

    def __init__(
        self,
        folder: Path,
        wsdl: Path,
        script: Script | None = None,
        *,
        port: int = 0,
        recognises: bool = True,
    ) -> None:
        """Take the folder of its book, the WSDL, and the port (0: any that is free)."""
        super().__init__(folder, script)
        self._wsdl = wsdl
        self._port = port
        self._recognises = recognises
        self._book = Book(folder / "verfahren.sqlite")
        self._released = Event()
        self._server: _Server | None = None
        self._schema: etree.XMLSchema | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1]) if self._server else self._port

    @property
    def address(self) -> str:
        """Where the service is."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    def start(self) -> None:
        """Listen on loopback."""
        self._book.prepare()
        self._schema = _schema(self._wsdl)
        self._released.clear()
        self._server = _Server(("127.0.0.1", self._port), self)
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and close every connection."""
        self._released.set()
        if self._server is not None:
            self._port = self.port
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    def play(self, script: Script) -> None:
        """Begin another script; calls that hang end without an answer."""
        self.stage.play(script)
        self._released.set()
        self._released = Event()

    def effects(self) -> Mapping[str, int]:
        """Return how many files each reference has."""
        return self._book.effects()

    def calls(self) -> Mapping[str, int]:
        """Return how often each reference was sent, repeats among them."""
        return self._book.calls()

    def wsdl(self) -> Said:
        """Return the description with the address where it really is."""
        text = self._wsdl.read_text("utf-8")
        return Said(200, text.replace(f"http://127.0.0.1:9{PATH}", self.address).encode())

    def take(self, body: bytes, key: str) -> Said | None:
        """Take one call; None means that the connection breaks without an answer."""
        application = self._application(body)
        if application is None:
            return _fault("Client", "not an AntragAnlegen as the WSDL wants it", "")
        reference = application.findtext(f"{{{SPACE}}}Referenz") or ""
        project = application.findtext(f"{{{SPACE}}}Vorhaben") or ""
        self._book.call(reference)
        fault = self.stage.next()
        early = self._early(fault, reference, judge(project))
        if early is not None or fault is Fault.HANG:
            return early
        number = self._book.file(reference, key, self._recognises)
        time.sleep(self.stage.script.delay)
        return self._late(fault, reference, number, judge(project)[-1])

    def _early(self, fault: Fault, reference: str, kinds: tuple[Kind, ...]) -> Said | None:
        """Say what is said before anything is filed."""
        if fault is Fault.HANG:
            self._released.wait()
        if fault is Fault.ERROR:
            return Said(500, b"internal error\n", "text/plain")
        if fault is Fault.BUSY:
            return Said(503, b"later\n", "text/plain")
        if fault is Fault.REFUSE or Kind.REFUSED in kinds:
            detail = _element("Ablehnung", {"Grund": TEXTS[Kind.REFUSED], "Referenz": reference})
            return _fault("Client", "Ablehnung", detail)
        return None

    def _late(self, fault: Fault, reference: str, number: int, kind: Kind) -> Said | None:
        """Say what is said after it was filed."""
        if fault is Fault.RESET:
            return None
        if fault is Fault.LATE:
            self._released.wait(self.stage.script.late)
        today = date.today()
        answer = {
            "Referenz": STRANGER if fault is Fault.STRANGER else reference,
            "Aktenzeichen": f"63-WOB-{number:05}-{today.year % 100:02}",
            "Status": STATES[kind],
            "Datum": today.isoformat(),
            "Text": TEXTS[kind],
        }
        return Said(200, _envelope(_element("AntragAngelegt", answer)))

    def _application(self, body: bytes) -> etree._Element | None:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        try:
            root = etree.fromstring(body, parser)
        except etree.XMLSyntaxError:
            return None
        found = root.find(f"{{{SOAP}}}Body/{{{SPACE}}}AntragAnlegen")
        if found is None or self._schema is None or not self._schema.validate(found):
            return None
        return found


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that stopping ends them."""

    request_queue_size = 128

    def __init__(self, place: tuple[str, int], standin: Soap) -> None:
        super().__init__(place, _Handler)
        self.standin = standin
        self.broken: set[Any] = set()
        self._open: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        if request in self.broken:
            # Closing without saying goodbye makes it a reset.
            self.broken.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report."""

    def hang_up(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with kept connections; an answer leaves in one piece."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        if self.path.lower().endswith("?wsdl"):
            self._say(self.server.standin.wsdl())
        else:
            self._say(Said(404, b"not found\n", "text/plain"))

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if size > LONGEST or self.path != PATH:
            self.close_connection = True
            self._say(Said(404, b"not found\n", "text/plain"))
            return
        body = self.rfile.read(size)
        said = self.server.standin.take(body, self.headers.get("Idempotency-Key") or "")
        if said is None:
            self._reset()
        else:
            self._say(said)

    def _say(self, said: Said) -> None:
        self.send_response(said.status)
        self.send_header("Content-Type", said.kind)
        self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.broken.add(self.connection)
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        """Say nothing: the broker's log is what is looked at."""


def _schema(wsdl: Path) -> etree.XMLSchema:
    schema = etree.parse(wsdl).find(".//{http://www.w3.org/2001/XMLSchema}schema")
    assert schema is not None, "the WSDL has no schema"
    return etree.XMLSchema(etree.fromstring(etree.tostring(schema)))


def _element(name: str, fields: Mapping[str, str]) -> str:
    inside = "".join(f"<{key}>{escape(text)}</{key}>" for key, text in fields.items())
    return f'<{name} xmlns="{SPACE}">{inside}</{name}>'


def _envelope(content: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{content}</s:Body></s:Envelope>'
    ).encode()


def _fault(code: str, text: str, detail: str) -> Said:
    inside = f"<detail>{detail}</detail>" if detail else ""
    fault = f"<s:Fault><faultcode>s:{code}</faultcode><faultstring>{text}</faultstring>"
    return Said(500, _envelope(f"{fault}{inside}</s:Fault>"))
