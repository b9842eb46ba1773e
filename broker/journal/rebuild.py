"""States from the journal alone: what the store says can be held against what was written down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from broker.errors import StoreError
from broker.journal.entry import Line, decode
from broker.message import State
from broker.stores.contract import Entry


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Where a message stands by its entries; `answers` and `replays` are ids of other messages.

    A lease leaves no entry: what is being worked on stands as it did before, one attempt less.
    """

    state: State
    attempts: int
    route: str
    channel: str
    answers: str | None
    replays: str | None


def rebuild(entries: Iterable[Entry]) -> dict[str, Rebuilt]:
    """Return every message by its id, from the whole journal in order.

    Raises StoreError where an entry cannot be read or belongs to a message that was never accepted.
    """
    known: dict[str, Rebuilt] = {}
    for entry in entries:
        line = decode(entry)
        if line.message != entry.message or line.event != entry.event:
            raise StoreError(f"journal entry {entry.seq} is filed under another message or event")
        if not line.message:
            continue
        if line.event == "accepted":
            known[line.message] = _born(line)
        elif line.message in known:
            known[line.message] = _moved(known[line.message], line)
        elif "state" in line.facts:
            raise StoreError(f"journal entry {entry.seq} moves a message that was never accepted")
    return known


def _born(line: Line) -> Rebuilt:
    facts = line.facts
    return Rebuilt(
        state=State(facts["state"]),
        attempts=0,
        route=facts.get("route", ""),
        channel=facts.get("channel", ""),
        answers=facts.get("answers"),
        replays=facts.get("replays"),
    )


def _moved(before: Rebuilt, line: Line) -> Rebuilt:
    facts = line.facts
    after = replace(
        before,
        state=State(facts.get("state", before.state)),
        attempts=int(facts.get("attempt", before.attempts)),
    )
    if line.event == "replayed" and "route" in facts:
        # Only a person moves a message to another route.
        return replace(after, route=facts["route"], channel=facts["channel"])
    return after
