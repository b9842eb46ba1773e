"""What the clerk behind a stand-in decides: by a word in the name of the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

#: A reference that the broker never gave away.
STRANGER = "ZZZZZZZZZZZZZ"


class Kind(StrEnum):
    """What an answer says."""

    RECEIVED = "received"
    FILED = "filed"
    GRANTED = "granted"
    DENIED = "denied"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a procedure: to which reference, under which file number, what it says."""

    reference: str
    number: str
    kind: Kind
    day: date
    text: str


TEXTS: Mapping[Kind, str] = {
    Kind.RECEIVED: "Der Antrag ist eingegangen und wird auf Vollständigkeit geprüft.",
    Kind.FILED: "Der Antrag wird unter dem angegebenen Aktenzeichen bearbeitet.",
    Kind.GRANTED: "Die Baugenehmigung wird erteilt. Der Baubeginn ist vorher anzuzeigen.",
    Kind.DENIED: "Der Antrag wird abgelehnt: Der Grenzabstand wird nicht eingehalten.",
    Kind.REFUSED: "Das Vorhaben liegt nicht in der Zuständigkeit dieser Behörde.",
}

#: The first word found decides; an application without any is received and stays so.
WORDS: Mapping[str, tuple[Kind, ...]] = {
    "Windrad": (Kind.REFUSED,),
    "Hochhaus": (Kind.RECEIVED, Kind.DENIED),
    "Einfamilienhaus": (Kind.RECEIVED, Kind.GRANTED),
    "Werkstatt": (Kind.RECEIVED, Kind.FILED),
}


def judge(project: str) -> tuple[Kind, ...]:
    """Return what the clerk answers to a project of this name, in order."""
    found = (kinds for word, kinds in WORDS.items() if word.lower() in project.lower())
    return next(found, (Kind.RECEIVED,))
