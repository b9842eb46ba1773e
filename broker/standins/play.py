"""What the demo sends, and what must become of each message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from lxml import etree

from broker.message import State
from broker.standins.applications import Writer, address, id_of, written

XBAU = b"http://www.xleitstelle.de/xbau/2/6"
DOCTYPE = b'<!DOCTYPE x [<!ENTITY e "e">]>\n'


class By(StrEnum):
    """How a message gets to the broker."""

    HTTP = "HTTP"
    FOLDER = "folder"
    COMMAND = "submit"


class End(StrEnum):
    """Where a message ends that is no message of its own for the broker."""

    REPEATED = "same receipt"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Part:
    """One message and its end.

    `answers` are the kinds that must come back, as four digits, or `reason` for a reason document;
    `filed` says how many files the procedure must have for it.
    """

    title: str
    city: str
    uuid: str
    body: bytes
    by: By = By.HTTP
    end: State | End = State.DELIVERED
    reason: str = ""
    answers: tuple[str, ...] = ()
    filed: int = 0


#: Title, project, and the answers of a procedure that answers step by step.
PROJECTS = (
    ("Einfamilienhaus", "Neubau eines Einfamilienhauses mit Carport", ("1120", "0205")),
    ("Wintergarten", "Anbau eines Wintergartens", ("1120",)),
    ("Werkstatt", "Errichtung einer Werkstatt", ("1120", "1121")),
    ("Hochhaus", "Neubau eines Hochhauses mit Tiefgarage", ("1120", "0205")),
    ("Gartenhütte", "Aufstellen einer Gartenhütte", ("1120",)),
    ("Windrad", "Errichtung eines Windrads", ("1100",)),
)
CITIES = ("wolfsburg", "braunschweig", "salzgitter")
#: What does not come over HTTP.
OTHERWISE = {
    ("wolfsburg", 1): By.FOLDER,
    ("braunschweig", 1): By.FOLDER,
    ("salzgitter", 1): By.FOLDER,
    ("braunschweig", 4): By.COMMAND,
}


def parts(adapters: Path, at: datetime, seed: int = 26) -> list[Part]:
    """Return all messages in the order in which they are sent."""
    writer = Writer(adapters, seed)
    ordinary = [
        _ordinary(writer, at, city, number) for number in range(len(PROJECTS)) for city in CITIES
    ]
    return [*ordinary, *_broken(writer, at), *_repeated(ordinary[0])]


def _ordinary(writer: Writer, at: datetime, city: str, number: int) -> Part:
    title, project, answers = PROJECTS[number]
    root = writer.write(city, at, project=project)
    by = OTHERWISE.get((city, number), By.HTTP)
    part = Part(title, city, id_of(root), written(root), by, answers=answers, filed=1)
    if city != "wolfsburg":
        return part
    # A SOAP service answers once, with the last word; its no is one to the call itself.
    if answers == ("1100",):
        return replace(part, end=State.REJECTED, reason="S999", filed=0)
    return replace(part, answers=answers[-1:])


def _broken(writer: Writer, at: datetime) -> Iterator[Part]:
    def part(title: str, root: etree._Element, reason: str, city: str = "wolfsburg") -> Part:
        return Part(title, city, id_of(root), written(root), end=State.REJECTED, reason=reason,
                    answers=("1100",))  # fmt: skip

    root = writer.write("wolfsburg", at)
    head = root.find("nachrichtenkopf.g2g")
    assert head is not None, "the sample has a head"
    etree.SubElement(head, "unbekannt")
    yield part("breaks the schema", root, "X001")

    root = writer.write("wolfsburg", at)
    address(root, "bab:03157006", "Stadt Peine")
    yield part("for a city without a route", root, "T080", "peine")

    root = writer.write("wolfsburg", at)
    address(root, "bab:03999000", "Stadt Musterstadt")
    yield part("test for a real procedure", root, "S102", "musterstadt")

    known = part("in an unknown standard", writer.write("salzgitter", at), "V001", "salzgitter")
    body = known.body.replace(XBAU, b"urn:muster:unbekannt:1")
    yield replace(known, body=body, answers=("reason",))

    known = part("with a DOCTYPE", writer.write("braunschweig", at), "X000", "braunschweig")
    first, _, rest = known.body.partition(b"\n")
    body = first + b"\n" + DOCTYPE + rest
    yield replace(known, body=body, end=End.REFUSED, answers=())


def _repeated(first: Part) -> Iterator[Part]:
    yield replace(first, title="the first one again", end=End.REPEATED, answers=(), filed=0)
    other = first.body.replace(b"Carport", b"Garage!")
    yield replace(first, title="the first id, other bytes", body=other, end=End.REFUSED,
                  reason="S050", answers=(), filed=0)  # fmt: skip
