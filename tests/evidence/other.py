"""A second verifier, written from docs/explanation/evidence.md alone and in another way.

It shares no code with tools/verify_evidence.py: the archive is read from its end, the proof is
followed from the root down, and every rule yields its complaints.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from zlib import crc32

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Files = dict[str, bytes]
_SIGNATURE = re.compile("— ([^ +]+) ([A-Za-z0-9+/=]+)")


def complaints(bundle: bytes, key: str) -> list[str]:
    """Return everything that does not hold, as `place: words`; nothing if all does."""
    try:
        return list(_all(bundle, key))
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        return [f"bundle: unreadable ({type(error).__name__})"]


def _all(bundle: bytes, key: str) -> Iterator[str]:
    files = dict(_members(bundle))
    yield from _layout(bundle, list(_members(bundle)))
    yield from _listed(files)
    for name in ("manifest.txt", "checkpoint.txt"):
        if not _signed(files[name].decode(), key):
            yield f"{name}: no signature of the key"
    origin, size, root = files["checkpoint.txt"].decode().split("\n")[:3]
    if origin != key.partition("+")[0]:
        yield "checkpoint.txt: another journal"
    for name in sorted(files):
        if name.endswith(".entry"):
            yield from _proven(files, name, int(size), b64decode(root))
        if name.endswith("/facts.json"):
            yield from _message(files, json.loads(files[name]))


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _members(bundle: bytes) -> Iterator[tuple[str, bytes]]:
    """Read the directory at the end, then each file where it says."""
    end = bundle[-22:]
    at, count = _number(end[16:20]), _number(end[10:12])
    for _ in range(count):
        head = bundle[at : at + 46]
        width, size, place = _number(head[28:30]), _number(head[24:28]), _number(head[42:46])
        name = bundle[at + 46 : at + 46 + width].decode("ascii")
        start = place + 30 + width
        yield name, bundle[start : start + size]
        at += 46 + width


def _layout(bundle: bytes, members: list[tuple[str, bytes]]) -> Iterator[str]:
    """Every byte that is no content follows from the contents."""
    heads, files = b"", b""
    for name, content in members:
        sizes = len(content).to_bytes(4, "little") * 2 + len(name).to_bytes(2, "little")
        fixed = bytes.fromhex("1400 0000 0000 0000 2100") + crc32(content).to_bytes(4, "little")
        fixed += sizes + bytes(2)
        heads += b"PK\1\2" + bytes.fromhex("1400") + fixed + bytes(10)
        heads += len(files).to_bytes(4, "little") + name.encode()
        files += b"PK\3\4" + fixed + name.encode() + content
    count = len(members).to_bytes(2, "little")
    ends = len(heads).to_bytes(4, "little") + len(files).to_bytes(4, "little") + bytes(2)
    if files + heads + b"PK\5\6" + bytes(4) + count + count + ends != bundle:
        yield "archive: not as packed"


def _listed(files: Files) -> Iterator[str]:
    lines = files["manifest.txt"].decode().split("\n\n")[0].split("\n")
    assert lines[0] == "xoev-broker evidence 1"
    wanted = {}
    for line in lines:
        if line.startswith("file "):
            _, digest, size, name = line.split(" ")
            wanted[name] = f"{digest} {size}"
    found = {name: f"{sha256(content).hexdigest()} {len(content)}"
             for name, content in files.items() if name != "manifest.txt"}  # fmt: skip
    for name, _ in sorted(wanted.items() ^ found.items()):
        yield f"{name}: not as the manifest says"


def _signed(note: str, key: str) -> bool:
    name, id, data = key.split("+", 2)
    raw = b64decode(data)
    assert raw[0] == 1
    assert sha256(name.encode() + b"\n" + raw).hexdigest()[:8] == id
    text, lines = note.rsplit("\n\n", 1)
    for signer, blob in _SIGNATURE.findall(lines):
        mark, signature = b64decode(blob)[:4], b64decode(blob)[4:]
        if (signer, mark.hex()) != (name, id):
            continue
        try:
            Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature, f"{text}\n".encode())
        except InvalidSignature:
            return False
        return True
    return False


def _proven(files: Files, name: str, size: int, root: bytes) -> Iterator[str]:
    proof = files[name.replace(".entry", ".tlog-proof")].decode()
    head, checkpoint = proof.split("\n\n", 1)
    kind, index, *path = head.split("\n")
    number = int(index.removeprefix("index "))
    leaf = sha256(b"\0" + files[name]).digest()
    good = kind == "c2sp.org/tlog-proof@v1" and name == f"entries/{number:012}.entry"
    good = good and checkpoint.encode() == files["checkpoint.txt"]
    if not good or _root(leaf, number, size, [b64decode(step) for step in path]) != root:
        yield f"{name}: its proof does not lead to the checkpoint"


def _root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root by the recursive definition of RFC 6962: the last step splits the tree."""
    assert index < size
    assert (size > 1) == bool(path)
    if size == 1:
        return leaf
    left = 1 << (size - 1).bit_length() - 1
    *below, step = path
    if index < left:
        return sha256(b"\1" + _root(leaf, index, left, below) + step).digest()
    return sha256(b"\1" + step + _root(leaf, index - left, size - left, below)).digest()


def _fields(data: bytes) -> Iterator[str]:
    assert data[0] == 1
    rest = data[1:]
    while rest:
        length = int.from_bytes(rest[:4], "big")
        assert len(rest) >= 4 + length
        yield rest[4 : 4 + length].decode()
        rest = rest[4 + length :]


def _message(files: Files, told: dict[str, Any]) -> Iterator[str]:
    """The recorded size and salted digest must fit the bytes; what is absent must be erased."""
    said: dict[str, dict[str, str]] = {}
    for index in told["entries"]:
        message, _, event, _, *pairs = _fields(files[f"entries/{index:012}.entry"])
        if message != told["id"]:
            yield f"entries/{index:012}.entry: of another message"
        said[event] = dict(zip(pairs[::2], pairs[1::2], strict=True))
    for form, event in (("original", "accepted"), ("converted", "converted")):
        if event not in said and form not in told["forms"]:
            continue
        fact = told["forms"][form]
        if "absent" in fact:
            if fact["absent"] != "locked" and "erased" not in said:
                yield f"messages/{told['id']}/{form}: gone without an entry"
            continue
        content = files[fact["file"]]
        digest = sha256(bytes.fromhex(fact["salt"]) + content).hexdigest()
        if (str(len(content)), digest) != (said[event]["size"], said[event]["digest"]):
            yield f"messages/{told['id']}/{form}: not the recorded bytes"
