"""The fields of routes.yaml, for checking, for editors and for the reference page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from broker.fields import Field

#: `ags` is a text: eight digits, with the leading zero.
PARTY = (
    Field("name", "text", "the name as people know it"),
    Field("ags", "text", "official municipality key (AGS), eight digits; fills `{ags}` in routes"),
    Field("key", "list", "author keys that may stand in its messages, such as `bap:03000001`"),
    Field("token_file", "secret_file", "SHA-256 hashes of its bearer tokens, one a line"),
    Field(
        "certificate",
        "list",
        "SHA-256 fingerprints of its TLS certificates, as OpenSSL prints them; they count where "
        "the intake asks for certificates (`listen_client_ca`)",
    ),
    Field("answer", "text", "channel by which it gets its answers"),
    Field("rate", "rate", "most messages that each intake takes from it, such as `50/s`"),
    Field("max_message", "size", "largest message that is taken from it; at most the setting"),
)

ROUTE = (
    Field("name", "text", "name of the route, unique", required=True),
    Field(
        "for", "list", "parties: one route each, named `name/party`, `{city}` and `{ags}` filled in"
    ),
    Field("adapter", "text", "adapter that converts, by the path of its folder", required=True),
    Field("channel", "text", "channel that delivers", required=True),
    Field(
        "order",
        "choice",
        "`case` keeps the messages of one case in order, `none` does not wait",
        "none",
        choices=("case", "none"),
    ),
    Field("answer", "text", "channel for answers, instead of the one of the sender"),
    Field("deliver_within", "seconds", "a request not delivered so long after it came is late"),
    Field("answer_within", "seconds", "a request not answered so long after it came is late"),
    Field("depth", "number", "with so many undelivered messages, no more are taken for this route"),
)

MATCH = (
    Field("recipient", "text", "key of the recipient exactly as in the message", required=True),
    Field("standard", "text", "standard, such as `xbau`; without it any"),
    Field("version", "list", "version or versions of the standard; without it any"),
    Field(
        "kind",
        "list",
        "message kind or kinds, such as `baugenehmigung.antrag.0200`; without it any",
    ),
    Field("sender", "list", "parties that may use this route; without it any"),
)

RETRY = (
    Field("first", "seconds", "wait before the second attempt", "30s"),
    Field("factor", "text", "each wait is so many times the one before", "2"),
    Field("longest", "seconds", "no wait is longer", "1h"),
    Field("give_up", "seconds", "a delivery older than this goes to a person", "3d"),
)

_LEVEL = ("error", "warning", "off")
CHECKS = (
    Field(
        "codelists",
        "choice",
        "what a code that no installed list has does: refuse the message, be noted, or nothing",
        "warning",
        choices=_LEVEL,
    ),
    Field(
        "rules",
        "choice",
        "what a broken business rule (Schematron) of the standard does",
        "warning",
        choices=_LEVEL,
    ),
)

KEEP = (
    Field("payload", "seconds", "payloads are erased so long after the message ended; 0 never"),
    Field("metadata", "seconds", "ids and file numbers are erased so long after it; 0 never"),
)

#: Fields of a route that are mappings themselves.
NESTED: Mapping[str, tuple[Field, ...]] = {
    "match": MATCH,
    "retry": RETRY,
    "checks": CHECKS,
    "keep": KEEP,
}
#: Those of them that a route must have.
NEEDED = ("match",)

#: Placeholders in the texts of a route with `for:`.
PLACEHOLDERS = ("city", "ags")

#: What names may be made of; routes may also hold a slash.
NAME = r"\w[\w.-]{0,99}"


@dataclass(frozen=True, slots=True)
class Known:
    """What this installation offers, so that routes.yaml can be held against it.

    `kinds` are the fields of each kind of channel, the common ones among them; `adapters` the names
    of all adapters, `accepts` what each of them takes (`xbau/2.6`); `standards` all installed
    standards with version (`xbau/2.6`).
    """

    kinds: Mapping[str, tuple[Field, ...]]
    adapters: Collection[str] = ()
    accepts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    standards: Collection[str] = ()

    def versions(self, standard: str) -> list[str]:
        """Return the installed versions of a standard."""
        return [
            name.partition("/")[2] for name in self.standards if name.startswith(f"{standard}/")
        ]
