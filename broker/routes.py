"""Which envelope goes to which adapter and channel (Content-Based Router)."""

from __future__ import annotations

import heapq
import re

from broker.channels.channel import Declared
from broker.config.index import Index
from broker.config.model import Match, Party, Route, Table
from broker.errors import ConfigError, NoRoute, SenderNotAllowed
from broker.message import Envelope
from broker.values import closest

#: How many routes an explanation shows.
SHOWN = 10

# Only what looks like the key of an authority is repeated: a head may hold anything.
_KEY = re.compile(r"[A-Za-z]{2,10}:\d{1,20}", re.ASCII)
_NAME = re.compile(r"[\w.-]{1,100}", re.ASCII)


class RoutingTable:
    """A checked table, ready to be asked; the first match in the order of the file wins."""

    def __init__(self, table: Table) -> None:
        """Index the table."""
        self.table = table
        self._index = Index(table.routes)
        self._names = {route.name: route for route in table.routes}
        self._keys = {key: party for party in table.parties.values() for key in party.keys}

    def match(self, envelope: Envelope, party: str) -> Route | None:
        """Return the route of a message from this party, or None."""
        criteria = (envelope.standard, envelope.version, envelope.kind, party)
        return self._index.find(envelope.recipient.key, criteria)

    def judge(self, envelope: Envelope, party: str) -> Route:
        """Return the route of a message from this party.

        Raises SenderNotAllowed where only other parties may use the route, else NoRoute.
        """
        found = self.match(envelope, party)
        if found is not None:
            return found
        routes = self._index.of(envelope.recipient.key)
        for route in routes:
            if not _reasons(route.match, envelope, ""):
                raise SenderNotAllowed(f'route "{route.name}" is not open to party "{party}"')
        raise NoRoute(_no_route(envelope, served=bool(routes)))

    def explain(self, envelope: Envelope, party: str) -> tuple[tuple[Route, str], ...]:
        """Return the nearest routes, most similar first, each with the reason why it is not taken.

        The reason is empty for the route that is taken.
        """
        taken = self.match(envelope, party)
        nearest = heapq.nlargest(
            SHOWN, self.table.routes, key=lambda route: _likeness(route.match, envelope, party)
        )
        if taken is not None:
            nearest = [taken, *(route for route in nearest if route is not taken)][:SHOWN]
        return tuple((route, _reason(route, envelope, party, taken)) for route in nearest)

    def route(self, name: str) -> Route | None:
        """Return a route by its name, for a delivery that was stored with it."""
        return self._names.get(name)

    def party(self, name: str) -> Party | None:
        """Return a party by its name."""
        return self.table.parties.get(name)

    def party_of_key(self, key: str) -> Party | None:
        """Return the party that an author key belongs to."""
        return self._keys.get(key)

    def owns(self, party: str, key: str) -> bool:
        """Whether an author key belongs to this party."""
        owner = self._keys.get(key)
        return owner is not None and owner.name == party

    def channel(self, name: str) -> Declared:
        """Return a declared channel; raises ConfigError where the table has none of this name."""
        found = self.table.channels.get(name)
        if found is None:
            hint = closest(name, self.table.channels)
            raise ConfigError(f'{self.table.file}: no channel "{name}"{hint}')
        return found

    def answers(self, route: Route | None, party: str) -> str | None:
        """Return the name of the return channel: that of the route, else that of the party."""
        if route is not None and route.answer is not None:
            return route.answer
        found = self.party(party)
        return found.answer if found else None


def _no_route(envelope: Envelope, served: bool) -> str:
    key = envelope.recipient.key
    recipient = f"recipient {key}" if _KEY.fullmatch(key) else "this recipient"
    if not served:
        return f"no route for {recipient}: not served here"
    kind = envelope.kind if _NAME.fullmatch(envelope.kind) else "this kind"
    standard = f"{envelope.standard}/{envelope.version}".strip("/") or "this standard"
    return f"no route for {recipient} takes {kind} of {standard}"


def _likeness(match: Match, envelope: Envelope, party: str) -> int:
    return -sum(weight for weight, _ in _mismatches(match, envelope, party))


def _reason(route: Route, envelope: Envelope, party: str, taken: Route | None) -> str:
    if route is taken:
        return ""
    reasons = _reasons(route.match, envelope, party)
    if not reasons and taken is not None:
        return f'"{taken.name}" in line {taken.line} comes first'
    return "takes only " + ", ".join(reasons)


def _reasons(match: Match, envelope: Envelope, party: str) -> list[str]:
    return [text for _, text in _mismatches(match, envelope, party)]


def _mismatches(match: Match, envelope: Envelope, party: str) -> list[tuple[int, str]]:
    """Return what does not fit, with its weight; an empty party fits every route."""
    senders = match.senders if party else ()
    wanted = (
        (8, "recipient", (match.recipient,), envelope.recipient.key),
        (4, "standard", (match.standard,) if match.standard else (), envelope.standard),
        (4, "kind", match.kinds, envelope.kind),
        (2, "version", match.versions, envelope.version),
        (1, "sender", senders, party),
    )
    return [
        (weight, f"{name} {' or '.join(values)}")
        for weight, name, values, actual in wanted
        if values and actual not in values
    ]
