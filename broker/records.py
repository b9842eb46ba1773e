"""Messages and entries of the journal for a machine: stable keys, no payload, no names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from broker.journal.entry import Line, stamp
from broker.message import Envelope, State
from broker.stores.contract import Row


def heading(head: Envelope) -> dict[str, Any]:
    """Return what the head of a message says, for a machine; without the names in it."""
    return {
        "standard": head.standard,
        "version": head.version,
        "kind": head.kind,
        "uuid": head.uuid,
        "sender": head.sender.key,
        "recipient": head.recipient.key,
        "test": head.test is not None,
    }


#: The keys of a record, in the order in which they are written.
FIELDS = (
    "id", "direction", "state", "received", "changed", "party", "standard", "version", "kind",
    "uuid", "sender", "recipient", "test", "size", "route", "adapter", "channel", "reference",
    "number", "attempts", "due", "reason", "error", "receipt", "answers", "replays",
)  # fmt: skip


def record(row: Row) -> dict[str, Any]:
    """Return one message for a machine: stable keys, times in UTC, no payload, no names."""
    return {
        "id": row.id,
        "direction": row.direction.value,
        "state": row.state.value,
        "received": stamp(row.received),
        "changed": stamp(row.changed),
        "party": row.party,
        **heading(row.envelope),
        "size": row.size,
        "route": row.route,
        "adapter": row.adapter,
        "channel": row.channel,
        "reference": row.reference,
        "number": row.number,
        "attempts": row.attempts,
        "due": _due(row),
        "reason": row.reason,
        "error": row.error,
        "receipt": row.receipt,
        "answers": row.answers,
        "replays": row.replays,
    }


def _due(row: Row) -> str | None:
    due: datetime | None = row.due if row.state is State.WAITING else None
    return stamp(due) if due else None


def line_record(line: Line) -> dict[str, Any]:
    """Return one entry of the journal for a machine."""
    return {
        "seq": line.seq,
        "time": stamp(line.time),
        "event": line.event,
        "actor": line.actor,
        "facts": dict(line.facts),
    }
