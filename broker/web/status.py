"""What a sender may know about its own message: where it stands, never what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from broker.message import State
from broker.stores.contract import Row

#: What each state means to the sender, in English and German.
MEANING: Mapping[State, tuple[str, str]] = MappingProxyType(
    {
        State.WAITING: ("accepted, waits for delivery", "angenommen, wartet auf Zustellung"),
        State.WORKING: ("is being worked on", "wird gerade bearbeitet"),
        State.HELD: (
            "waits until the broker has the schema of its version",
            "wartet, bis der Broker das Schema dieser Version hat",
        ),
        State.UNCLEAR: (
            "sent, and a person finds out whether it arrived",
            "gesendet, ein Mensch klärt, ob sie angekommen ist",
        ),
        State.DEAD: ("a person looks at it", "ein Mensch kümmert sich darum"),
        State.DELIVERED: ("the procedure has it", "das Fachverfahren hat sie"),
        State.REJECTED: ("rejected, see the reason", "zurückgewiesen, siehe Grund"),
        State.CLOSED: ("closed by a person", "von einem Menschen abgeschlossen"),
    }
)


def location(id: str) -> str:
    """Return the path of a message."""
    return f"/v1/messages/{id}"


def status(row: Row, answers: Sequence[Row]) -> dict[str, Any]:
    """Return the state of a message and of its answers.

    The text of an error is for the sender only where it was rejected; elsewhere it is about systems
    of the city.
    """
    rejected = row.state is State.REJECTED
    return {
        **_state(row),
        "received": row.received.isoformat(),
        "attempts": row.attempts,
        "next_attempt": row.due.isoformat() if row.state is State.WAITING else None,
        "reason": row.reason or None,
        "detail": (row.error or None) if rejected else None,
        "standard": row.envelope.standard or None,
        "version": row.envelope.version or None,
        "answers": [_state(answer) for answer in answers],
        "links": {"self": location(row.id)},
    }


def _state(row: Row) -> dict[str, Any]:
    english, german = MEANING[row.state]
    return {
        "id": row.id,
        "kind": row.envelope.kind,
        "state": str(row.state),
        "since": row.changed.isoformat(),
        "text": english,
        "text_de": german,
    }
