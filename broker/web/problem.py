"""Why a request was not fulfilled: problem documents of RFC 9457, with the XÖV reason code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from broker.errors import Overloaded, TooFast
from broker.web.reply import Header, Reply

TYPE = b"application/problem+json"
URN = "urn:xoev-broker:problem:"

#: Seconds after which a sender should come back.
LATER = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: HTTP status, and a title that never changes, in English and German."""

    status: int
    title: str
    titel: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "not-xml": Kind(400, "Not an XÖV message", "Keine XÖV-Nachricht"),
        "forbidden": Kind(400, "Construct or size not taken", "Nicht zugelassen im Dokument"),
        "token": Kind(401, "No valid bearer token", "Kein gültiges Zugangstoken"),
        "not-allowed": Kind(403, "Not allowed to send here", "Absender nicht zugelassen"),
        "not-found": Kind(404, "Not found", "Nicht gefunden"),
        "method": Kind(405, "Method not allowed", "Methode nicht zugelassen"),
        "slow": Kind(408, "The request came too slowly", "Die Anfrage kam zu langsam"),
        "conflict": Kind(409, "Id used with other bytes", "Kennung mit anderem Inhalt benutzt"),
        "too-large": Kind(413, "Message too large", "Nachricht zu groß"),
        "media-type": Kind(415, "Media type not taken", "Medientyp nicht zugelassen"),
        "too-fast": Kind(429, "More messages than agreed", "Mehr Nachrichten als vereinbart"),
        "failed": Kind(500, "Error in the broker", "Fehler im Broker"),
        "busy": Kind(503, "Too busy, come back later", "Überlastet, später wiederkommen"),
        "no-room": Kind(503, "No room for more now", "Derzeit kein Platz für weitere"),
        "unavailable": Kind(503, "Takes nothing now, come back later", "Nimmt derzeit nichts an"),
    }
)


class Problem(Exception):
    """Ends the handling of a request; becomes a problem document.

    `kind` is a key of KINDS; `detail` says what was found and what to do, never a value of the
    request.
    """

    def __init__(
        self, kind: str, detail: str = "", reason: str = "", headers: tuple[Header, ...] = (),
        later: int = LATER,
    ) -> None:  # fmt: skip
        """Take the kind, the detail, the XÖV reason code if there is one, further headers, and for
        429 and 503 the seconds after which to come back.
        """
        super().__init__(kind)
        self.later = later
        self.kind, self.detail, self.reason, self.headers = kind, detail, reason, headers

    @classmethod
    def of(cls, error: Overloaded) -> Problem:
        """Return the problem of whoever comes while there is no room."""
        kind = "too-fast" if isinstance(error, TooFast) else "no-room"
        return cls(kind, str(error), later=error.seconds)

    def reply(self) -> Reply:
        """Return the document."""
        kind = KINDS[self.kind]
        fields = {
            "type": URN + self.kind,
            "title": kind.title,
            "title_de": kind.titel,
            "status": kind.status,
            "detail": self.detail,
            "reason": self.reason,
        }
        given = {name: value for name, value in fields.items() if value != ""}
        text = json.dumps(given, ensure_ascii=False)
        headers = self.headers
        if kind.status in (429, 503):
            headers = (*headers, (b"retry-after", b"%d" % self.later))
        return Reply(kind.status, text.encode(), TYPE, headers)
