"""What every store promises to whoever keeps watch: alarms, deadlines and depth; a part of the
contract.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, Protocol, TypeVar

#: What is late: the delivery of a request, or the answer to it.
Due = Literal["delivery", "answer"]
Line_co = TypeVar("Line_co", covariant=True)
Line_contra = TypeVar("Line_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One cause for an alert: `cause` names it, `facts` are ids and numbers about it.

    It is open until `over`. `process` is the process that sees it where no other can, else empty.
    `told` says by which way people know of it: `raised` or `cleared`, and the time.
    """

    cause: str
    since: datetime
    facts: Mapping[str, str] = field(default_factory=dict)
    process: str = ""
    over: datetime | None = None
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Late:
    """A request that was not delivered, or not answered, when its route says it must be."""

    message: str
    kind: Due
    route: str
    due: datetime


@dataclass(frozen=True, slots=True)
class Lateness:
    """How many requests of a route are late, and since when the first of them is."""

    route: str
    kind: Due
    count: int
    since: datetime


@dataclass(frozen=True)
class Turn(Generic[Line_co]):
    """What one look changes, in one commit: causes that are there (again), that are over, what was
    told by cause, what nobody need know any more, and requests that are late, with their entries.
    """

    raised: tuple[Alarm, ...] = ()
    calmed: tuple[tuple[str, datetime], ...] = ()
    told: tuple[tuple[str, Mapping[str, str]], ...] = ()
    gone: tuple[str, ...] = ()
    late: tuple[Late, ...] = ()
    entries: tuple[Line_co, ...] = ()


class Lookout(Protocol[Line_contra]):
    """The part of a store that helps to keep watch. A line is an entry of the journal."""

    def alarms(self) -> list[Alarm]:
        """All causes, open ones and those that are over and not gone yet, oldest first."""

    def turn(self, turn: Turn[Line_contra]) -> Future[None]:
        """Write what one look changes. What is raised again keeps since when, and who was told;
        entries of requests that are known as late are left out.
        """

    def crossed(
        self, kind: Due, routes: Collection[str], since: datetime, until: datetime
    ) -> list[tuple[str, str, datetime]]:
        """Requests of these routes accepted from one time to another, about, that are not delivered
        (or not answered) and not known as late: id, route, time of acceptance.
        """

    def caught_up(self) -> Future[int]:
        """Forget what is late no more, because it was delivered, answered, rejected or closed;
        return how many.
        """

    def late(self, route: str = "", limit: int = 100) -> list[Late]:
        """Requests that are late, the longest first, of one route or all."""

    def lateness(self) -> list[Lateness]:
        """How many requests are late, by route."""

    def slack(self) -> int:
        """Bytes that the store has on its disk already and can use again, as far as it knows."""

    def depths(self) -> Mapping[str, int]:
        """How many messages wait or are worked on, by route."""
