"""The story of one message: everything that belongs to it, in order, without any payload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from broker.errors import BrokerError
from broker.journal.birth import case_key
from broker.journal.entry import Line, decode
from broker.journal.vault import Vault
from broker.message import State
from broker.records import line_record, record
from broker.stores.contract import Filter, Row, Store

Language = Literal["en", "de"]

#: So many messages of one story are shown; a case that runs for years may have more.
LONGEST = 500

#: After these, the message that `name` says goes on in place of this one.
_ONWARD = ("replayed", "confirmed")

#: What each event of the journal means, in English and German.
EVENTS: Mapping[str, tuple[str, str]] = {
    "abandoned": (
        "a checkpoint of a lost store was given up",
        "ein Prüfpunkt eines verlorenen Bestands wurde aufgegeben",
    ),
    "copied": ("a backup was made", "eine Sicherung wurde gemacht"),
    "restored": (
        "a person let a restored copy run",
        "ein Mensch hat eine eingespielte Kopie in Betrieb genommen",
    ),
    "accepted": ("taken over, on disk", "angenommen und gespeichert"),
    "cancelled": (
        "the rest of a selection was cancelled",
        "der Rest einer Auswahl ist abgebrochen",
    ),
    "carried": ("a selection was worked on", "eine Auswahl wurde abgearbeitet"),
    "confirmed": (
        "a second person confirmed new content",
        "ein zweiter Mensch hat den neuen Inhalt bestätigt",
    ),
    "declined": ("new content was not confirmed", "der neue Inhalt wurde abgelehnt"),
    "proposed": ("a person proposed new content", "ein Mensch hat neuen Inhalt vorgeschlagen"),
    "selected": ("messages were selected", "Nachrichten wurden ausgewählt"),
    "answered": ("an answer was made of the reply", "aus der Rückmeldung wurde eine Antwort"),
    "buried": ("a case for a person", "ein Klärfall"),
    "closed": ("closed by a person", "von einem Menschen geschlossen"),
    "contested": ("other bytes came under its id", "andere Daten kamen unter ihrer Kennung"),
    "converted": ("converted by the adapter", "vom Adapter umgewandelt"),
    "delivered": ("the other side has it", "die Gegenseite hat sie"),
    "exported": ("a list of messages was taken away", "eine Liste wurde ausgegeben"),
    "doubted": ("nobody knows whether it arrived", "unklar, ob sie angekommen ist"),
    "held": ("waits for a schema", "wartet auf ein Schema"),
    "installed": ("an official bundle was installed", "ein amtliches Paket wurde eingespielt"),
    "late": (
        "an outcome came after the lease was lost, and changed nothing",
        "ein Ergebnis kam nach Verlust der Vergabe und änderte nichts",
    ),
    "overdue": (
        "not delivered, or not answered, in time",
        "nicht rechtzeitig zugestellt oder beantwortet",
    ),
    "numbered": ("the procedure gave a file number", "das Fachverfahren vergab ein Aktenzeichen"),
    "erased": ("the payload was erased", "der Inhalt wurde gelöscht"),
    "forgotten": ("ids and numbers were erased", "Kennungen und Nummern wurden gelöscht"),
    "locked": ("a legal hold protects it", "vor dem Löschen geschützt"),
    "unlocked": ("the legal hold has ended", "der Schutz vor dem Löschen ist beendet"),
    "witnessed": (
        "a checkpoint was countersigned",
        "ein Prüfpunkt wurde gegengezeichnet",
    ),
    "retained": ("what was due was erased", "Fälliges wurde gelöscht"),
    "moved": (
        "the site was carried into another database",
        "die Ablage ist in eine andere Datenbank umgezogen",
    ),
    "rotated": ("the site key was changed", "der Schlüssel wurde gewechselt"),
    "rewrapped": ("message keys were wrapped anew", "Nachrichtenschlüssel wurden neu verpackt"),
    "retired": ("the old site key was forgotten", "der alte Schlüssel wurde vergessen"),
    "opened": ("a person read its content", "ein Mensch hat den Inhalt gelesen"),
    "paused": ("the route was stopped", "der Weg wurde angehalten"),
    "postponed": ("tried again later", "wird später erneut versucht"),
    "recovered": ("taken up again after a crash", "nach einem Absturz wieder aufgenommen"),
    "refused": ("not accepted", "nicht angenommen"),
    "rejected": ("can never succeed, the sender is told", "kann nie gelingen, Absender erfährt es"),
    "released": ("goes on, the schema is installed", "geht weiter, das Schema ist da"),
    "reloaded": ("a changed routes.yaml is in force", "eine geänderte routes.yaml gilt"),
    "repeated": ("the same message came again", "dieselbe Nachricht kam noch einmal"),
    "removed": ("an official bundle was removed", "ein amtliches Paket wurde entfernt"),
    "replayed": ("sent on by a person", "von einem Menschen erneut auf den Weg gebracht"),
    "resumed": ("the route goes on", "der Weg geht weiter"),
    "searched": ("a person searched", "ein Mensch hat gesucht"),
    "sending": ("is being handed over", "wird gerade übergeben"),
    "settled": ("a person saw that it arrived", "ein Mensch hat gesehen, dass sie ankam"),
    "started": ("the broker was started", "der Broker wurde gestartet"),
    "submitted": ("brought by a person", "von einem Menschen eingeliefert"),
    "stopped": ("the broker was stopped", "der Broker wurde beendet"),
    "rehearsed": ("was judged by a coming version", "nach einer kommenden Fassung geprüft"),
    "checked": ("codes and rules were checked", "Codes und Regeln geprüft"),
    "validated": ("follows its standard", "entspricht ihrem Standard"),
}

#: What each state means, in English and German.
STATES: Mapping[State, tuple[str, str]] = {
    State.WAITING: ("waiting", "wartet"),
    State.WORKING: ("in work", "in Arbeit"),
    State.HELD: ("held, a schema is missing", "zurückgestellt, ein Schema fehlt"),
    State.UNCLEAR: ("unclear, look into the procedure", "unklar, im Fachverfahren nachsehen"),
    State.DEAD: ("dead, a case for a person", "Klärfall"),
    State.DELIVERED: ("delivered", "zugestellt"),
    State.REJECTED: ("rejected", "zurückgewiesen"),
    State.CLOSED: ("closed by a person", "geschlossen"),
}


class NotFound(BrokerError):
    """No message has this id, nachrichtenUUID, reference, file number or case."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One message of a story with its lines of the journal, in order."""

    row: Row
    lines: tuple[Line, ...]

    @property
    def repeats(self) -> int:
        """How often the same message came again; it had no second effect."""
        return sum(line.event == "repeated" for line in self.lines)


@dataclass(frozen=True, slots=True)
class Story:
    """What was asked for and every message that belongs to it, in the order of their acceptance.

    `cut` says that there are more than LONGEST messages. `siblings` are ids of other messages of
    the same case, the oldest first.
    """

    asked: str
    chapters: tuple[Chapter, ...]
    cut: bool = False
    siblings: tuple[str, ...] = ()


def find(store: Store, vault: Vault, text: str, limit: int = LONGEST) -> list[Row]:
    """Return the messages with this id, nachrichtenUUID, reference, file number or case.

    Newest first; raises NotFound.
    """
    text = text.strip()
    found = store.rows(Filter(text=text, limit=limit)) if text else []
    if not found and text:
        found = store.rows(Filter(case=case_key(vault, text), limit=limit))
    if not found:
        raise NotFound(
            "no message has this id, nachrichtenUUID, reference, file number or case; "
            "xoev-broker messages lists the newest"
        )
    return found


def single(store: Store, text: str) -> Row:
    """Return the one message with this id, nachrichtenUUID, reference or file number.

    Raises NotFound where there is none or more than one.
    """
    found = store.rows(Filter(text=text.strip(), limit=10)) if text.strip() else []
    if not found:
        raise NotFound("no message has this id; xoev-broker messages lists the newest")
    if len(found) > 1:
        ids = ", ".join(row.id for row in found)
        raise NotFound(f"several messages have this name, use one of their ids: {ids}")
    return found[0]


def story(store: Store, vault: Vault, text: str) -> Story:
    """Return the story of a message, a case or a file; raises NotFound.

    Answers, requests and replays belong to it, in both directions.
    """
    chapters: dict[str, Chapter] = {}
    pending = find(store, vault, text, LONGEST + 1)
    while pending and len(chapters) <= LONGEST:
        row = pending.pop()
        if row.id not in chapters:
            chapters[row.id] = Chapter(row, tuple(map(decode, store.entries(row.id))))
            pending += _related(store, chapters[row.id])
    # The order in which the store took them: a clock may have been set back in between.
    ordered = sorted(chapters.values(), key=lambda chapter: chapter.row.seq)
    return Story(text, tuple(ordered[:LONGEST]), len(ordered) > LONGEST,
                 _siblings(store, vault, ordered))  # fmt: skip


def _siblings(store: Store, vault: Vault, chapters: Sequence[Chapter]) -> tuple[str, ...]:
    """Return what shares a case with these but is none of them."""
    known = {chapter.row.id for chapter in chapters}
    cases = dict.fromkeys(chapter.row.envelope.case for chapter in chapters)
    rows = (
        row
        for case in cases
        if case
        for row in store.rows(Filter(case=case_key(vault, case), oldest=True, limit=LONGEST))
    )
    return tuple(dict.fromkeys(row.id for row in rows if row.id not in known))[:LONGEST]


def _related(store: Store, chapter: Chapter) -> Iterator[Row]:
    row = chapter.row
    yield from store.rows(Filter(answers=row.id, limit=LONGEST))
    later = (line.facts.get("name") for line in chapter.lines if line.event in _ONWARD)
    for id in (row.answers, row.replays, *later):
        found = store.row(id) if id else None
        if found is not None:
            yield found


def phrase(event: str, language: Language) -> str:
    """Return what an event means, or the event itself where it is new."""
    return EVENTS.get(event, (event, event))[language == "de"]


def state(value: State, language: Language) -> str:
    """Return what a state means."""
    return STATES[value][language == "de"]


def document(story: Story) -> dict[str, Any]:
    """Return a story for a machine."""
    return {
        "asked": story.asked,
        "cut": story.cut,
        "siblings": list(story.siblings),
        "messages": [
            record(chapter.row)
            | {"repeats": chapter.repeats}
            | {"entries": [line_record(line) for line in chapter.lines]}
            for chapter in story.chapters
        ],
    }
