"""Taking bundles apart and putting them together again, as a forger would."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from broker.evidence.archive import Archive
from broker.journal.checkpoint import Signer
from tests.site import Site

Files = dict[str, bytes]


@dataclass(frozen=True)
class Stock:
    """A site, the ids of its request and answer, the bytes sent, and the bundle about them."""

    site: Site
    request: str
    answer: str
    body: bytes
    bundle: bytes
    signer: Signer

    @property
    def files(self) -> Files:
        """The files of the bundle, in its order."""
        return taken(self.bundle)

    def forged(self, change: Callable[[Files], None], signer: Signer | None = None) -> bytes:
        """Return the bundle changed and made whole again: archive, manifest, signature."""
        files = self.files
        change(files)
        return whole(files, signer or self.signer)


def taken(bundle: bytes) -> Files:
    """Return the files of a bundle, by the library's own reader."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Files) -> bytes:
    """Return an archive of files, the manifest as it is."""
    target = io.BytesIO()
    archive = Archive(target)
    for name, content in files.items():
        archive.add(name, content)
    archive.close()
    return target.getvalue()


def whole(files: Files, signer: Signer) -> bytes:
    """Return an archive with a manifest that fits the files, signed."""
    old = files.pop("manifest.txt").decode().split("\n")
    lines = [line for line in old[: old.index("")] if not line.startswith("file ")]
    lines += [
        f"file {hashlib.sha256(content).hexdigest()} {len(content)} {name}"
        for name, content in sorted(files.items())
    ]
    return packed(files | {"manifest.txt": signer.attest("\n".join(lines) + "\n").encode()})
