"""A queue that messages or replies are taken from.

What is fetched stays unacknowledged until it is settled, so a crash or a stop gives it back to the
queue. What is refused goes to the quarantine queue first, and is acknowledged only when that has
confirmed it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

from broker.channels.channel import Incoming, Verdict
from broker.channels.deadline import Deadline
from broker.channels.fate import Delivery, Fate, Letter, Outcome
from broker.channels.link import Link
from broker.channels.session import Session
from broker.errors import ChannelError, NotAllowed, Unreachable

BATCH = 100
MEGABYTE = 1_000_000
APP = "xoev-broker"
_NAME = re.compile(r"[!-~]{1,128}")
_REASON = 1000

Publish = Callable[[Letter, Deadline], Fate]


@dataclass(frozen=True, slots=True)
class Source:
    """What is taken from where. `user` is who must have published it, empty for anybody who may;
    `limit` is the largest message in bytes.
    """

    queue: str
    role: Literal["message", "reply"]
    quarantine: str
    user: str
    limit: int


class Inlet:
    """One queue. `receive` and `settle` are called by one thread at a time."""

    def __init__(self, name: str, source: Source, link: Link, publish: Publish) -> None:
        """Take the channel's name, and what publishes to the quarantine."""
        self.source = source
        self.link = link
        self._name = name
        self._publish = publish
        #: How many messages lay in the quarantine at the last look.
        self.aside: int | None = None
        self._session: Session | None = None
        self._condemned: dict[int, Verdict] = {}

    def receive(self, deadline: Deadline) -> list[Incoming]:
        """Return what is in hand and what the queue has, up to a batch. Raises Unreachable."""
        session = self.link.session(deadline)
        if session is not self._session:
            self._session, self._condemned = session, {}
        failure = self._bury(session, deadline)
        held, source = session.held, self.source
        room = source.limit - sum(len(each.body) for each in held)
        session.fetch(source.queue, BATCH - len(held), room, deadline.left())
        self._judge(session)
        failure = failure or self._bury(session, deadline) or self._counted(session, deadline)
        found = [
            self._incoming(session, each)
            for each in session.held
            if each.tag not in self._condemned
        ]
        if failure is not None and not found:
            raise failure
        return found

    def count(self, session: Session, deadline: Deadline) -> None:
        """Look how much lies in the quarantine. Raises Unreachable, TimeoutError."""
        self.aside = session.count(self.source.quarantine, deadline.left())

    def settle(self, incoming: Incoming, verdict: Verdict, deadline: Deadline) -> None:
        """Acknowledge what was taken; bring the rest to the quarantine, now or at the next look."""
        session: Session = incoming.handle[0]
        tag: int = incoming.handle[1]
        if verdict.taken or not session.alive:
            session.settle(tag)
        elif any(each.tag == tag for each in session.held):
            waiting = bool(self._condemned)
            self._condemned[tag] = verdict
            if not waiting:  # else the quarantine is disturbed, and the next look tries again
                self._bury(session, deadline)

    def _judge(self, session: Session) -> None:
        limit = self.source.limit
        for each in session.held:
            if len(each.body) > limit and each.tag not in self._condemned:
                text = f"larger than the {limit // MEGABYTE} MB that this channel takes"
                self._condemned[each.tag] = Verdict(False, text, "X000")

    def _incoming(self, session: Session, each: Delivery) -> Incoming:
        user = self.source.user
        refusal = None
        if user and each.user != user:
            refusal = NotAllowed(
                "the queue holds a message whose user-id, which the server checks, is not the one "
                "that this channel is for; publish as that user and set the property user-id"
            )
        return Incoming(self.source.role, name(each), each.body, (session, each.tag), refusal)

    def _bury(self, session: Session, deadline: Deadline) -> ChannelError | None:
        """Bring what is condemned to the quarantine; return what keeps it from going there."""
        held = {each.tag: each for each in session.held}
        for tag, verdict in list(self._condemned.items()):
            if tag in held and (failure := self._moved(held[tag], verdict, deadline)):
                return failure
            session.settle(tag)
            del self._condemned[tag]
        return None

    def _counted(self, session: Session, deadline: Deadline) -> ChannelError | None:
        try:
            self.count(session, deadline)
        except TimeoutError:
            return Unreachable(f"{self._name}: the quarantine could not be counted in time")
        except ChannelError as error:
            return error
        return None

    def _moved(
        self, delivery: Delivery, verdict: Verdict, deadline: Deadline
    ) -> ChannelError | None:
        headers = {
            "x-xoev-reason": verdict.reason,
            "x-xoev-text": verdict.text[:_REASON],
            "x-xoev-queue": self.source.queue,
            "x-xoev-message-id": delivery.id if _NAME.fullmatch(delivery.id) else "",
        }
        letter = Letter(
            f"quarantine-{uuid4()}",
            "",
            self.source.quarantine,
            delivery.body,
            {"headers": headers, "app_id": APP, "content_type": "application/octet-stream"},
        )
        try:
            fate = self._publish(letter, deadline)
        except TimeoutError:
            return Unreachable(f"{self._name}: the quarantine could not be asked in time")
        except ChannelError as error:
            return error
        if fate.outcome is Outcome.TAKEN:
            return None
        return Unreachable(
            f"{self._name}: a refused message stays in {self.source.queue}, because the quarantine "
            f"queue {self.source.quarantine} did not take it: {fate.outcome.value}"
        )


def name(delivery: Delivery) -> str:
    """Return a name for the journal; the publisher's own only where it is short and plain."""
    if _NAME.fullmatch(delivery.id):
        return delivery.id
    return f"sha256-{hashlib.sha256(delivery.body).hexdigest()}"
