"""Writes an evidence bundle: all that is known of some messages, and its proof, in one file."""

from __future__ import annotations

import base64
import codecs
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final, Protocol

from broker.errors import BrokerError, StoreError
from broker.evidence.archive import Archive
from broker.evidence.page import LONGEST, Cover, page
from broker.evidence.parts import Bytes, Part, Proven, Stamped
from broker.evidence.words import README
from broker.journal.checkpoint import Checkpoint
from broker.journal.entry import decode
from broker.journal.vault import Vault
from broker.message import State
from broker.stores.contract import Entry, Form, Row, Store
from broker.stores.custody import Stamp

TITLE: Final = "xoev-broker evidence 1"
#: SHA-256 of tools/verify_evidence.py as this version was made for it; a test holds it true.
VERIFIER: Final = "0a75a100123e5e1a891f4f26b2fcaf2e1b03a9bf40bfa61f417f120e919e15d7"


class NotSealed(BrokerError):
    """The newest entries are not sealed yet; is the daemon running? Then try again."""


class Ledger(Protocol):
    """What a bundle needs of the sealed journal."""

    def checkpoint(self) -> str | None:
        """The newest signed checkpoint."""

    def index(self, seq: int) -> int | None:
        """Where an entry stands in the tree."""

    def proof(self, index: int, size: int) -> tuple[bytes, ...]:
        """The path from an entry to the root."""

    def growth(self, old: int, new: int) -> tuple[bytes, ...]:
        """The proof that the first entries are still the same."""

    def note(self, size: int) -> str:
        """The signed checkpoint over so many entries."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, by whom and why; `asked` is shown, `scope` stands in the manifest."""

    asked: str
    scope: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Seal:
    """The public key of the journal, and what signs a text with it."""

    public: str
    sign: Callable[[str], str]


class Bundle:
    """One bundle while it is written."""

    def __init__(self, store: Store, vault: Vault, ledger: Ledger) -> None:
        """Take the store, the vault and the sealed journal. Raises NotSealed without checkpoint."""
        self._store = store
        self._vault = vault
        self._ledger = ledger
        text = ledger.checkpoint()
        if text is None:
            raise NotSealed
        self._text = text
        self._checkpoint = Checkpoint.parse(text)
        #: So many payloads could not be opened with this site key; the rest is proven all the same.
        self.locked = 0
        self._listed: list[tuple[str, str, int]] = []
        self._stamps: dict[int, Stamp] = {}

    def write(self, rows: Iterable[Row], target: Path, request: Request, seal: Seal) -> int:
        """Write the file (mode 0600) and return how many messages are in it.

        It appears complete or not at all. Raises NotSealed, TooLarge, BrokerError.
        """
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with open(part, "xb", opener=_private) as file:
                self._archive = Archive(file)
                count = self._fill(rows, target.name, request, seal)
                self._archive.close()
                file.flush()
                os.fsync(file.fileno())
            _appear(part, target)
        except OSError as error:
            raise BrokerError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
        return count

    def _fill(self, rows: Iterable[Row], name: str, request: Request, seal: Seal) -> int:
        shown: list[Part] = []
        count = 0
        for row in rows:
            part = self._part(row)
            count += 1
            if len(shown) < LONGEST:
                shown.append(part)
        self._site(shown)
        stamped = [self._stamped(self._stamps[size]) for size in sorted(self._stamps)]
        self._add("checkpoint.txt", self._text)
        self._add("key.txt", seal.public + "\n")
        cover = Cover(request.asked, request.actor, request.reason, self._checkpoint,
                      seal.public, tuple(stamped))  # fmt: skip
        self._add("report-de.html", page(cover, shown, count - len(shown), "de"))
        self._add("report-en.html", page(cover, shown, count - len(shown), "en"))
        self._add("README.txt", README.format(name=name, verifier=VERIFIER))
        self._archive.add("manifest.txt", seal.sign(self._manifest(request)).encode())
        return count

    def _part(self, row: Row) -> Part:
        found = (self._proven(entry) for entry in self._store.entries(row.id))
        entries = tuple(sorted(filter(None, found), key=lambda entry: entry.index))
        if not entries:
            raise NotSealed
        for entry in (entries[0], entries[-1]):
            self._covered(entry.index)
        made = {entry.line.event for entry in entries}
        forms = [self._bytes(row, "original", "erased" in made)]
        if "converted" in made:
            forms.append(self._bytes(row, "converted", "erased" in made))
        states = [entry.line.facts["state"] for entry in entries if "state" in entry.line.facts]
        # What happened after the checkpoint is not told.
        part = Part(replace(row, state=State(states[-1])), entries, tuple(forms))
        self._add(f"messages/{row.id}/facts.json", json.dumps(part.facts(), indent=1) + "\n")
        return part

    def _proven(self, entry: Entry) -> Proven | None:
        """Add an entry with its proof; None where the checkpoint does not reach it."""
        index = self._ledger.index(entry.seq)
        size = self._checkpoint.size
        if index is None or index >= size:
            return None
        proof = self._ledger.proof(index, size)
        self._add(f"entries/{index:012}.entry", entry.body)
        self._add(f"entries/{index:012}.tlog-proof", _proof(index, proof, self._text))
        return Proven(decode(entry), entry.body, index, proof)

    def _covered(self, index: int) -> None:
        """Remember the first time stamp that an entry is below."""
        found = self._store.tree.stamps(after=index, limit=1)
        if found and found[0].size <= self._checkpoint.size:
            self._stamps[found[0].size] = found[0]

    def _stamped(self, stamp: Stamp) -> Stamped:
        """Add a token, the checkpoint it is about, and that the journal only grew since."""
        name, size = f"stamps/{stamp.size:012}", self._checkpoint.size
        growth = [base64.b64encode(one) for one in self._ledger.growth(stamp.size, size)]
        self._add(f"{name}.checkpoint", self._ledger.note(stamp.size))
        self._add(f"{name}.growth", b"".join(one + b"\n" for one in growth))
        self._add(f"{name}.token", stamp.token)
        return Stamped(stamp.size, stamp.time, f"{name}.token")

    def _bytes(self, row: Row, form: Form, erased: bool) -> Bytes:
        found = self._store.payload(row.id, form)
        if found is None:
            return Bytes(form, absent="erased" if erased else "none")
        key, payload = found
        pieces = self._vault.pieces(key, row.id, payload)
        try:
            first = next(pieces)
            name = f"messages/{row.id}/{form}{_suffix(first)}"
            size, digest = self._archive.stream(name, chain((first,), pieces))
        except StoreError:
            self.locked += 1
            return Bytes(form, absent="locked")
        self._listed.append((name, digest, size))
        return Bytes(form, name, payload.salt, size, digest)

    def _site(self, parts: Sequence[Part]) -> None:
        """Add the entries that put the routing tables of these messages in force."""
        wanted = {part.row.table for part in parts if part.row.table}
        if not wanted:
            return
        for entry in self._store.entries(events=("started", "reloaded")):
            if decode(entry).facts.get("table") in wanted:
                wanted.remove(decode(entry).facts["table"])
                self._proven(entry)

    def _add(self, name: str, content: bytes | str) -> None:
        data = content.encode() if isinstance(content, str) else content
        self._archive.add(name, data)
        self._listed.append((name, hashlib.sha256(data).hexdigest(), len(data)))

    def _manifest(self, request: Request) -> str:
        lines = [TITLE, f"origin {self._checkpoint.origin}", f"scope {request.scope}",
                 f"verifier {VERIFIER}"]  # fmt: skip
        lines += [f"file {digest} {size} {name}" for name, digest, size in sorted(self._listed)]
        return "\n".join(lines) + "\n"


def _proof(index: int, proof: Sequence[bytes], checkpoint: str) -> str:
    lines = ["c2sp.org/tlog-proof@v1", f"index {index}"]
    lines += [base64.b64encode(one).decode() for one in proof]
    return "\n".join(lines) + f"\n\n{checkpoint}"


def _suffix(first: bytes) -> str:
    """Return how the file is named, so that a program for it opens."""
    if first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return ".xml"
    try:
        # A piece may end within a character.
        codecs.getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError:
        return ".bin"
    return ".txt"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _appear(part: Path, target: Path) -> None:
    """Give the file its name; an evidence bundle never replaces another file."""
    try:
        os.link(part, target)
    except FileExistsError as error:
        raise BrokerError(f"{target} is there already; name another file") from error
