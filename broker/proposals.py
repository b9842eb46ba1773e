"""New content for a message: one person proposes it, nothing goes on until another confirms."""

from __future__ import annotations

from dataclasses import dataclass, replace

from broker.answers import way_back
from broker.errors import (
    BrokerError,
    ReplyError,
    SenderNotAllowed,
    guarded,
)
from broker.journal.entry import decode
from broker.journal.trail import entry
from broker.journal.vault import salted
from broker.message import Direction, Envelope, State, new_id, now, reference
from broker.outcome import unreadable
from broker.pipeline import Broker, adapter
from broker.repair import STUCK, Act, NotPossible, Step, copied
from broker.stores.contract import Change, Payload, Row, Way
from broker.stores.mending import Proposal


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts: the name in the journal, and who the operating system says it is."""

    name: str
    account: str

    def same(self, name: str, account: str) -> bool:
        """Whether this may be the same human being."""
        mine, theirs = ((one.casefold() for one in pair) for pair in
                        ((self.name, self.account), (name, account)))  # fmt: skip
        return bool({*mine} & {*theirs})


class Proposals:
    """Proposals as one person sees and decides them."""

    def __init__(self, broker: Broker, person: Person) -> None:
        """Take the broker and who acts."""
        self._broker = broker
        self._person = person

    def propose(self, row: Row, body: bytes, reason: str, again: bool = False) -> Proposal:
        """Keep new content for a message; nothing goes on.

        What has ended, or may have arrived, needs `again`. Raises NotPossible, and what the
        standards and the routing table raise where the new content is no message for here.
        """
        key, held = self._original(row)
        if body == held:
            raise NotPossible("the new content is the same as the original")
        self._proposable(row, again)
        _, _, way = self._content(row, body)
        became, vault = new_id(), self._broker.vault
        sealed = vault.seal(vault.key(key), became, "original", body)
        proposal = Proposal(
            id=reference(became), message=row.id, became=became, actor=self._person.name,
            account=self._person.account, reason=reason, made=now(), route=way.route,
            size=len(body), salt=sealed.salt, box=sealed.box,
        )  # fmt: skip
        line = entry(row.id, "proposed", self._person.name, account=self._person.account,
                     reason=reason, proposal=proposal.id, size=len(body),
                     digest=salted(sealed, body), route=way.route)  # fmt: skip
        self._broker.store.propose(proposal, line).result()
        return proposal

    def contents(self, proposal: Proposal) -> tuple[bytes, bytes]:
        """Return the original and the proposed bytes; the journal keeps who reads them.

        Raises NotPossible where they are gone.
        """
        line = entry(proposal.message, "opened", self._person.name, form="original",
                     account=self._person.account, proposal=proposal.id)  # fmt: skip
        self._broker.store.note([line]).result()
        _, held = self._original(self._row(proposal))
        return held, self._body(proposal)

    def confirm(self, proposal: Proposal, reason: str) -> str:
        """Let the new content go on as a new, linked message; return its id.

        Only another person may, who has looked at it. A stuck original is closed in the same
        commit. Raises NotPossible, and what `propose` raises.
        """
        row = self._row(proposal)
        self._may(proposal, row)
        body = self._body(proposal)
        source, envelope, way = self._content(row, body)
        if way.route != proposal.route:
            raise NotPossible(
                f'the routing table has changed: the new content would go over "{way.route}", '
                f'proposed was "{proposal.route}"; decline it and propose it anew'
            )
        act = Act(reason, facts={"proposal": proposal.id})
        made = copied(self._broker, source, (proposal.became, body, envelope), way,
                      self._person.name, act)  # fmt: skip
        if source.answers != row.answers:
            noted = entry(source.answers or "", "answered", channel=row.party, name=made.message.id)
            made = replace(made, entries=(*made.entries, noted))
        closes = row.state in STUCK
        line = entry(row.id, "confirmed", self._person.name, account=self._person.account,
                     reason=reason, proposal=proposal.id, name=proposal.became,
                     was=row.state.value if closes else None,
                     state=State.CLOSED.value if closes else None)  # fmt: skip
        step: Step = replace(made, entries=(*made.entries, line))
        if closes:
            step = Change(row.id, None, State.CLOSED, (line,), due=now(), reason="", error="",
                          births=(made,), expected=(row.state,))  # fmt: skip
        self._decided(self._broker.store.confirm(proposal.id, self._person.name, step).result())
        return proposal.became

    def decline(self, proposal: Proposal, reason: str) -> None:
        """End a proposal without effect; also whoever made it may. Raises NotPossible."""
        line = entry(proposal.message, "declined", self._person.name,
                     account=self._person.account, reason=reason,
                     proposal=proposal.id)  # fmt: skip
        self._decided(self._broker.store.decline(proposal.id, self._person.name, line).result())

    def _decided(self, done: bool) -> None:
        if not done:
            raise NotPossible("it was decided, or the message moved, meanwhile; look at it again")

    def _proposable(self, row: Row, again: bool) -> None:
        if row.state in (State.WAITING, State.WORKING):
            raise NotPossible(f"{row.id} is {row.state.value}; only what stands still is edited")
        if not again and row.state not in (State.DEAD, State.HELD):
            raise NotPossible(
                f"{row.id} is {row.state.value}; a second effect, or another word to the sender, "
                "needs --again"
            )
        if self._broker.store.proposals(row.id, "open"):
            raise NotPossible(f"{row.id} has an open proposal; confirm or decline it first")

    def _may(self, proposal: Proposal, row: Row) -> None:
        """Raise NotPossible where it is not for this person to confirm."""
        if self._person.same(proposal.actor, proposal.account):
            raise NotPossible(
                f"{proposal.actor} proposed it; another person, with another account, must confirm"
            )
        if proposal.decision != "open":
            raise NotPossible(f"the proposal is {proposal.decision} already")
        read = self._broker.store.entries(row.id, events=("opened",))
        if not any(
            line.actor == self._person.name and line.facts.get("proposal") == proposal.id
            for line in map(decode, read)
        ):
            raise NotPossible(
                f"look at it first: xoev-broker proposals show {proposal.id} (the journal says "
                f"that {self._person.name} has not)"
            )

    def _row(self, proposal: Proposal) -> Row:
        row = self._broker.store.row(proposal.message)
        if row is None:
            raise NotPossible(f"the message {proposal.message} is gone")
        return row

    def _original(self, row: Row) -> tuple[bytes, bytes]:
        """Return the wrapped key and the bytes of a message."""
        found = self._broker.store.payload(row.id, "original")
        if found is None:
            raise NotPossible(f"the payload of {row.id} was erased; there is nothing to edit")
        return found[0], self._broker.vault.unseal(found[0], row.id, found[1])

    def _body(self, proposal: Proposal) -> bytes:
        key, _ = self._original(self._row(proposal))
        if proposal.box is None:
            raise NotPossible("the proposed content is gone: it was decided, or erased")
        sealed = Payload("original", proposal.box, proposal.salt, proposal.size)
        body = self._broker.vault.unseal(key, proposal.became, sealed)
        lines = map(decode, self._broker.store.entries(proposal.message, events=("proposed",)))
        noted = [one.facts for one in lines if one.facts.get("proposal") == proposal.id]
        if [one.get("digest") for one in noted] != [salted(sealed, body)]:
            raise NotPossible("the proposed content is not what the journal says; decline it")
        return body

    def _content(self, row: Row, body: bytes) -> tuple[Row, Envelope, Way]:
        """Return whose content it is, its head and its way by the table in force."""
        if row.direction is Direction.REQUEST:
            return row, *self._request(row, body)
        if row.answers and not row.adapter:
            return row, *self._word(row, body)
        request = self._answered(row, body)
        head = replace(row.envelope, case=request.envelope.case, test=request.envelope.test)
        way = way_back(self._broker.site, request)
        if way.state is State.DEAD:
            raise ReplyError(way.error, reason=way.reason)
        return replace(row, answers=request.id), head, way

    def _request(self, row: Row, body: bytes) -> tuple[Envelope, Way]:
        site = self._broker.site
        document = site.standards.parse(body)
        envelope = site.standards.envelope(document, row.envelope.recipient, row.envelope.sender)
        site.standards.validate(document, envelope, now())
        if not site.table.owns(row.party, envelope.sender.key):
            raise SenderNotAllowed("the author of this message is no key of the party that sent it")
        route = site.table.judge(envelope, row.party)
        return envelope, Way(route.name, site.table.table.digest, route.adapter, route.channel,
                             ordered=route.order_by_case)  # fmt: skip

    def _word(self, row: Row, body: bytes) -> tuple[Envelope, Way]:
        """Return head and way of what the broker itself has to say: it goes out as it is."""
        standards = self._broker.site.standards
        document = standards.parse(body)
        envelope = standards.envelope(document)
        standards.validate(document, envelope, now())
        return envelope, Way(row.route, row.table, "", row.channel, ready=True)

    def _answered(self, row: Row, body: bytes) -> Row:
        """Return the request that a reply answers: as known, else as the new content says."""
        site, store = self._broker.site, self._broker.store
        name = row.adapter or next(iter(site.adapters_of(row.party)), "")
        try:
            with guarded():
                found = adapter(site, name).correlate(body)
        except BrokerError as error:
            raise unreadable(error) from error
        request = store.row(row.answers) if row.answers else None
        if request is None:
            request = store.correlate(row.party, found.reference, found.number)
        if request is None or found.reference not in ("", request.reference):
            raise ReplyError("the new content matches no delivery over this channel")
        return request
