"""Braunschweig, records: xdomea 3.1.0 and zip files for a document management system."""

import io
import zipfile
import zlib
from typing import ClassVar

from broker import Adapter, ConversionFailed, Document, Facts, Step, Stylesheet, parse

LARGEST = 1_000_000  # bytes of a receipt once it is unpacked
ENTRIES = 1_000  # files in the zip file of a receipt
ENTRY = b"PK\x01\x02"  # each of them begins so in the directory
BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError)


class Receipt(Step):
    """Take `quittung.xml` out of the zip file that the system answers with."""

    def run(self, matter, facts):
        """Return the tree of the receipt."""
        return self.read(matter)

    def read(self, data):
        """Return the tree of the receipt, here also asked for the reference."""
        # zipfile reads the whole directory at once, whatever the count at its end says.
        if data.count(ENTRY) > ENTRIES:
            raise ConversionFailed(f"the zip file holds more than {ENTRIES} files")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("quittung.xml") as file:
                content = file.read(LARGEST + 1)
        except KeyError:
            raise ConversionFailed("the zip file holds no quittung.xml") from None
        except BROKEN:
            raise ConversionFailed("the reply is not a zip file that can be read") from None
        if len(content) > LARGEST:
            raise ConversionFailed(f"quittung.xml is larger than {LARGEST} bytes")
        return parse(content).root


class Akte(Adapter):
    accepts = ("xdomea/3.1.0",)
    prefixes: ClassVar = {"xdomea": "urn:xoev-de:xdomea:schema:3.1.0"}
    requires = ("xdomea:Schriftgutobjekt//xdomea:AllgemeineMetadaten/xdomea:Betreff",)
    reference = "Referenz"
    number = "Aktenzeichen"
    suffix = ".zip"

    auftrag = Stylesheet("auftrag.xsl", mandant="BS")

    to_xoev = Receipt() | Stylesheet("to_xoev.xsl")

    def to_legacy(self, source: Document, facts: Facts) -> bytes:
        """Pack the order and the unchanged message; the same message gives the same bytes."""
        files = {"auftrag.xml": self.auftrag(source, facts), "xdomea.xml": source.raw}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for name, content in files.items():
                archive.writestr(entry(name), content)
        return packed.getvalue()


def entry(name):
    """Return a directory entry without clock and machine: fixed time, fixed rights."""
    made = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    made.create_system = 3
    made.external_attr = 0o644 << 16
    return made
