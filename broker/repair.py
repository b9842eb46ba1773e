"""What a person does to a delivery; every act names the person and the reason in the journal."""

from __future__ import annotations

from dataclasses import replace

from broker.errors import BrokerError
from broker.journal.birth import birth, marked
from broker.journal.trail import Trail, entry
from broker.message import Direction, Message, State, new_id, now
from broker.pipeline import Broker
from broker.stores.contract import Change, Pause, Row, Way


class NotPossible(BrokerError):
    """The message is in a state that this act does not apply to."""


class Repair:
    """Acts of one person."""

    def __init__(self, broker: Broker, actor: str) -> None:
        """Take the broker and the name of the person."""
        self._broker = broker
        self._actor = actor

    def replay(self, row: Row, reason: str, again: bool = False, reroute: bool = False) -> str:
        """Let a message go on; return the id that goes on.

        What was not delivered goes back to waiting under the same key. What was delivered is sent
        as a new,
        linked message, and only with `again`. `reroute` decides the route anew. Raises NotPossible.
        """
        if row.state is State.DELIVERED:
            if not again:
                raise NotPossible(
                    f"{row.id} was delivered; a second effect needs --again and --reason"
                )
            return self._anew(row, reason)
        if row.state not in (State.DEAD, State.HELD, State.UNCLEAR, State.WAITING):
            raise NotPossible(f"{row.id} is {row.state.value}; only what is stuck can be replayed")
        if row.state is State.UNCLEAR and not again:
            raise NotPossible(
                f"{row.id} may have arrived; look into the procedure, then use settle --delivered, "
                "or replay --again"
            )
        if row.direction is Direction.ANSWER and row.answers is None:
            raise NotPossible(
                f"{row.id} matches no delivery, a replay cannot change that; close it"
            )
        if self._broker.store.payload(row.id, "original") is None:
            raise NotPossible(f"the payload of {row.id} was erased; it can only be closed")
        self._act(row, "replayed", State.WAITING, reason, self._rerouted(row) if reroute else None)
        return row.id

    def close(self, row: Row, reason: str) -> None:
        """End a message that a person has taken care of. Raises NotPossible."""
        if row.state not in (State.DEAD, State.HELD, State.UNCLEAR):
            raise NotPossible(f"{row.id} is {row.state.value}; only what is stuck can be closed")
        self._act(row, "closed", State.CLOSED, reason)

    def settle(self, row: Row, reason: str) -> None:
        """Say that an unclear delivery did arrive. Raises NotPossible."""
        if row.state is not State.UNCLEAR:
            raise NotPossible(f"{row.id} is {row.state.value}, not unclear")
        self._act(row, "settled", State.DELIVERED, reason)

    def pause(self, route: str, reason: str) -> None:
        """Stop a route: nothing of it is taken until it is resumed."""
        line = entry("", "paused", self._actor, route=route, reason=reason)
        self._broker.store.pause(Pause(route, self._actor, reason, now()), line).result()

    def resume(self, route: str, reason: str) -> bool:
        """Start a route again; False where it was not stopped."""
        line = entry("", "resumed", self._actor, route=route, reason=reason)
        return self._broker.store.resume(route, line).result()

    def _act(
        self, row: Row, event: str, state: State, reason: str,
        route: tuple[str, str, str, str] | None = None,
    ) -> None:  # fmt: skip
        trail = Trail(row.id, self._actor)
        trail.note(event, reason=reason, was=row.state.value, state=state.value,
                   route=route[0] if route else None, adapter=route[2] if route else None,
                   table=route[1] if route else None,
                   channel=route[3] if route else None)  # fmt: skip
        # A mark without an outcome stays, so that the other side is asked, unless a person knows.
        sending = False if row.state is State.UNCLEAR else None
        change = Change(row.id, None, state, trail.taken(), due=now(), sending=sending, reason="",
                        error="", expected=(row.state,), route=route)  # fmt: skip
        if not self._broker.store.change([change]).result()[0]:
            raise NotPossible(f"{row.id} is not {row.state.value} any more; look at it again")

    def _rerouted(self, row: Row) -> tuple[str, str, str, str]:
        site = self._broker.site
        if row.direction is Direction.ANSWER:
            raise NotPossible(f"{row.id} is an answer; its way follows from its request")
        route = site.table.judge(row.envelope, row.party)
        return route.name, site.table.table.digest, route.adapter, route.channel

    def _anew(self, row: Row, reason: str) -> str:
        store, vault, site = self._broker.store, self._broker.vault, self._broker.site
        found = store.payload(row.id, "original")
        if found is None:
            raise NotPossible(f"the payload of {row.id} was erased; it cannot be sent again")
        body = vault.unseal(found[0], row.id, found[1])
        id = new_id()
        message = Message(id, row.direction, row.envelope, body, row.party, now(),
                          row.answers, row.id)  # fmt: skip
        route = site.table.route(row.route)
        ordered = route is not None and route.order_by_case
        # An answer of the broker itself has no adapter: its original is what goes out.
        ready = row.direction is Direction.ANSWER and not row.adapter
        way = Way(row.route, row.table, row.adapter, row.channel, ready, ordered)
        trail = Trail(id, self._actor)
        trail.note("replayed", reason=reason, replays=row.id)
        made = birth(vault, message, ("replay", row.id, id), way, trail, "accepted")
        if row.direction is Direction.REQUEST:
            document = site.standards.parse(body)
            made = marked(made, vault, site.standards.business(document, row.envelope))
        line = entry(row.id, "replayed", self._actor, reason=reason, name=id)
        return store.accept(replace(made, entries=(*made.entries, line))).result().id
