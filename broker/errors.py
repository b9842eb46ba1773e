"""Everything that can go wrong, and what follows from it.

The branch of the tree decides what the worker does; nobody else catches.

BrokerError
├── ConfigError                   does not start, does not reload
├── Refusal                       not accepted: the channel itself tells the sender
│   ├── NotXml                    not well-formed, or no message head that could be read
│   ├── Forbidden                 DTD, encoding, size or nesting beyond the limits
│   ├── NotAllowed                who sends it may not
│   └── Conflict                  the same message id with other bytes
├── MessageError                  accepted, never succeeds by itself → rejected, the sender is told
│   ├── UnknownStandard · SchemaViolation · VersionExpired
│   ├── NoRoute · SenderNotAllowed · TestMessage
│   ├── ConversionFailed
│   │   └── UnknownCode
│   └── Refused                   the procedure said no
├── Overloaded                    nothing, or not more, is taken for now: the sender keeps it
│   └── TooFast                   its sender sends more than its rate allows
├── Exhausted                     this process, not the message, is at its end: it starts anew
├── SchemaMissing                 → held
├── DeliveryUnclear               → unclear
├── ReplyError                    an answer that matches nothing or cannot be converted → dead
├── Unforeseen                    code of others raised something of its own → dead
├── StoreError                    the store cannot be used: intake stops, the process exits
│   ├── OlderCopy                 it lacks what was committed: a person must confirm it
│   ├── StoreAway                 it cannot be reached for now: what was asked may be asked again
│   └── Unsealed                  the journal was not sealed for too long: intake stops until it is
└── ChannelError                  certainly not accepted, may succeed later → waiting
    ├── Unreachable
    └── Busy
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong in a file or a message: where it is and what it is, never the value.

    `code` is the XÖV reason code (X001, V000 …) where one applies; `path` an element path without
    values.
    """

    text: str
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    rule: str = ""
    code: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}" if place else f"line {self.line}"
            place += f":{self.column}" if self.column else ""
        parts = [part for part in (place, self.path, self.rule, self.text) if part]
        return ": ".join(parts)


class BrokerError(Exception):
    """Root of all errors that the broker raises on purpose.

    `reason` is an XÖV reason code; the text never holds a personal value.
    """

    reason = "S999"

    def __init__(
        self, text: str = "", *, reason: str = "", findings: Sequence[Finding] = ()
    ) -> None:
        """Say what was found, where and what to do; `findings` holds the single places."""
        super().__init__(text or (type(self).__doc__ or "").splitlines()[0])
        self.reason = reason or self.reason
        self.findings = tuple(findings)


class ConfigError(BrokerError):
    """The configuration has findings; nothing was started or changed."""

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *map(str, self.findings)])


class Refusal(BrokerError):
    """The bytes were not accepted; the sender still owns them."""


class NotXml(Refusal):
    """The bytes are not a well-formed XML document with a readable message head."""

    reason = "X000"


class Forbidden(Refusal):
    """The document uses a construct or a size that the broker does not take."""

    reason = "X000"


class NotAllowed(Refusal):
    """Whoever sends this may not send here."""

    reason = "T070"


class Conflict(Refusal):
    """A message with this id was accepted before with other bytes."""

    reason = "S050"


class MessageError(BrokerError):
    """The message is accepted and can never succeed by itself."""


class UnknownStandard(MessageError):
    """No standard of this installation has this root namespace."""

    reason = "V001"


class SchemaViolation(MessageError):
    """The message does not follow the schema of its standard."""

    reason = "X001"


class VersionExpired(MessageError):
    """The version of the standard is not, or no longer, in force."""

    reason = "V000"


class NoRoute(MessageError):
    """No route takes this message: the recipient is not served here."""

    reason = "T080"


class SenderNotAllowed(MessageError):
    """The author in the message head does not belong to the party that sent it."""

    reason = "T070"


class TestMessage(MessageError):
    """A test message met a productive channel, or a real one a test channel."""

    __test__ = False
    reason = "S102"


class ConversionFailed(MessageError):
    """The adapter could not convert the message."""


class UnknownCode(ConversionFailed):
    """A code of the message is in no code list of the adapter."""

    reason = "S011"


class Refused(MessageError):
    """The procedure looked at the message and said no."""


class Overloaded(BrokerError):
    """Nothing more is taken for now; whoever sends keeps it and sends it again."""

    def __init__(self, text: str = "", seconds: int = 30) -> None:
        """Say why, and after how many seconds to come back."""
        super().__init__(text)
        self.seconds = seconds


class TooFast(Overloaded):
    """The sender sends more than its rate allows; the rest is taken a little later."""


class Exhausted(BrokerError):
    """The XML parser of this process cannot take new names; the process must start anew."""


class SchemaMissing(BrokerError):
    """The standard is known, this version is not installed; the message waits in a state of its
    own.
    """

    reason = "V000"


class DeliveryUnclear(BrokerError):
    """A send without a known outcome, on a channel that does not recognise repeats."""


class ReplyError(BrokerError):
    """An answer of a procedure that matches no delivery or cannot be turned into XÖV."""


class Unforeseen(BrokerError):
    """Something that nobody foresaw was raised, by an adapter or a library."""


class StoreError(BrokerError):
    """The store cannot be used."""


class OlderCopy(StoreError):
    """The store is an older copy: it lacks what was committed."""


class StoreAway(StoreError):
    """The store cannot be reached at the moment; what was asked of it may be asked again."""


class Unsealed(StoreError):
    """The journal could not be sealed for too long; nothing is taken over until it can."""


class ChannelError(BrokerError):
    """The other side certainly did not accept it; a later attempt may succeed."""


class Unreachable(ChannelError):
    """The other side could not be reached."""


class Busy(ChannelError):
    """The other side asked to come back later."""


@contextmanager
def guarded(*known: type[Exception]) -> Iterator[None]:
    """Turn what is raised inside and is no error of ours into Unforeseen; `known` passes as it is.

    It stands around code of others, adapters and libraries, and where a thread must go on.
    """
    try:
        yield
    except Exception as error:  # code of others may raise anything
        if isinstance(error, (BrokerError, *known)):
            raise
        raise Unforeseen(unexpected(error)) from error


def original(error: BaseException) -> BaseException:
    """Return what was raised before it became Unforeseen; any other error as it is."""
    return (error.__cause__ or error) if isinstance(error, Unforeseen) else error


def unexpected(error: Exception) -> str:
    """Say what an unforeseen error was and where, without its text: that may hold a value."""
    return f"unexpected {type(error).__name__} at {_place(error.__traceback__)}"


def _place(trace: TracebackType | None) -> str:
    # Not by `traceback`: it opens the files of the code, which a converter on trial may not.
    if trace is None:
        return "unknown place"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
