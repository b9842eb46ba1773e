"""A real time stamp authority (RFC 3161) on loopback: `openssl ts` behind a small HTTP server."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests import needs
from tests.servers.http import Request, Server, answer

_CONFIG = """\
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/chain.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
_REMEDY = "install openssl"


@dataclass(frozen=True)
class Tsa:
    """Where it answers, and the PEM file of the root that it is under."""

    folder: Path
    server: Server

    @property
    def url(self) -> str:
        """The address to ask."""
        return self.server.address

    @property
    def ca(self) -> Path:
        """The certificate of the root."""
        return self.folder / "ca.pem"

    def reply(self, query: bytes) -> bytes:
        """Return the answer to a request."""
        asked = self.folder / "query.tsq"
        asked.write_bytes(query)
        done = subprocess.run(
            ["openssl", "ts", "-reply", "-config", self.folder / "tsa.cnf", "-queryfile", asked],
            capture_output=True, check=True,
        )  # fmt: skip
        return done.stdout


@contextmanager
def authority(folder: Path) -> Iterator[Tsa]:
    """Run one until the end of the block; skip where openssl is missing."""
    needs.server("openssl", shutil.which("openssl") is not None, _REMEDY)
    folder.mkdir()
    _certificates(folder)
    (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    with Server(answer(500)) as server:
        tsa = Tsa(folder, server)

        def script(request: Request, connection: socket.socket) -> bool:
            kind = {"Content_Type": "application/timestamp-reply"}
            return answer(200, tsa.reply(request.body), **kind)(request, connection)

        server.script = script
        yield tsa


def _certificates(folder: Path) -> None:
    """Make a root, an authority below it, and a signer below that, as real ones are."""
    root, middle, signer = (rsa.generate_private_key(65537, 2048) for _ in range(3))
    ca = _certificate("Wurzel", "Wurzel", root, root, _CA)
    below = _certificate("Zwischenstelle", "Wurzel", middle, root, _CA)
    leaf = _certificate("Zeitstempel", "Zwischenstelle", signer, middle, _STAMPS)
    pem = [one.public_bytes(Encoding.PEM) for one in (ca, below, leaf)]
    (folder / "ca.pem").write_bytes(pem[0])
    (folder / "chain.pem").write_bytes(pem[1])
    (folder / "tsa.pem").write_bytes(pem[2])
    key = signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tsa.key").write_bytes(key)


_CA = x509.BasicConstraints(ca=True, path_length=None)
_STAMPS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])


def _certificate(
    name: str,
    issuer: str,
    key: rsa.RSAPrivateKey,
    by: CertificateIssuerPrivateKeyTypes,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
    today = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(extension, critical=True)
        .sign(by, hashes.SHA256())
    )
