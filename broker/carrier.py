"""Carries prepared deliveries to the other side, and says what came of it; senders call it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Lock

from broker.errors import (
    BrokerError,
    ChannelError,
    DeliveryUnclear,
    StoreAway,
    Unforeseen,
    Unreachable,
    guarded,
)
from broker.journal.trail import Trail
from broker.message import State
from broker.outage import Outage
from broker.outcome import Step, delivered, failed
from broker.pipeline import Broker, deliver
from broker.scribe import Scribe
from broker.stores.contract import Change, Job

#: Told whether a channel worked.
Strength = Callable[[str, bool], object]


class LeaseLost(Exception):
    """Somebody else has the delivery now; what was done with it is theirs to decide."""


class _NotSent(Unreachable):
    """The store went away before the send that it had to know of; the channel has no part in it."""


class Carrier:
    """Delivers one job at a time on each thread of the senders. Thread-safe."""

    def __init__(self, broker: Broker, scribe: Scribe, outage: Outage, strength: Strength) -> None:
        """Take the broker, who keeps file numbers, and whom to tell whether a channel works."""
        self._broker = broker
        self._scribe = scribe
        self._outage = outage
        self._strength = strength
        self._going: Counter[str] = Counter()
        self._lock = Lock()

    def going(self) -> set[str]:
        """Return the tokens of what has passed its mark and may arrive at any moment."""
        with self._lock:
            return {token for token, count in self._going.items() if count > 0}

    def deliver(self, job: Job, body: bytes) -> Change:
        """Hand it over, once in effect; return the change that its outcome makes."""
        marked: list[bool] = []
        try:
            return self._delivered(job, body, marked)
        finally:
            if marked:
                with self._lock:
                    self._going[job.token] -= len(marked)

    def _delivered(self, job: Job, body: bytes, marked: list[bool]) -> Change:
        trail = Trail(job.id)
        step = Step(job, body, trail, self._broker)
        try:
            with guarded():
                sent = deliver(job, body, self._broker, trail, partial(self._mark, job, marked))
        except Unforeseen as error:
            step = replace(step, marked=bool(marked))
            return failed(step, self._doubtful(job, error, step.marked))
        except BrokerError as error:
            if not isinstance(error, _NotSent):
                self._strength(job.channel, not isinstance(error, ChannelError))
            return failed(replace(step, marked=bool(marked)), error)
        self._strength(job.channel, True)
        change, number = delivered(step, sent)
        if number:
            self._scribe.learn(job.id, number)
        return change

    def _doubtful(self, job: Job, error: Unforeseen, marked: bool) -> BrokerError:
        channel = self._broker.site.channels.get(job.channel)
        if marked and channel is not None and not channel.repeats:
            return DeliveryUnclear(str(error))
        return Unreachable(str(error))

    def _mark(self, job: Job, marked: list[bool]) -> None:
        if self._broker.site.channels[job.channel].repeats:
            # The other side recognises a repeat: nothing has to be remembered before it.
            return
        trail = Trail(job.id)
        trail.note("sending", channel=job.channel, attempt=job.attempts)
        change = Change(job.id, job.token, State.WORKING, trail.taken(), sending=True)
        try:
            kept = self._broker.store.change([change]).result()[0]
        except StoreAway as error:
            self._outage.begun(error)
            # The mark may be written all the same; the outcome says that nothing was sent.
            self._passed(job, marked)
            raise _NotSent("the store could not be reached before it was sent") from None
        if not kept:
            raise LeaseLost
        self._passed(job, marked)

    def _passed(self, job: Job, marked: list[bool]) -> None:
        marked.append(True)
        with self._lock:
            self._going[job.token] += 1
