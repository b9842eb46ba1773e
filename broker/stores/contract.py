"""What every store promises; the code above does not know which one it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from broker.message import Direction, Envelope, Message, State
from broker.stores.custody import Custody, Hold, Part
from broker.stores.mending import Mending, Names
from broker.stores.tree import Tree

Form = Literal["original", "converted"]
Verdict = Literal["new", "duplicate", "conflict"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: canonical bytes, and the columns that find it again.

    `message` is empty for what concerns the whole site (start, stop, a new table). `seq` is given
    by the store.
    """

    message: str
    event: str
    body: bytes
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Payload:
    """Sealed bytes of one message: `form` says which, `box` is ciphertext, `size` the plain length
    in bytes.
    """

    form: Form
    box: bytes
    salt: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Way:
    """Where a message goes: names of route, adapter and channel, digest of the table that said so.

    They are empty where no route took it; `reason` and `error` then say why. `ready` says that the
    bytes go out as they are, `ordered` that messages of one case keep their order.
    """

    route: str = ""
    table: str = ""
    adapter: str = ""
    channel: str = ""
    ready: bool = False
    ordered: bool = False
    state: State = State.WAITING
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Birth:
    """A new message with its one delivery; both appear in one commit.

    `identity` decides duplicates (unique), `digest` whether the bytes are the same: both are keyed,
    so that they tell nothing once the payload is erased. `key` is the wrapped payload key. `case`
    finds what belongs together; deliveries of one route and `lane` go one after the other. `keys`
    are names of business keys with their keyed fingerprints.
    """

    message: Message
    way: Way
    identity: bytes
    digest: bytes
    key: bytes
    payload: Payload
    reference: str
    case: bytes | None = None
    lane: bytes | None = None
    entries: tuple[Entry, ...] = ()
    keys: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the store decided about a birth: new, duplicate (same bytes) or conflict (other bytes).

    For a duplicate, `id` and `received` are those of the first.
    """

    id: str
    received: datetime
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Job:
    """A leased delivery with what is needed to work on it.

    `payload` is the converted form where `ready`, else the original. `doubt` says that an earlier
    attempt was cut off after its mark, so that the channel must be asked first; `copied` that a
    lost store may have made it. `alone` marks a delivery that was in hand when the process died;
    `ordered` one whose end lets the next of its case go.
    """

    id: str
    token: str
    direction: Direction
    envelope: Envelope
    party: str
    received: datetime
    key: bytes
    size: int
    payload: Payload
    ready: bool
    route: str
    adapter: str
    channel: str
    reference: str
    attempts: int
    doubt: bool = False
    copied: bool = False
    alone: bool = False
    ordered: bool = False
    reason: str = ""
    error: str = ""
    answers: str | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """How much a worker can take now.

    `channels` says how many deliveries of each channel (`default` for others), `limit` how many in
    all, `budget` how many bytes (at least one delivery is taken); nothing over `closed` channels.
    With `suspects`, a delivery that was in hand at a crash is taken first, and alone. `ids` are
    those that a doorbell named; `term` says after how many seconds without `renew` others may take
    it over (shared stores only).
    """

    default: int = 100
    channels: Mapping[str, int] = field(default_factory=dict)
    limit: int = 100
    budget: int = 64_000_000
    suspects: bool = True
    ids: tuple[str, ...] = ()
    closed: Names = ()
    term: float = 30.0


@dataclass(frozen=True, slots=True)
class Change:
    """What one step did to a leased delivery; all of it is written in one commit, or nothing.

    `token` must still be the lease's; None means an act from outside that only applies while the
    state is one of `expected`. Fields left None stay as they are.
    """

    id: str
    token: str | None
    state: State
    entries: tuple[Entry, ...] = ()
    payload: Payload | None = None
    due: datetime | None = None
    sending: bool | None = None
    envelope: Envelope | None = None
    reason: str | None = None
    error: str | None = None
    receipt: str | None = None
    births: tuple[Birth, ...] = ()
    expected: tuple[State, ...] = ()
    route: tuple[str, str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Bytes that were not accepted, with the reason; counted apart from messages."""

    id: str
    party: str
    via: str
    reason: str
    text: str
    received: datetime
    key: bytes
    payload: Payload | None
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One message with its delivery, for people: no payload."""

    id: str
    direction: Direction
    envelope: Envelope
    party: str
    received: datetime
    size: int
    state: State
    route: str
    table: str
    adapter: str
    channel: str
    reference: str
    number: str
    attempts: int
    due: datetime
    changed: datetime
    reason: str
    error: str
    receipt: str
    answers: str | None
    replays: str | None
    ready: bool
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows to list; empty fields do not restrict. `text` is an id, message uuid, reference or
    number; `oldest` puts the oldest first, `after` leaves out what has no larger `seq`. `keys` are
    fingerprints of business keys that all must fit, the request's keys for an answer too. `reason`
    is a reason code.
    """

    states: tuple[State, ...] = ()
    direction: Direction | None = None
    route: str = ""
    party: str = ""
    text: str = ""
    case: bytes | None = None
    answers: str = ""
    since: datetime | None = None
    until: datetime | None = None
    oldest: bool = False
    limit: int = 100
    keys: tuple[bytes, ...] = ()
    reason: str = ""
    after: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """One message in numbers. `seconds` is the time from acceptance to delivery, None where it was
    not delivered.
    """

    direction: Direction
    standard: str
    kind: str
    route: str
    state: State
    reason: str
    received: datetime
    seconds: float | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages are in each state, by direction, and how many were refused; the sum is what
    was accepted.
    """

    states: Mapping[Direction, Mapping[State, int]] = field(default_factory=dict)
    refused: int = 0
    oldest: datetime | None = None

    @property
    def accepted(self) -> int:
        """All messages ever accepted, both directions."""
        return sum(sum(states.values()) for states in self.states.values())


@dataclass(frozen=True, slots=True)
class Voided:
    """A lease of an earlier start: its message, whether that is dead as poison now, attempts."""

    message: str
    poison: bool
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """A route that a person stopped: nothing of it is taken until it is resumed."""

    route: str
    actor: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Erasure:
    """One part of one message that is to go, with the rule that says so.

    The payload goes with its key and salt and the names in the head; the metadata are the ids
    and numbers in the rows. What recognises a repeat stays.
    """

    id: str
    part: Part
    rule: str
    entries: tuple[Entry, ...] = ()


class Store(Custody, Mending[Change | Birth, Entry], Protocol):
    """Keeps messages, deliveries and the journal. Thread-safe. Every Future is done only after a
    durable commit.

    All methods raise StoreError when the store cannot be used, StoreAway where that will pass:
    only a shared store raises it, and it goes on by itself once the database is back.

    `shared` says that processes of other hosts work on it too: leases then end after their term,
    measured by the clock of the database.
    """

    shared: bool

    @property
    def tree(self) -> Tree[Entry]:
        """The Merkle tree over the journal."""

    def accept(self, birth: Birth) -> Future[Accepted]:
        """Take a new message over, or recognise it."""

    def refuse(self, refused: Refused) -> Future[None]:
        """Keep what was not accepted."""

    def take(self, room: Room) -> list[Job]:
        """Lease due deliveries and count the attempt, before any work is done on them."""

    def change(self, changes: Sequence[Change]) -> Future[list[bool]]:
        """Write what steps did; False where the lease or the expected state was no longer there."""

    def note(self, entries: Sequence[Entry]) -> Future[None]:
        """Write entries that change no state."""

    def learn(self, id: str, number: str, entries: Sequence[Entry] = ()) -> Future[None]:
        """Keep the procedure's file number of a delivery as a second key."""

    def recover(self, record: Callable[[Voided], Entry]) -> int:
        """Void the leases of an earlier start (shared store: those whose term is over), with an
        entry for each; return how many.
        """

    def renew(self, tokens: Sequence[str], term: float) -> Future[None]:
        """Begin the term of these leases anew."""

    def release(self, tokens: Sequence[str], record: Callable[[Voided], Entry]) -> Future[int]:
        """Give leases back, with an entry for each; what was in hand is due at once, and no one
        is suspected. Return how many.
        """

    def elect(self, offices: Sequence[str], owner: str, term: float) -> Future[frozenset[str]]:
        """Ask for offices that one process at a time holds; return those that `owner` has now.

        An office is held until its term is over or it is asked for again by its holder.
        """

    def resign(self, owner: str) -> Future[None]:
        """Give all offices of an owner back."""

    def holders(self) -> Mapping[str, str]:
        """Offices that are held now, each with its owner."""

    def overdue(self, seconds: float, limit: int, closed: Names = ()) -> list[tuple[str, str]]:
        """Ids and channels of what could have been taken for so long, oldest first."""

    def row(self, id: str) -> Row | None:
        """One message by its id."""

    def rows(self, filter: Filter) -> list[Row]:
        """Messages that pass, newest first."""

    def correlate(self, channel: str, reference: str, number: str) -> Row | None:
        """The request that was, or is being, delivered over this channel under a reference or a
        file number.
        """

    def payload(self, id: str, form: Form) -> tuple[bytes, Payload] | None:
        """The wrapped key and the sealed bytes, or None where there are none (any more)."""

    def entries(
        self, message: str = "", after: int = 0, events: Sequence[str] = ()
    ) -> Iterator[Entry]:
        """The journal in order, of one message or whole, of all events or these."""

    def figures(self, filter: Filter) -> Iterator[Figure]:
        """Messages that pass, in numbers, oldest first, all of them: `filter.limit` is ignored."""

    def refusals(self, since: datetime | None, until: datetime | None) -> Mapping[str, int]:
        """How many were not accepted in a period, by reason code."""

    def counts(self) -> Counts:
        """Add up all states."""

    def pauses(self) -> list[Pause]:
        """Routes that are stopped."""

    def pause(self, pause: Pause, entry: Entry) -> Future[None]:
        """Stop a route."""

    def resume(self, route: str, entry: Entry) -> Future[bool]:
        """Start a stopped route again."""

    def erase(self, items: Sequence[Erasure]) -> Future[bool]:
        """Erase all of these, or none and False: one is in use, held, or erased already."""

    def hold(self, hold: Hold, entry: Entry) -> Future[bool]:
        """Protect a message from erasure; False where it is protected already."""

    def unhold(self, message: str, entry: Entry) -> Future[bool]:
        """End the protection; False where there was none."""

    def newest(self) -> Entry | None:
        """The newest entry of the journal."""

    def due(self, closed: Names = ()) -> bool:
        """Whether any waiting delivery is due; cheap, takes nothing."""

    def changed(self) -> bool:
        """Whether another process has written since the last call."""

    def close(self) -> None:
        """Finish what was submitted and close."""
