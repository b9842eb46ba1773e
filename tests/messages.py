"""Messages for tests: valid XBau 2.6 applications of invented people, with ids of their own."""

from __future__ import annotations

import re
import uuid
from functools import cache

from tests.needs import ROOT

_KEYS = {"wolfsburg": "bab:03103000", "braunschweig": "bab:03101000", "salzgitter": "bab:03102000"}


@cache
def _sample(city: str) -> bytes:
    return (ROOT / f"adapters/{city}/bau/samples/einfach/1-request.xoev.xml").read_bytes()


def request(
    city: str = "wolfsburg", name: str = "", case: str = "", test: bool = True, **parts: str
) -> bytes:
    """Return an application; `parts` replaces texts by name: `key`, `sender`, `namespace`."""
    data = _sample(city).decode()
    data = _element(data, "nachrichtenUUID", name or str(uuid.uuid4()))
    data = _element(data, "referenzAntragsservice", case or str(uuid.uuid4()))
    if not test:
        data = re.sub(r' test="[^"]*"', "", data)
    data = data.replace(_KEYS[city], parts.get("key", _KEYS[city]))
    data = data.replace("bap:03000001", parts.get("sender", "bap:03000001"))
    namespace = "http://www.xleitstelle.de/xbau/2/6"
    data = data.replace(namespace, parts.get("namespace", namespace))
    return data.encode()


def invalid(city: str = "wolfsburg") -> bytes:
    """Return an application whose head lacks what every head must have: its time."""
    return re.sub(rb"<erstellungszeitpunkt>.*?</erstellungszeitpunkt>", b"", request(city))


def _element(data: str, tag: str, text: str) -> str:
    return re.sub(rf"(<{tag}>)[^<]+(</{tag}>)", rf"\g<1>{text}\g<2>", data, count=1)


REPLY = (
    '<w:AntragAngelegt xmlns:w="urn:wolfsburg:bauantrag:1"><w:Referenz>{reference}</w:Referenz>'
    "<w:Aktenzeichen>{number}</w:Aktenzeichen><w:Status>{status}</w:Status>"
    "<w:Datum>2026-03-04</w:Datum></w:AntragAngelegt>"
)


def reply(reference: str, number: str = "63-WOB-00123-26", status: str = "ANGENOMMEN") -> bytes:
    """Return what the procedure of Wolfsburg answers."""
    return REPLY.format(reference=reference, number=number, status=status).encode()
