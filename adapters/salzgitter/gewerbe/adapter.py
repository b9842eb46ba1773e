"""Salzgitter, notices of a trade: XGewerbeanzeige 2.2 and JSON for a REST interface."""

import json
from typing import ClassVar

from broker import Adapter, ConversionFailed, Correlation, Document, Facts, ReplyError, Stylesheet


class Gewerbe(Adapter):
    accepts = ("xgewerbeanzeige/2.2",)
    prefixes: ClassVar = {"xga": "http://www.xgewerbeanzeige.de/spezifikation/2.2"}
    requires = (
        "xga:satz/*/xga:datumMeldung",
        "xga:satz/*/xga:gewerbe/xga:betrieb/xga:rechtsformSchluessel",
        "xga:satz/*/xga:gewerbe/xga:betriebArt",
        "xga:satz/*/xga:taetigkeitenGesamt/xga:schwerpunkt/xga:taetigkeitSchwerpunkt",
    )
    suffix = ".json"

    anzeige = Stylesheet("anzeige.xsl", mandant="SZ")

    def to_legacy(self, source: Document, facts: Facts) -> bytes:
        """Let the stylesheet make the structure, and write it as JSON."""
        structure = self.anzeige.run(source.root, facts)
        return json.dumps(value(structure), ensure_ascii=False, indent=2).encode() + b"\n"

    def to_xoev(self, source: bytes, facts: Facts) -> bytes:
        """Refuse: the standard has no message that a trade office answers with."""
        raise ReplyError("XGewerbeanzeige has no answers; set `reply: none` on this channel")

    def correlate(self, reply: bytes) -> Correlation:
        """Read no reply at all, so that JSON is not taken for broken XML."""
        raise ReplyError("XGewerbeanzeige has no answers; set `reply: none` on this channel")


def value(element):
    """Return an element as what its `type` says: text, number, boolean, list or object."""
    kind = element.get("type", "object" if len(element) else "text")
    if kind == "object":
        return {child.tag: value(child) for child in element}
    if kind == "list":
        return [value(child) for child in element]
    text = element.text or ""
    if kind == "number":
        return number(text, element.tag)
    return {"0": False, "1": True}[checked(text, element.tag)] if kind == "boolean" else text


def number(text, field):
    """Return a whole number; the text itself is never quoted."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ConversionFailed(f'field "{field}": not a number of up to nine digits')
    return int(text)


def checked(text, field):
    """Return a yes or no as the standard writes it."""
    if text not in ("0", "1"):
        raise ConversionFailed(f'field "{field}": neither 0 nor 1')
    return text
