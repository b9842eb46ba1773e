"""Salzgitter, building control: XBau 2.6 and rows of a staging table."""

from broker import Adapter, Rows, Stylesheet


class Bau(Adapter):
    accepts = ("xbau/2.6",)
    requires = (
        "xbau:bauvorhaben/xbau:bezeichnungDesBauvorhabens",
        "xbau:antragsteller/*/name",
    )
    reference = "REFERENZ"
    number = "AKTENZEICHEN"

    to_legacy = Stylesheet("to_legacy.xsl", mandant="SZ") | Rows("spalten.csv")
    to_xoev = Stylesheet("to_xoev.xsl")
