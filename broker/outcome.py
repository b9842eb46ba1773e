"""What follows from a step: the branch of the error tree decides the next state."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from broker.answers import rejection_birth, reply_birth
from broker.channels.channel import Sent
from broker.config.model import Retry
from broker.errors import (
    BrokerError,
    ChannelError,
    DeliveryUnclear,
    Exhausted,
    MessageError,
    ReplyError,
    SchemaMissing,
    StoreError,
    guarded,
)
from broker.journal.trail import Fact, Trail
from broker.journal.vault import MessageKey
from broker.message import Direction, State, now
from broker.pipeline import Broker, adapter
from broker.retry import next_attempt
from broker.stores.contract import Birth, Change, Job

#: Spreads the waits; it decides nothing that must be repeatable.
_CHANCE = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Step:
    """One step on one delivery: the job, its bytes, the trail so far, and its key in the clear."""

    job: Job
    body: bytes
    trail: Trail
    broker: Broker
    key: MessageKey | None = None
    marked: bool = False

    @property
    def sending(self) -> bool | None:
        """What a certain outcome makes of the mark: this attempt's is settled, an older one is not
        until the other side was asked.
        """
        return False if self.marked else None


def delivered(step: Step, sent: Sent) -> tuple[Change, str]:
    """Return the change after a delivery, and the file number that came back at once, if any."""
    job = step.job
    step.trail.note("delivered", channel=job.channel, receipt=sent.receipt,
                    attempt=job.attempts, state=State.DELIVERED.value)  # fmt: skip
    births, number = replied(step, sent.reply) if sent.reply is not None else ((), "")
    change = Change(job.id, job.token, State.DELIVERED, step.trail.taken(), receipt=sent.receipt,
                    reason="", error="", births=births)  # fmt: skip
    return change, number


def replied(step: Step, reply: bytes) -> tuple[tuple[Birth, ...], str]:
    """Return the answer that a procedure gave at once as a message, and its file number."""
    job, broker = step.job, step.broker
    error, number = None, ""
    if not job.adapter:
        return (), ""
    try:
        with guarded():
            found = adapter(broker.site, job.adapter).correlate(reply)
            if found.reference not in ("", job.reference):
                raise ReplyError("the reply names another delivery than the one it answers")
            number = found.number
    except Exhausted:
        # The procedure has it, and the reply must not be lost with this process: it is read again
        # when it is converted.
        pass
    except BrokerError as problem:
        error = unreadable(problem)
    identity = ("reply", job.channel, job.id, hashlib.sha256(reply).hexdigest())
    return (reply_birth(broker, reply, job.channel, identity, job, error),), number


def failed(step: Step, error: BrokerError) -> Change:
    """Return the change after an error, by its branch of the tree."""
    if isinstance(error, ChannelError):
        return _postponed(step, error)
    if isinstance(error, SchemaMissing):
        return _ended(step, State.HELD, "held", error)
    if isinstance(error, DeliveryUnclear):
        return _ended(step, State.UNCLEAR, "doubted", error)
    if isinstance(error, MessageError) and step.job.direction is Direction.REQUEST:
        return _rejected(step, error)
    return _ended(step, State.DEAD, "buried", error)


def _postponed(step: Step, error: ChannelError) -> Change:
    job, at = step.job, now()
    route = step.broker.site.table.route(job.route)
    retry = route.retry if route else Retry()
    due = next_attempt(retry, job.attempts, job.received, at, _CHANCE)
    if due is None:
        return _ended(
            step, State.DEAD, "buried", error, f"given up after {job.attempts} attempts: "
        )
    step.trail.note("postponed", attempt=job.attempts, due=due.isoformat(timespec="seconds"),
                    channel=job.channel, error=str(error), state=State.WAITING.value)  # fmt: skip
    return Change(job.id, job.token, State.WAITING, step.trail.taken(), due=due,
                  sending=step.sending, reason="", error=str(error))  # fmt: skip


def _rejected(step: Step, error: MessageError) -> Change:
    job = step.job
    born = rejection_birth(step.broker, job, step.body, error)
    step.trail.note("rejected", reason=error.reason, error=str(error), state=State.REJECTED.value,
                    name=born.message.id if born else None,
                    attempt=job.attempts, **_first(error))  # fmt: skip
    return Change(job.id, job.token, State.REJECTED, step.trail.taken(), reason=error.reason,
                  error=str(error), births=(born,) if born else ())  # fmt: skip


def _ended(step: Step, state: State, event: str, error: BrokerError, before: str = "") -> Change:
    job, text = step.job, before + str(error)
    step.trail.note(event, reason=error.reason, error=text, state=state.value,
                    attempt=job.attempts, **_first(error))  # fmt: skip
    sending = None if state is State.UNCLEAR else step.sending
    return Change(job.id, job.token, state, step.trail.taken(), sending=sending,
                  reason=error.reason, error=text)  # fmt: skip


def _first(error: BrokerError) -> dict[str, Fact]:
    if not error.findings:
        return {}
    found = error.findings[0]
    return {"line": found.line or None, "path": found.path, "rule": found.rule}


def unreadable(error: BrokerError) -> ReplyError:
    """Return what becomes of a reply that could not be read: a case for a person.

    A failing store or process is no fault of the reply and is raised again: it is offered again.
    """
    if isinstance(error, (StoreError, Exhausted)):
        raise error
    if isinstance(error, ReplyError):
        return error
    return ReplyError(str(error))
