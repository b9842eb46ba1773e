"""Hostile documents: for each its bytes, and whether a header can be read in them at all.

Most are an application that would be delivered if the poison in it did not work, so that a hole
would let something through instead of failing for another reason.
"""

from __future__ import annotations

import gzip
import io
import re
import uuid
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests import messages

#: Invented; in every poisoned document, and nowhere else.
PLANTED = ("GEHEIM-1964", "Quastenflosser")
#: What the file holds that hostile documents want to read.
SECRET = "NUR-FUER-DEN-BROKER"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
BIG = 10_000_001


@dataclass(frozen=True, slots=True)
class Lure:
    """What documents name: a file that holds SECRET, and an address that nobody may ask."""

    file: str
    url: str


@dataclass(frozen=True, slots=True)
class Poison:
    """A document in the making; `taken` says whether its header can be read."""

    make: Callable[[Lure], bytes]
    taken: bool = False


def application(key: str = "bab:03103000") -> str:
    """Return a valid application of an invented person with the planted names."""
    text = messages.request(key=key).decode()
    return text.replace("Beispielmann", PLANTED[0]).replace("Tilda", PLANTED[1])


def _body(extra: str = "", **swap: str) -> str:
    """Return the application with `extra` before its end; `swap` replaces texts of elements."""
    text = application()
    for name, value in swap.items():
        parts = re.split(rf"(?<=<{name}>)[^<]*(?=</{name}>)", text)
        text = value.join(parts)
    text = text.replace("%id%", uuid.uuid4().hex)
    end = text.rindex("</")
    return text[:end] + extra + text[end:]


def _typed(inside: str, text: str = "&e;") -> bytes:
    """Return the application behind a DOCTYPE, with `text` where the procedure would show it."""
    root = "xbau:baugenehmigung.antrag.0200"
    whole = _body(ort=text).replace("Neubau", text + "Neubau")
    return whole.replace("?>", f"?><!DOCTYPE {root} {inside}>", 1).encode()


def _said(text: str) -> Poison:
    """Return poison that never changes."""
    return Poison(lambda _: text.encode())


def _free(extra: str = "", **swap: str) -> Poison:
    """Return poison with a readable header."""
    return Poison(lambda _: _body(extra, **swap).encode(), taken=True)


def _declared(encoding: str, codec: str, mark: bytes = b"") -> Poison:
    def make(_: Lure) -> bytes:
        declaration = f"encoding='{encoding}'" if encoding else ""
        text = _body().replace(HEAD, f"<?xml version='1.0' {declaration}?>")
        return mark + text.encode(codec, "xmlcharrefreplace")

    return Poison(make)


def _put(old: str, new: bytes) -> Poison:
    return Poison(lambda _: _body().encode().replace(old.encode(), new, 1))


def _laughs(text: str = "&e9;") -> bytes:
    entities = "".join(
        f"<!ENTITY e{i} '{f'&e{i - 1};' * 10 if i else 'GEHEIM-1964'}'>" for i in range(10)
    )
    return _typed(f"[{entities}]", text)


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def _wide(many: int, what: str = "a{0}='GEHEIM-1964' ") -> str:
    return "<x " + "".join(what.format(at) for at in range(many)) + "/>"


_XI = "<x:include xmlns:x='http://www.w3.org/2001/XInclude' href='{}' parse='text'/>"
_SHEET = "?><?xml-stylesheet href='{}/s.xsl'?>"
_NONE = "noNamespaceSchemaLocation"
_XSI = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"


def _located(lure: Lure) -> bytes:
    hint = f"{_XSI} xsi:schemaLocation='http://www.xleitstelle.de/xbau/2/6 {lure.url}/x.xsd {{}}'"
    return (
        _body().replace(" produkt=", f" {hint.format('urn:y ' + lure.file)} produkt=", 1).encode()
    )


ENTITIES: Mapping[str, Poison] = {
    "an external entity, file": Poison(lambda lure: _typed(f"[<!ENTITY e SYSTEM '{lure.file}'>]")),
    "an external entity, http": Poison(lambda lure: _typed(f"[<!ENTITY e SYSTEM '{lure.url}/x'>]")),
    "an external entity in UTF-16": Poison(
        lambda lure: _typed(f"[<!ENTITY e SYSTEM '{lure.file}'>]")
        .decode().replace("UTF-8", "UTF-16").encode("utf-16")
    ),
    "an internal entity": Poison(lambda _: _typed("[<!ENTITY e 'GEHEIM-1964'>]")),
    "a parameter entity": Poison(
        lambda lure: _typed(f"[<!ENTITY % p SYSTEM '{lure.url}/p'> %p;]", "")
    ),
    "an external DTD": Poison(lambda lure: _typed(f"SYSTEM '{lure.url}/x.dtd'", "")),
    "a public DTD": Poison(lambda lure: _typed(f"PUBLIC 'x' '{lure.file}'", "")),
    "a default attribute": Poison(
        lambda _: _typed("[<!ATTLIST nachrichtenUUID b CDATA 'GEHEIM-1964'>]", "")
    ),
    "a fixed namespace": Poison(
        lambda _: _typed("[<!ATTLIST ort xmlns CDATA #FIXED 'urn:x'>]", "")
    ),
    "a bare DOCTYPE": Poison(lambda _: _typed("", "")),
    "a billion laughs": Poison(lambda _: _laughs()),
    "a billion laughs in an attribute": Poison(
        lambda _: _laughs("").replace(b" produkt=\"", b" produkt=\"&e9;", 1)
    ),
    "quadratic entities": Poison(
        lambda _: _typed(f"[<!ENTITY e '{'x' * 40_000}'>]", "&e;" * 180)
    ),
    "an entity that names itself": Poison(lambda _: _typed("[<!ENTITY e '&e;'>]")),
    "an undeclared entity": Poison(lambda _: _body(ort="&GEHEIM-1964;").encode()),
}  # fmt: skip

SIZES: Mapping[str, Poison] = {
    "depth 101": Poison(lambda _: _body("<a>" * 101 + "</a>" * 101).encode()),
    "depth 100000": Poison(lambda _: _body("<a>" * 100_000 + "</a>" * 100_000).encode()),
    "an open end of depth": Poison(lambda _: _body().encode() + b"<a>" * 100_000),
    "65 attributes": Poison(lambda _: _body(_wide(65)).encode()),
    "200000 attributes": Poison(lambda _: _body(_wide(200_000)).encode()),
    "100000 namespaces": Poison(
        lambda _: _body(_wide(100_000, "xmlns:n{0}='urn:{0}' ")).encode(), True
    ),
    "2001 names": Poison(
        lambda _: _body("".join(f"<n{i}/>" for i in range(2_001))).encode()
    ),
    "1.2 million elements": Poison(lambda _: _body("<e/>" * 1_200_000).encode()),
    "a long text": Poison(lambda _: _body(f"<x>{'x' * BIG}</x>").encode(), True),
    "a long attribute": Poison(lambda _: _body(f"<x y='{'x' * BIG}'/>").encode(), True),
    "a long comment": Poison(lambda _: _body(f"<!--{'x' * BIG}-->").encode(), True),
    "a long instruction": Poison(lambda _: _body(f"<?x {'x' * BIG}?>").encode(), True),
    "a long name": Poison(lambda _: _body(f"<{'x' * 60_000}/>").encode()),
    "a long namespace": Poison(lambda _: _body(f"<x xmlns='{'u' * BIG}'/>").encode(), True),
    "many errors": _free("<GEHEIM-1964 a=''>Quastenflosser</GEHEIM-1964>" * 40_000),
    "many values that break their rules": _free("<datum>GEHEIM-1964</datum>" * 30_000),
}  # fmt: skip

BYTES: Mapping[str, Poison] = {
    "nothing": _said(""),
    "white space": _said(" \n" * 1_000),
    "no XML": _said("GEHEIM-1964"),
    "JSON": _said('{"name": "GEHEIM-1964"}'),
    "HTML": _said("<!doctype html><title>GEHEIM-1964</title><br>"),
    "half a message": Poison(lambda _: _body().encode()[:2_000]),
    "two messages": Poison(lambda _: (_body() + application().replace(HEAD, "")).encode()),
    "a declaration that comes late": Poison(lambda _: b" " + _body().encode()),
    "UTF-7": _declared("UTF-7", "utf-7"),
    "UTF-16": _declared("UTF-16", "utf-16"),
    "UTF-16 without a mark": _declared("", "utf-16-le"),
    "UTF-32": _declared("UTF-32", "utf-32"),
    "EBCDIC": _declared("cp037", "cp037"),
    "ISO-8859-1 declared": _declared("ISO-8859-1", "utf-8"),
    "a mark and another declaration": _declared("windows-1252", "utf-8", b"\xef\xbb\xbf"),
    "an unknown encoding": _declared("GEHEIM-1964", "utf-8"),
    "XML 1.1": Poison(lambda _: _body().replace('version="1.0"', 'version="1.1"', 1).encode()),
    "NUL": _put("Neubau", b"\x00"),
    "invalid UTF-8": _put("Neubau", b"\xff\xfe"),
    "overlong UTF-8": _put("Neubau", b"\xc0\xaf"),
    "a surrogate": _put("Neubau", b"\xed\xa0\x80"),
    "ESC": _put("Neubau", b"\x1b[2J"),
    "a reference to ESC": _put("Neubau", b"&#27;[2J"),
    "a reference to NUL": _put("Neubau", b"&#0;"),
    "gzip": Poison(lambda _: gzip.compress(_body().encode())),
    "a gzip bomb": Poison(lambda _: gzip.compress(b"<a>" + b"x" * 50_000_000 + b"</a>")),
    "deflate": Poison(lambda _: zlib.compress(_body().encode())),
    "a zip": Poison(lambda _: _zip("antrag.xml", _body().encode())),
    "a zip bomb": Poison(lambda _: _zip("quittung.xml", b"x" * 50_000_000)),
    "the same attribute twice": Poison(
        lambda _: _body("<x GEHEIM-1964='1' GEHEIM-1964='2'/>").encode()
    ),
    "a prefix that nobody declared": Poison(lambda _: _body("<GEHEIM-1964:x/>").encode()),
}  # fmt: skip

VALUES: Mapping[str, Poison] = {
    "XInclude of a file": Poison(
        lambda lure: _body().replace("Neubau", _XI.format(lure.file), 1).encode(),
        taken=True,
    ),
    "XInclude of an address": Poison(lambda lure: _body(_XI.format(lure.url)).encode(), taken=True),
    "schemaLocation": Poison(_located, taken=True),
    "noNamespaceSchemaLocation": Poison(
        lambda lure: _body(f"<x {_XSI} xsi:{_NONE}='{lure.url}/n.xsd'/>").encode(),
        taken=True,
    ),
    "a stylesheet of its own": Poison(
        lambda lure: _body().replace("?>", _SHEET.format(lure.url), 1).encode(),
        taken=True,
    ),
    "a comment in the id": _free(
        nachrichtenUUID="%id%-<!-- -->8a1b"
    ),
    "an instruction in the key": _free(kennung="bab:0310<?x GEHEIM-1964?>3000"),
    "an id of a megabyte": Poison(lambda _: _body(nachrichtenUUID="9" * 1_000_000).encode()),
    "an id of control characters": _free(nachrichtenUUID="%id%&#10;&#13;&#9;\u0085\u009b2J\u202eb"),
    "an id that is a path": _free(nachrichtenUUID="../../../../etc/%id%"),
    "an id that is SQL": _free(nachrichtenUUID="%id%'; DROP TABLE messages; --"),
    "no id": _free(nachrichtenUUID=""),
    "a case of a megabyte": _free(referenzAntragsservice="9" * 1_000_000),
    "a case that is a path": _free(referenzAntragsservice="../../.ssh/authorized_keys"),
    "a key with control characters": _free(kennung="bab:03103000\u0085\u009b\u202e"),
    "a key that is an expression": _free(kennung="' or '1'='1"),
    "a key of a megabyte": Poison(lambda _: _body(kennung="9" * 1_000_000).encode()),
    "a version of its own": Poison(
        lambda _: _body().replace('version="2.6"', 'version="../../2.6"').encode(), taken=True
    ),
    "an unknown standard": Poison(
        lambda _: _body().replace("xleitstelle.de/xbau/2/6", "example.org/GEHEIM").encode(), True
    ),
    "an unknown kind": Poison(
        lambda _: _body().replace("antrag.0200", "erfunden.0200").encode(), taken=True
    ),
    "8-bit control sequences": _free(ort="\u009b2J\u0085\u2028\u2029\u202e&#13;"),
    "a formula": _free(ort="=cmd|' /C calc'!A0"),
    "markup as text": _free(ort="&lt;/Ort&gt;&lt;script&gt;alert(1)&lt;/script&gt;]]&gt;"),
    "a template": _free(ort="${jndi:ldap://127.0.0.1/a} {{7*7}} %s%n {0} $(id) `id`"),
    "a DOCTYPE in CDATA": _free(ort="<![CDATA[<!DOCTYPE a [<!ENTITY e 'x'>]>&e;]]>"),
    "a value of a megabyte": _free(ort="x" * 1_000_000),
    "a thousand applicants": _free("<xbau:antragsteller><a/></xbau:antragsteller>" * 1_000),
    "base64 that is none": _free("<inhalt>=GEHEIM-1964=\u00e4</inhalt>"),
    "a signature around nothing": _free(
        "<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'><SignedInfo/></Signature>"
    ),
}  # fmt: skip

POISON: Mapping[str, Poison] = {**ENTITIES, **SIZES, **BYTES, **VALUES}
