"""Any procedure behind REST or SOAP, as far as an adapter can tell: with answers from files."""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

from broker.errors import ConfigError
from broker.standins.book import Book
from broker.standins.desk import STRANGER
from broker.standins.listener import NOT_FOUND, NOTHING, Asked, Listener, Said
from broker.standins.script import Fault, Script
from broker.standins.standin import Standin
from broker.standins.template import Template, fields, referred

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_SCHEMA = "{http://www.w3.org/2001/XMLSchema}schema"
_ADDRESS = re.compile(r"(<[\w.-]*:?address\b[^>]*\blocation=[\"'])([^\"']*)")
_BUSY = Said(503, b"later\n", "text/plain")
_ERROR = Said(500, b"internal error\n", "text/plain")


#: How a line for people ends; other faults are called by their name.
ENDS = {Fault.NONE: "answered", Fault.LOST: "its answer gets lost", Fault.LATE: "answered late"}


def silent(_line: str) -> None:
    """Tell nobody."""


class Service(Standin):
    """Takes applications over HTTP, files them and answers with a template.

    A repeat (the same reference or `Idempotency-Key`) keeps its file unless `recognises` is false.
    """

    def __init__(
        self,
        folder: Path,
        script: Script | None = None,
        *,
        port: int = 0,
        field: str = "Referenz",
        tell: Callable[[str], None] = silent,
    ) -> None:
        """Take the folder of its book, the script, the port, and which field is our reference."""
        super().__init__(folder, script)
        self.recognises = True
        self.answer: Template | None = None
        self.refusal: Template | None = None
        self._field = field
        self._tell = tell
        self._book = Book(folder / "verfahren.sqlite")
        self._released = Event()
        self._listener = Listener(self._asked, port)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listener.port

    @property
    def address(self) -> str:
        """Where the service is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen on loopback."""
        self._book.prepare()
        self._released.clear()
        self._listener.start()

    def stop(self) -> None:
        """Stop listening and close every connection."""
        self._released.set()
        self._listener.stop()

    def effects(self) -> Mapping[str, int]:
        """Return how many files each reference has."""
        return self._book.effects()

    def calls(self) -> Mapping[str, int]:
        """Return how often each reference was sent, repeats among them."""
        return self._book.calls()

    @abstractmethod
    def wrong(self, asked: Asked) -> Said | None:
        """Say what is wrong with a request, before anything else happens."""

    @abstractmethod
    def yes(self, values: Mapping[str, str]) -> Said:
        """Say that it was filed."""

    @abstractmethod
    def no(self, values: Mapping[str, str]) -> Said:
        """Say that the procedure does not want it."""

    @abstractmethod
    def got(self, asked: Asked) -> Said:
        """Answer what takes nothing in."""

    def _asked(self, asked: Asked) -> Said | None:
        if asked.method == "GET":
            return self.got(asked)
        return self.wrong(asked) or self._take(asked)

    def _take(self, asked: Asked) -> Said | None:
        sent = fields(asked.body)
        reference = referred(sent, self._field, asked.key)
        if not reference:
            self._tell(f"refused: no field {self._field} and no Idempotency-Key")
            return Said(400, f"no {self._field}\n".encode(), "text/plain")
        self._book.call(reference)
        fault = self.stage.next()
        values = _values(sent, reference, asked.key)
        early = self._early(fault, values)
        if early is not None or fault is Fault.HANG:
            self._tell(f"{reference}: {fault}, not filed")
            return early
        number = self._book.file(reference, asked.key, self.recognises)
        values["number"] = f"FV-{number:05}"
        self._tell(f"{reference}: filed as {values['number']}, {ENDS.get(fault, fault)}")
        time.sleep(self.stage.script.delay)
        return self._late(fault, values)

    def _early(self, fault: Fault, values: Mapping[str, str]) -> Said | None:
        if fault is Fault.HANG:
            self._released.wait()
        if fault is Fault.REFUSE:
            return self.no(values)
        return {Fault.ERROR: _ERROR, Fault.BUSY: _BUSY}.get(fault)

    def _late(self, fault: Fault, values: dict[str, str]) -> Said | None:
        if fault in (Fault.RESET, Fault.LOST):
            return NOTHING if fault is Fault.LOST else None
        if fault is Fault.LATE:
            self._released.wait(self.stage.script.late)
        if fault is Fault.STRANGER:
            values["reference"] = STRANGER
        return self.yes(values)


class RestService(Service):
    """A REST procedure: POST or PUT to any path; GET of a path with a key at its end: 200, 404."""

    status = 200

    def wrong(self, asked: Asked) -> Said | None:
        """Take anything."""
        return None

    def yes(self, values: Mapping[str, str]) -> Said:
        """Answer with the template, else with nothing."""
        return _filled(self.status, self.answer, values)

    def no(self, values: Mapping[str, str]) -> Said:
        """Answer with the template of a refusal, else with nothing."""
        return _filled(422, self.refusal, values)

    def got(self, asked: Asked) -> Said:
        """Say whether a key is there: what the field `ask` of a channel wants."""
        key = urlsplit(asked.path).path.rpartition("/")[2]
        there = Said(200, b"there\n", "text/plain")
        return there if key and self._book.knows(key) else NOT_FOUND


class SoapService(Service):
    """A SOAP 1.1 procedure with a WSDL: checks the element in the body against its schema."""

    wsdl = Path()
    element = ""
    _schema: etree.XMLSchema | None = None
    _path = ""

    @property
    def address(self) -> str:
        """Where the service is: the path is that of the WSDL."""
        return f"http://127.0.0.1:{self.port}{self._path}"

    def start(self) -> None:
        """Read the WSDL, then listen; ConfigError if it cannot be used."""
        try:
            root = etree.parse(self.wsdl)
            schema = root.find(f".//{_SCHEMA}")
            if schema is not None:
                self._schema = etree.XMLSchema(etree.fromstring(etree.tostring(schema)))
        except (OSError, etree.LxmlError) as error:
            raise ConfigError(f"{self.wsdl}: cannot be used ({type(error).__name__})") from error
        found = root.find(".//{*}port/{*}address")
        self._path = urlsplit(found.get("location", "")).path if found is not None else ""
        super().start()

    def wrong(self, asked: Asked) -> Said | None:
        """Refuse what is no call of the WSDL; say where it is wrong, not what was sent."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        try:
            call = etree.fromstring(asked.body, parser).find(f"{{{_SOAP}}}Body/*")
        except etree.XMLSyntaxError:
            call = None
        reason = self._reason(call)
        if not reason:
            return None
        self._tell(f"refused: {reason}")
        return _fault("Client", reason, "")

    def yes(self, values: Mapping[str, str]) -> Said:
        """Answer with the template as the element of the body."""
        return _enveloped(200, self.answer.fill(values) if self.answer else "")

    def no(self, values: Mapping[str, str]) -> Said:
        """Answer with a fault; the template is its detail."""
        return _fault("Client", "refused", self.refusal.fill(values) if self.refusal else "")

    def got(self, asked: Asked) -> Said:
        """Return the WSDL with the address where it really is."""
        if not asked.path.lower().endswith("?wsdl"):
            return NOT_FOUND
        text = self.wsdl.read_text("utf-8")
        return Said(200, _ADDRESS.sub(lambda found: found[1] + self.address, text).encode())

    def _reason(self, call: etree._Element | None) -> str:
        if call is None:
            return "not a SOAP 1.1 envelope with an element in its body"
        name = etree.QName(call).localname
        if self.element and name != self.element:
            return f"the body holds {name}, not {self.element}"
        if self._schema is None or self._schema.validate(call):
            return ""
        log: Any = self._schema.error_log
        entry = log[0]
        return f"{entry.path or name} breaks the schema of the WSDL ({entry.type_name})"


def _values(sent: Mapping[str, str], reference: str, key: str) -> dict[str, str]:
    now = datetime.now().astimezone()
    fixed = {"reference": reference, "key": key, "number": "", "date": now.date().isoformat(),
             "time": now.isoformat(timespec="seconds")}  # fmt: skip
    return {**sent, **fixed}


def _filled(status: int, template: Template | None, values: Mapping[str, str]) -> Said:
    if template is None:
        return Said(status, b"", "text/plain")
    return Said(status, template.fill(values).encode(), template.kind)


def _enveloped(status: int, content: str) -> Said:
    inside = content.partition("?>")[2] if content.startswith("<?xml") else content
    text = f'<s:Envelope xmlns:s="{_SOAP}"><s:Body>{inside.strip()}</s:Body></s:Envelope>'
    return Said(status, text.encode())


def _fault(code: str, text: str, detail: str) -> Said:
    inside = f"<detail>{detail}</detail>" if detail else ""
    start = f"<s:Fault><faultcode>s:{code}</faultcode><faultstring>{text}</faultstring>"
    return _enveloped(500, f"{start}{inside}</s:Fault>")
