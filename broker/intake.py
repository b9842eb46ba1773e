"""Takes messages and replies over: a positive answer is given only after the commit."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial

from broker.adapter import Correlation
from broker.answers import reply_birth
from broker.channels.channel import Incoming
from broker.errors import (
    BrokerError,
    Conflict,
    Exhausted,
    Forbidden,
    MessageError,
    Refusal,
    ReplyError,
    SenderNotAllowed,
    guarded,
)
from broker.journal.birth import birth, marked
from broker.journal.restore import LOST, repeats
from broker.journal.trail import BROKER, Fact, Trail, entry
from broker.journal.vault import salted
from broker.message import Authority, Direction, Envelope, Message, Receipt, State, new_id, now
from broker.outcome import unreadable
from broker.pipeline import Broker, Site, adapter, born
from broker.pressure import Bounds, Pressure
from broker.scribe import Ring, silent
from broker.stores.contract import Accepted, Birth, Refused, Row, Way

_LOST = (
    "it was made before the store was restored from a copy and may have been delivered by the lost "
    "one; look into the procedure, then settle --delivered, or replay --again"
)


class Intake:
    """Accepts what channels bring. Thread-safe."""

    def __init__(
        self,
        broker: Broker,
        guard: Callable[[], None] = lambda: None,
        ring: Ring = silent,
        exhausted: Callable[[Exhausted], None] = lambda _error: None,
        pressure: Pressure | None = None,
    ) -> None:
        """Take the broker whose store keeps it, and what raises while nothing may be taken.

        `ring` is called after the commit of what is due, on any thread; `exhausted` is told where
        the parser of this process is at its end; `pressure` says whether there is room.
        """
        self._broker = broker
        self.guard = guard
        self._ring = ring
        self._exhausted = exhausted
        #: Raises Overloaded while nothing more may be taken.
        self.pressure = pressure or Pressure(
            broker.store, lambda: broker.site.table.table, Bounds()
        )

    def accept(self, body: bytes, party: str, via: str, actor: str = "") -> Receipt:
        """Accept one message of an authenticated party; return after the commit.

        `actor` is the person who brings it by hand: no rate holds for it. Raises Refusal, after the
        bytes and the reason were kept, where nothing was accepted; Overloaded where it can be
        brought again later.
        """
        if not actor:
            self.pressure.admit(party)
        try:
            message, future = self.begin(body, party, actor=actor)
            return self.finish(message, future.result())
        except Refusal as error:
            self.refuse(body, party, via, error).result()
            raise

    def ready(self) -> None:
        """Raise what keeps it from taking messages now: Unsealed, Overloaded."""
        self.guard()
        self.pressure.check()

    def begin(
        self, body: bytes, party: str, recipient: str = "", actor: str = ""
    ) -> tuple[Message, Future[Accepted]]:
        """Parse and hand to the store without waiting; give the result to `finish`.

        `recipient` is what the channel knows of messages whose standard has no head. Raises
        Refusal where no head can be read, Unsealed where the journal is not sealed any more,
        Overloaded where there is no room for it. Call `pressure.admit` before.
        """
        self.ready()
        begun = time.perf_counter()
        try:
            made = self._made(body, party, recipient, actor)
        except Exhausted as error:
            self._exhausted(error)
            raise
        return made.message, self._accepted(made, begun)

    def _made(self, body: bytes, party: str, recipient: str, actor: str) -> Birth:
        site = self._broker.site
        _small(site, party, body)
        document = site.standards.parse(body)
        envelope = site.standards.envelope(document, *_ends(site, party, recipient))
        message = Message(new_id(), Direction.REQUEST, envelope, body, party, now())
        way = self._doubted(_way(site, message), envelope)
        self.pressure.enter(way.route)
        trail = Trail(message.id, actor or BROKER)
        if actor:
            trail.note("submitted", party=party)
        name = envelope.uuid or hashlib.sha256(body).hexdigest()
        made = birth(self._broker.vault, message, ("message", party, name), way, trail, "accepted")
        return marked(made, self._broker.vault, site.standards.business(document, envelope))

    @cached_property
    def _lost(self) -> datetime | None:
        """Until when messages may have been taken over that this store does not know."""
        return self._broker.store.last(LOST)

    def _doubted(self, way: Way, envelope: Envelope) -> Way:
        """Leave what may be the repeat of a message that a restored store lost to a person."""
        if not way.route or not repeats(self._lost, envelope.created):
            return way
        return replace(way, state=State.UNCLEAR, error=_LOST)

    def _accepted(self, made: Birth, begun: float) -> Future[Accepted]:
        future = self._broker.store.accept(made)
        future.add_done_callback(partial(self._timed, made, begun))
        if self._ring is not silent and made.way.state is State.WAITING:
            future.add_done_callback(partial(self._rung, made))
        return future

    def _timed(self, made: Birth, begun: float, future: Future[Accepted]) -> None:
        # A repeat is another step on a message that has its own beginning.
        if future.exception() is None and future.result().verdict == "new":
            seconds = time.perf_counter() - begun
            self._broker.meter.took("accept", seconds, born(made))

    def _rung(self, made: Birth, future: Future[Accepted]) -> None:
        if future.exception() is None and future.result().verdict == "new":
            self._ring([(made.way.channel, made.message.id)])

    def finish(self, message: Message, accepted: Accepted) -> Receipt:
        """Return the receipt of a committed message; the same one for a repeat.

        Raises Conflict where the id was used before with other bytes.
        """
        if accepted.verdict == "conflict":
            line = entry(accepted.id, "contested", party=message.party)
            self._broker.store.note([line]).result()
            raise Conflict(
                "a message with this id was accepted before with other bytes "
                f"(as {accepted.id}); give a changed message a new id"
            )
        repeated = accepted.verdict == "duplicate"
        if repeated:
            line = entry(accepted.id, "repeated", party=message.party)
            self._broker.store.note([line]).result()
        digest = hashlib.sha256(message.body).hexdigest()
        return Receipt(accepted.id, digest, accepted.received, repeated)

    def refuse(self, body: bytes, party: str, via: str, error: Refusal) -> Future[None]:
        """Keep what was not accepted, with the reason, apart from the messages."""
        vault, id = self._broker.vault, new_id()
        key = vault.new_key()
        payload = vault.seal(key, id, "original", body)
        facts: dict[str, Fact] = {"reason": error.reason, "error": str(error)}
        digest = salted(payload, body)
        line = entry(
            "", "refused", party=party, via=via, name=id, size=len(body), digest=digest, **facts
        )
        refused = Refused(
            id, party, via, error.reason, str(error), now(), key.wrapped, payload, (line,)
        )
        return self._broker.store.refuse(refused)

    def reply(self, channel: str, incoming: Incoming) -> list[str]:
        """Take over what a procedure sent, split into single replies; return their ids after the
        commit.

        A reply that matches nothing becomes a dead letter, it is never guessed.
        """
        self.guard()
        self.pressure.spare()
        begun = time.perf_counter()
        try:
            births = self._replies(channel, incoming)
        except Exhausted as error:
            self._exhausted(error)
            raise
        futures = [self._accepted(made, begun) for made in births]
        return [future.result().id for future in futures]

    def _replies(self, channel: str, incoming: Incoming) -> list[Birth]:
        site = self._broker.site
        names = site.adapters_of(channel)
        parts: Sequence[bytes] = ()
        try:
            if len(names) != 1:
                raise ReplyError(
                    f"the channel {channel} has {len(names)} adapters, a reply needs one"
                )
            with guarded():
                parts = adapter(site, names[0]).replies(incoming.body)
        except BrokerError as error:
            problem = unreadable(error)
            return [self._reply(channel, incoming.name, incoming.body, 0, None, problem)]
        return [
            self._correlated(channel, names[0], incoming.name, part, number)
            for number, part in enumerate(parts)
        ]

    def _correlated(self, channel: str, name: str, source: str, part: bytes, number: int) -> Birth:
        try:
            with guarded():
                found = adapter(self._broker.site, name).correlate(part)
                request = self._request(channel, found)
        except BrokerError as error:
            return self._reply(channel, source, part, number, None, unreadable(error))
        if found.number and found.number != request.number:
            line = entry(request.id, "numbered", number=found.number)
            self._broker.store.learn(request.id, found.number, [line]).result()
        return self._reply(channel, source, part, number, request, None)

    def _request(self, channel: str, found: Correlation) -> Row:
        request = self._broker.store.correlate(channel, found.reference, found.number)
        if request is None:
            raise ReplyError("the reply matches no delivery over this channel")
        return request

    def _reply(
        self, channel: str, source: str, part: bytes, number: int, request: Row | None,
        error: ReplyError | None,
    ) -> Birth:  # fmt: skip
        identity = ("reply", channel, source, str(number), hashlib.sha256(part).hexdigest())
        return reply_birth(self._broker, part, channel, identity, request, error)


def _small(site: Site, party: str, body: bytes) -> None:
    """Refuse what is larger than this party may send."""
    known = site.table.party(party)
    if known and known.max_message and len(body) > known.max_message:
        text = f"a message of this party has at most {known.max_message} bytes here"
        raise Forbidden(text)


def _ends(site: Site, party: str, recipient: str) -> tuple[Authority | None, Authority | None]:
    """Return recipient and sender for a message without a head, as the channel knows them."""
    if not recipient:
        return None, None
    known = site.table.party(party)
    key = known.keys[0] if known and known.keys else party
    return Authority(recipient, ""), Authority(key, "")


def _way(site: Site, message: Message) -> Way:
    table, envelope = site.table, message.envelope
    try:
        if not table.owns(message.party, envelope.sender.key):
            raise SenderNotAllowed("the author of this message is no key of the party that sent it")
        route = table.judge(envelope, message.party)
    except MessageError as error:
        return Way(table=table.table.digest, reason=error.reason, error=str(error))
    return Way(
        route.name, table.table.digest, route.adapter, route.channel, ordered=route.order_by_case
    )
