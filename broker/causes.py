"""What is stuck, by cause: the same state, reason, route, adapter and place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from broker.journal.entry import stamp
from broker.message import State
from broker.stores.contract import Filter, Row, Store

Language = Literal["en", "de"]

#: What waits for a person.
STUCK = (State.DEAD, State.UNCLEAR, State.HELD)
_PAGE = 1_000
#: What differs between two messages with one cause: ids, positions, counts.
_VARYING = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "…"),
    (re.compile(r"\[\d+\]"), ""),
    (re.compile(r"\b(line|record|row|after|entry|message|position) \d+"), r"\1 …"),
    (re.compile(r"(?<![\w.])\d{5,}\b"), "…"),
)

#: How an error begins, and what to do then, in English and German; the first that fits counts.
_ADVICE: tuple[tuple[str, tuple[str, str]], ...] = (
    ("given up", (
        "The other side failed for as long as the route allows. Repair it (xoev-broker check "
        "--probe), then replay.",
        "Die Gegenseite war so lange gestört, wie der Weg erlaubt. Störung beheben (xoev-broker "
        "check --probe), dann replay.")),
    ("poison", (
        "The process died three times with only this message in hand. Report it with an invented "
        "message that does the same; close it, or replay it with a new version.",
        "Der Prozess starb dreimal, während er nur diese Nachricht bearbeitete. Mit einer "
        "erfundenen, gleichartigen Nachricht melden; schließen, oder replay mit neuer Version.")),
    ("the reply matches no delivery", (
        "Nobody asked for this reply. Find out whose it is and close it, or correct its reference "
        "with replay --edited and a second person. A plain replay changes nothing.",
        "Niemand wartet auf diese Rückmeldung. Klären, zu wem sie gehört, und schließen; oder das "
        "Kennzeichen mit replay --edited und einer zweiten Person berichtigen. Ein einfaches "
        "replay ändert nichts.")),
    ("no return channel", (
        "The answer has no way back. Give the party an answer: in routes.yaml, reload, then "
        "replay --reroute.",
        "Für die Antwort fehlt der Rückweg. In routes.yaml answer: eintragen, neu laden, dann "
        "replay --reroute.")),
    ("the reply cannot be", (
        "The procedure sent what the adapter does not know. Correct the adapter, reload, replay.",
        "Das Fachverfahren sendet etwas, das der Adapter nicht kennt. Adapter berichtigen, neu "
        "laden, replay.")),
    ("the answer made by", (
        "The adapter makes invalid answers. Correct it, reload, then replay.",
        "Der Adapter erzeugt ungültige Antworten. Berichtigen, neu laden, dann replay.")),
    ("held too long", (
        "Nobody installed the schema of its version. Install it and replay, or close it and tell "
        "the sender.",
        "Das Schema der Fassung wurde nicht eingespielt. Einspielen und replay, oder schließen "
        "und den Absender unterrichten.")),
    ("unexpected", (
        "An error that nobody foresaw, in an adapter or in the broker. Its place is in the text; "
        "repair it, then replay.",
        "Ein unvorhergesehener Fehler in einem Adapter oder im Broker. Die Stelle steht im Text; "
        "beheben, dann replay.")),
)  # fmt: skip
_BY_STATE: Mapping[State, tuple[str, str]] = {
    State.UNCLEAR: (
        "Look into the procedure for the reference: settle --delivered if it is there, replay "
        "--again if it is not.",
        "Im Fachverfahren nach dem Kennzeichen sehen: settle --delivered, wenn sie da ist, "
        "sonst replay --again.",
    ),
    State.HELD: (
        "Install the schemas of this version and reload; they go on by themselves.",
        "Schemas dieser Fassung einspielen und neu laden; sie laufen von selbst weiter.",
    ),
}
_OTHERWISE = (
    "Read xoev-broker trace, repair the cause, then replay; or close it with a reason.",
    "xoev-broker trace lesen, Ursache beheben, dann replay; oder mit Begründung schließen.",
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Messages with one cause: how many, one of them, and when the first and the last stopped.

    `key` names it on a command line, `place` is the error without what differs between messages.
    """

    key: str
    state: State
    reason: str
    route: str
    adapter: str
    channel: str
    place: str
    count: int
    example: str
    since: datetime
    until: datetime

    def record(self) -> dict[str, Any]:
        """Return it for a machine."""
        return {
            "cause": self.key,
            "state": self.state.value,
            "reason": self.reason,
            "route": self.route,
            "adapter": self.adapter,
            "channel": self.channel,
            "place": self.place,
            "count": self.count,
            "example": self.example,
            "since": stamp(self.since),
            "until": stamp(self.until),
        }


def cause(row: Row) -> Cause:
    """Return the cause of one message."""
    place = general(row.error)
    parts = (row.state.value, row.reason, row.route, row.adapter, row.channel, place)
    key = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:8]
    return Cause(key, row.state, row.reason, row.route, row.adapter, row.channel, place, 1, row.id,
                 row.changed, row.changed)  # fmt: skip


def general(error: str) -> str:
    """Return an error without what differs between two messages."""
    for pattern, instead in _VARYING:
        error = pattern.sub(instead, error)
    return error


def causes(store: Store, filter: Filter) -> list[Cause]:
    """Return the causes of what passes a filter, the most frequent first."""
    found: dict[str, Cause] = {}
    for row in every(store, filter):
        one = cause(row)
        known = found.get(one.key)
        found[one.key] = _added(known, one) if known else one
    return sorted(found.values(), key=lambda one: (-one.count, one.key))


def _added(known: Cause, one: Cause) -> Cause:
    since, until = min(known.since, one.since), max(known.until, one.until)
    return replace(known, count=known.count + 1, since=since, until=until)


def every(store: Store, filter: Filter, key: str = "") -> Iterator[Row]:
    """Yield all that passes a filter, oldest first, page by page; with a key, only this cause."""
    after = filter.after
    while page := store.rows(replace(filter, oldest=True, after=after, limit=_PAGE)):
        yield from (row for row in page if not key or cause(row).key == key)
        after = page[-1].seq


def advice(one: Cause, language: Language) -> str:
    """Return what to do about it."""
    if one.state in _BY_STATE:
        return _BY_STATE[one.state][language == "de"]
    fitting = (texts for start, texts in _ADVICE if one.place.startswith(start))
    return next(fitting, _OTHERWISE)[language == "de"]
