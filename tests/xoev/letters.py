"""Small messages for tests: invented offices, no people."""

from __future__ import annotations

from tests.xoev.folders import XBAU

UUID = "0a1b2c3d-0000-4000-8000-0123456789ab"
CASE = "11111111-2222-4333-8444-555555555555"
BODY = (
    f"<x:referenzAntragsservice><referenzAntragsservice>{CASE}</referenzAntragsservice>"
    "</x:referenzAntragsservice>"
)


def letter(
    body: str = BODY,
    *,
    kind: str = "baugenehmigung.antrag.0200",
    namespace: str = XBAU,
    standard: str = "XBau-Hochbau",
    version: str = "2.6",
    extra: str = "",
) -> bytes:
    """Return an XBau message with a right head and this body (prefix `x`)."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<x:{kind} xmlns:x="{namespace}" produkt="p" produkthersteller="h"
    standard="{standard}" version="{version}"{extra}>
  <nachrichtenkopf.g2g>
    <identifikation.nachricht>
      <nachrichtenUUID>{UUID}</nachrichtenUUID>
      <nachrichtentyp><code>{kind[-4:]}</code></nachrichtentyp>
      <erstellungszeitpunkt>2026-05-04T09:30:00.000+02:00</erstellungszeitpunkt>
    </identifikation.nachricht>
    <leser>
      <verzeichnisdienst listVersionID="3"><code>DVDV</code></verzeichnisdienst>
      <kennung>bab:03103000</kennung><name>Stadt Wolfsburg</name>
    </leser>
    <autor>
      <verzeichnisdienst listVersionID="3"><code>DVDV</code></verzeichnisdienst>
      <kennung>bap:03000001</kennung><name>Bauportal</name>
    </autor>
  </nachrichtenkopf.g2g>
  {body}
</x:{kind}>""".encode()
