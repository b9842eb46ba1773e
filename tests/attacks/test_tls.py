"""What no decent client does with TLS: nobody comes in by it, and nobody is held up."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import needs
from tests.attacks.conftest import Survived
from tests.attacks.fort import SHOWN, TOKEN, Fort, portal
from tests.attacks.poison import PLANTED
from tests.certificates import Authority

SECRETIVE = PLANTED[0].encode()
PATIENCE = 20
#: Seconds without a word after which nothing more is waited for.
IDLE = 0.5
GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = (b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/xml\r\n"
        b"Authorization: Bearer " + TOKEN.encode() + b"\r\nContent-Length: %d\r\n\r\n")  # fmt: skip
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
Files = tuple[Path, Path]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def keep(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fort]:
    """A broker that speaks TLS only, with those only who show a certificate."""
    built = Fort(tmp_path_factory.mktemp("keep"), authority=authority)
    try:
        built.start()
        yield built
    finally:
        built.close()


@contextmanager
def connected(fort: Fort) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", fort.node.port), timeout=PATIENCE) as connection:
        yield connection


def hello(name: str = "localhost") -> bytes:
    """Return the first words of a client that means it well."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    talk = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        talk.do_handshake()
    return outgoing.read()


def record(kind: int, data: bytes, version: bytes = b"\x03\x03") -> bytes:
    """Return a record of TLS."""
    return bytes([kind]) + version + struct.pack("!H", len(data)) + data


ALERT, HANDSHAKE, DATA, CHANGE, HEARTBEAT = 21, 22, 23, 20, 24
_HELLO = hello()
#: A ClientHello that says it has 16 MB.
_LONG = record(HANDSHAKE, b"\x01\xff\xff\xff\x03\x03" + b"\x00" * 16_000)

#: What is said instead of a handshake.
WORDS: Mapping[str, bytes] = {
    "nothing": b"",
    "HTTP": POST % 4 + b"<a/>",
    "no protocol": SECRETIVE * 1_000,
    "zeros": b"\x00" * 100_000,
    "a record of no kind": record(0, SECRETIVE),
    "a record of no version": record(HANDSHAKE, _HELLO[5:], b"\xff\xff"),
    "a record that is too long": b"\x16\x03\x03\xff\xff" + b"\x00" * 70_000,
    "half a record": _HELLO[:60],
    "a length alone": _HELLO[:5],
    "a hello that is cut": record(HANDSHAKE, _HELLO[5:100]),
    "a hello with a wrong length inside": _HELLO[:6] + b"\x00\x00\x01" + _HELLO[9:],
    "a hello of noise": record(HANDSHAKE, b"\x01\x00\x01\x00\x03\x03" + bytes(range(254))),
    "a hello in SSL 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x01" * 37,
    "a hello of SSL 3": record(HANDSHAKE, b"\x01\x00\x00\x2d\x03\x00" + b"\x00" * 43, b"\x03\x00"),
    "a hello of DTLS": b"\x16\xfe\xfd" + b"\x00" * 200,
    "a hello of 16 MB": _LONG + record(HANDSHAKE, b"\x00" * 16_000) * 200,
    "two hellos": _HELLO * 2,
    "a thousand hellos": _HELLO * 1_000,
    "data before the handshake": record(DATA, GET),
    "data behind the hello": _HELLO + record(DATA, GET),
    "a heartbeat that asks for more": _HELLO + record(HEARTBEAT, b"\x01\x40\x00"),
    "a change of ciphers too early": _HELLO + record(CHANGE, b"\x01") * 1_000,
    "a flood of warnings": record(ALERT, b"\x01\x00") * 10_000,
    "a flood of warnings behind the hello": _HELLO + record(ALERT, b"\x01\x00") * 10_000,
    "a flood of empty records": _HELLO + record(HANDSHAKE, b"") * 10_000,
    "a hello in records of one byte": b"".join(
        record(HANDSHAKE, bytes([one])) for one in _HELLO[5:]
    ),
    "a name of 250 letters": hello(".".join(["x" * 62] * 4)[:250]),
}  # fmt: skip


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_what_is_no_handshake_is_cut_off(keep: Fort, survived: Survived, words: bytes) -> None:
    with connected(keep) as connection:
        with suppress(OSError):
            connection.sendall(words)
        connection.settimeout(IDLE)
        said = rest(connection)

    assert not _STATUS.search(said)
    assert not [word for word in SHOWN if word in said]
    over(keep, survived)


def rest(connection: socket.socket) -> bytes:
    found = bytearray()
    with suppress(OSError):
        while piece := connection.recv(65_536):
            found += piece
    return bytes(found)


def over(fort: Fort, survived: Survived) -> None:
    survived(fort, "TLS")


def told(fort: Fort, context: ssl.SSLContext, data: bytes = GET) -> list[int]:
    """Shake hands and ask; return the status of every answer, none where nobody is let in."""
    with connected(fort) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                connection.sendall(data)
                return [int(status) for status in _STATUS.findall(rest(connection))]
        except OSError:
            return []


def old(authority: Authority) -> ssl.SSLContext:
    context = portal(authority)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def weak(authority: Authority) -> ssl.SSLContext:
    context = portal(authority, newest=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE+AES:!AESGCM:!AESCCM")
    return context


def unsafe(authority: Authority) -> ssl.SSLContext:
    context = portal(authority, newest=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES128-GCM-SHA256")
    return context


def anonymous(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


def shown(files: Callable[[Authority, Path], Files]) -> Callable[[Authority], ssl.SSLContext]:
    """Return who shows a certificate that the broker should not take."""

    def context(authority: Authority) -> ssl.SSLContext:
        folder = authority.folder / files.__name__
        folder.mkdir(exist_ok=True)
        made = anonymous(authority)
        made.load_cert_chain(*files(authority, folder))
        return made

    return context


def foreign(_own: Authority, folder: Path) -> Files:
    return Authority(folder, "foreign").issue("portal")


def namesake(_own: Authority, folder: Path) -> Files:
    """An authority that bears the name of the right one."""
    return Authority(folder).issue("portal")


def ended(own: Authority, _folder: Path) -> Files:
    return own.issue("ended", days=-1)


def alone(_own: Authority, folder: Path) -> Files:
    return written(folder, made())


def large(_own: Authority, folder: Path) -> Files:
    """A certificate of two hundred kilobytes: more than any chain may have."""
    return written(folder, made(x509.DNSName(f"{at}.stadt.example") for at in range(9_000)))


def chained(own: Authority, folder: Path) -> Files:
    """A good certificate with hundreds of others behind it."""
    certificate, key = own.issue("chained")
    chain = folder / "chain.pem"
    chain.write_bytes(certificate.read_bytes() + own.file.read_bytes() * 300)
    return chain, key


def made(names: Iterable[x509.GeneralName] = ()) -> tuple[x509.Certificate, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "portal")])
    begin = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(),
                                      begin, begin + timedelta(days=90))  # fmt: skip
    others = x509.SubjectAlternativeName([x509.DNSName("portal"), *names])
    return builder.add_extension(others, critical=False).sign(key, hashes.SHA256()), key


def written(folder: Path, pair: tuple[x509.Certificate, Any]) -> Files:
    certificate, key = folder / "own.pem", folder / "own.key"
    pem = serialization.Encoding.PEM
    certificate.write_bytes(pair[0].public_bytes(pem))
    key.touch(mode=0o600)
    form = serialization.PrivateFormat.PKCS8
    key.write_bytes(pair[1].private_bytes(pem, form, serialization.NoEncryption()))
    return certificate, key


#: Whom the broker does not let in.
STRANGERS: Mapping[str, Callable[[Authority], ssl.SSLContext]] = {
    "TLS 1.1": old,
    "no authenticated encryption": weak,
    "no forward secrecy": unsafe,
    "no certificate": anonymous,
    "a certificate of a foreign authority": shown(foreign),
    "a certificate of an authority of the same name": shown(namesake),
    "a certificate that has ended": shown(ended),
    "a certificate that signed itself": shown(alone),
    "a certificate of 200 kB": shown(large),
    "a chain of 300": shown(chained),
}


def test_a_decent_client_is_let_in(keep: Fort, authority: Authority) -> None:
    assert told(keep, portal(authority)) == [200]
    assert told(keep, portal(authority, newest=ssl.TLSVersion.TLSv1_2)) == [200]


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_is_not_let_in(
    keep: Fort,
    survived: Survived,
    authority: Authority,
    stranger: Callable[[Authority], ssl.SSLContext],
) -> None:
    assert told(keep, stranger(authority)) == []
    over(keep, survived)


def test_nobody_negotiates_anew(keep: Fort, survived: Survived, authority: Authority) -> None:
    program = shutil.which("openssl")
    needs.server("openssl", program is not None, "apt install openssl")
    certificate, key = authority.issue("anew")
    done = subprocess.run(
        [str(program), "s_client", "-connect", f"127.0.0.1:{keep.node.port}", "-tls1_2",
         "-cert", str(certificate), "-key", str(key), "-CAfile", str(authority.file)],
        input=b"R\n", capture_output=True, timeout=60, check=False,
    )  # fmt: skip

    assert b"RENEGOTIATING" in done.stderr
    assert b"no renegotiation" in done.stderr
    over(keep, survived)


def test_a_record_that_was_changed_on_the_way_ends_the_connection(
    keep: Fort, survived: Survived, authority: Authority
) -> None:
    with connected(keep) as plain:
        connection = portal(authority).wrap_socket(plain, server_hostname="localhost")
        with socket.socket(fileno=connection.detach()) as below:
            below.settimeout(PATIENCE)
            below.sendall(record(DATA, SECRETIVE * 10))
            said = rest(below)

    assert not _STATUS.search(said)
    over(keep, survived)


def test_a_message_whose_connection_is_cut_is_not_taken(
    keep: Fort, survived: Survived, authority: Authority
) -> None:
    with connected(keep) as plain:
        connection = portal(authority).wrap_socket(plain, server_hostname="localhost")
        connection.sendall(POST % 1_000 + b"<")
        # The end of TCP, and no word of TLS that this is the end.
        connection.shutdown(socket.SHUT_WR)
        with connection:
            assert 202 not in [int(status) for status in _STATUS.findall(rest(connection))]

    over(keep, survived)


def test_handshakes_that_never_begin_hold_up_nobody(keep: Fort, survived: Survived) -> None:
    with ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(connected(keep))
        over(keep, survived)


def test_handshakes_that_never_end_hold_up_nobody(keep: Fort, survived: Survived) -> None:
    with ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(connected(keep)).sendall(_HELLO)
        over(keep, survived)


def test_handshakes_that_come_byte_by_byte_hold_up_nobody(keep: Fort, survived: Survived) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(keep)) for _ in range(50)]
        for at in range(60):
            for connection in slow:
                connection.sendall(_HELLO[at : at + 1])
        over(keep, survived)


def test_handshakes_that_break_in_the_middle_are_forgotten(keep: Fort, survived: Survived) -> None:
    for _ in range(200):
        with connected(keep) as connection:
            connection.sendall(_HELLO)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    over(keep, survived)


def test_a_flood_of_handshakes_takes_no_more_than_there_is_room_for(
    keep: Fort, survived: Survived
) -> None:
    with ExitStack() as stack:
        for _ in range(3_000):
            with suppress(OSError):
                stack.enter_context(connected(keep)).sendall(_HELLO)
        over(keep, survived)

    assert keep.memory() < 500
    assert len(os.listdir(f"/proc/{keep.node.pid}/fd")) < 1_000
