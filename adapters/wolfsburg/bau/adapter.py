"""Wolfsburg, building control: XBau 2.6 and back."""

from broker import Adapter, Stylesheet


class Bau(Adapter):
    accepts = ("xbau/2.6",)

    to_legacy = Stylesheet("to_legacy.xsl", mandant="103")
    to_xoev = Stylesheet("to_xoev.xsl")
