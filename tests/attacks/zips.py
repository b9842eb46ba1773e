"""Hostile zip files, as bundles of schemas, as replies and as evidence."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping

from tests.attacks.poison import PLANTED, SECRET, Lure

CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
RECEIPT = "quittung.xml"


def packed(*files: tuple[str, bytes], pack: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", pack) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return made.getvalue()


def _linked(target: str) -> bytes:
    made, entry = io.BytesIO(), zipfile.ZipInfo(RECEIPT)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(entry, target)
    return made.getvalue()


def _flood(many: int) -> bytes:
    """Return a directory of so many entries, all of them for one file that is not there."""
    entry = CENTRAL.pack(b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * many
    count = min(many, 0xFFFE)
    return directory + END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), 0, 0)


def _lying(size: int) -> bytes:
    raw = bytearray(packed((RECEIPT, b"x" * 1_000_000)))
    struct.pack_into("<I", raw, 22, size)
    struct.pack_into("<I", raw, raw.index(b"PK\x01\x02") + 24, size)
    return bytes(raw)


def _flagged(flag: int, method: int = 8) -> bytes:
    raw = bytearray(packed((RECEIPT, SECRET.encode())))
    for at in (6, raw.index(b"PK\x01\x02") + 8):
        struct.pack_into("<HH", raw, at, flag, method)
    return bytes(raw)


def _schema(inside: str) -> bytes:
    return (f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x:1" '
            f'version="1.0">{inside}</xs:schema>').encode()  # fmt: skip


def _nested(depth: int) -> bytes:
    made = packed(("a.xsd", b"x"))
    for _ in range(depth):
        made = packed(("a.zip", made), ("b.zip", made))
    return made


ZIPS: Mapping[str, Callable[[Lure], bytes]] = {
    "no zip": lambda _: PLANTED[0].encode(),
    "an empty zip": lambda _: packed(),
    "half a zip": lambda _: packed((RECEIPT, b"x" * 10_000))[:-30],
    "a name that leads out": lambda _: packed(("../../../boese.xsd", b"x"), (RECEIPT, b"x")),
    "an absolute name": lambda _: packed(("/tmp/boese.xsd", b"x"), (RECEIPT, b"x")),
    "a name for a terminal": lambda _: packed((f"\x1b[2J\n{PLANTED[0]}\u202e.xsd", b"x")),
    "a link": lambda lure: _linked(lure.file.removeprefix("file://")),
    "one name twice": lambda _: packed((RECEIPT, b"<a/>"), (RECEIPT.upper(), b"<b/>")),
    "a bomb": lambda _: packed((RECEIPT, b"\x00" * 300_000_000)),
    "a bomb packed with LZMA": lambda _: packed(
        (RECEIPT, b"\x00" * 100_000_000), pack=zipfile.ZIP_LZMA
    ),
    "zips in zips": lambda _: _nested(8),
    "twenty thousand files": lambda _: packed(*[(f"{at}.xsd", b"") for at in range(20_000)]),
    "300000 entries": lambda _: _flood(300_000),
    "a size that is too small": lambda _: _lying(10),
    "a size that is too large": lambda _: _lying(0x7FFFFFFF),
    "an encrypted file": lambda _: _flagged(1),
    "an unknown packing": lambda _: _flagged(0, 77),
    "a file that is not packed": lambda _: _flagged(0, 8).replace(b"PK\x03\x04", b"PK\x03\x05", 1),
    "an external entity": lambda lure: packed((RECEIPT, _entity(lure)), ("a.xsd", _entity(lure))),
    "an import of an address": lambda lure: packed(
        ("a.xsd", _schema(f'<xs:import namespace="urn:y" schemaLocation="{lure.url}/y.xsd"/>'
                          '<xs:element name="a" type="xs:date"/>'))
    ),
    "an import of a file": lambda lure: packed(
        ("a.xsd", _schema(f'<xs:include schemaLocation="{lure.file}"/>'
                          '<xs:element name="a" type="xs:date"/>'))
    ),
    "a receipt of a thousand levels": lambda _: packed(
        (RECEIPT, b"<a>" * 1_000 + b"</a>" * 1_000)
    ),
    "a receipt of 300000 elements": lambda _: packed((RECEIPT, b"<a>" + b"<b/>" * 240_000)),
}  # fmt: skip


def _entity(lure: Lure) -> bytes:
    return (f"<!DOCTYPE a [<!ENTITY e SYSTEM '{lure.file}'><!ENTITY f SYSTEM '{lure.url}/e'>]>"
            "<a>&e;&f;</a>").encode()  # fmt: skip
