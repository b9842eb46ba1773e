"""How the seal of the journal stands: what waits for it, since when, and the last checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.errors import Unsealed
from broker.journal.entry import decode, stamp
from broker.message import now
from broker.stores.contract import Store

#: More entries than this that wait are not counted.
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What is sealed: `size` entries, the last of them of the time `sealed`.

    `waiting` entries (at most 10,000 are counted) wait since the time `since`. The last checkpoint
    is about `checkpoint` entries, 0 where there is none; the last time stamp is of `stamped`.
    """

    size: int
    sealed: datetime | None
    waiting: int
    since: datetime | None
    checkpoint: int
    stamped: datetime | None

    def record(self) -> dict[str, int | str | None]:
        """Return it for a machine."""
        return {
            "sealed": self.size,
            "sealed_until": stamp(self.sealed) if self.sealed else None,
            "unsealed": self.waiting,
            "unsealed_since": stamp(self.since) if self.since else None,
            "checkpoint": self.checkpoint or None,
            "time_stamp": stamp(self.stamped) if self.stamped else None,
        }


def standing(store: Store) -> Standing:
    """Return how it stands now; a few short reads. Raises StoreError."""
    size, top = store.tree.extent()
    last = next(iter(store.entries(after=top - 1)), None) if top else None
    waits = store.tree.unsealed(top, MOST)
    notes, stamped = store.tree.notes(last=True), store.tree.latest()
    return Standing(
        size,
        decode(last).time if last else None,
        len(waits),
        decode(waits[0]).time if waits else None,
        notes[0].size if notes else 0,
        stamped.time if stamped else None,
    )


def guard(store: Store, limit: float, seal: Callable[[], bool]) -> Callable[[], None]:
    """Return what raises Unsealed where an entry has waited for longer than `limit` seconds.

    It tries to `seal` first: where no broker runs, nobody else does.
    """

    def check() -> None:
        waits = store.tree.unsealed(store.tree.extent()[1], 1)
        if not waits or now() - decode(waits[0]).time < timedelta(seconds=limit) or seal():
            return
        raise Unsealed(
            f"the journal was not sealed since {stamp(decode(waits[0]).time)} and cannot be sealed "
            "now, so nothing is taken over; xoev-broker checkpoint --now says why"
        )

    return check
