"""Wolfsburg's stand-in: a SOAP 1.1 service with its WSDL."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from threading import Event
from xml.sax.saxutils import escape

from lxml import etree

from broker.standins.book import Book
from broker.standins.desk import STRANGER, TEXTS, Kind, judge
from broker.standins.listener import NOT_FOUND, NOTHING, Asked, Listener, Said
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
        self._listener = Listener(self._answer, port)
        self._recognises = recognises
        self._book = Book(folder / "verfahren.sqlite")
        self._released = Event()
        self._schema: etree.XMLSchema | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listener.port

    @property
    def address(self) -> str:
        """Where the service is."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    def start(self) -> None:
        """Listen on loopback."""
        self._book.prepare()
        self._schema = _schema(self._wsdl)
        self._released.clear()
        self._listener.start()

    def stop(self) -> None:
        """Stop listening and close every connection."""
        self._released.set()
        self._listener.stop()

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

    def _answer(self, asked: Asked) -> Said | None:
        if asked.method == "GET" and asked.path.lower().endswith("?wsdl"):
            return self.wsdl()
        if asked.method != "POST" or asked.path != PATH:
            return NOT_FOUND
        return self.take(asked.body, asked.key)

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
        if fault in (Fault.RESET, Fault.LOST):
            return NOTHING if fault is Fault.LOST else None
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
