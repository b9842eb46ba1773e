"""A witness signs a checkpoint of another journal after it has seen that the journal only grew.

The request is the body that C2SP tlog-witness describes: `old SIZE`, the consistency proof in
Base64 lines, an empty line, and the signed checkpoint.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.errors import BrokerError
from broker.journal import tree
from broker.journal.checkpoint import Checkpoint, Signer, Verifier, sync
from broker.journal.sealer import Ledger

_REQUEST = re.compile(
    r"old (?P<old>0|[1-9][0-9]{0,18})\n(?P<proof>(?:[A-Za-z0-9+/=]+\n){0,63})\n(?P<note>.+)",
    re.DOTALL,
)


class NotWitnessed(BrokerError):
    """The witness has not seen that this journal only grew, so it does not sign."""


def request(ledger: Ledger, since: int) -> str:
    """Return what a witness needs that last saw `since` entries; raises NotWitnessed."""
    note = ledger.checkpoint()
    if note is None:
        raise NotWitnessed("there is no checkpoint yet; make one: xoev-broker checkpoint --now")
    size = Checkpoint.parse(note).size
    if since > size:
        raise NotWitnessed(f"the last checkpoint is about {size} entries, which is before {since}")
    lines = [base64.b64encode(hash).decode() for hash in ledger.growth(since, size)]
    return "\n".join([f"old {since}", *lines, "", note])


class Witness:
    """Remembers the last checkpoint of every journal that it has signed, in a folder of its own."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        """Take the folder, which is made, and the key of the witness."""
        self._folder = folder
        self._signer = signer

    def seen(self, origin: str) -> tuple[int, bytes]:
        """Return size and root of the last checkpoint of a journal that was signed."""
        file = self._file(origin)
        if not file.exists():
            return 0, tree.EMPTY
        known = Checkpoint.parse(file.read_text("utf-8"))
        return known.size, known.root

    def cosign(self, text: str, log: Verifier, time: int) -> str:
        """Return the signature line for a request at `time` (seconds since 1970).

        Raises NotWitnessed where the journal did not only grow, BadCheckpoint where it is not
        signed by `log`.
        """
        found = _REQUEST.fullmatch(text)
        if found is None:
            raise NotWitnessed(
                "this is no request for a witness: it is made by xoev-broker checkpoint --since N"
            )
        note, old = found["note"], int(found["old"])
        checkpoint = log.verify(note)
        with self._locked():
            self._grown(checkpoint, old, _proof(found["proof"]))
            self._remember(checkpoint.origin, note)
        return self._signer.cosign(note, time)

    def _grown(self, checkpoint: Checkpoint, old: int, proof: list[bytes]) -> None:
        size, root = self.seen(checkpoint.origin)
        if checkpoint.size < size:
            raise NotWitnessed(
                f"this witness has seen {size} entries, the checkpoint is about {checkpoint.size}: "
                "an older copy, or one that was kept back"
            )
        if old != size:
            raise NotWitnessed(
                f"this witness has seen {size} entries, the proof begins at {old}; "
                f"ask for: xoev-broker checkpoint --since {size}"
            )
        if not tree.verify_consistency((size, root), (checkpoint.size, checkpoint.root), proof):
            raise NotWitnessed(
                f"the journal did not only grow: its first {size} entries are not those that this "
                "witness has signed"
            )

    def _remember(self, origin: str, note: str) -> None:
        file = self._file(origin)
        part = file.with_suffix(".part")
        with part.open("w", encoding="utf-8") as stream:
            stream.write(note)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
        sync(self._folder)

    def _file(self, origin: str) -> Path:
        return self._folder / hashlib.sha256(origin.encode()).hexdigest()[:32]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _proof(text: str) -> list[bytes]:
    try:
        return [base64.b64decode(line, validate=True) for line in text.splitlines()]
    except (binascii.Error, ValueError) as error:
        raise NotWitnessed("the proof of the request is no Base64") from error
