"""What a person does to a delivery; every act names the person and the reason in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from broker.answers import way_back
from broker.errors import BrokerError
from broker.journal.birth import birth, marked
from broker.journal.trail import Fact, Trail, entry
from broker.message import Direction, Envelope, Message, State, new_id, now
from broker.pipeline import Broker
from broker.stores.contract import Birth, Change, Pause, Row, Way
from broker.stores.mending import Act as Kind
from broker.stores.mending import Window

#: What one act does in the store: it moves a delivery, or makes a new message.
Step = Change | Birth
#: A replay has these to begin from; the rest has ended, or is on its way.
STUCK = (State.DEAD, State.HELD, State.UNCLEAR)


class NotPossible(BrokerError):
    """The message is in a state that this act does not apply to."""


@dataclass(frozen=True, slots=True)
class Act:
    """What a person wants, and why: `again` allows a second effect, `reroute` decides the route
    anew. `facts` go into the journal too, for instance the selection that the message is part of.
    """

    reason: str
    again: bool = False
    reroute: bool = False
    facts: Mapping[str, Fact] = field(default_factory=dict)


class Repair:
    """Acts of one person."""

    def __init__(self, broker: Broker, actor: str) -> None:
        """Take the broker and the name of the person."""
        self._broker = broker
        self._actor = actor

    def replay(self, row: Row, reason: str, again: bool = False, reroute: bool = False) -> str:
        """Let a message go on; return the id that goes on.

        What was not delivered goes back to waiting under the same key. What was delivered is sent
        as a new, linked message, and only with `again`. `reroute` decides the route anew. Raises
        NotPossible.
        """
        step = self.replaying(row, Act(reason, again, reroute))
        if isinstance(step, Birth):
            return self._broker.store.accept(step).result().id
        self._write(step, row)
        return row.id

    def replaying(self, row: Row, act: Act) -> Step:
        """Return what a replay does, without doing it; raises NotPossible where it cannot be."""
        self.check(row, "replay", act)
        if row.state is State.DELIVERED:
            return self._anew(row, act)
        return self._change(row, "replayed", State.WAITING, act,
                            self.rerouted(row) if act.reroute else None)  # fmt: skip

    def close(self, row: Row, reason: str) -> None:
        """End a message that a person has taken care of. Raises NotPossible."""
        self._write(self.closing(row, Act(reason)), row)

    def closing(self, row: Row, act: Act) -> Change:
        """Return what ending a message does, without doing it; raises NotPossible."""
        self.check(row, "close", act)
        return self._change(row, "closed", State.CLOSED, act)

    def check(self, row: Row, kind: Kind, act: Act) -> None:
        """Raise NotPossible where an act does not apply to a message."""
        if kind == "close":
            if row.state not in STUCK:
                raise NotPossible(
                    f"{row.id} is {row.state.value}; only what is stuck can be closed"
                )
        elif row.state is State.DELIVERED:
            if not act.again:
                raise NotPossible(
                    f"{row.id} was delivered; a second effect needs --again and --reason"
                )
        else:
            self._replayable(row, act)

    def settle(self, row: Row, reason: str) -> None:
        """Say that an unclear delivery did arrive. Raises NotPossible."""
        if row.state is not State.UNCLEAR:
            raise NotPossible(f"{row.id} is {row.state.value}, not unclear")
        self._write(self._change(row, "settled", State.DELIVERED, Act(reason)), row)

    def pause(self, route: str, reason: str) -> None:
        """Stop a route: nothing of it is taken until it is resumed."""
        line = entry("", "paused", self._actor, route=route, reason=reason)
        self._broker.store.pause(Pause(route, self._actor, reason, now()), line).result()

    def plan(self, window: Window) -> None:
        """Stop a route for a time. Raises NotPossible where that time is over, or none."""
        if window.until <= max(window.start, now()):
            raise NotPossible("the end of a pause lies after its begin, and in the future")
        line = entry("", "paused", self._actor, route=window.route, reason=window.reason,
                     start=_stamp(window.start), until=_stamp(window.until))  # fmt: skip
        self._broker.store.plan(window, line).result()

    def resume(self, route: str, reason: str) -> bool:
        """Start a route again, planned pauses stay; False where it was not stopped."""
        line = entry("", "resumed", self._actor, route=route, reason=reason)
        store = self._broker.store
        done = [store.resume(route, line).result()]
        done += [self.unplan(one, reason) for one in store.windows(route) if one.open(now())]
        return any(done)

    def unplan(self, window: Window, reason: str) -> bool:
        """End a pause, or take a planned one back; False where it is gone."""
        line = entry("", "resumed", self._actor, route=window.route, reason=reason,
                     start=_stamp(window.start), until=_stamp(window.until))  # fmt: skip
        return self._broker.store.unplan(window.id, line).result()

    def rerouted(self, row: Row) -> tuple[str, str, str, str]:
        """Return route, table, adapter and channel by the table in force.

        Raises NotPossible for an answer that has a way, MessageError where no route takes the
        message.
        """
        site = self._broker.site
        if row.direction is Direction.ANSWER:
            way = self._way_back(row)
            return way.route, way.table, way.adapter, way.channel
        route = site.table.judge(row.envelope, row.party)
        return route.name, site.table.table.digest, route.adapter, route.channel

    def _way_back(self, row: Row) -> Way:
        request = self._broker.store.row(row.answers) if row.answers else None
        if row.channel or request is None:
            raise NotPossible(f"{row.id} is an answer; its way follows from its request")
        way = way_back(self._broker.site, request)
        if way.state is State.DEAD:
            raise NotPossible(f"{row.id}: {way.error}")
        return way

    def _replayable(self, row: Row, act: Act) -> None:
        if row.state not in (*STUCK, State.WAITING):
            raise NotPossible(f"{row.id} is {row.state.value}; only what is stuck can be replayed")
        if row.state is State.UNCLEAR and not act.again:
            raise NotPossible(
                f"{row.id} may have arrived; look into the procedure, then use settle --delivered, "
                "or replay --again"
            )
        if row.direction is Direction.ANSWER and row.answers is None:
            raise NotPossible(
                f"{row.id} matches no delivery, a replay cannot change that; close it"
            )
        if row.direction is Direction.ANSWER and not row.channel and not act.reroute:
            raise NotPossible(
                f"{row.id} has no return channel; give its party an answer: in routes.yaml, then "
                "replay --reroute"
            )
        if self._broker.store.payload(row.id, "original") is None:
            raise NotPossible(f"the payload of {row.id} was erased; it can only be closed")

    def _change(
        self, row: Row, event: str, state: State, act: Act,
        route: tuple[str, str, str, str] | None = None,
    ) -> Change:  # fmt: skip
        trail = Trail(row.id, self._actor)
        trail.note(event, reason=act.reason, was=row.state.value, state=state.value,
                   route=route[0] if route else None, adapter=route[2] if route else None,
                   table=route[1] if route else None,
                   channel=route[3] if route else None, **act.facts)  # fmt: skip
        # A mark without an outcome stays, so that the other side is asked, unless a person knows.
        sending = False if row.state is State.UNCLEAR else None
        return Change(row.id, None, state, trail.taken(), due=now(), sending=sending, reason="",
                      error="", expected=(row.state,), route=route)  # fmt: skip

    def _write(self, change: Change, row: Row) -> None:
        if not self._broker.store.change([change]).result()[0]:
            raise NotPossible(f"{row.id} is not {row.state.value} any more; look at it again")

    def _way(self, row: Row, act: Act) -> Way:
        if not act.reroute:
            return stored_way(self._broker, row)
        name, table, adapter, channel = self.rerouted(row)
        route = self._broker.site.table.route(name)
        ordered = route is not None and route.order_by_case
        return Way(name, table, adapter, channel, ordered=ordered)

    def _anew(self, row: Row, act: Act) -> Birth:
        found = self._broker.store.payload(row.id, "original")
        if found is None:
            raise NotPossible(f"the payload of {row.id} was erased; it cannot be sent again")
        body = self._broker.vault.unseal(found[0], row.id, found[1])
        id = new_id()
        way = self._way(row, act)
        made = copied(self._broker, row, (id, body, row.envelope), way, self._actor, act)
        line = entry(row.id, "replayed", self._actor, reason=act.reason, name=id, **act.facts)
        return replace(made, entries=(*made.entries, line))


def copied(
    broker: Broker, row: Row, content: tuple[str, bytes, Envelope], way: Way, actor: str, act: Act
) -> Birth:
    """Return a message that replays another one; `content` is its id, its bytes and their head."""
    id, body, envelope = content
    message = Message(id, row.direction, envelope, body, row.party, now(), row.answers, row.id)
    trail = Trail(id, actor)
    trail.note("replayed", reason=act.reason, replays=row.id, **act.facts)
    made = birth(broker.vault, message, ("replay", row.id, id), way, trail, "accepted")
    if row.direction is Direction.ANSWER:
        return made
    standards = broker.site.standards
    return marked(made, broker.vault, standards.business(standards.parse(body), envelope))


def stored_way(broker: Broker, row: Row) -> Way:
    """Return the way that a message was stored with."""
    route = broker.site.table.route(row.route)
    ordered = route is not None and route.order_by_case
    # An answer of the broker itself has no adapter: its original is what goes out.
    ready = row.direction is Direction.ANSWER and not row.adapter
    return Way(row.route, row.table, row.adapter, row.channel, ready, ordered)


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")
