"""REST: hands a message over as one HTTP request; also pushes answers to an online service."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

from broker.channels.channel import Channel, Declared, Found, Mark, Prepared, Sent
from broker.channels.wire import FIELDS, Wire
from broker.errors import BrokerError, Busy, DeliveryUnclear, Refused, Unreachable
from broker.fields import Field

BUSY = frozenset((408, 425, 429, 503))
DENIED = frozenset((401, 403, 407))
CONFLICT, GONE = 409, (404, 410)


class Rest(Channel):
    """An HTTP resource that takes one message per request."""

    kind: ClassVar[str] = "rest"
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "address",
            "http",
            "where to send; {key}, {reference} and {kind} are filled in",
            required=True,
        ),
        Field("method", "choice", "HTTP method", "POST", choices=("POST", "PUT")),
        Field("content_type", "text", "what the body is", "application/xml"),
        Field(
            "token_file", "secret_file", "file with a bearer token, instead of user and password"
        ),
        Field("idempotency", "text", "name of the header that carries the key", "Idempotency-Key"),
        Field(
            "ask", "http", "address with {key} that answers 200 if the key arrived and 404 if not"
        ),
        Field(
            "reply", "choice", "whether the response is an answer", "none", choices=("none", "body")
        ),
        *FIELDS,
    )

    def __init__(self, declared: Declared) -> None:
        """Take the checked values; do not connect yet."""
        super().__init__(declared)
        self._wire = Wire(self.name, self.values, inflight=self.inflight)
        self.repeats = self._wire.repeats

    def send(self, prepared: Prepared, mark: Mark) -> Sent:
        """Send one request; every 2xx is a yes."""
        values = self.values
        headers = (
            ("Content-Type", values.get("content_type") or "application/xml"),
            (values.get("idempotency") or "Idempotency-Key", prepared.key),
        )
        answer = self._wire.call(
            values.get("method") or "POST",
            _fill(str(values["address"]), prepared.key, prepared.reference, prepared.kind),
            headers,
            prepared.body,
            within=self.deadline,
            mark=mark,
        )
        if 200 <= answer.status < 300:
            return Sent(f"HTTP {answer.status}", self._reply(answer.body))
        if answer.status == CONFLICT and self.repeats:
            return Sent("HTTP 409: it was there before")
        raise self._error(answer.status)

    def find(self, key: str) -> Found:
        """Ask the address of `ask`, where there is one.

        Where the answer of the send is a reply, knowing that it arrived is not enough: the reply
        would be lost. Then nobody is asked, and the send is repeated or left to a person.
        """
        if not self.asks:
            return Found.UNKNOWN
        try:
            answer = self._wire.call(
                "GET", _fill(str(self.values["ask"]), key), within=self.deadline
            )
        except (Unreachable, DeliveryUnclear):
            return Found.UNKNOWN
        return {200: Found.THERE, 404: Found.NOT_THERE}.get(answer.status, Found.UNKNOWN)

    @property
    def asks(self) -> bool:
        """Whether it has an address for that, and no answer of the send would be lost."""
        return bool(self.values.get("ask")) and self.values.get("reply") != "body"

    def probe(self) -> str:
        """Connect without sending anything."""
        return self._wire.probe(self.deadline)

    def close(self) -> None:
        """Close the kept connections."""
        self._wire.close()

    def _reply(self, body: bytes) -> bytes | None:
        return body if self.values.get("reply") == "body" and body else None

    def _error(self, status: int) -> BrokerError:
        text = f"{self.name}: {self._wire.place} answered HTTP {status}"
        if status in BUSY:
            return Busy(text)
        if status in DENIED:
            return Unreachable(f"{text}; check user, password_file, token_file or cert_file")
        if 300 <= status < 400:
            return Unreachable(f"{text}; nothing is sent anywhere else: check the address")
        if 400 <= status < 500:
            return Refused(f"{self.name}: the other side refused the message with HTTP {status}")
        return self._wire.doubt(f"it answered HTTP {status}")


def _fill(address: str, key: str, reference: str = "", kind: str = "") -> str:
    for name, value in (("key", key), ("reference", reference), ("kind", kind)):
        address = address.replace("{" + name + "}", quote(value, safe=""))
    return address
