"""The table of contents: what happens to a message, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from broker.adapter import Adapter
from broker.catalog import Catalog
from broker.channels.channel import Channel, Found, Mark, Prepared, Sent
from broker.config.model import Checks
from broker.document import Document
from broker.errors import (
    DeliveryUnclear,
    NoRoute,
    Refusal,
    ReplyError,
    SchemaViolation,
    SenderNotAllowed,
    TestMessage,
    Unreachable,
)
from broker.journal.trail import Trail
from broker.journal.vault import Vault
from broker.maintenance import Maintenance
from broker.message import Envelope, Facts, State
from broker.metrics import About, Meter
from broker.routes import RoutingTable
from broker.stores.contract import Birth, Job, Row, Store
from broker.xoev.judgement import Checks as Judge
from broker.xoev.remark import refuse
from broker.xoev.standards import Standards

_CUT_OFF = (
    "the process ended in the middle of sending and this procedure cannot be asked; "
    "look there, then settle it with: xoev-broker settle"
)
_COPIED = (
    "the store is a restored copy: it may have been sent after the copy was made, and this "
    "procedure cannot be asked; look there, then settle it with: xoev-broker settle"
)


@dataclass(frozen=True, slots=True)
class Site:
    """What a reload replaces as a whole: routes, adapters, standards and channels that fit
    together.
    """

    table: RoutingTable
    catalog: Catalog
    standards: Standards
    checks: Judge
    channels: Mapping[str, Channel]
    replies: Mapping[str, tuple[str, ...]]
    maintenance: Maintenance = field(default_factory=Maintenance)

    def adapters_of(self, channel: str) -> tuple[str, ...]:
        """Return the adapters of the routes over a channel: a reply over it needs exactly one."""
        return self.replies.get(channel, ())

    def used(self) -> dict[str, list[str]]:
        """Return for each version of a standard (`xbau/2.6`) which routes take its messages."""
        needed: dict[str, list[str]] = {}
        for route in self.table.table.routes:
            name = route.match.standard
            for version in route.match.versions or self.standards.versions(name):
                needed.setdefault(f"{name}/{version}", []).append(f'route "{route.name}"')
        return needed


class Broker(Protocol):
    """What the steps need; `app.py` builds it."""

    store: Store
    vault: Vault
    meter: Meter

    @property
    def site(self) -> Site:
        """The configuration in force; read it once per step."""


def prepare(job: Job, body: bytes, broker: Broker, trail: Trail) -> bytes:
    """Judge a request and turn it into what the procedure takes."""
    site = broker.site
    with broker.meter.step("validate", about(job)):
        document = site.standards.parse(body)
        validated(site, document, job, trail)
        checked(site, document, job, trail)
    allowed(site, job)
    with broker.meter.step("convert", about(job)):
        converted = adapter(site, job.adapter).to_legacy(document, facts(job))
    trail.note("converted", adapter=job.adapter, size=len(converted),
               digest=trail.digest(converted))  # fmt: skip
    return converted


def deliver(job: Job, body: bytes, broker: Broker, trail: Trail, mark: Mark) -> Sent:
    """Hand it over once in effect."""
    carrier = channel(broker.site, job.channel)
    if job.doubt and (sent := asked(carrier, job)):
        return sent
    test = job.envelope.test is not None
    kind = job.envelope.kind
    request = subject(job, broker) if carrier.correlates else ""
    prepared = Prepared(job.id, job.reference, kind, body, test, job.attempts, request)
    with broker.meter.step("send", about(job)):
        return carrier.send(prepared, mark)


def answer(
    job: Job, body: bytes, request: Row, broker: Broker, trail: Trail
) -> tuple[bytes, Envelope]:
    """Turn a procedure's reply into the XÖV message that its sender waits for."""
    site = broker.site
    known = reply_facts(job, body, request, original(broker, request.id))
    with broker.meter.step("answer", about(job)):
        converted = adapter(site, request.adapter).to_xoev(body, known)
    trail.note("converted", adapter=request.adapter, size=len(converted),
               digest=trail.digest(converted))  # fmt: skip
    try:
        document = site.standards.parse(converted)
        envelope = site.standards.envelope(document)
        artefact = site.standards.validate(document, envelope, job.received)
    except (Refusal, SchemaViolation) as error:
        text = f"the answer made by {request.adapter} is not valid: {error}"
        raise ReplyError(text, reason=error.reason, findings=error.findings) from error
    trail.note("validated", artefact=artefact.name, artefact_digest=artefact.digest,
               profile=artefact.profile, kind=envelope.kind, uuid=envelope.uuid)  # fmt: skip
    return converted, envelope


def validated(site: Site, document: Document, job: Job, trail: Trail) -> None:
    """Judge by the schema in force at the receipt; raise what the standards raise."""
    artefact = site.standards.validate(document, job.envelope, job.received)
    trail.note("validated", artefact=artefact.name, artefact_digest=artefact.digest,
               profile=artefact.profile)  # fmt: skip


def checked(site: Site, document: Document, job: Job, trail: Trail) -> None:
    """Hold codes and business rules against what is installed, as strictly as the route says."""
    route = site.table.route(job.route)
    levels = route.checks if route else Checks()
    codes = site.checks.codes(document, job.envelope, levels.codelists)
    rules = site.checks.judged(document, job.envelope, levels.rules)
    if codes or rules:
        warnings = sum(remark.severity == "warning" for remark in (*codes, *rules))
        trail.note("checked", warnings=warnings)
    refuse(codes, "its code lists")
    refuse(rules, "its rules")


def allowed(site: Site, job: Job) -> None:
    """Refuse what has no route, a foreign author, or the wrong test flag for its channel."""
    if not job.route:
        error = SenderNotAllowed if job.reason == SenderNotAllowed.reason else NoRoute
        raise error(job.error, reason=job.reason)
    test = channel(site, job.channel).test
    if test and job.envelope.test is None:
        raise TestMessage("a real message has no way into the test channel of this route")
    if job.envelope.test is not None and not test:
        raise TestMessage("a test message has no way into a productive procedure")


def subject(job: Job, broker: Broker) -> str:
    """Return the id that the sender gave the request which this is, or which this answers."""
    if job.answers is None:
        return job.envelope.uuid
    request = broker.store.row(job.answers)
    return request.envelope.uuid if request else ""


def asked(carrier: Channel, job: Job) -> Sent | None:
    """Ask the other side about an attempt that was cut off; None means: send it (again)."""
    # What another life of the store has sent left no trace here: only the other side can know.
    found = Found.UNKNOWN if job.copied and not carrier.asks else carrier.find(job.id)
    if found is Found.THERE:
        return Sent("found at the other side after an interruption")
    if found is Found.UNKNOWN and not carrier.repeats:
        raise DeliveryUnclear(_COPIED if job.copied else _CUT_OFF)
    return None


def adapter(site: Site, name: str) -> Adapter:
    """Return an adapter; one that is not there now may be there after a repair."""
    if not site.catalog.has(name):
        raise Unreachable(f"the adapter {name} is not loaded; see xoev-broker adapters list")
    return site.catalog.get(name)


def channel(site: Site, name: str) -> Channel:
    """Return a channel; one that is not there now may be there after a repair."""
    if name not in site.channels:
        raise Unreachable(f"the channel {name} is not in routes.yaml; see xoev-broker check")
    return site.channels[name]


def about(job: Job, state: State = State.WORKING) -> About:
    """Return what a trace tells of a delivery: no more than the log does."""
    kind = job.envelope.kind
    return About(job.id, job.route, job.channel, kind, state.value, job.attempts, job.answers or "")


def born(made: Birth) -> About:
    """Return what a trace tells of a message that was just accepted."""
    message, way = made.message, made.way
    kind, answers = message.envelope.kind, message.answers or ""
    return About(message.id, way.route, way.channel, kind, way.state.value, answers=answers)


def facts(job: Job) -> Facts:
    """Return what an adapter may know about a request beyond its bytes."""
    head = job.envelope
    return Facts(job.reference, job.id, job.received, head.recipient, head.sender, test=head.test)


def original(broker: Broker, id: str) -> bytes:
    """Return the bytes of a request as received: a rejection carries them; empty once erased."""
    found = broker.store.payload(id, "original")
    return broker.vault.unseal(found[0], id, found[1]) if found else b""


def reply_facts(job: Job, body: bytes, request: Row, received: bytes) -> Facts:
    """Return what an adapter may know about a reply: leser and autor are swapped."""
    head = request.envelope
    return Facts(
        reference=request.reference,
        message=job.id,
        received=job.received,
        reader=head.sender,
        author=head.recipient,
        answered=head,
        test=head.test,
        digest=hashlib.sha256(request.reference.encode() + body).hexdigest(),
        original=received,
    )
