"""SOAP envelopes: put an element into one, take one apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

from broker.channels.wsdl import SOAP_11, SOAP_12

#: Each element has at most two; a million elements would take 100 times their size in memory.
_MOST = 200_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a SOAP fault says, without its free text: local names of its code and its details."""

    code: str
    details: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Return every name a route may call this fault; `Client.Data` is a `Client` too."""
        return frozenset((self.code, self.code.partition(".")[0], *self.details))

    def __str__(self) -> str:
        return " / ".join((self.code, *self.details))


def read(data: bytes) -> etree._Element:
    """Parse XML without DTD, entities or network, and of bounded size.

    Raises ValueError, without any of its text.
    """
    if data.count(b"<") > _MOST:
        raise ValueError(f"it has more than {_MOST // 2} elements")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise ValueError("it is not well-formed XML") from None
    document: Any = root.getroottree().docinfo
    if document.doctype or document.internalDTD is not None:
        raise ValueError("it has a DOCTYPE")
    return root


def wrap(element: etree._Element, namespace: str) -> bytes:
    """Return an envelope of this SOAP version (its namespace) around the element."""
    envelope = etree.Element(f"{{{namespace}}}Envelope", nsmap={"soap-env": namespace})
    etree.SubElement(envelope, f"{{{namespace}}}Body").append(element)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def unwrap(data: bytes) -> bytes | Fault | None:
    """Return what an envelope carries: an element as a document, a fault, None for an empty body.

    Raises ValueError if it is no SOAP envelope.
    """
    root = read(data)
    namespace = etree.QName(root).namespace
    if namespace not in (SOAP_11, SOAP_12) or etree.QName(root).localname != "Envelope":
        raise ValueError("it is not a SOAP envelope")
    content = root.find(f"{{{namespace}}}Body/*")
    if content is None:
        return None
    if content.tag == f"{{{namespace}}}Fault":
        return _fault(content, namespace)
    return etree.tostring(content, xml_declaration=True, encoding="UTF-8", with_tail=False)


def _fault(fault: etree._Element, namespace: str) -> Fault:
    if namespace == SOAP_11:
        codes, details = [fault.findtext("faultcode")], fault.findall("detail/*")
    else:
        codes = [value.text for value in fault.iterfind(f"{{{SOAP_12}}}Code//{{{SOAP_12}}}Value")]
        details = fault.findall(f"{{{SOAP_12}}}Detail/*")
    names = [_local(code) for code in codes]
    names += [_local(str(etree.QName(detail).localname)) for detail in details]
    return Fault(names[0] if names else "unnamed", tuple(names[1:8]))


def _local(text: str | None) -> str:
    """Return a code's local name; a server may write anything, only a plain name is passed on."""
    name = (text or "").strip().rpartition(":")[2]
    return name if _NAME.fullmatch(name) else "unnamed"
