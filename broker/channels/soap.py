"""SOAP: hands a message over as one call of a service and may bring the answer back at once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import ClassVar

from broker.channels.channel import Channel, Declared, Mark, Prepared, Sent
from broker.channels.envelope import Fault, read, unwrap, wrap
from broker.channels.secret import Stamp, stamp
from broker.channels.wire import FIELDS, Answer, Wire
from broker.channels.wsdl import Operation, operations
from broker.errors import BrokerError, Busy, Refused, Unreachable
from broker.fields import Field

OK, EMPTY, ERROR = 200, (202, 204), 500
BUSY = (408, 425, 429, 503)
SENDER = frozenset(("Client", "Sender"))
LATER = frozenset(("Server", "Receiver", "MustUnderstand", "VersionMismatch"))


class Soap(Channel):
    """A SOAP 1.1 or 1.2 service.

    It takes the one element of the SOAP body (document/literal); the operation is the one whose
    input is that element. The address is the route's, whatever the WSDL says.
    """

    kind: ClassVar[str] = "soap"
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "wsdl",
            "path",
            "WSDL of the service; imports are read from its folder only",
            required=True,
        ),
        Field(
            "address",
            "http",
            "where the service is; `soap:address` of the WSDL is not used",
            required=True,
        ),
        Field("port", "text", "name of the WSDL's port, where it has several"),
        Field(
            "refusals",
            "list",
            "fault codes or detail elements that are a no of the procedure, beside Client",
        ),
        Field(
            "reply", "choice", "whether the response is an answer", "body", choices=("body", "none")
        ),
        *FIELDS,
    )

    def __init__(self, declared: Declared) -> None:
        """Take the checked values; WSDL and network are left alone until the first call."""
        super().__init__(declared)
        self._wire = Wire(self.name, self.values, inflight=self.inflight)
        self.repeats = self._wire.repeats
        self._refusals = SENDER | frozenset(self.values.get("refusals") or ())
        self._lock = threading.Lock()
        self._known: tuple[Stamp, Mapping[str, Operation]] | None = None

    def send(self, prepared: Prepared, mark: Mark) -> Sent:
        """Call the operation; `reply` of the result is the element of the response's body."""
        try:
            element = read(prepared.body)
        except ValueError as error:
            raise Refused(f"{self.name}: what the adapter made cannot be sent: {error}") from None
        operation = self._operation(str(element.tag))
        answer = self._wire.call(
            "POST",
            str(self.values["address"]),
            (*operation.headers, ("Idempotency-Key", prepared.key)),
            wrap(element, operation.envelope),
            within=self.deadline,
            mark=mark,
        )
        return self._outcome(operation, answer)

    def probe(self) -> str:
        """Read the WSDL and connect, without calling anything."""
        count = len(self._operations())
        return f"{self._wire.probe(self.deadline)}, {count} operation(s) in the WSDL"

    def close(self) -> None:
        """Close the kept connections."""
        self._wire.close()

    def _operation(self, tag: str) -> Operation:
        operation = self._operations().get(tag)
        if operation is None:
            raise Refused(f"{self.name}: {self.values['wsdl']} has no operation that takes {tag}")
        return operation

    def _operations(self) -> Mapping[str, Operation]:
        now = stamp(self.values["wsdl"])
        with self._lock:
            if self._known is None or self._known[0] != now:
                self._known = now, operations(self.values["wsdl"], self.values.get("port"))
            return self._known[1]

    def _outcome(self, operation: Operation, answer: Answer) -> Sent:
        if answer.status in EMPTY and not answer.body:
            return Sent(f"HTTP {answer.status}")
        if answer.status != OK and not self._is_fault(answer):
            raise self._status(answer.status)
        try:
            content = unwrap(answer.body)
        except ValueError as error:
            raise self._wire.doubt(f"the response cannot be read: {error}") from None
        if isinstance(content, Fault):
            raise self._fault(content, answer.status)
        return Sent(f"{operation.name}: HTTP {answer.status}", self._reply(content))

    def _is_fault(self, answer: Answer) -> bool:
        try:
            return isinstance(unwrap(answer.body), Fault)
        except ValueError:
            return False

    def _reply(self, content: bytes | None) -> bytes | None:
        return None if self.values.get("reply") == "none" else content

    def _fault(self, fault: Fault, status: int) -> BrokerError:
        if fault.names & self._refusals:
            return Refused(
                f"{self.name}: the procedure refused the message with the SOAP fault {fault}"
            )
        if status in BUSY:
            return Busy(f"{self.name}: {self._wire.place} answered HTTP {status}")
        if fault.names & LATER:
            return Unreachable(
                f"{self.name}: {self._wire.place} failed with the SOAP fault {fault}"
            )
        return self._wire.doubt(f"the response is a SOAP fault that no field names: {fault}")

    def _status(self, status: int) -> BrokerError:
        text = f"{self.name}: {self._wire.place} answered HTTP {status}"
        if status in BUSY:
            return Busy(text)
        if status in (400, 413):
            return Refused(text)
        if 300 <= status < ERROR:
            return Unreachable(
                f"{text}; nothing is sent anywhere else: check address and credentials"
            )
        return self._wire.doubt(f"it answered HTTP {status} without a SOAP fault")
