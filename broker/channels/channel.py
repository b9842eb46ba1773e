"""The contract of a channel: it carries bytes to and from one system (Channel Adapter)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal

from broker.errors import Refusal
from broker.fields import Field

Mark = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a channel takes: the converted bytes and the names under which the other side may see
    them again.

    `key` is the idempotency key (the message id), the same over all attempts; `reference` the
    13-character
    reference; `kind` the message kind, for file names; `test` whether it is a test message;
    `about` the sender's own id of the request that this is or answers, only where the channel
    `correlates`.
    """

    key: str
    reference: str
    kind: str
    body: bytes
    test: bool = False
    attempt: int = 1
    about: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """The other side has it. `receipt` is its own word for that (status, file name, row id),
    without personal
    values; `reply` is an answer that came back at once.
    """

    receipt: str
    reply: bytes | None = None


class Found(StrEnum):
    """What the other side says about a key after a crash."""

    THERE = "there"
    NOT_THERE = "not there"
    UNKNOWN = "cannot know"


@dataclass(frozen=True, slots=True)
class Incoming:
    """Bytes found at the other side: a message of a party, or a reply of a procedure.

    `name` identifies them at the source (file name, row id); `handle` is the channel's own. It
    stays at the
    source until `settle` is called, which happens only after the store's commit. `refusal` says
    why the
    channel itself does not take a message; it is kept with the refused ones.
    """

    role: Literal["message", "reply"]
    name: str
    body: bytes
    handle: Any = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an Incoming: taken with this receipt text, or refused with a reason code and
    text.
    """

    taken: bool
    text: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """A channel as declared in routes.yaml: its name, kind and checked values by field name.

    Values have the Python type of their field kind: text, url, choice → str; path, secret_file →
    pathlib.Path;
    seconds → float; number → int; bool → bool; list → tuple of str; no value → None. `line` is
    where it stands in the file, 0 where that is not known.
    """

    name: str
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    line: int = field(default=0, compare=False)


class Channel(ABC):
    """One connected system. Thread-safe: several senders may call `send` at once (at most
    `inflight`).

    Opening connections is lazy: building a channel touches neither network nor disk.
    """

    kind: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    COMMON: ClassVar[tuple[Field, ...]] = (
        Field(
            "test", "bool", "takes test messages only; every other channel is productive", "false"
        ),
        Field("inflight", "number", "how many deliveries may be on their way at once", "4"),
        Field("deadline", "seconds", "total time of one call", "30s"),
        Field("recipient", "text", "recipient of messages taken in whose standard has no head"),
        Field(
            "maintenance",
            "windows",
            "regular windows in which nothing is delivered over it, such as `Sun 02:00-06:00`; "
            "messages are accepted and wait",
        ),
    )
    #: Whether the other side recognises a repeated key, so that sending again does no harm.
    repeats: bool = False
    #: Whether several processes may look for what it brings in; else one at a time does.
    shared: bool = False
    #: Whether it tells the other side which request a message is about.
    correlates: ClassVar[bool] = False

    def __init__(self, declared: Declared) -> None:
        """Take the checked values; do not connect yet."""
        self.name = declared.name
        self.values = declared.values
        self.test = bool(declared.values.get("test", False))
        self.inflight = int(declared.values.get("inflight") or 4)
        self.deadline = float(declared.values.get("deadline") or 30.0)

    @abstractmethod
    def send(self, prepared: Prepared, mark: Mark) -> Sent:
        """Hand it over.

        Call `mark()` once, right before the step whose repeat could do harm; it returns after a
        durable
        commit. Raise Unreachable or Busy if it was certainly not accepted, Refused if the procedure
        said no,
        DeliveryUnclear if nobody can know. Channels with `repeats` may raise ChannelError in doubt.
        """

    def find(self, key: str) -> Found:
        """Ask whether a key arrived; called after a crash between mark and outcome."""
        return Found.UNKNOWN

    @property
    def asks(self) -> bool:
        """Whether `find` knows a key by the other side alone, also where no mark was made here."""
        return False

    def receive(self) -> Iterable[Incoming]:
        """Look once for messages or replies; return at most a bounded batch, do not wait."""
        return ()

    @property
    def receives(self) -> bool:
        """Whether `receive` can ever return something, so that it is polled."""
        return False

    @property
    def aside(self) -> int | None:
        """Return how much lay aside, for a person to take away, when it looked last (`receive`,
        `probe`); None where it puts nothing aside or has not looked yet.
        """
        return None

    def settle(self, incoming: Incoming, verdict: Verdict) -> None:
        """Move or mark the source after the commit; repeating it must do no harm."""

    @abstractmethod
    def probe(self) -> str:
        """Try the other side without sending anything; return one sentence, raise ChannelError if
        it fails.
        """

    def close(self) -> None:
        """Give back connections; the channel may be used again afterwards."""
