"""Message heads of all four families, read by local name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from broker.document import Document, split
from broker.errors import Forbidden, NotXml
from broker.message import Authority

G2G: Final = "g2g"  #: `nachrichtenkopf.g2g` (XBau, XBeteiligung, XWasser, XInneres 7 …)
BEHOERDE: Final = "behoerde"  #: `nachrichtenkopf` with `behoerdenkennung` (XGewerbeanzeige …)
XDOMEA: Final = "xdomea"  #: `Kopf` (xdomea up to 3.1)
XJUSTIZ: Final = "xjustiz"  #: `nachrichtenkopf/@xjustizVersion`

_LONGEST: Final = 1_000
_HEADS: Final = ("nachrichtenkopf.g2g", "nachrichtenkopf", "Kopf")


@dataclass(frozen=True, slots=True)
class Head:
    """What a message head says, whatever its family; what it does not say is empty.

    `standard` and `version` are the words of the message (XJustiz: `xjustizVersion`), `process` is
    xdomea's `ProzessID`, `test` is None where the root has no `test` attribute.
    """

    family: str
    sender: Authority
    recipient: Authority
    code: str = ""
    uuid: str = ""
    created: str = ""
    standard: str = ""
    version: str = ""
    process: str = ""
    test: str | None = None


def read(document: Document) -> Head:
    """Read the message head; raises NotXml (X001) where the root has none that could be read.

    Raises Forbidden where a value of the head is longer than 1,000 characters.
    """
    for element in document.root:
        name = _name(element)
        if name in _HEADS:
            return _short(_read(document.root, element, name))
    raise NotXml("well-formed XML, but no message head that could be read", reason="X001")


def present(document: Document) -> bool:
    """Whether the root has a message head."""
    return any(_name(element) in _HEADS for element in document.root)


def none(document: Document) -> Head:
    """Return what is known of a message without head: its root attributes."""
    root, nobody = document.root, Authority("", "")
    version, test = root.get("version", ""), root.get("test")
    return _short(Head("", nobody, nobody, standard=root.get("standard", ""), version=version,
                       test=test))  # fmt: skip


def _short(head: Head) -> Head:
    """Refuse absurdly long values: they become keys of tables and lines of logs."""
    people = (head.sender, head.recipient)
    values = [value for one in people for value in (one.key, one.directory, one.name)]
    values += [head.code, head.uuid, head.created, head.standard, head.version, head.process]
    if max(map(len, values)) > _LONGEST or len(head.test or "") > _LONGEST:
        raise Forbidden(f"a value of the message head is longer than {_LONGEST} characters")
    return head


def children(element: etree._Element | None) -> dict[str, etree._Element]:
    """Return the children of an element by local name, the first of each name."""
    found: dict[str, etree._Element] = {}
    for child in element if element is not None else ():
        found.setdefault(_name(child), child)
    return found


def text(element: etree._Element | None) -> str:
    """Return the text of an element without the white space around it."""
    return (element.text or "").strip() if element is not None else ""


def _name(element: etree._Element) -> str:
    return split(element.tag)[1]


def _read(root: etree._Element, element: etree._Element, name: str) -> Head:
    if name == "Kopf":
        return _xdomea(root, element)
    if element.get("xjustizVersion") is not None:
        return _xjustiz(root, element)
    return _xoev(root, element, G2G if name.endswith(".g2g") else BEHOERDE)


def _xoev(root: etree._Element, element: etree._Element, family: str) -> Head:
    parts = children(element)
    ids = children(parts.get("identifikation.nachricht"))
    return Head(
        family=family,
        sender=_authority(parts.get("autor")),
        recipient=_authority(parts.get("leser")),
        code=_code(ids.get("nachrichtentyp")),
        uuid=text(ids.get("nachrichtenUUID")),
        created=text(ids.get("erstellungszeitpunkt")),
        standard=root.get("standard", ""),
        version=root.get("version", ""),
        process=text(parts.get("ProzessID")),
        test=root.get("test"),
    )


def _xdomea(root: etree._Element, element: etree._Element) -> Head:
    parts = children(element)
    return Head(
        family=XDOMEA,
        sender=_authority(parts.get("Absender")),
        recipient=_authority(parts.get("Empfaenger")),
        code=_code(parts.get("Nachrichtentyp")),
        created=text(parts.get("Erstellungszeitpunkt")),
        standard=root.get("standard", ""),
        version=root.get("version", ""),
        process=text(parts.get("ProzessID")),
        test=root.get("test"),
    )


def _xjustiz(root: etree._Element, element: etree._Element) -> Head:
    parts = children(element)
    return Head(
        family=XJUSTIZ,
        sender=_court(parts.get("auswahl_absender")),
        recipient=_court(parts.get("auswahl_empfaenger")),
        code=_name(root).rpartition(".")[2],
        uuid=text(parts.get("eigeneNachrichtenID")),
        created=text(parts.get("erstellungszeitpunkt")),
        version=element.get("xjustizVersion", ""),
        test=root.get("test"),
    )


def _authority(element: etree._Element | None) -> Authority:
    parts = children(element)
    if "behoerdenkennung" in parts:
        key = children(parts["behoerdenkennung"])
        return _prefixed(key, "praefix", "kennung", text(parts.get("behoerdenname")))
    if "Behoerdenkennung" in parts:
        key = children(parts["Behoerdenkennung"])
        return _prefixed(key, "Praefix", "Behoerdenschluessel", _institution(parts))
    name = text(parts.get("name")) or _institution(parts)
    return Authority(text(parts.get("kennung")), _code(parts.get("verzeichnisdienst")), name)


def _prefixed(parts: dict[str, etree._Element], prefix: str, key: str, name: str) -> Authority:
    """Join DVDV prefix and key as the newer heads write them: `prefix:key`."""
    words = [_code(parts.get(prefix)), _code(parts.get(key))]
    return Authority(":".join(word for word in words if word), "DVDV", name)


def _institution(parts: dict[str, etree._Element]) -> str:
    office = parts.get("Institution", parts.get("NameInstitution"))
    return text(children(office).get("Name"))


def _court(element: etree._Element | None) -> Authority:
    """Read XJustiz' choice: a court by its code, or any other party by its name."""
    for name, chosen in children(element).items():
        if "sonstige" in name:
            return Authority("", "", _code(chosen))
        return Authority(_code(chosen), "XJustiz")
    return Authority("", "")


def _code(element: etree._Element | None) -> str:
    """Return `code` of an XÖV code element, or its own text where it has none."""
    inner = children(element).get("code")
    return text(inner if inner is not None else element)
