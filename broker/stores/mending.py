"""What every store promises to whoever repairs: selections, proposals, windows; a part of the
contract.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from broker.message import State
from broker.stores.lookout import Lookout

#: What is done to the messages of a selection.
Act = Literal["replay", "close"]
#: Where one message of a selection stands.
Progress = Literal["pending", "done", "refused", "cancelled"]
Decision = Literal["open", "confirmed", "declined"]
#: Names of channels.
Names = Collection[str]


@dataclass(frozen=True, slots=True)
class Selection:
    """A named, frozen list of messages and what is to be done to them, by whom and why.

    `counts` says how many stand where. `again` and `reroute` are the options of a replay.
    """

    name: str
    act: Act
    actor: str
    reason: str
    made: datetime
    again: bool = False
    reroute: bool = False
    counts: Mapping[Progress, int] = field(default_factory=dict)

    @property
    def open(self) -> int:
        """How many are still to be done."""
        return self.counts.get("pending", 0)


@dataclass(frozen=True, slots=True)
class Selected:
    """One message of a selection: `number` from 1, `note` says why it was refused, or the id of
    the message that it became.
    """

    number: int
    message: str
    progress: Progress = "pending"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """New content for a message that one person proposes and another one must confirm.

    `message` is the original, `became` the id that the new message gets. `box` is the content,
    sealed under the key of the original, so that it can be read no longer than that; None once
    it was decided or erased. `account` is who the operating system says the actor is.
    """

    id: str
    message: str
    became: str
    actor: str
    account: str
    reason: str
    made: datetime
    route: str
    size: int
    salt: bytes = field(repr=False)
    box: bytes | None = field(repr=False)
    decision: Decision = "open"
    decider: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which nothing of a route is taken; it ends by itself."""

    id: str
    route: str
    start: datetime
    until: datetime
    actor: str
    reason: str

    def open(self, at: datetime) -> bool:
        """Whether the route is stopped by it at this time."""
        return self.start <= at < self.until


@dataclass(frozen=True, slots=True)
class Lane:
    """One route at a moment: how many unfinished messages are in each state, since when the oldest
    of those that wait was received, and how many of them an attempt has failed for.
    """

    route: str
    states: Mapping[State, int]
    oldest: datetime | None
    failing: int


Step_contra = TypeVar("Step_contra", contravariant=True)
Line_contra = TypeVar("Line_contra", contravariant=True)


class Mending(Lookout[Line_contra], Protocol[Step_contra, Line_contra]):
    """The part of a store that helps people repair. A step is a change or a birth, a line
    an entry of the journal.
    """

    def freeze(self, selection: Selection, ids: Sequence[str], line: Line_contra) -> Future[bool]:
        """Keep a selection; False where its name is taken."""

    def selections(self) -> list[Selection]:
        """All selections, newest first."""

    def selected(
        self, name: str, progress: Progress | None = None, after: int = 0, limit: int = 1000
    ) -> list[Selected]:
        """Messages of a selection by number, of one kind of progress or all."""

    def carry(self, name: str, number: int, step: Step_contra) -> Future[bool]:
        """Do a step for one message of a selection and mark it as done, in one commit; False where
        it is not pending any more, or the step did not apply.
        """

    def pass_over(self, name: str, number: int, note: str) -> Future[bool]:
        """Mark one message of a selection as refused; False where it is not pending any more."""

    def cancel(self, name: str, line: Line_contra) -> Future[int]:
        """Cancel what is still pending; return how many."""

    def propose(self, proposal: Proposal, line: Line_contra) -> Future[None]:
        """Keep a proposal."""

    def proposals(self, message: str = "", decision: Decision | None = None) -> list[Proposal]:
        """Proposals, newest first, of one message or all."""

    def confirm(self, id: str, decider: str, step: Step_contra) -> Future[bool]:
        """Do the step of an open proposal and drop its box, in one commit; False where it is not
        open any more, or the step did not apply.
        """

    def decline(self, id: str, decider: str, line: Line_contra) -> Future[bool]:
        """End an open proposal without effect; False where it is not open any more."""

    def plan(self, window: Window, line: Line_contra) -> Future[None]:
        """Stop a route for a time."""

    def windows(self, route: str = "") -> list[Window]:
        """Windows that are planned or open, and those over that nobody has ended yet, by start."""

    def unplan(self, id: str, line: Line_contra) -> Future[bool]:
        """End a window, or take a planned one back; False where it is gone."""

    def lanes(self) -> list[Lane]:
        """Routes with unfinished messages."""

    def moved(self, after: int) -> Mapping[str, tuple[int, int]]:
        """How many messages of each route came and were delivered, by the entries after a number
        of the journal.
        """
