"""Salzgitter, building control: XBau 2.6, still 2.5, and rows of a staging table."""

from typing import ClassVar

from broker import Adapter, Facts, Rows, Stylesheet


class Older(Stylesheet):
    """A sheet for messages of XBau 2.5; those of 2.6 pass by."""

    def run(self, matter, facts):
        """Bring an older message up to 2.6 and leave others alone."""
        older = matter.tag.startswith("{http://www.xleitstelle.de/xbau/2/5}")
        return super().run(matter, facts) if older else matter


class Bau(Adapter):
    accepts = ("xbau/2.5", "xbau/2.6")
    prefixes: ClassVar = {
        "xbau": "http://www.xleitstelle.de/xbau/2/6",
        "alt": "http://www.xleitstelle.de/xbau/2/5",
    }
    requires = (
        "xbau:bauvorhaben/xbau:bezeichnungDesBauvorhabens"
        " | alt:bauvorhaben/alt:bezeichnungDesBauvorhabens",
        "xbau:antragsteller/*/name | alt:antragsteller/*/name",
    )
    reference = "REFERENZ"
    number = "AKTENZEICHEN"

    antwort = Stylesheet("to_xoev.xsl")
    antwort_2_5 = Stylesheet("to_xoev_2_5.xsl")

    to_legacy = (
        Older("../../shared/bau/aus_2_5.xsl")
        | Stylesheet("to_legacy.xsl", mandant="SZ")
        | Rows("spalten.csv")
    )

    def to_xoev(self, source: bytes, facts: Facts) -> bytes:
        """Answer in the version of the application."""
        older = facts.answered is not None and facts.answered.version == "2.5"
        return (self.antwort_2_5 if older else self.antwort)(source, facts)
