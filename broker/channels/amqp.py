"""RabbitMQ: publishes messages with confirms, and takes messages or replies from queues.

Nothing that a publisher writes beside the message is trusted: the queue says whose message it is,
the message says what it is, the store says whether it was there before. `reply_to` is never used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Literal

from broker.amqp import FORM, Address
from broker.channels.channel import Channel, Declared, Incoming, Mark, Prepared, Sent, Verdict
from broker.channels.deadline import Deadline
from broker.channels.fate import Fate, Letter, Outcome
from broker.channels.inlet import APP, MEGABYTE, Inlet, Source
from broker.channels.link import Link
from broker.channels.session import Session
from broker.errors import (
    BrokerError,
    Busy,
    ChannelError,
    ConfigError,
    DeliveryUnclear,
    Refused,
    Unreachable,
)
from broker.fields import Field

_SHORT = 255  #: bytes of a routing key, by the protocol


class Amqp(Channel):
    """An exchange that messages are published to, and queues that are read."""

    kind: ClassVar[str] = "amqp"
    #: The server sees to it that a message is in one hand at a time.
    shared = True
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "url",
            "url",
            "the server or the nodes of a cluster, without password: "
            "amqp://user@host:5672,other:5672/vhost, or amqps:// for TLS",
            required=True,
        ),
        Field("password_file", "secret_file", "file with the password of that user"),
        Field("ca_file", "path", "certificates (PEM) to trust instead of those of the system"),
        Field("exchange", "text", "exchange to publish to; without it the routing key is a queue"),
        Field(
            "routing_key",
            "text",
            "routing key to publish with; {kind} and {reference} are filled in",
        ),
        Field("content_type", "text", "what the body is", "application/xml"),
        Field("queue", "text", "queue in which a party leaves its messages"),
        Field("from", "text", "party that the messages of `queue` belong to"),
        Field(
            "user",
            "text",
            "user-id that messages of `queue` must carry; the server lets nobody forge it",
        ),
        Field("replies", "text", "queue in which the procedure leaves its answers"),
        Field(
            "quarantine",
            "text",
            "queue for what cannot be taken; without it the name of the queue and .quarantine",
        ),
        Field("declare", "bool", "whether missing queues are made, as quorum queues", "false"),
        Field(
            "repeats",
            "choice",
            "whether the other side recognises a repeated message_id, so that a send without a "
            "confirm is tried again; `unknown` leaves that to a person",
            "unknown",
            choices=("recognised", "unknown"),
        ),
        Field("max", "number", "largest message that is taken, in megabytes", "64"),
    )
    correlates = True

    def __init__(self, declared: Declared) -> None:
        """Take the checked values; ConfigError if they do not fit together."""
        super().__init__(declared)
        values = self.values
        self.repeats = values.get("repeats") == "recognised"
        self._exchange = str(values.get("exchange") or "")
        self._key = str(values.get("routing_key") or "")
        self._create = bool(values.get("declare"))
        self._address = self._read()
        if bool(values.get("queue")) != bool(values.get("from")):
            raise ConfigError(f"{self.name}: queue and from belong together, set both or none")
        self._inlets = {
            "message": self._inlet("message", str(values.get("queue") or "")),
            "reply": self._inlet("reply", str(values.get("replies") or "")),
        }
        self._out = Link(self.name, self._address, self._check_out)

    def send(self, prepared: Prepared, mark: Mark) -> Sent:
        """Publish one message; every queue that it belongs to has it on disk afterwards."""
        letter = self._letter(prepared)
        with self._timed() as deadline:
            fate = self._publish(letter, deadline, mark)
        if fate.outcome is Outcome.TAKEN:
            return Sent(f"confirmed, {self._target(letter)}")
        raise self._error(fate, letter)

    @property
    def receives(self) -> bool:
        """Whether a queue is read."""
        return any(self._inlets.values())

    def receive(self) -> Iterable[Incoming]:
        """Return what waits in the queues, also where one of them fails."""
        found: list[Incoming] = []
        failure: ChannelError | None = None
        for inlet in filter(None, self._inlets.values()):
            try:
                with self._timed() as deadline:
                    found += inlet.receive(deadline)
            except ChannelError as error:
                failure = error
        if failure is not None and not found:
            raise failure
        return found

    def settle(self, incoming: Incoming, verdict: Verdict) -> None:
        """Acknowledge what was taken; bring the rest to the quarantine, with the reason."""
        inlet = self._inlets[incoming.role]
        if inlet is not None:
            with self._timed() as deadline:
                inlet.settle(incoming, verdict, deadline)

    def probe(self) -> str:
        """Connect and look for every queue and exchange."""
        with self._timed() as deadline:
            self._out.session(deadline)
            for inlet in filter(None, self._inlets.values()):
                inlet.count(inlet.link.session(deadline), deadline)
        queues = [inlet.source.queue for inlet in self._inlets.values() if inlet]
        nodes = ", ".join(map(str, self._address.nodes))
        read = f", reads {', '.join(queues)}" if queues else ""
        lying = [f"{count} in {queue}" for queue, count in self._aside().items() if count]
        return f"RabbitMQ at {nodes} answers{read}" + (f"; {', '.join(lying)}" if lying else "")

    @property
    def aside(self) -> int | None:
        """Return how many messages lie in its quarantine queues."""
        found = self._aside()
        return sum(found.values()) if found else None

    def _aside(self) -> dict[str, int]:
        # Both inlets may have the same quarantine.
        inlets = filter(None, self._inlets.values())
        return {one.source.quarantine: one.aside for one in inlets if one.aside is not None}

    def close(self) -> None:
        """Hang up; what is not settled goes back to its queue."""
        for inlet in filter(None, self._inlets.values()):
            inlet.link.close()
        self._out.close()

    def _read(self) -> Address:
        url, files = str(self.values["url"]), ("password_file", "ca_file")
        wrong = ConfigError(f"{self.name}: url is not of the form {FORM}")
        login = url.partition("://")[2].rpartition("@")[0]
        if ":" in login:  # a password has no place in routes.yaml
            raise wrong
        try:
            address = Address.read(url, *(self.values.get(name) for name in files))
        except ConfigError:
            raise wrong from None
        return replace(address, password="")

    @contextmanager
    def _timed(self) -> Iterator[Deadline]:
        try:
            yield Deadline(self.deadline)
        except TimeoutError:
            raise Unreachable(
                f"{self.name}: no answer within {self.deadline:g} s; check url and the server"
            ) from None

    def _inlet(self, role: Literal["message", "reply"], queue: str) -> Inlet | None:
        if not queue:
            return None
        values = self.values
        quarantine = str(values.get("quarantine") or f"{queue}.quarantine")
        user = str(values.get("user") or "") if role == "message" else ""
        limit = int(float(values.get("max") or 64) * MEGABYTE)

        def check(session: Session, deadline: Deadline) -> None:
            for name in (queue, quarantine):
                self._look(session, name, deadline)

        link = Link(self.name, self._address, check)
        source = Source(queue, role, quarantine, user, limit)
        return Inlet(self.name, source, link, self._publish)

    def _check_out(self, session: Session, deadline: Deadline) -> None:
        if self._exchange:
            session.exchange(self._exchange, deadline.left())
        elif self._key and "{" not in self._key:
            self._look(session, self._key, deadline)

    def _look(self, session: Session, queue: str, deadline: Deadline) -> None:
        try:
            session.queue(queue, self._create, deadline.left())
        except Unreachable as error:
            remedy = (
                "it may exist as another type: set `declare: false`"
                if self._create
                else "create it, or set `declare: true`"
            )
            raise Unreachable(f"{error}; for the queue {queue}: {remedy}") from None

    def _letter(self, prepared: Prepared) -> Letter:
        if not (self._key or self._exchange):
            raise Unreachable(f"{self.name}: has nowhere to publish to; set `routing_key`")
        key = self._key.replace("{kind}", prepared.kind)
        key = key.replace("{reference}", prepared.reference)
        if len(key.encode()) > _SHORT:
            raise Refused(f"{self.name}: the routing key would be longer than {_SHORT} bytes")
        properties: dict[str, Any] = {
            "content_type": str(self.values.get("content_type") or "application/xml"),
            "correlation_id": (prepared.about or prepared.reference)[:_SHORT],
            "type": prepared.kind[:_SHORT],
            "app_id": APP,
            "headers": {"x-xoev-reference": prepared.reference, "x-xoev-test": prepared.test},
        }
        return Letter(prepared.key, self._exchange, key, prepared.body, properties)

    def _publish(self, letter: Letter, deadline: Deadline, mark: Mark = lambda: None) -> Fate:
        session = self._out.session(deadline)
        if session.blocked:
            raise Busy(f"{session.place} takes nothing now, its memory or disk is short")
        mark()
        return session.publish(letter, deadline.left())

    def _target(self, letter: Letter) -> str:
        if letter.exchange:
            return f"exchange {letter.exchange}, routing key {letter.key or 'none'}"
        return f"queue {letter.key}"

    def _error(self, fate: Fate, letter: Letter) -> BrokerError:
        text = f"{self.name}: {self._target(letter)}: {fate.outcome.value}"
        text += f" ({fate.text})" if fate.text else ""
        if fate.outcome is Outcome.UNKNOWN:
            if self.repeats:
                return Unreachable(f"{text}; it is sent again with the same message_id")
            return DeliveryUnclear(f"{text}; look there whether it arrived")
        if fate.outcome is Outcome.FULL:
            return Busy(text)
        if fate.outcome is Outcome.LARGE:
            return Refused(text)
        if fate.outcome is Outcome.RETURNED:
            return Unreachable(f"{text}; bind a queue there")
        return Unreachable(text)
