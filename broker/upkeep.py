"""What the broker does now and then by itself: let held messages go on, or bury them."""

from __future__ import annotations

from datetime import timedelta

from broker.journal.trail import Trail, entry
from broker.message import State, now
from broker.pipeline import Broker
from broker.stores.contract import Change, Entry, Filter, Row, Voided

#: So many held messages are looked at in one go.
LOOK = 1000


def recover(broker: Broker) -> int:
    """Take up what an earlier start had in hand; return how many deliveries it were."""
    return broker.store.recover(_recovered)


def _recovered(voided: Voided) -> Entry:
    state = State.DEAD if voided.poison else State.WAITING
    return entry(voided.message, "recovered", state=state.value, was=State.WORKING.value,
                 attempt=voided.attempts)  # fmt: skip


def release(broker: Broker) -> int:
    """Let held messages go on whose standard is installed now; return how many."""
    standards = broker.site.standards
    held = broker.store.rows(Filter(states=(State.HELD,), limit=LOOK))
    free = [row for row in held if standards.installed(row.envelope.standard, row.envelope.version)]
    return _move(broker, free, "released", State.WAITING, "")


def expire(broker: Broker, seconds: float) -> int:
    """Give messages that were held too long to a person; return how many."""
    before = now() - timedelta(seconds=seconds)
    late = broker.store.rows(Filter(states=(State.HELD,), until=before, limit=LOOK))
    text = "held too long: nobody installed the missing schema"
    return _move(broker, late, "buried", State.DEAD, text)


def _move(broker: Broker, rows: list[Row], event: str, state: State, error: str) -> int:
    changes = [_change(row, event, state, error) for row in rows]
    return sum(broker.store.change(changes).result()) if changes else 0


def _change(row: Row, event: str, state: State, error: str) -> Change:
    trail = Trail(row.id)
    trail.note(event, state=state.value, was=row.state.value, error=error)
    return Change(row.id, None, state, trail.taken(), due=now(), error=error or None,
                  expected=(State.HELD,))  # fmt: skip
