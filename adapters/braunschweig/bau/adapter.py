"""Braunschweig, building control: XBau 2.6 and batch files of fixed width."""

from broker import Adapter, FixedWidth, Stylesheet


class Bau(Adapter):
    accepts = ("xbau/2.6",)
    requires = (
        "xbau:bauvorhaben/xbau:bezeichnungDesBauvorhabens",
        "xbau:antragsteller/*/name",
        "xbau:bauvorhaben/xbau:verortung//kodierungFlurstueck",
    )
    reference = "referenz"
    number = "aktenzeichen"
    suffix = ".txt"

    antwort = FixedWidth("antwort.csv", encoding="iso8859-15")

    to_legacy = Stylesheet("to_legacy.xsl", mandant="101") | FixedWidth(
        "antrag.csv", encoding="iso8859-15", replace="zeichen.csv"
    )
    to_xoev = antwort | Stylesheet("to_xoev.xsl")

    def replies(self, data: bytes) -> tuple[bytes, ...]:
        """Split an answer file at its R records; its end says how many there are."""
        return self.antwort.split(data, "R", drop=("V", "N"), count=("N", "anzahl"))
