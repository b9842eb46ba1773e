#!/usr/bin/env python3
"""Check an evidence bundle of xoev-broker, without xoev-broker and without trusting its operator.

    python3 verify_evidence.py BUNDLE.zip [--key KEY] [--witness KEY] [--authority PEM] [--json]

Needed are Python 3.11 and the package `cryptography`, nothing else. Give the operator's key as you
got it elsewhere (a line or a file with it): without it, the key inside the bundle is used, and only
shows that the bundle fits itself. Exit code 0: all that can be checked holds; 1: something does
not; 2: wrong usage. The formats are described byte by byte in docs/explanation/evidence.md.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TITLE = "xoev-broker evidence 1"
SIGNATURE = re.compile("— ([^ +]+) ([A-Za-z0-9+/]+=*)")
LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
#: DER of the object identifiers that a time stamp needs, without tag and length.
TST_INFO, DIGEST = bytes.fromhex("2a864886f70d0109100104"), bytes.fromhex("2a864886f70d010904")
HASHES = {bytes.fromhex("6086480165030402") + bytes([last]): kind for last, kind in
          ((1, hashes.SHA256()), (2, hashes.SHA384()), (3, hashes.SHA512()))}  # fmt: skip
#: RSA with PKCS #1, alone or with SHA-2; ECDSA with SHA-2.
SIGNATURES = (*(bytes.fromhex(f"2a864886f70d0101{one}") for one in ("01", "0b", "0c", "0d")),
              bytes.fromhex("2a8648ce3d0403"))  # fmt: skip
USES, STAMPS = x509.ExtendedKeyUsage.oid, x509.ObjectIdentifier("1.3.6.1.5.5.7.3.8")
PKCS1 = padding.PKCS1v15()
SHA1 = hashes.SHA1()  # noqa: S303 - only names a certificate, the signature is not made of it
#: So many authorities may stand between a time stamp and one that is trusted.
DEPTH = 4
FORMS = {"original": "accepted", "converted": "converted"}
#: Events that are told, and what is told of them.
EVENTS = ("accepted", "validated", "delivered", "rejected", "closed", "settled", "erased", "opened")
FACTS = ("party", "size", "route", "artefact", "artefact_digest", "receipt", "rule", "reason")


class Broken(Exception):
    """Something cannot be read; the text says what and where."""


class Findings(list[tuple[str, str, str]]):
    """What was found: (holds, fails or open; the place; words)."""

    def say(self, verdict: str, place: str, words: str) -> None:
        self.append((verdict, place, words))

    @property
    def good(self) -> bool:
        return not any(verdict == "fails" for verdict, _, _ in self)


@dataclass(frozen=True)
class Key:
    """A public key as a line `name+id+base64`; `kind` 1 signs notes, 4 countersigns them."""

    name: str
    id: bytes
    kind: int
    raw: bytes

    @classmethod
    def read(cls, line: str) -> Key:
        """Read the line; raise Broken where it is none."""
        try:
            name, id, data = line.strip().split("+", 2)
            blob = base64.b64decode(data, validate=True)
        except (ValueError, binascii.Error) as error:
            raise Broken("this is no key; a key is one line: name+id+base64") from error
        key = cls(name, hashlib.sha256(f"{name}\n".encode() + blob).digest()[:4], blob[0], blob[1:])
        if key.id.hex() != id or len(key.raw) != 32:
            raise Broken(f"the key {name} was changed: its id does not fit its bytes")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}"

    def signed(self, body: bytes, blob: bytes) -> bool:
        """Return whether the signature (id and what follows) is this key's, over this body."""
        text, signature = body, blob[4:]
        if self.kind == 4:
            time, signature = int.from_bytes(blob[4:12]), blob[12:]
            text = f"cosignature/v1\ntime {time}\n".encode() + body
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return blob[:4] == self.id


@dataclass(frozen=True)
class Note:
    """A signed text: its body with the last newline, and (name, blob) of every signature."""

    body: bytes
    signatures: list[tuple[str, bytes]]

    @classmethod
    def read(cls, data: bytes, place: str) -> Note:
        """Read a signed note; raise Broken where it is none."""
        body, _, tail = data.rpartition(b"\n\n")
        found = [SIGNATURE.fullmatch(line) for line in tail.decode("utf-8", "replace").split("\n")]
        signatures = [(one[1], base64.b64decode(one[2])) for one in found[:-1] if one]
        if not signatures or len(signatures) != len(found) - 1 or not tail.endswith(b"\n"):
            raise Broken(f"{place}: is missing, or no signed text")
        return cls(body + b"\n", signatures)


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the files of the archive; every byte of it must be as the format says."""
    files: dict[str, bytes] = {}
    at, directory = 0, b""
    while data[at : at + 4] == b"PK\x03\x04" and len(data) >= at + LOCAL.size:
        checksum, _, size, width = LOCAL.unpack_from(data, at)[6:10]
        start, sizes = at + LOCAL.size + width, (33, checksum, size, size, width, 0)
        name, content = data[at + LOCAL.size : start], data[start : start + size]
        head, label = LOCAL.pack(b"PK\3\4", 20, 0, 0, 0, *sizes), name.decode("ascii", "replace")
        if len(content) != size or data[at:start] != head + name:
            raise Broken(f"byte {at}: the archive's head of {label!r} was changed or is cut off")
        if label in files or zlib.crc32(content) != checksum:
            raise Broken(f"{label}: bytes {start} to {start + size}, or the checksum before them, "
                         "are not those that were packed")  # fmt: skip
        files[label] = content
        directory += CENTRAL.pack(b"PK\1\2", 20, 20, 0, 0, 0, *sizes, 0, 0, 0, 0, at) + name
        at = start + size
    directory += END.pack(b"PK\5\6", 0, 0, len(files), len(files), len(directory), at, 0)
    for offset, (one, other) in enumerate(zip(data[at:], directory, strict=False)):
        if one != other:
            raise Broken(f"byte {at + offset}: the directory of the archive was changed")
    if len(data) != at + len(directory):
        raise Broken(f"byte {len(data)}: the archive is cut off, or something was appended")
    return files


def manifest(files: dict[str, bytes], out: Findings) -> Note:
    """Hold every file against the manifest."""
    note = Note.read(files.get("manifest.txt", b""), "manifest.txt")
    title, *lines = note.body.decode("utf-8", "replace").split("\n")
    if title != TITLE:
        raise Broken(f"manifest.txt: its first line is not {TITLE!r}; is there a newer program?")
    parts = (line.split(" ") for line in lines if line.startswith("file "))
    listed = {name: f"{digest} {size}" for _, digest, size, name in parts}
    for name in sorted(listed.keys() | files.keys() - {"manifest.txt"}):
        found = files.get(name)
        if found is None:
            out.say("fails", name, "is missing: the manifest lists it")
        elif name not in listed:
            out.say("fails", name, "was added: the manifest does not list it")
        elif listed[name] != f"{hashlib.sha256(found).hexdigest()} {len(found)}":
            out.say("fails", name, "was changed: its bytes are not those that the manifest lists")
    if out.good:
        out.say("holds", "manifest.txt", f"all {len(listed)} files are those of the manifest")
    return note


def signatures(note: Note, place: str, keys: list[Key], out: Findings) -> None:
    """Say which signatures hold and which keys are missing; the first key must have signed."""
    known = {f"{key}": key for key in keys}
    signers = {f"{name}+{blob[:4].hex()}": blob for name, blob in note.signatures}
    for signer, blob in signers.items():
        if signer not in known:
            words = f"also carries a signature of {signer}, whose key you did not give; not checked"
            out.say("open", place, words)
        elif known[signer].signed(note.body, blob):
            word = "countersigned" if known[signer].kind == 4 else "signed"
            out.say("holds", place, f"{word} by {signer}")
        else:
            out.say("fails", place, f"the signature of {signer} does not fit the text")
    if f"{keys[0]}" not in signers:
        words = (
            f"is not signed by {keys[0]} but by {', '.join(signers)}, whose key is missing. The "
            "lines below still show that the parts fit each other, not who made them"
        )
        out.say("fails", place, words)


@dataclass(frozen=True)
class Entry:
    """One entry of the journal."""

    index: int
    message: str
    time: str
    event: str
    actor: str
    facts: dict[str, str]


def decode(body: bytes, index: int, place: str) -> Entry:
    """Read the canonical bytes of version 1."""
    if body[:1] != b"\x01":
        raise Broken(f"{place}: is no entry of version 1")
    fields, at = [], 1
    while at < len(body):
        end = at + 4 + int.from_bytes(body[at : at + 4])
        if end > len(body) or at + 4 > len(body):
            raise Broken(f"{place}: the entry is cut off at byte {at}")
        fields.append(body[at + 4 : end].decode("utf-8", "replace"))
        at = end
    if len(fields) < 4 or len(fields) % 2:
        raise Broken(f"{place}: the entry has a wrong number of fields")
    facts = dict(zip(fields[4::2], fields[5::2], strict=True))
    return Entry(index, fields[0], fields[1], fields[2], fields[3], facts)


def included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Return whether the path leads from the leaf to the root (RFC 9162, 2.1.3.2)."""
    if index >= size:
        return False
    node, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = hashlib.sha256(b"\x01" + step + found).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + step).digest()
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def entries(files: dict[str, bytes], checkpoint: bytes, out: Findings) -> list[Entry]:
    """Check each entry's proof against the checkpoint; return the entries in order."""
    _, size, root, *_ = Note.read(checkpoint, "checkpoint.txt").body.decode().split("\n")
    found, good = [], out.good
    for name in sorted(files):
        if not name.startswith("entries/") or not name.endswith(".entry"):
            continue
        stem = name.removesuffix(".entry")
        try:
            index, path = _proof(files, f"{stem}.tlog-proof", checkpoint)
            leaf = hashlib.sha256(b"\x00" + files[name]).digest()
            if int(stem.removeprefix("entries/")) != index:
                raise Broken(f"{name}: its proof is for entry {index}")
            if not included(leaf, index, int(size), path, base64.b64decode(root)):
                raise Broken(f"{name}: is not entry {index} of the journal at the checkpoint")
            found.append(decode(files[name], index, name))
        except (Broken, ValueError) as error:
            out.say("fails", name, str(error).removeprefix(f"{name}: "))
            good = False
    if good and found:
        out.say("holds", "entries/", f"all {len(found)} stand in the journal of {size} entries")
    return found


def _proof(files: dict[str, bytes], name: str, checkpoint: bytes) -> tuple[int, list[bytes]]:
    head, found, rest = files.get(name, b"").partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    if not found or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("index "):
        raise Broken(f"its proof {name} is missing or unreadable")
    if rest != checkpoint:
        raise Broken(f"its proof {name} is for another checkpoint")
    return int(lines[1].removeprefix("index ")), [base64.b64decode(line) for line in lines[2:]]


def messages(files: dict[str, bytes], known: list[Entry], out: Findings) -> None:
    """Check every message: its entries, its course, its bytes."""
    filed: dict[str, list[Entry]] = {}
    for entry in known:
        filed.setdefault(entry.message, []).append(entry)
    for name in sorted(files):
        if not name.endswith("/facts.json"):
            continue
        told = json.loads(files[name])
        place, mine = f"messages/{told['id']}", filed.get(told["id"], [])
        if [entry.index for entry in mine] != told["entries"]:
            out.say("fails", place, "its entries are not those that facts.json lists")
        _course(place, told["state"], mine, out)
        for form, event in FORMS.items():
            made = [entry for entry in mine if entry.event == event]
            facts = told["forms"].get(form, {})
            if made and "file" in facts:
                _same(f"{place}/{form}", files.get(facts["file"]), facts, (made[-1], out))
            elif made or facts:
                _absent(f"{place}/{form}", facts.get("absent"), mine, out)


def _course(place: str, state: str, mine: list[Entry], out: Findings) -> None:
    states = [entry.facts["state"] for entry in mine if "state" in entry.facts]
    if [entry.event for entry in mine].count("accepted") != 1:
        out.say("fails", place, "must have exactly one entry that says it was accepted")
    elif state not in (states[-1], "working"):
        out.say("fails", place, f"facts.json says {state}, its entries say {states[-1]}")
    for entry in mine:
        if entry.event in EVENTS:
            detail = ", ".join(f"{k} {entry.facts[k]}" for k in FACTS if k in entry.facts)
            out.say("holds", place, f"{entry.event} {entry.time}, entry {entry.index}: {detail}")


def _same(
    place: str, content: bytes | None, facts: dict[str, Any], said: tuple[Entry, Findings]
) -> None:
    """Hold the bytes against the size and the salted digest that the journal has."""
    entry, out = said
    digest = hashlib.sha256(bytes.fromhex(facts["salt"]) + (content or b"")).hexdigest()
    if content is None:
        out.say("fails", place, "its file is missing")
    elif entry.facts["size"] != str(len(content)) or entry.facts.get("digest", digest) != digest:
        out.say("fails", place, f"the bytes are not those that entry {entry.index} recorded")
    elif "digest" not in entry.facts:
        out.say("open", place, f"entry {entry.index} has only the size, which fits, and no digest")
    else:
        out.say("holds", place, f"{len(content)} bytes are those of entry {entry.index}")


def _absent(place: str, why: str | None, mine: list[Entry], out: Findings) -> None:
    erased = [entry for entry in mine if entry.event == "erased"]
    if erased:
        gone = erased[-1]
        words = f"was erased on {gone.time} by {gone.actor}, rule: {gone.facts.get('rule', '?')}; "
        out.say("holds", place, f"{words}entry {gone.index} proves it, the bytes are gone for good")
    elif why == "locked":
        words = "could not be opened, the site key is missing; its entries still prove its course"
        out.say("open", place, words)
    else:
        out.say("fails", place, "is not in the bundle, and no entry says that it was erased")


def grown(old: int, new: int, proof: list[bytes], root: bytes | None) -> tuple[bytes, bytes]:
    """Return the two roots that a consistency proof leads to (RFC 6962, 2.1.2); uses it up."""
    if old == new:
        one = proof.pop() if root is None else root
        return one, one
    left, step = 1 << (new - 1).bit_length() - 1, proof.pop()
    if old <= left:
        before, after = grown(old, left, proof, root)
        return before, hashlib.sha256(b"\x01" + after + step).digest()
    before, after = grown(old - left, new - left, proof, None)
    hashed = [hashlib.sha256(b"\x01" + step + one).digest() for one in (before, after)]
    return hashed[0], hashed[1]


def values(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Return tag, content and all bytes of each DER value."""
    found, at = [], 0
    while at < len(data):
        start, size = at + 2, data[at + 1]
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[at + 2 : start])
        if start + size > len(data):
            raise ValueError("a value is cut off")
        found.append((data[at], data[start : start + size], data[at : start + size]))
        at = start + size
    return found


class Token:
    """A TimeStampToken of RFC 3161 (a SignedData of RFC 5652); ValueError where it is none."""

    def __init__(self, data: bytes) -> None:
        signed = values(values(values(values(data)[0][1])[1][1])[0][1])
        kind, boxed = values(signed[2][1])
        self.info = values(boxed[1])[0][1]
        _, _, imprint, _, time, *_ = values(values(self.info)[0][1])
        (_, algorithm, _), (_, self.imprint, _) = values(imprint[1])
        self.algorithm = values(algorithm)[0][1]
        text = time[1].decode("ascii").removesuffix("Z").partition(".")[0]
        self.time = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        held = next((one[1] for one in signed if one[0] == 0xA0), b"")
        self.certificates = [x509.load_der_x509_certificate(one[2]) for one in values(held)]
        self.signer = values(values(signed[-1][1])[0][1])
        self.known = values(self.signer[4][1])[0][1].startswith(SIGNATURES)
        if kind[1] != TST_INFO or self.signer[3][0] != 0xA0:
            raise ValueError("this is no time stamp")

    def signed(self) -> x509.Certificate | None:
        """Return the certificate, for time stamps, that signed this content and names itself."""
        _, _, hashing, attributes, _, signature, *_ = self.signer
        text, kind = b"\x31" + attributes[2][1:], HASHES[values(hashing[1])[0][1]]
        said = {values(one[1])[0][1]: values(values(one[1])[1][1])[0][1]
                for one in values(attributes[1])}  # fmt: skip
        if said.get(DIGEST) != hashlib.new(kind.name, self.info).digest():
            return None
        for one in self.certificates:
            # Older authorities name their certificate by SHA-1.
            named = any(one.fingerprint(name) in text for name in (*HASHES.values(), SHA1))
            uses = [use for found in one.extensions if found.oid == USES for use in found.value]
            key: Any = one.public_key()
            is_rsa = isinstance(key, rsa.RSAPublicKey)
            with suppress(InvalidSignature, TypeError, AttributeError):
                key.verify(signature[1], text, *((PKCS1, kind) if is_rsa else (ec.ECDSA(kind),)))
                return one if named and STAMPS in uses else None
        return None

    def trusted(self, one: x509.Certificate, roots: list[x509.Certificate], left: int) -> bool:
        """Return whether a certificate leads to one of the roots; all of them valid then."""
        if not one.not_valid_before_utc <= self.time <= one.not_valid_after_utc or not left:
            return False
        above = [other for other in (*roots, *self.certificates) if _issued(one, other)]
        return one in roots or any(self.trusted(other, roots, left - 1) for other in above)


def _issued(one: x509.Certificate, above: x509.Certificate) -> bool:
    with suppress(ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        one.verify_directly_issued_by(above)
        return above.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    return False


def time_stamps(files: dict[str, bytes], roots: list[x509.Certificate], out: Findings) -> None:
    """Check each time stamp: over which checkpoint, that the journal grew from it, by whom."""
    now = Note.read(files["checkpoint.txt"], "checkpoint.txt").body.decode().split("\n")
    for name in sorted(files):
        if not name.endswith(".token"):
            continue
        stem = name.removesuffix(".token")
        note = Note.read(files.get(f"{stem}.checkpoint", b""), f"{stem}.checkpoint")
        then = note.body.decode().split("\n")
        try:
            proof = [base64.b64decode(line) for line in files[f"{stem}.growth"].split()]
            old, new = (base64.b64decode(one[2]) for one in (then, now))
            found = grown(int(then[1]), int(now[1]), proof, old)
            if then[0] != now[0] or proof or found != (old, new):
                raise Broken("the journal did not grow from the stamped checkpoint")
            out.say(*_stamp(Token(files[name]), note.body, roots, name))
        except (Broken, ValueError, LookupError, RecursionError, UnsupportedAlgorithm) as error:
            words = error if isinstance(error, Broken) else f"unreadable ({type(error).__name__})"
            out.say("fails", name, str(words))


def _stamp(
    token: Token, text: bytes, roots: list[x509.Certificate], name: str
) -> tuple[str, str, str]:
    signer, size = token.signed(), text.decode().split("\n")[1]
    if hashlib.new(HASHES[token.algorithm].name, text).digest() != token.imprint:
        raise Broken("stamps something else than the checkpoint beside it")
    if signer is None and not token.known:
        return "open", name, "its signature is of a kind not known here; openssl ts may check it"
    if signer is None:
        raise Broken("its signature does not hold, or not by a certificate for time stamps")
    words = f"the first {size} entries were there on {token.time:%Y-%m-%d %H:%M:%S} UTC, says"
    words += f" {signer.subject.rfc4514_string()}"
    if not roots:
        return "open", name, f"{words}; whether to trust it, --authority tells"
    if not token.trusted(signer, roots, DEPTH):
        raise Broken(f"{signer.subject.rfc4514_string()} is not under a certificate given, or late")
    return "holds", name, words


def check(data: bytes, key: Key | None, witnesses: list[Key], roots: Any = ()) -> Findings:
    """Check a whole bundle; everything found is in the result, in words."""
    out = Findings()
    try:
        files = unpack(data)
        out.say("holds", "archive", f"{len(files)} files, every byte of the archive as packed")
        _checked(files, key, witnesses, out)
        time_stamps(files, list(roots), out)
    except Broken as error:
        place, _, words = str(error).partition(": ")
        out.say("fails", place, words or "cannot be read")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        out.say("fails", "bundle", f"a part is not as described ({type(error).__name__})")
    return out


def _checked(files: dict[str, bytes], key: Key | None, witnesses: list[Key], out: Findings) -> None:
    note = manifest(files, out)
    checkpoint = files.get("checkpoint.txt", b"")
    sealed = Note.read(checkpoint, "checkpoint.txt")
    if key is None:
        key = Key.read(files.get("key.txt", b"").decode("utf-8", "replace"))
        words = "came with the bundle; compare it with one from elsewhere, and give that as --key"
        out.say("open", "key.txt", f"{key} {words}")
    if sealed.body.decode().split("\n")[0] != key.name:
        out.say("fails", "checkpoint.txt", f"is not of the journal {key.name}")
    for one, place in ((note, "manifest.txt"), (sealed, "checkpoint.txt")):
        signatures(one, place, [key, *witnesses], out)
    messages(files, entries(files, checkpoint, out), out)
    words = ("that no entry was left out here, and that everyone was shown the same journal, is "
             "shown by `xoev-broker verify` and by witnesses, not by one bundle")  # fmt: skip
    out.say("open", "journal", words)


def _keys(text: str) -> Iterator[Key]:
    """Yield the keys of a line or of a file with lines."""
    lines = [text]
    if "+" not in text or Path(text).is_file():
        lines = Path(text).read_text("utf-8").splitlines()
    yield from (Key.read(line) for line in lines if line.strip())


def main(arguments: list[str] | None = None) -> int:
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("bundle", type=Path, help="the ZIP file")
    parser.add_argument("--key", help="the operator's public key: a line, or a file with it")
    parser.add_argument("--witness", action="append", default=[], help="a witness's key, likewise")
    parser.add_argument("--authority", type=Path, help="trusted time stamp certificates, PEM")
    parser.add_argument("--json", action="store_true", help="for machines")
    given = parser.parse_args(arguments)
    try:
        key = next(_keys(given.key)) if given.key else None
        witnesses = [key for text in given.witness for key in _keys(text)]
        pem = given.authority.read_bytes() if given.authority else None
        roots = x509.load_pem_x509_certificates(pem) if pem is not None else []
        data = given.bundle.read_bytes()
    except (OSError, ValueError, Broken, StopIteration) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    found = check(data, key, witnesses, roots)
    verdict = "VERIFIED" if found.good else "REFUSED"
    if given.json:
        lines = [dict(zip(("verdict", "place", "words"), line, strict=True)) for line in found]
        print(json.dumps({"verdict": verdict, "findings": lines}, indent=2, ensure_ascii=False))
    else:
        for word, place, words in found:
            print("".join(c if c.isprintable() else "?" for c in f"{word:<6}{place}: {words}"))
        print(f"\n{verdict}: {given.bundle.name}")
    return 0 if found.good else 1


if __name__ == "__main__":
    sys.exit(main())
