"""What an alert says, in English and German, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

Facts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences with places for facts, and a command to type."""

    en: str
    de: str
    next: str


KINDS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "waiting": Words(
            "Route {route}: messages wait for too long, the oldest since {oldest}.",
            "Weg {route}: Nachrichten warten zu lange, die älteste seit {oldest}.",
            "xoev-broker messages --route {route} --state waiting",
        ),
        "channel": Words(
            "Channel {channel}: deliveries fail.",
            "Anbindung {channel}: Zustellungen schlagen fehl.",
            "xoev-broker check --probe",
        ),
        "inlet": Words(
            "Channel {channel}: what it brings in cannot be fetched.",
            "Anbindung {channel}: was sie bringt, kann nicht abgeholt werden.",
            "xoev-broker check --probe",
        ),
        "quarantine": Words(
            "Channel {channel}: {count} refused message(s) lie in its quarantine.",
            "Anbindung {channel}: {count} abgewiesene Nachricht(en) liegen in ihrer Quarantäne.",
            "xoev-broker check --probe",
        ),
        "dead": Words(
            "{count} message(s) wait for a person ({state}, {reason}; route {route}).",
            "{count} Nachricht(en) warten auf einen Menschen ({state}, {reason}; Weg {route}).",
            "xoev-broker dead show {key}",
        ),
        "late": Words(
            "Route {route}: {count} request(s) not in time ({rule}), the first since {oldest}.",
            "Weg {route}: {count} Anfrage(n) nicht rechtzeitig ({rule}), die erste seit {oldest}.",
            "xoev-broker messages --late --route {route}",
        ),
        "disk": Words(
            "Host {host}: the disk of the broker is getting full.",
            "Rechner {host}: Die Platte des Brokers wird voll.",
            "xoev-broker retention plan",
        ),
        "closed": Words(
            "Host {host}: nothing is taken in ({why}); delivery goes on.",
            "Rechner {host}: Es wird nichts angenommen ({why}); zugestellt wird weiter.",
            "xoev-broker status",
        ),
        "full": Words(
            "Route {route}: so much waits that nothing more is taken for it.",
            "Weg {route}: Es wartet so viel, dass nichts mehr dafür angenommen wird.",
            "xoev-broker messages --route {route} --state waiting",
        ),
        "sealing": Words(
            "The journal is not sealed since {oldest}; in the end nothing will be taken in.",
            "Das Protokoll ist seit {oldest} nicht besiegelt; am Ende wird nichts angenommen.",
            "xoev-broker checkpoint --now",
        ),
        "certificate": Words(
            "Certificate file {file}: it ends, or cannot be read ({until}).",
            "Zertifikatsdatei {file}: läuft ab oder ist nicht lesbar ({until}).",
            "xoev-broker doctor",
        ),
        "standard": Words(
            "Standard {standard} {version}, which a route takes, ends on {until}.",
            "Standard {standard} {version}, den ein Weg annimmt, endet am {until}.",
            "xoev-broker schemas list",
        ),
        "adapter": Words(
            "Adapter {adapter} is broken; what its routes take waits.",
            "Adapter {adapter} ist defekt; was seine Wege annehmen, wartet.",
            "xoev-broker check",
        ),
        "store": Words(
            "The database cannot be reached since {oldest}.",
            "Die Datenbank ist seit {oldest} nicht erreichbar.",
            "xoev-broker doctor",
        ),
        "copy": Words(
            "The database is an older copy (a failover?); the broker has stopped.",
            "Die Datenbank ist eine ältere Kopie (Umschaltung?); der Broker hat angehalten.",
            "xoev-broker restore show",
        ),
        "test": Words(
            "This is a test. Nothing is wrong.",
            "Dies ist ein Test. Es ist alles in Ordnung.",
            "xoev-broker alerts list",
        ),
    }
)


def kind(cause: str) -> str:
    """Return the kind of a cause: what stands before its first colon."""
    return cause.partition(":")[0]


def said(cause: str, facts: Facts) -> Words:
    """Return the sentences about a cause with its facts filled in."""
    words = KINDS.get(kind(cause))
    if words is None:
        # A newer process of the same site knows of more causes than this one.
        return Words(cause, cause, "xoev-broker alerts list")
    known = _Known(facts)
    return Words(*(text.format_map(known) for text in (words.en, words.de, words.next)))


class _Known(dict[str, str]):
    """Facts, with a question mark for what is not known."""

    def __missing__(self, _name: str) -> str:
        return "?"
