"""What a bundle holds of one message, before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from broker.journal.entry import Line
from broker.stores.contract import Form, Row

#: Why bytes are not in a bundle: erased, never made, or their key is missing.
Absent = Literal["erased", "none", "locked"]


@dataclass(frozen=True, slots=True)
class Proven:
    """One entry, where it stands in the journal, and the path from it to the root."""

    line: Line
    body: bytes
    index: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Bytes:
    """One form of a message: where its bytes lie in the bundle, or why they do not.

    `salt` is what the digest in the journal was made with, `size` and `sha256` are the file's.
    """

    form: Form
    file: str = ""
    salt: bytes = b""
    size: int = 0
    sha256: str = ""
    absent: Absent | None = None

    def facts(self) -> dict[str, Any]:
        """Return what `facts.json` says of it."""
        if self.absent:
            return {"absent": self.absent}
        return {"file": self.file, "salt": self.salt.hex(), "size": self.size}


@dataclass(frozen=True, slots=True)
class Stamped:
    """That an authority saw the first `size` entries at `time`, and the file that says so."""

    size: int
    time: datetime
    file: str


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a bundle: its row, its entries with proofs, and its bytes."""

    row: Row
    entries: tuple[Proven, ...]
    forms: tuple[Bytes, ...]

    def facts(self) -> Mapping[str, Any]:
        """Return what `facts.json` says."""
        row = self.row
        return {
            "id": row.id,
            "direction": row.direction.value,
            "state": row.state.value,
            "answers": row.answers,
            "replays": row.replays,
            "entries": [entry.index for entry in self.entries],
            "forms": {one.form: one.facts() for one in self.forms},
        }
