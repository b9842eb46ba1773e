"""Telling the sender: the XÖV rejection of a message, or a reason document where there is none."""

from __future__ import annotations

import hashlib
import unicodedata
from binascii import b2a_base64
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from lxml import etree

from broker.errors import BrokerError, Finding
from broker.head import attributes, head, identification, stamp
from broker.message import Authority, Envelope, Facts

#: Namespace of the reason document.
REASON: Final = "urn:xoev-broker:reason:1"
#: Kind of the rejection of XBau.
XBAU_KIND: Final = "prozessnachrichten.rueckweisung.G2G.1100"

_KERNMODUL: Final = "http://www.xleitstelle.de/xbau/kernmodul/"
#: The Kernmodul that a version of XBau, or of the Kernmodul itself, belongs to; else the newest.
_MODULES: Final = {"2.5": "1.2.2", "1.2.2": "1.2.2"}
_NEWEST: Final = "1.3.0"
_ERRORS: Final = "2.2"  # version of the list urn:xoev-de:xbau:codeliste:xbau-fehlerkennzahlen
_NAMED: Final = 20  # findings that are told one by one
_EMBEDDED: Final = 44 * 1024 * 1024  # as base64 still below the 64 MB that anyone here takes
_HOLE: Final = "xoev-broker.original"

#: What a rejection says for a reason code: German, English. Fixed sentences, never a value.
TEXTS: Final = {
    "X000": (
        "Die Nachricht ist kein zulässiges XML-Dokument.",
        "The message is not an XML document that is taken here.",
    ),
    "X001": (
        "Die Nachricht entspricht nicht dem Schema ihres Standards.",
        "The message does not follow the schema of its standard.",
    ),
    "X011": (
        "Die Nachricht enthält einen Schlüssel, den das Fachverfahren nicht kennt.",
        "The message holds a code that the procedure does not know.",
    ),
    "V000": (
        "Diese Version des Standards wird hier nicht oder nicht mehr angenommen.",
        "This version of the standard is not, or no longer, taken here.",
    ),
    "V001": (
        "Dieser Standard oder Nachrichtentyp wird hier nicht unterstützt.",
        "This standard or kind of message is not supported here.",
    ),
    "T070": (
        "Der im Nachrichtenkopf genannte Autor gehört nicht zum angemeldeten Absender.",
        "The author in the message head does not belong to the authenticated sender.",
    ),
    "T080": (
        "Für den im Nachrichtenkopf genannten Leser gibt es hier keinen Weg.",
        "The reader in the message head is not served here.",
    ),
    "S050": (
        "Eine Nachricht mit dieser Kennung wurde bereits mit anderem Inhalt angenommen.",
        "A message with this id was accepted before with other content.",
    ),
    "S090": (
        "Die Nachricht, auf die Bezug genommen wird, ist hier nicht bekannt.",
        "The message that is referred to is not known here.",
    ),
    "S102": (
        "Das Testkennzeichen passt nicht zu der Anbindung, für die die Nachricht bestimmt ist.",
        "The test flag does not fit the system that the message is meant for.",
    ),
    "S999": (
        "Die Nachricht kann aus anderen Gründen nicht verarbeitet werden.",
        "The message cannot be processed for other reasons.",
    ),
}
#: Codes of the broker that the list of XBau writes differently.
_SAME: Final = {"S010": "X011", "S011": "X011", "X010": "X011"}


@dataclass(frozen=True, slots=True)
class Rejection:
    """What goes back to the sender: the bytes, their own envelope, and their kind (root name)."""

    body: bytes
    envelope: Envelope
    kind: str


def reject(envelope: Envelope, raw: bytes, error: BrokerError, facts: Facts) -> Rejection:
    """Write the answer that says why a message is not processed.

    `envelope` and `raw` are the message's own, `facts.reader` and `facts.author` the head of the
    answer (swapped). XBau gets its message 1100 with the original embedded, everybody else a reason
    document. Never call it for a rejection (`Standards.is_rejection`).
    """
    if envelope.standard in ("xbau", "xbau-kernmodul"):
        return _xbau(envelope, raw, error, facts)
    return _reason(envelope, raw, error, facts)


def sentence(code: str) -> tuple[str, str]:
    """Return the fixed sentences of a reason code, German and English."""
    return TEXTS.get(_SAME.get(code, code), TEXTS["S999"])


def _xbau(envelope: Envelope, raw: bytes, error: BrokerError, facts: Facts) -> Rejection:
    facts = replace(facts, reader=_clean(facts.reader), author=_clean(facts.author))
    module = _MODULES.get(envelope.version, _NEWEST)
    namespace = _KERNMODUL + module.replace(".", "/")
    root = etree.Element(f"{{{namespace}}}{XBAU_KIND}", nsmap={"xbauk": namespace})
    for name, value in attributes(_tested(facts), "XBau-Kernmodul", module).items():
        root.set(name, value)
    root.append(head(facts, XBAU_KIND, "1100"))
    data = etree.SubElement(root, "rueckweisungDaten")
    for code, text in _grounds(error):
        ground = etree.SubElement(data, "rueckweisungsgrund")
        listed = etree.SubElement(ground, "grund", listVersionID=_ERRORS)
        etree.SubElement(listed, "code").text = code
        etree.SubElement(ground, "fehlertext").text = _latin(text)
    data.append(identification(envelope, "idNachricht"))
    etree.SubElement(data, "nachricht").text = _HOLE
    own = Envelope(
        standard="xbau-kernmodul",
        version=module,
        kind=XBAU_KIND,
        namespace=namespace,
        sender=facts.author,
        recipient=facts.reader,
        code="1100",
        uuid=facts.uuid(XBAU_KIND),
        created=stamp(facts.received),
        case=envelope.case,
        test=root.get("test"),
        family="g2g",
    )
    return Rejection(_filled(root, raw), own, XBAU_KIND)


def _filled(root: etree._Element, raw: bytes) -> bytes:
    """Put the original in last: a tree would hold two more copies of 40 MB."""
    shell = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    before, _, after = shell.rpartition(_HOLE.encode())
    original = b2a_base64(raw, newline=False) if len(raw) <= _EMBEDDED else b""
    return b"".join((before, original, after))


def _grounds(error: BrokerError) -> Iterable[tuple[str, str]]:
    """Give code and German sentence of every finding, or of the error where it has none."""
    if not error.findings:
        yield _ground(error.reason, None)
    for finding in error.findings[:_NAMED]:
        yield _ground(finding.code or error.reason, finding)


def _ground(reason: str, finding: Finding | None) -> tuple[str, str]:
    code = _SAME.get(reason, reason)
    code = code if code in TEXTS else "S999"
    place = f" Zeile {finding.line}: {finding.path} ({finding.rule})" if finding else ""
    return code, TEXTS[code][0] + place


def _reason(envelope: Envelope, raw: bytes, error: BrokerError, facts: Facts) -> Rejection:
    prefixes: Any = {None: REASON}
    root = etree.Element(f"{{{REASON}}}reason", nsmap=prefixes)
    etree.SubElement(root, f"{{{REASON}}}code").text = error.reason
    for language, text in zip(("de", "en"), sentence(error.reason), strict=True):
        element = etree.SubElement(root, f"{{{REASON}}}text")
        element.set("{http://www.w3.org/XML/1998/namespace}lang", language)
        element.text = text
    etree.SubElement(
        root,
        f"{{{REASON}}}message",
        id=envelope.uuid,
        kind=envelope.kind,
        sha256=hashlib.sha256(raw).hexdigest(),
    )
    for finding in error.findings[:_NAMED]:
        place = {"line": str(finding.line), "path": finding.path, "rule": finding.rule}
        etree.SubElement(root, f"{{{REASON}}}finding", place)
    own = Envelope(
        standard="",
        version="1",
        kind="reason",
        namespace=REASON,
        sender=facts.author,
        recipient=facts.reader,
        uuid=facts.uuid("reason"),
        created=stamp(facts.received),
        case=envelope.case,
        test=facts.test,
    )
    body = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return Rejection(body, own, "reason")


def _tested(facts: Facts) -> Facts:
    return facts if facts.test is None else replace(facts, test=_latin(facts.test))


def _clean(authority: Authority) -> Authority:
    """Make a head that was taken from a broken message fit for a valid one."""
    return Authority(_latin(authority.key), _latin(authority.directory), _latin(authority.name))


def _latin(text: str) -> str:
    """Keep what DIN 91379 certainly has: Latin letters, digits and signs, composed (NFC)."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(sign for sign in composed if " " <= sign <= "~" or "\u00ae" <= sign <= "\u017e")
