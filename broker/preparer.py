"""Prepares leased deliveries: opens, judges and converts them; nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from broker.errors import (
    BrokerError,
    Exhausted,
    ReplyError,
    StoreAway,
    StoreError,
    guarded,
)
from broker.journal.trail import Trail
from broker.message import Direction, State
from broker.outcome import Step, failed
from broker.pipeline import Broker, answer, prepare
from broker.stores.contract import Change, Job


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a job: `body` is ready to be sent once `change` is written.

    Without a change it was prepared before; without a body it goes no further.
    """

    job: Job
    change: Change | None
    body: bytes | None


class Preparer:
    """Takes one job after the other. Thread-safe."""

    def __init__(self, broker: Broker) -> None:
        """Take the broker."""
        self._broker = broker

    def prepare(self, job: Job) -> Made:
        """Return what became of a job.

        Raises StoreAway and Exhausted: it may be done again, here or elsewhere.
        """
        step = self._opened(job)
        if isinstance(step, Change):
            return Made(job, step, None)
        if job.ready:
            return Made(job, None, step.body)
        return Made(job, *self._prepared(step))

    def _opened(self, job: Job) -> Step | Change:
        try:
            key = self._broker.vault.key(job.key)
            body = self._broker.vault.unseal(key, job.id, job.payload)
        except StoreError as error:
            return failed(Step(job, b"", Trail(job.id), self._broker), ReplyError(str(error)))
        return Step(job, body, Trail(job.id), self._broker, key)

    def _prepared(self, step: Step) -> tuple[Change, bytes | None]:
        try:
            with guarded():
                if step.job.direction is Direction.ANSWER:
                    return self._answered(step)
                made = prepare(step.job, step.body, self._broker, step.trail)
        except (Exhausted, StoreAway):
            raise  # no fault of the message
        except BrokerError as error:
            return failed(step, error), None
        return self._kept(step, made), made

    def _answered(self, step: Step) -> tuple[Change, bytes]:
        job = step.job
        request = self._broker.store.row(job.answers or "")
        if request is None:
            raise ReplyError("the request of this answer is not in the store any more")
        made, envelope = answer(job, step.body, request, self._broker, step.trail)
        change = self._kept(step, made)
        return replace(change, envelope=replace(envelope, case=request.envelope.case)), made

    def _kept(self, step: Step, made: bytes) -> Change:
        job, vault = step.job, self._broker.vault
        payload = vault.seal(step.key or vault.key(job.key), job.id, "converted", made)
        kept = replace(payload, salt=step.trail.salt)
        return Change(job.id, job.token, State.WORKING, step.trail.taken(), kept)
