"""What the broker does now and then by itself: let held messages go on, or bury them."""

from __future__ import annotations

from datetime import timedelta

from broker.errors import MessageError
from broker.journal.trail import Trail, entry
from broker.message import Direction, State, now
from broker.pipeline import Broker
from broker.stores.contract import Change, Entry, Filter, Row, Voided

#: So many held messages are looked at in one go.
LOOK = 1000


def recover(broker: Broker) -> int:
    """Take up what an earlier start, or a dead process, had in hand; return how many deliveries."""
    return broker.store.recover(recovered)


def recovered(voided: Voided) -> Entry:
    """Return the entry about a lease that has ended without an outcome."""
    state = State.DEAD if voided.poison else State.WAITING
    return entry(voided.message, "recovered", state=state.value, was=State.WORKING.value,
                 attempt=voided.attempts)  # fmt: skip


def release(broker: Broker) -> int:
    """Let held messages go on whose standard is installed now; return how many.

    One that no route took when it came is held against the routes of today.
    """
    standards = broker.site.standards
    held = broker.store.rows(Filter(states=(State.HELD,), oldest=True, limit=LOOK))
    free = [
        row
        for row in held
        # The reply of a procedure has no standard of its own yet: it is tried again.
        if row.direction is Direction.ANSWER
        or standards.installed(row.envelope.standard, row.envelope.version)
    ]
    return _write(broker, [_released(broker, row) for row in free])


def tidy(broker: Broker, held: float) -> None:
    """Do what is due now and then; `held` is for how many seconds a message may be held."""
    expire(broker, held)
    reopen(broker)


def expire(broker: Broker, seconds: float) -> int:
    """Give messages that were held too long to a person; return how many."""
    before = now() - timedelta(seconds=seconds)
    held = broker.store.rows(Filter(states=(State.HELD,), oldest=True, limit=LOOK))
    return _write(broker, [_expired(row) for row in held if row.changed <= before])


def reopen(broker: Broker) -> int:
    """Write down the end of pauses whose time is over; return how many. They ended by themselves:
    nothing is held up by a pause that is over, whether this runs or not.
    """
    over = [window for window in broker.store.windows() if window.until <= now()]
    for window in over:
        until = window.until.isoformat(timespec="seconds")
        line = entry("", "resumed", route=window.route, until=until, reason="its time is over")
        broker.store.unplan(window.id, line).result()
    return len(over)


def _released(broker: Broker, row: Row) -> Change:
    way, error = _way(broker, row)
    trail = Trail(row.id)
    trail.note("released", state=State.WAITING.value, was=row.state.value,
               route=way[0] if way else None, table=way[1] if way else None,
               adapter=way[2] if way else None, channel=way[3] if way else None)  # fmt: skip
    return Change(row.id, None, State.WAITING, trail.taken(), due=now(), route=way,
                  reason=error.reason if error else "", error=str(error or ""),
                  expected=(State.HELD,))  # fmt: skip


def _way(broker: Broker, row: Row) -> tuple[tuple[str, str, str, str] | None, MessageError | None]:
    if row.route or row.direction is Direction.ANSWER:
        return None, None
    table = broker.site.table
    try:
        route = table.judge(row.envelope, row.party)
    except MessageError as error:
        return None, error
    return (route.name, table.table.digest, route.adapter, route.channel), None


def _expired(row: Row) -> Change:
    text = "held too long: nobody installed the missing schema"
    trail = Trail(row.id)
    trail.note("buried", state=State.DEAD.value, was=row.state.value, error=text)
    return Change(row.id, None, State.DEAD, trail.taken(), due=now(), error=text,
                  expected=(State.HELD,))  # fmt: skip


def _write(broker: Broker, changes: list[Change]) -> int:
    return sum(broker.store.change(changes).result()) if changes else 0
