"""Salzgitter, any procedure that speaks XÖV itself: messages and answers pass unchanged."""

from broker import Adapter, Document, Facts, ReplyError, parse


class Durchreichen(Adapter):
    accepts = ("xbau/2.5", "xbau/2.6", "xdomea/3.1.0", "xgewerbeanzeige/2.2")
    number = "vorgang"

    def to_legacy(self, source: Document, facts: Facts) -> bytes:
        """Return the bytes as they were received."""
        return source.raw

    def to_xoev(self, source: bytes, facts: Facts) -> bytes:
        """Return the answer as it came, unless it names another message than the one it answers."""
        asked = facts.answered.uuid if facts.answered else ""
        named = parse(source).root.findtext(".//{*}bezugNachricht/{*}nachrichtenUUID", asked)
        if named.strip().lower() != asked.lower():
            raise ReplyError("the answer refers to another message than the one it answers")
        return source
