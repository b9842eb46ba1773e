"""Small bundles in the shapes of real ones: same namespaces and heads, few elements, our words."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Files = Mapping[str, str | bytes]

G2G = "http://xoev.de/schemata/basisnachricht/g2g/1_1"
UNQUALIFIED = "http://xoev.de/schemata/basisnachricht/unqualified/g2g/1_1"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
GML = "http://www.opengis.net/gml/3.2"
UUID = "0a1b2c3d-0000-4000-8000-0123456789ab"
TIME = "2026-05-04T09:30:00.000+02:00"


@dataclass(frozen=True)
class Shape:
    """A bundle, what must be found in it, and messages: one right, one wrong."""

    files: Files
    name: str
    right: bytes
    family: str = "g2g"
    recipient: str = "ags:03103000"

    @property
    def wrong(self) -> bytes:
        """The right message with an element that no schema knows."""
        root, _, rest = self.right.rpartition(b"</")
        return root + b"<falsch/></" + rest


def xsd(namespace: str, inside: str, head: str = "", version: str = "", form: str = "un") -> str:
    """Return a schema; `head` are further attributes, `form` is `un` or empty."""
    stated = f' version="{version}"' if version else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<xs:schema '
        f'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="{namespace}" {head}'
        f' targetNamespace="{namespace}"{stated} elementFormDefault="{form}qualified">'
        f"{inside}</xs:schema>"
    )


def about(name: str, version: str, licence: str = "") -> str:
    """Return the appinfo that XÖV schemas carry."""
    lizenz = f"<lizenz>{licence}</lizenz>" if licence else ""
    return (
        f"<xs:annotation><xs:appinfo><standard><nameKurz>{name}</nameKurz>"
        f"<nameTechnisch>{name.lower()}</nameTechnisch>"
        f"<kennung>urn:xoev-de:muster:standard:{name.lower()}</kennung></standard>"
        f"<versionStandard><version>{version}</version>{lizenz}</versionStandard>"
        "</xs:appinfo></xs:annotation>"
    )


def imported(namespace: str, location: str) -> str:
    return f'<xs:import namespace="{namespace}" schemaLocation="{location}"/>'


def root_type(inside: str, standard: str = "", version: str = "") -> str:
    """Return the type of a message: head, body, and the root attributes."""
    fixed = {"standard": standard, "version": version}
    attributes = "".join(
        f'<xs:attribute name="{name}" type="xs:token" use="required"'
        + (f' fixed="{value}"' if value else "")
        + "/>"
        for name, value in fixed.items()
    )
    more = "".join(f'<xs:attribute name="{name}"/>' for name in ("produkt", "produkthersteller"))
    sequence = f"<xs:sequence>{inside}</xs:sequence>"
    return f"<xs:complexType>{sequence}{attributes}{more}</xs:complexType>"


def element(name: str, inside: str) -> str:
    return f'<xs:element name="{name}">{inside}</xs:element>'


def text(name: str, kind: str = "xs:token", more: str = "") -> str:
    return f'<xs:element name="{name}" type="{kind}"{more}/>'


def sequence(*inside: str) -> str:
    return f"<xs:complexType><xs:sequence>{''.join(inside)}</xs:sequence></xs:complexType>"


def head_type(*more: str) -> str:
    """Return the type of `nachrichtenkopf.g2g`, with elements of a standard inside it."""
    code = sequence(text("code"))
    office = sequence(element("verzeichnisdienst", code), text("kennung"), text("name"))
    known = sequence(
        text("nachrichtenUUID"), element("nachrichtentyp", code), text("erstellungszeitpunkt")
    )
    return sequence(
        element("identifikation.nachricht", known),
        element("leser", office),
        element("autor", office),
        *more,
    )


def head(prefix: str = "", more: str = "", code: str = "0001") -> str:
    """Return a right head; `prefix` is bound by whoever writes the message."""
    inside = (
        f"<nachrichtenkopf.g2g><identifikation.nachricht><nachrichtenUUID>{UUID}</nachrichtenUUID>"
        f"<nachrichtentyp><code>{code}</code></nachrichtentyp>"
        f"<erstellungszeitpunkt>{TIME}</erstellungszeitpunkt></identifikation.nachricht>"
        "<leser><verzeichnisdienst><code>DVDV</code></verzeichnisdienst>"
        "<kennung>ags:03103000</kennung><name>Stadt Wolfsburg</name></leser>"
        "<autor><verzeichnisdienst><code>DVDV</code></verzeichnisdienst>"
        f"<kennung>mbp:03000001</kennung><name>Portal</name></autor>{more}</nachrichtenkopf.g2g>"
    )
    return inside.replace("<", f"<{prefix}:").replace(f"<{prefix}:/", f"</{prefix}:") if (
        prefix
    ) else inside  # fmt: skip


def message(kind: str, namespace: str, inside: str, attributes: str) -> bytes:
    return f'<m:{kind} xmlns:m="{namespace}" {attributes}>{inside}</m:{kind}>'.encode()


def attributes(standard: str, version: str) -> str:
    return f'standard="{standard}" version="{version}" produkt="p" produkthersteller="h"'


def xmeld() -> Shape:
    """XMeld: its own namespace with four digits, XInneres beside it, absolute imports."""
    xmeld, base = "http://www.osci.de/xmeld2611", "http://www.osci.de/xinneres/basisnachricht/7"
    reject = "http://www.osci.de/xinneres/rueckweisung/6"
    place = "http://www.osci.de/xinneres/basisnachricht/7/xinneres-basisnachricht.xsd"
    kind = "datenabruf.freieSuche.suchanfrage.1332"
    body = '<xs:element ref="b:nachrichtenkopf.g2g"/>' + text("suche")
    refused = '<xs:element ref="b:nachrichtenkopf.g2g"/>' + text("nachricht", "xs:base64Binary")
    bound = f'xmlns:b="{base}"'
    files = {
        "xmeld-nachrichten.xsd": xsd(
            xmeld,
            about("XMeld", "26.11", "Muster-Lizenz")
            + imported(base, place)
            + element(kind, root_type(body, "XMeld", "26.11")),
            bound,
            "26.11",
        ),
        "xinneres-basisnachricht.xsd": xsd(base, element("nachrichtenkopf.g2g", head_type())),
        "xinneres-rueckweisung.xsd": xsd(
            reject,
            imported(base, place)
            + element(
                "rueckweisung.asynchron.0010", root_type(refused, "XInneres-Rueckweisung", "6")
            ),
            bound,
        ),
    }
    inside = head().replace("nachrichtenkopf.g2g>", "b:nachrichtenkopf.g2g>")
    inside += "<suche>Muster</suche>"
    right = message(kind, xmeld, inside, f"{bound} {attributes('XMeld', '26.11')}")
    return Shape(files, "xmeld/26.11", right)


def xbeteiligung() -> Shape:
    """XBeteiligung: the head is qualified, the version is in the namespace without a dot."""
    own, kind = "https://www.xleitstelle.de/xbeteiligung/12", "planung.anfrage.0401"
    body = '<xs:element ref="g:nachrichtenkopf.g2g"/>' + text("plan")
    files = {
        "xbeteiligung.xsd": xsd(
            own,
            about("XBeteiligung", "1.2")
            + imported(G2G, "basis/g2g_1.1.xsd")
            + element(kind, root_type(body)),
            f'xmlns:g="{G2G}"',
            "1.2",
        ),
        "basis/g2g_1.1.xsd": xsd(G2G, element("nachrichtenkopf.g2g", head_type()), form=""),
    }
    inside = head("g") + "<plan>B 12</plan>"
    right = message(kind, own, inside, f'xmlns:g="{G2G}" {attributes("XBeteiligung", "1.2")}')
    return Shape(files, "xbeteiligung/1.2", right)


def xwasser() -> Shape:
    """XWasser: a path in the namespace, elements of its own in the head, xmldsig with a DOCTYPE."""
    own = "https://gitlab.opencode.de/akdb/xoev/xwasser/-/raw/main/V1_0_0"
    kind = "vorgang.transportieren.2010"
    inside_head = text("referenzUUID") + text("dvdvDienstkennung")
    files = {
        "xwasser.xsd": xsd(
            own,
            about("XWasser", "1.0.0")
            + imported(DSIG, "http://www.w3.org/TR/xmldsig-core/xmldsig-core-schema.xsd")
            + element(
                kind,
                root_type(
                    element("nachrichtenkopf.g2g", head_type(inside_head))
                    + '<xs:element ref="ds:Signature" minOccurs="0"/>',
                    "XWasser",
                    "1.0.0",
                ),
            ),
            f'xmlns:ds="{DSIG}"',
        ),
        "w3c/xmldsig-core-schema.xsd": xsd(
            DSIG, element("Signature", sequence(text("SignatureValue", "xs:base64Binary")))
        ).replace(
            "<xs:schema",
            '<!DOCTYPE xs:schema PUBLIC "-//W3C//DTD XMLSchema 200102//EN" '
            '"http://www.w3.org/2001/XMLSchema.dtd" [<!ENTITY % p "xs:">]>\n<xs:schema',
            1,
        ),
    }
    more = f"<referenzUUID>{UUID}</referenzUUID><dvdvDienstkennung>d</dvdvDienstkennung>"
    right = message(kind, own, head(more=more), attributes("XWasser", "1.0.0"))
    return Shape(files, "xwasser/1.0.0", right)


def xjustiz(version: str = "3.5.1", first: str = "aktenzeichen.absender") -> Shape:
    """XJustiz: no version in the namespace, several files for it, the head says the version."""
    own, kind = "http://www.xjustiz.de", "nachricht.gds.uebermittlung.0005005"
    parts = [text(first), element("auswahl_empfaenger", sequence(
        element("empfaenger.gericht", sequence(text("code")))))]  # fmt: skip
    top = (
        f"<xs:complexType><xs:sequence>{''.join(parts)}</xs:sequence>"
        f'<xs:attribute name="xjustizVersion" fixed="{version}" use="required"/></xs:complexType>'
    )
    tail = version.replace(".", "_")
    files = {
        f"xjustiz_0005_{tail}.xsd": xsd(
            own,
            about("XJustiz", version)
            + f'<xs:include schemaLocation="xjustiz_0000_{tail}.xsd"/>'
            + element(kind, sequence('<xs:element ref="t:nachrichtenkopf"/>')),
            version=version,
            form="",
        ),
        f"xjustiz_0000_{tail}.xsd": xsd(
            own, element("nachrichtenkopf", top), version=version, form=""
        ),
    }
    inside = (
        f'<nachrichtenkopf xjustizVersion="{version}"><{first}>A 1</{first}><auswahl_empfaenger>'
        "<empfaenger.gericht><code>P1109</code></empfaenger.gericht></auswahl_empfaenger>"
        "</nachrichtenkopf>"
    )
    right = f'<{kind} xmlns="{own}">{inside}</{kind}>'.encode()
    return Shape(files, f"xjustiz/{version}", right, "xjustiz", "P1109")


def xplanung() -> Shape:
    """XPlanung: GML, nothing of XÖV in it, a patch version that the namespace does not show."""
    own = "http://www.xplanung.de/xplangml/6/0"
    place = "http://schemas.opengis.net/gml/3.2.1/gml.xsd"
    feature = "<xs:complexType><xs:complexContent><xs:extension base='gml:AbstractFeatureType'>"
    feature += f"<xs:sequence>{text('name')}</xs:sequence>"
    feature += "</xs:extension></xs:complexContent></xs:complexType>"
    files = {
        "XPlanung.xsd": xsd(
            own, imported(GML, place) + element("XPlanAuszug", feature), f'xmlns:gml="{GML}"',
            "6.0.2", "",
        ),
        "gml/gml.xsd": xsd(GML, '<xs:include schemaLocation="feature.xsd"/>', form=""),
        "gml/feature.xsd": xsd(
            GML,
            '<xs:complexType name="AbstractFeatureType" abstract="true"><xs:sequence>'
            + text("identifier", more=' minOccurs="0"')
            + "</xs:sequence></xs:complexType>"
            + '<xs:element name="AbstractObject" abstract="true"/>',
            form="",
        ),
    }  # fmt: skip
    right = f'<XPlanAuszug xmlns="{own}"><name>B 12</name></XPlanAuszug>'.encode()
    return Shape(files, "xplangml/6.0", right, "", "")


def xschule() -> Shape:
    """The education standards: no head at all, the version in a step of the namespace."""
    own, kind = "http://xbildung.de/def/xschule/1.0/xsd", "wechsel.uebermittlung.0101"
    files = {
        "xschule.xsd": xsd(own, element(kind, sequence(text("schule")))),
    }
    right = message(kind, own, "<schule>Musterschule</schule>", "")
    return Shape(files, "xschule/1.0", right, "", "")


def xgewerbe() -> Shape:
    """XGewerbeordnung: several namespaces with a dot in the version, the older head."""
    own = "http://www.xgewerbeordnung.de/spezifikation/xga/1.6"
    types = "http://www.xgewerbeordnung.de/spezifikation/baukasten/1.6"
    code = sequence(text("code"))
    office = sequence(element("behoerdenkennung", sequence(
        element("praefix", code), element("kennung", code))), text("behoerdenname"))  # fmt: skip
    top = sequence(
        element("identifikation.nachricht", sequence(text("nachrichtenUUID"))),
        element("leser", office),
        element("autor", office),
    )
    kind = "alg.gewerbemeldung.0300"
    body = '<xs:element ref="b:nachrichtenkopf"/>'
    files = {
        "xga.xsd": xsd(
            own,
            about("XGewerbeordnung", "1.6")
            + imported(types, "baukasten.xsd")
            + element(kind, root_type(body)),
            f'xmlns:b="{types}"',
        ),
        "baukasten.xsd": xsd(
            types, about("XGewerbeordnung", "1.6") + element("nachrichtenkopf", top)
        ),
    }
    who = "<behoerdenkennung><praefix><code>ags</code></praefix><kennung><code>03103000</code>"
    who += "</kennung></behoerdenkennung><behoerdenname>Amt</behoerdenname>"
    inside = "<b:nachrichtenkopf><identifikation.nachricht><nachrichtenUUID>u</nachrichtenUUID>"
    inside += f"</identifikation.nachricht><leser>{who}</leser><autor>{who}</autor>"
    inside += "</b:nachrichtenkopf>"
    right = message(kind, own, inside, f'xmlns:b="{types}" {attributes("XGewerbeordnung", "1.6")}')
    return Shape(files, "xgewerbeordnung/1.6", right, "behoerde")


def shapes() -> dict[str, Shape]:
    """Return every shape by name."""
    made = (xmeld(), xbeteiligung(), xwasser(), xjustiz(), xplanung(), xschule(), xgewerbe())
    return {shape.name: shape for shape in made}


def folder(path: Path, files: Files) -> Path:
    """Write a bundle as a folder."""
    for name, content in files.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def packed(files: Files) -> bytes:
    """Return a bundle as a zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()
