"""The technical log: one line per step, fixed event names, declared keys, never a personal value.

What may stand in a line is decided by the two tables here and by nothing else, so that a careless
`log.info("delivered", name=…)` cannot print a citizen's name. The proof of what happened is the
journal; this log is for the person who runs the broker.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any, BinaryIO, Literal, NamedTuple, cast

import structlog

Form = Literal["json", "text"]
Line = MutableMapping[str, Any]


class Meaning(NamedTuple):
    """What an event or a key means, in English and German."""

    en: str
    de: str


EVENTS: Mapping[str, Meaning] = MappingProxyType(
    {
        # the process
        "started": Meaning("the broker takes and delivers", "der Broker nimmt an und liefert"),
        "drained": Meaning("work in hand is finished", "Angefangenes ist zu Ende gebracht"),
        "stopped": Meaning("the broker has ended", "der Broker ist beendet"),
        "reloaded": Meaning("a changed routes.yaml is in force", "geänderte routes.yaml gilt"),
        "kept": Meaning(
            "the changed routes.yaml has findings, the old one stays in force",
            "geänderte routes.yaml hat Befunde, die alte gilt weiter",
        ),
        "renewed": Meaning("the process replaces itself", "der Prozess erneuert sich"),
        "heavy": Meaning(
            "the process takes too much memory and replaces itself",
            "der Prozess braucht zu viel Speicher und erneuert sich",
        ),
        "exhausted": Meaning(
            "the XML parser takes no new names, the process replaces itself",
            "der XML-Leser nimmt keine neuen Namen, der Prozess erneuert sich",
        ),
        "migrated": Meaning("the store has a new schema version", "Ablage auf neuem Stand"),
        "recovered": Meaning(
            "deliveries in hand at a crash are taken up again",
            "beim Absturz Begonnenes wird wieder aufgenommen",
        ),
        "failed": Meaning("an error nobody foresaw", "ein unvorhergesehener Fehler"),
        "stalled": Meaning(
            "the dispatcher or the writer of the store does not go on; systemd starts anew",
            "Verteiler oder Schreiber der Ablage kommt nicht voran; systemd startet neu",
        ),
        "away": Meaning("the store cannot be reached", "die Ablage ist nicht erreichbar"),
        "back": Meaning("the store can be reached again", "die Ablage ist wieder erreichbar"),
        # a message
        "accepted": Meaning("a message is on disk", "eine Nachricht ist gespeichert"),
        "repeated": Meaning("the same message came again", "dieselbe Nachricht kam noch einmal"),
        "refused": Meaning("bytes were not accepted", "Daten wurden nicht angenommen"),
        "validated": Meaning("it follows its standard", "sie entspricht ihrem Standard"),
        "converted": Meaning("the adapter has converted it", "der Adapter hat sie umgewandelt"),
        "delivered": Meaning("the other side has it", "die Gegenseite hat sie"),
        "answered": Meaning("an answer is on its way back", "eine Antwort ist auf dem Rückweg"),
        "unmatched": Meaning("an answer matches no delivery", "Antwort ohne passende Zustellung"),
        "late": Meaning(
            "an outcome came after the lease was lost, and changes nothing",
            "ein Ergebnis kam nach Verlust der Vergabe und ändert nichts",
        ),
        "rejected": Meaning("it can never succeed", "sie kann nie gelingen"),
        "postponed": Meaning("it is tried again later", "sie wird später erneut versucht"),
        "held": Meaning("it waits for a schema", "sie wartet auf ein Schema"),
        "doubted": Meaning("nobody knows whether it arrived", "unklar, ob sie angekommen ist"),
        "buried": Meaning("it is a case for a person", "sie ist ein Klärfall"),
        "released": Meaning("a person let it go on", "ein Mensch hat sie freigegeben"),
        "replayed": Meaning("a person sent it again", "ein Mensch hat sie erneut gesendet"),
        "closed": Meaning("a person closed it", "ein Mensch hat sie geschlossen"),
        # what surrounds it
        "alarmed": Meaning("people must know of a cause", "Menschen müssen etwas erfahren"),
        "calmed": Meaning("a cause is over", "ein Anlass ist vorüber"),
        "untold": Meaning(
            "an alert could not be sent this way; it is tried again",
            "eine Meldung kam auf diesem Weg nicht an; es wird weiter versucht",
        ),
        "shut": Meaning(
            "nothing is taken in for now; delivery goes on",
            "es wird vorerst nichts angenommen; zugestellt wird weiter",
        ),
        "reopened": Meaning("messages are taken in again", "es wird wieder angenommen"),
        "paused": Meaning("a route is stopped", "ein Weg ist angehalten"),
        "resumed": Meaning("a route goes on", "ein Weg läuft weiter"),
        "disabled": Meaning(
            "an adapter is broken, what its routes take waits",
            "ein Adapter ist defekt, was seine Wege annehmen, wartet",
        ),
        "disturbed": Meaning("a channel cannot be reached", "eine Anbindung ist gestört"),
        "restored": Meaning("a channel works again", "eine Anbindung geht wieder"),
        "connected": Meaning("the queue is connected", "die Warteschlange ist verbunden"),
        "disconnected": Meaning(
            "the queue cannot be used, workers look for themselves",
            "Warteschlange nicht nutzbar, Arbeiter sehen selbst nach",
        ),
        "ignored": Meaning(
            "something in the queue is no call of ours",
            "in der Warteschlange lag etwas, das kein Ruf von uns ist",
        ),
        "forgotten": Meaning(
            "too many calls wait for the queue; more are left to the sweeper",
            "zu viele Rufe warten auf die Warteschlange; weitere holt der Nachseher",
        ),
        "installed": Meaning("a schema bundle was added", "ein Schemapaket kam hinzu"),
        "erased": Meaning("payloads were erased", "Inhalte wurden gelöscht"),
        "stained": Meaning(
            "what was erased may still be in files of the database",
            "Gelöschtes kann noch in Dateien der Datenbank stehen",
        ),
        "spared": Meaning(
            "nothing was erased: the clock cannot be trusted",
            "nichts wurde gelöscht: der Uhr ist nicht zu trauen",
        ),
        "sealed": Meaning("the journal has a new checkpoint", "das Protokoll ist besiegelt"),
        "unencrypted": Meaning(
            "payloads are stored in the clear, as the setting `encryption` says",
            "Inhalte liegen unverschlüsselt, wie es die Einstellung `encryption` sagt",
        ),
        "unsealed": Meaning(
            "the journal cannot be sealed", "das Protokoll kann nicht besiegelt werden"
        ),
        "untraced": Meaning(
            "traces cannot be sent and are dropped; messages go on",
            "Ablaufspuren sind nicht zu senden und entfallen; Nachrichten laufen weiter",
        ),
        "traced": Meaning("traces can be sent again", "Ablaufspuren sind wieder zu senden"),
        "undeclared": Meaning(
            "a programming error: this event is in no table",
            "ein Programmierfehler: dieses Ereignis steht in keiner Tabelle",
        ),
    }
)

KEYS: Mapping[str, Meaning] = MappingProxyType(
    {
        "message_id": Meaning("id of the message", "Kennung der Nachricht"),
        "message_uuid": Meaning("its nachrichtenUUID", "ihre nachrichtenUUID"),
        "reference": Meaning("reference of the delivery", "Kennzeichen der Zustellung"),
        "answers": Meaning("id of the request", "Kennung der Anfrage"),
        "replays": Meaning("id of the original", "Kennung des Originals"),
        "party": Meaning("authenticated party", "angemeldeter Beteiligter"),
        "standard": Meaning("XÖV standard", "XÖV-Standard"),
        "version": Meaning("version", "Version"),
        "kind": Meaning("message kind", "Nachrichtenart"),
        "artefact": Meaning("schema that judged it", "Schema, das sie geprüft hat"),
        "route": Meaning("route", "Weg"),
        "adapter": Meaning("adapter", "Adapter"),
        "channel": Meaning("channel", "Anbindung"),
        "state": Meaning("state", "Zustand"),
        "states": Meaning("number of messages by state", "Zahl der Nachrichten je Zustand"),
        "attempt": Meaning("number of the attempt", "Nummer des Versuchs"),
        "due": Meaning("time of the next attempt", "Zeit des nächsten Versuchs"),
        "received": Meaning("time of acceptance", "Zeit der Annahme"),
        "reason": Meaning("XÖV reason code", "XÖV-Grundcode"),
        "error": Meaning("what went wrong, or its type", "was falsch war, oder die Art"),
        "receipt": Meaning("what the other side said", "was die Gegenseite gesagt hat"),
        "where": Meaning("place in the program", "Stelle im Programm"),
        "finding": Meaning("finding in a configuration", "Befund in einer Konfiguration"),
        "actor": Meaning("who did it", "wer es getan hat"),
        "size": Meaning("bytes", "Bytes"),
        "count": Meaning("how many", "Anzahl"),
        "milliseconds": Meaning("duration", "Dauer"),
        "table": Meaning("hash of the routing table", "Prüfsumme der Wegetabelle"),
        "queue": Meaning("queue, or how queues begin", "Warteschlange, oder wie sie beginnen"),
        "node": Meaning("node of RabbitMQ", "Knoten von RabbitMQ"),
        "cause": Meaning("cause of an alert", "Anlass einer Meldung"),
        "since": Meaning("since when", "seit wann"),
        "listen": Meaning("own address and port", "eigene Adresse und Port"),
        "pid": Meaning("process id", "Prozessnummer"),
        "dropped": Meaning("keys that may not be logged", "Schlüssel, die nicht ins Log dürfen"),
    }
)

_LONGEST = 300
_FRAMES = 5
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


class Sink:
    """Writes finished lines to a byte stream; a full disk or closed pipe costs lines, not messages.

    `lost` counts the lines that could not be written.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Write to this stream, one line at a time."""
        self.lost = 0
        self._stream = stream
        self._lock = threading.Lock()

    def msg(self, line: bytes) -> None:
        """Write one line and flush it."""
        with self._lock:
            try:
                self._stream.write(line + b"\n")
                self._stream.flush()
            except OSError:
                # The journal is the proof; losing the technical log must never stop a delivery.
                self.lost += 1

    debug = info = warning = error = critical = msg


def configure(level: str = "info", form: Form = "json", stream: BinaryIO | None = None) -> Sink:
    """Set up the log of this process and return what it writes to.

    `level` is debug, info, warning or error; `stream` is standard error unless given. May be called
    again: loggers made before follow.
    """
    sink = Sink(stream or cast("BinaryIO", sys.stderr.buffer))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            locate,
            allow,
            stamp,
            as_text if form == "text" else as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=False,
    )
    return sink


def get(**bound: Any) -> Any:
    """Return a logger with these keys bound, for `log.info("delivered", route=…)`.

    Cheap and lazy: nothing is configured, `configure` decides at the time of the call.
    """
    return structlog.get_logger(**bound)


def locate(_logger: Any, _method: str, line: Line) -> Line:
    """Turn an exception into its type and places; its text could hold a personal value."""
    problem = line.pop("exc_info", None)
    if problem is True:
        problem = sys.exc_info()[1]
    if isinstance(problem, BaseException):
        line["error"] = type(problem).__name__
        line["where"] = _places(problem.__traceback__)
    return line


def allow(_logger: Any, _method: str, line: Line) -> Line:
    """Let declared events, keys and plain values pass; name what was dropped, never its value.

    A key without a value (None) is left out.
    """
    event = line.pop("event", "")
    known = isinstance(event, str) and event in EVENTS
    passed: Line = {"event": event if known else "undeclared", "level": _method}
    dropped = [key for key in line if key not in KEYS]
    passed.update(
        (key, _plain(value)) for key, value in line.items() if key in KEYS and value is not None
    )
    if dropped:
        passed["dropped"] = [
            key if key.isidentifier() and len(key) < 40 else "?" for key in dropped
        ]
    return passed


def stamp(_logger: Any, _method: str, line: Line) -> Line:
    """Put the time first: UTC, RFC 3339, milliseconds, with offset."""
    return {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **line}


def as_json(_logger: Any, _method: str, line: Line) -> bytes:
    """Write a JSON line in ASCII: line feeds, escapes and bidi marks cannot get out of it."""
    return _ENCODER.encode(line).encode("ascii")


def as_text(_logger: Any, _method: str, line: Line) -> bytes:
    """Write a line for people; whatever a terminal could act on is escaped."""
    time, event, level = line.pop("time"), line.pop("event"), line.pop("level")
    rest = "  ".join(f"{key}={_shown(value)}" for key, value in line.items())
    return f"{time}  {level:<7}  {event:<10}  {rest}".rstrip().encode()


def reference() -> str:
    """Return the reference page of events and keys in Markdown."""
    head = [
        "# Log events",
        "",
        "Written by `xoev-broker docs` from `broker/logs.py`; do not edit.",
        "",
        "One JSON object a line on standard error, with `time`, `event` and `level`. Nothing but",
        "these events and keys is ever written; others are dropped and named in `dropped`.",
        "",
    ]
    return "\n".join([*head, *_rows("event", EVENTS), "", "## Keys", "", *_rows("key", KEYS), ""])


def _rows(name: str, table: Mapping[str, Meaning]) -> list[str]:
    head = [f"| {name} | meaning | Bedeutung |", "|---|---|---|"]
    return head + [f"| `{key}` | {meaning.en} | {meaning.de} |" for key, meaning in table.items()]


def _places(trace: TracebackType | None) -> list[str]:
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        module = trace.tb_frame.f_globals.get("__name__", "?")
        places.append(f"{module}.{code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places[-_FRAMES:]


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)[:_LONGEST]
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
    return f"<{type(value).__name__}>"


def _shown(value: Any) -> str:
    if isinstance(value, str) and value.isprintable() and value and " " not in value:
        return value.replace('"', '\\"')
    return _ENCODER.encode(value)
