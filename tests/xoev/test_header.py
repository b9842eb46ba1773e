"""Reading heads: four families, found by local name."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.document import parse
from broker.errors import Forbidden, NotXml
from broker.message import Authority
from broker.xoev.header import Head, read
from tests.xoev.letters import UUID, letter

OLD = """<x:m.0300 xmlns:x="urn:x" standard="XGewerbeanzeige" version="2.2" test="t">
<x:nachrichtenkopf><x:identifikation.nachricht><x:nachrichtenUUID>u</x:nachrichtenUUID>
<x:nachrichtentyp><code>0300</code></x:nachrichtentyp>
<x:erstellungszeitpunkt>2026-05-04T09:30:00Z</x:erstellungszeitpunkt></x:identifikation.nachricht>
<x:leser><x:behoerdenkennung><x:praefix><code>xga</code></x:praefix>
<x:kennung><code>000492949</code></x:kennung></x:behoerdenkennung>
<x:behoerdenname>Sammelstelle</x:behoerdenname></x:leser>
<x:autor><x:behoerdenkennung><x:praefix><code>MELDID</code></x:praefix>
<x:kennung><code>12052000</code></x:kennung></x:behoerdenkennung>
<x:behoerdenname>Gewerbeamt</x:behoerdenname></x:autor></x:nachrichtenkopf></x:m.0300>"""

XDOMEA = """<x:Aussonderung.0503 xmlns:x="urn:x"><x:Kopf><x:ProzessID>p-1</x:ProzessID>
<x:Nachrichtentyp><code>0503</code></x:Nachrichtentyp>
<x:Erstellungszeitpunkt>2026-05-04T09:30:00Z</x:Erstellungszeitpunkt>
<x:Absender><x:Behoerdenkennung><x:Behoerdenschluessel><code>123</code></x:Behoerdenschluessel>
<x:Praefix><code>psw</code></x:Praefix></x:Behoerdenkennung>
<x:Institution><x:Name>Amt</x:Name></x:Institution></x:Absender>
<x:Empfaenger><x:Institution><x:Name>Archiv</x:Name></x:Institution></x:Empfaenger>
</x:Kopf></x:Aussonderung.0503>"""

XJUSTIZ = """<nachricht.gds.uebermittlung.0005005 xmlns="http://www.xjustiz.de">
<nachrichtenkopf xjustizVersion="3.5.1">
<erstellungszeitpunkt>2026-05-04T09:30:00</erstellungszeitpunkt>
<auswahl_absender><absender.sonstige>Muster AG</absender.sonstige></auswahl_absender>
<auswahl_empfaenger><empfaenger.gericht><code>P1109</code></empfaenger.gericht></auswahl_empfaenger>
<eigeneNachrichtenID>n-1</eigeneNachrichtenID></nachrichtenkopf>
</nachricht.gds.uebermittlung.0005005>"""


def test_a_g2g_head_is_read() -> None:
    found = read(parse(letter(extra=' test="demo"')))

    assert found == Head(
        "g2g",
        sender=Authority("bap:03000001", "DVDV", "Bauportal"),
        recipient=Authority("bab:03103000", "DVDV", "Stadt Wolfsburg"),
        code="0200",
        uuid=UUID,
        created="2026-05-04T09:30:00.000+02:00",
        standard="XBau-Hochbau",
        version="2.6",
        test="demo",
    )


def test_a_qualified_g2g_head_is_read_the_same() -> None:
    plain = letter()
    qualified = plain.replace(
        b"<nachrichtenkopf.g2g>",
        b'<nachrichtenkopf.g2g xmlns="http://xoev.de/schemata/basisnachricht/g2g/1_1">',
    )

    assert read(parse(qualified)) == read(parse(plain))


def test_a_head_with_prefix_and_key_gives_them_joined() -> None:
    found = read(parse(OLD.encode()))

    assert (found.family, found.sender.key, found.recipient.key) == (
        "behoerde",
        "MELDID:12052000",
        "xga:000492949",
    )
    assert (found.recipient.name, found.code, found.uuid, found.test) == (
        "Sammelstelle",
        "0300",
        "u",
        "t",
    )


def test_an_xdomea_head_has_a_process_and_no_message_id() -> None:
    found = read(parse(XDOMEA.encode()))

    assert (found.family, found.process, found.uuid, found.code) == ("xdomea", "p-1", "", "0503")
    assert (found.sender.key, found.recipient) == ("psw:123", Authority("", "", "Archiv"))


def test_an_xjustiz_head_has_its_version_and_id() -> None:
    found = read(parse(XJUSTIZ.encode()))

    assert (found.family, found.version, found.uuid) == ("xjustiz", "3.5.1", "n-1")
    assert (found.recipient.key, found.sender) == ("P1109", Authority("", "", "Muster AG"))


def test_an_xjustiz_head_without_parties_is_read() -> None:
    raw = b'<n.0005005><nachrichtenkopf xjustizVersion="3.6.2"/></n.0005005>'

    assert read(parse(raw)).recipient == Authority("", "")


@pytest.mark.parametrize("raw", [b"<xy/>", b"<a><b/></a>", b"<a><b><nachrichtenkopf.g2g/></b></a>"])
def test_no_head_is_not_xml_with_reason_x001(raw: bytes) -> None:
    with pytest.raises(NotXml, match="no message head") as caught:
        read(parse(raw))

    assert caught.value.reason == "X001"


def test_an_empty_head_reads_as_empty_values() -> None:
    found = read(parse(b"<a><nachrichtenkopf.g2g/></a>"))

    assert (found.sender, found.uuid, found.test) == (Authority("", "", ""), "", None)


@pytest.mark.parametrize("place", ["bab:03103000", "Stadt Wolfsburg", UUID])
def test_an_absurdly_long_value_in_the_head_is_refused(place: str) -> None:
    raw = letter().replace(place.encode(), b"x" * 1_001)

    with pytest.raises(Forbidden, match="longer than 1000"):
        read(parse(raw))


def code(path: Path) -> str:
    try:
        return read(parse(path.read_bytes())).code
    except NotXml as error:
        return error.reason


def test_every_sample_with_a_head_is_read(shared: Path) -> None:
    codes = {path: code(path) for path in shared.glob("xoev/*/samples/**/*.xml")}
    headless = {path.name[:3] for path, found in codes.items() if found == "X001"}

    assert headless == {"xgw", "xy-"}
    assert sum(found.isdigit() and len(found) == 4 for found in codes.values()) >= 25
