"""What goes back: replies of procedures and the broker's own rejections, each a message."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Protocol

from broker.errors import MessageError, ReplyError
from broker.journal.birth import birth
from broker.journal.trail import Trail, entry
from broker.message import (
    Authority,
    Direction,
    Envelope,
    Facts,
    Message,
    State,
    new_id,
    now,
)
from broker.pipeline import Broker, Site
from broker.stores.contract import Birth, Job, Way
from broker.xoev.rejection import reject


class Asked(Protocol):
    """The request that an answer belongs to: a stored row, or the job in hand."""

    @property
    def id(self) -> str: ...
    @property
    def envelope(self) -> Envelope: ...
    @property
    def party(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def adapter(self) -> str: ...


#: A reply before it is converted: nothing of a head is known.
UNREAD = Envelope("", "", "", "", Authority(""), Authority(""))
#: Who sends what the broker itself has to say.
SELF = "broker"


def reply_birth(
    broker: Broker,
    body: bytes,
    channel: str,
    identity: tuple[str, ...],
    request: Asked | None,
    error: ReplyError | None = None,
) -> Birth:
    """Return a reply as a message of its own, on its way back to the sender of the request."""
    envelope = UNREAD
    if request is not None:
        envelope = replace(envelope, case=request.envelope.case, test=request.envelope.test)
    answers = request.id if request else None
    message = Message(new_id(), Direction.ANSWER, envelope, body, channel, now(), answers)
    way = way_back(broker.site, request, error)
    trail = Trail(message.id)
    made = birth(broker.vault, message, identity, way, trail, "accepted")
    if request is None:
        return made
    note = entry(request.id, "answered", channel=channel, name=message.id)
    return replace(made, entries=(*made.entries, note))


def way_back(site: Site, request: Asked | None, error: ReplyError | None = None) -> Way:
    """Return the way of an answer: the return channel of the request's route, else of its party."""
    if request is None or error is not None:
        error = error or ReplyError("the reply matches no delivery")
        return Way(state=State.DEAD, reason=error.reason, error=str(error))
    route = site.table.route(request.route)
    channel = site.table.answers(route, request.party)
    ordered = route is not None and route.order_by_case
    way = Way(
        request.route, site.table.table.digest, request.adapter, channel or "", ordered=ordered
    )
    if channel:
        return way
    text = f"no return channel for {request.party}; give the party an answer: in routes.yaml"
    return replace(way, state=State.DEAD, reason="S999", error=text)


def rejection_birth(broker: Broker, job: Job, body: bytes, error: MessageError) -> Birth | None:
    """Return the rejection of a request, or None where there is nobody to tell or nothing to
    reject.

    A rejection is never rejected; without a return channel the sender sees the state when asking
    for it.
    """
    site = broker.site
    route = site.table.route(job.route)
    channel = site.table.answers(route, job.party)
    if channel is None or site.standards.is_rejection(job.envelope):
        return None
    head, id = job.envelope, new_id()
    digest = hashlib.sha256(job.id.encode() + body).hexdigest()
    facts = Facts(job.reference, id, now(), head.sender, head.recipient, head, head.test, digest)
    made = reject(head, body, error, facts)
    envelope = replace(made.envelope, case=head.case)
    message = Message(id, Direction.ANSWER, envelope, made.body, SELF, now(), job.id)
    ordered = route is not None and route.order_by_case
    way = Way(job.route, site.table.table.digest, "", channel, ready=True, ordered=ordered)
    return birth(broker.vault, message, ("rejection", job.id), way, Trail(id), "accepted")
