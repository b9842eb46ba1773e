"""Rehearses the next version of a standard on what was received and on the golden samples.

Nothing is sent or changed; that payloads were read is an entry in the journal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from broker import samples
from broker.catalog import Catalog
from broker.errors import Finding, StoreError
from broker.journal.trail import entry
from broker.journal.vault import Vault
from broker.message import Direction, State
from broker.stores.contract import Entry, Filter, Row, Store
from broker.xoev.diff import natural
from broker.xoev.judgement import Levels
from broker.xoev.stage import Stage

#: Goes through items and may show how far it is.
Track = Callable[[Sequence[str], str], Iterable[str]]
#: Says for a route, or for an adapter, whether unknown codes and broken rules refuse there.
Strictness = Callable[[str], Levels]

_PAGE: Final = 500
_POSITION: Final = re.compile(r"\[\d+\]")
#: Rejected for one of these, a message was refused by its own version already.
_REFUSED: Final = ("X0", "S01", "V0")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which stored requests are judged: at most the last so many, and only later ones."""

    last: int = 1000
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for refusals: code, rule, path without positions, text; and who it concerns.

    `messages` are ids of stored messages, `samples` are `<adapter>/<case>/<file>`.
    """

    code: str
    rule: str
    path: str
    text: str
    messages: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many messages and samples it concerns."""
        return len(self.messages) + len(self.samples)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the newer version would do: how many of each it judged and refused, and why.

    `messages` and `samples` count `judged` and `refused`. `messages` also counts what was not
    judged: `before` (its own version had refused it), `erased` (the payload is gone), `broken` (it
    cannot be opened; `broken` holds the ids).
    """

    standard: str
    version: str
    digest: str
    profile: bool
    messages: Counter[str]
    samples: Counter[str]
    reasons: tuple[Reason, ...]
    broken: tuple[str, ...] = ()


class Rehearse:
    """One run of a person."""

    def __init__(self, stage: Stage, store: Store, vault: Vault, levels: Strictness) -> None:
        """Take the newer version, where the messages are, and what codes and rules mean there."""
        self._stage = stage
        self._levels = levels
        self._store = store
        self._vault = vault
        self._broken: list[str] = []

    def run(self, wanted: Wanted, catalog: Catalog, actor: str, track: Track) -> Rehearsal:
        """Judge stored messages and samples; the journal knows it before the first one is read.

        Raises ConfigError where schemas do not compile, StoreError.
        """
        stage = self._stage
        rows = {row.id: row for row in self._rows(wanted)}
        self._store.note([self._entry(actor)]).result()
        cases = _Cases()
        for id in track(list(rows), "messages"):
            cases.add("messages", id, self._message(rows[id]))
        files = dict(golden(catalog, stage))
        for name in track(list(files), "samples"):
            adapter = "/".join(name.split("/")[:2])
            found = stage.judge(files[name].read_bytes(), self._levels(adapter))
            cases.add("samples", name, found)
        return Rehearsal(
            stage.standard, stage.version, stage.bundle.digest, stage.bundle.profile,
            cases.counts["messages"], cases.counts["samples"], cases.reasons(),
            tuple(self._broken),
        )  # fmt: skip

    def _entry(self, actor: str) -> Entry:
        stage = self._stage
        return entry(
            "", "rehearsed", actor, standard=stage.standard, version=stage.version,
            artefact=stage.bundle.name, artefact_digest=stage.bundle.digest,
        )  # fmt: skip

    def _message(self, row: Row) -> tuple[Finding, ...] | str:
        """Judge one message; a word instead of findings where it was not judged."""
        if row.state is State.REJECTED and row.reason.startswith(_REFUSED):
            return "before"
        found = self._store.payload(row.id, "original")
        if found is None:
            return "erased"
        try:
            raw = self._vault.unseal(found[0], row.id, found[1])
        except StoreError:
            self._broken.append(row.id)
            return "broken"
        return self._stage.judge(raw, self._levels(row.route))

    def _rows(self, wanted: Wanted) -> list[Row]:
        """Return the newest requests of older versions, looking back twice as far until enough."""
        limit = max(_PAGE, wanted.last)
        while True:
            page = self._store.rows(
                Filter(direction=Direction.REQUEST, since=wanted.since, limit=limit)
            )
            found = [row for row in page if self._older(row)][: wanted.last]
            if len(found) == wanted.last or len(page) < limit:
                return found
            limit *= 2

    def _older(self, row: Row) -> bool:
        head = row.envelope
        return head.standard == self._stage.standard and natural(head.version) < natural(
            self._stage.version
        )


def golden(catalog: Catalog, stage: Stage) -> Iterator[tuple[str, Path]]:
    """Yield the XÖV files of all samples whose newer version this is, by name.

    A sample that an `error.txt` expects to be refused proves nothing and is left out.
    """
    found = [sample for adapter in catalog.names for sample in samples.find(catalog, adapter)]
    for sample in found:
        expected = not (sample.folder / "error.txt").exists()
        for file in sorted(sample.folder.glob("*.xoev.xml")) if expected else ():
            if stage.takes(file.read_bytes()):
                yield f"{sample.name}/{file.name}", file


class _Cases:
    """Counts cases and groups why they are refused."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {"messages": Counter(), "samples": Counter()}
        self._found: dict[Reason, dict[str, dict[str, None]]] = {}

    def add(self, source: str, name: str, found: tuple[Finding, ...] | str) -> None:
        if isinstance(found, str):
            self.counts[source][found] += 1
            return
        self.counts[source]["judged"] += 1
        self.counts[source]["refused"] += bool(found)
        for one in found:
            path = _POSITION.sub("", one.path)
            key = Reason(one.code, one.rule, path, one.text)
            named = self._found.setdefault(key, {"messages": {}, "samples": {}})
            named[source][name] = None

    def reasons(self) -> tuple[Reason, ...]:
        """Return the reasons, the commonest first."""
        found = [
            replace(key, messages=tuple(named["messages"]), samples=tuple(named["samples"]))
            for key, named in self._found.items()
        ]
        return tuple(sorted(found, key=lambda one: (-one.count, one.path, one.rule)))
