"""Message heads: what stands on top of every XÖV message that the broker or an adapter writes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from lxml import etree

from broker.message import Authority, Envelope, Facts

#: Value of the required root attribute `produkt`.
PRODUCT: Final = "xoev-broker"
#: Value of the required root attribute `produkthersteller`.
MAKER: Final = "xoev-broker"
#: Version of the code list of directories (`urn:xoev-de:kosit:codeliste:verzeichnisdienst`).
DIRECTORIES: Final = "3"
#: Namespace of the qualified identification elements in `bezugNachricht` and `idNachricht`.
QUALIFIED: Final = "http://xoev.de/schemata/basisnachricht/g2g/1_1"

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_UNSET: Final = "00000000-0000-0000-0000-000000000000"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: The family of heads (`Envelope.family`) that is called `Kopf`: xdomea up to 3.1.
_XDOMEA: Final = "xdomea"


def head(facts: Facts, kind: str, code: str, created: datetime | None = None) -> etree._Element:
    """Return a new `nachrichtenkopf.g2g` (G2G 1.1, unqualified: no namespace).

    `kind` is the root name that the message id is made of, `code` the four digits of
    `nachrichtentyp`, `created` the time of creation (default: `facts.received`, so that the same
    reply gives the same bytes). An answer to a message with a head of xdomea gets one too.
    """
    if facts.answered and facts.answered.family == _XDOMEA:
        return _kopf(facts, facts.answered, code, stamp(created or facts.received))
    top = etree.Element("nachrichtenkopf.g2g")
    who = etree.SubElement(top, "identifikation.nachricht")
    _identify(who, "", facts.uuid(kind), code, stamp(created or facts.received))
    _authority(top, "leser", facts.reader)
    _authority(top, "autor", facts.author)
    return top


def relation(answered: Envelope) -> etree._Element:
    """Return a new `bezug` of the Kernmodul that names the message which is being answered.

    Its `referenz` is the case of that message where it is a UUID (XBau: `referenzAntragsservice`).
    A `vorgang` (the file number) belongs before `bezugNachricht`.
    """
    bezug = etree.Element("bezug", nsmap={"bn-g2g": QUALIFIED})
    if _UUID.fullmatch(answered.case):
        etree.SubElement(bezug, "referenz").text = answered.case
    bezug.append(identification(answered, "bezugNachricht"))
    return bezug


def identification(envelope: Envelope, name: str) -> etree._Element:
    """Return an element `name` (no namespace) whose qualified children identify a message.

    What its head did not say, or not in a valid form, becomes the nil UUID, `0000` or the epoch:
    the schemas know no absence, and a message that broke the schema must still be named validly.
    """
    element = etree.Element(name, nsmap={"bn-g2g": QUALIFIED})
    uuid = envelope.uuid if _UUID.fullmatch(envelope.uuid) else _UNSET
    created = envelope.created if _is_time(envelope.created) else stamp(_EPOCH)
    _identify(element, f"{{{QUALIFIED}}}", uuid, envelope.code or "0000", created)
    return element


def attributes(facts: Facts, standard: str, version: str) -> dict[str, str]:
    """Return the root attributes of a G2G 1.1 message: product, standard, version, test flag."""
    found = {
        "produkt": PRODUCT,
        "produkthersteller": MAKER,
        "standard": standard,
        "version": version,
    }
    return found if facts.test is None else {**found, "test": facts.test}


def stamp(moment: datetime) -> str:
    """Return a time as heads carry it: UTC with milliseconds (`2026-05-04T07:31:12.045+00:00`)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _is_time(text: str) -> bool:
    try:
        return bool(_TIME.fullmatch(text) and datetime.fromisoformat(text))
    except ValueError:
        return False


def _kopf(facts: Facts, answered: Envelope, code: str, created: str) -> etree._Element:
    """Return a head of xdomea, which has no message id: the process of the request goes on."""
    space = f"{{{answered.namespace}}}"
    prefixes: Any = {"xdomea": answered.namespace}
    top = etree.Element(f"{space}Kopf", nsmap=prefixes)
    etree.SubElement(top, f"{space}ProzessID").text = answered.case
    kind = etree.SubElement(top, f"{space}Nachrichtentyp")
    etree.SubElement(kind, "code").text = code
    etree.SubElement(top, f"{space}Erstellungszeitpunkt").text = created
    _contact(top, f"{space}Absender", facts.author)
    _contact(top, f"{space}Empfaenger", facts.reader)
    return top


def _contact(parent: etree._Element, name: str, authority: Authority) -> None:
    space = name.rpartition("}")[0] + "}"
    element = etree.SubElement(parent, name)
    prefix, _, key = authority.key.rpartition(":")
    if key:
        office = etree.SubElement(element, f"{space}Behoerdenkennung")
        for part, word in (("Behoerdenschluessel", key), ("Praefix", prefix)):
            if word:
                code = etree.SubElement(office, f"{space}{part}")
                etree.SubElement(code, "code").text = word
    if authority.name:
        office = etree.SubElement(element, f"{space}Institution")
        etree.SubElement(office, f"{space}Name").text = authority.name


def _identify(parent: etree._Element, prefix: str, uuid: str, code: str, created: str) -> None:
    etree.SubElement(parent, f"{prefix}nachrichtenUUID").text = uuid
    kind = etree.SubElement(parent, f"{prefix}nachrichtentyp")
    etree.SubElement(kind, "code").text = code
    etree.SubElement(parent, f"{prefix}erstellungszeitpunkt").text = created


def _authority(parent: etree._Element, name: str, authority: Authority) -> None:
    element = etree.SubElement(parent, name)
    directory = etree.SubElement(element, "verzeichnisdienst", listVersionID=DIRECTORIES)
    etree.SubElement(directory, "code").text = authority.directory
    etree.SubElement(element, "kennung").text = authority.key
    etree.SubElement(element, "name").text = authority.name
