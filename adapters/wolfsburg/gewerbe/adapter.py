"""Wolfsburg, notices of a trade: XGewerbeanzeige 2.2 and a CSV file."""

from typing import ClassVar

from broker import Adapter, Correlation, Csv, Facts, ReplyError, Stylesheet


class Gewerbe(Adapter):
    accepts = ("xgewerbeanzeige/2.2",)
    prefixes: ClassVar = {"xga": "http://www.xgewerbeanzeige.de/spezifikation/2.2"}
    requires = (
        "xga:satz/*/xga:datumMeldung",
        "xga:satz/*/xga:gewerbe/xga:betrieb/xga:rechtsformSchluessel",
        "xga:satz/*/xga:gewerbe/xga:anschrift",
        "xga:satz/*/xga:taetigkeitenGesamt/xga:schwerpunkt/xga:taetigkeitSchwerpunkt",
    )
    suffix = ".csv"

    to_legacy = Stylesheet("to_legacy.xsl") | Csv("anzeige.csv", encoding="cp1252", formula="quote")

    def to_xoev(self, source: bytes, facts: Facts) -> bytes:
        """Refuse: the standard has no message that a trade office answers with."""
        raise ReplyError("XGewerbeanzeige has no answers; leave `replies` out on this channel")

    def correlate(self, reply: bytes) -> Correlation:
        """Read no reply at all, so that CSV is not taken for broken XML."""
        raise ReplyError("XGewerbeanzeige has no answers; leave `replies` out on this channel")
