"""Which requests are late: not delivered, or not answered, when their route says they must be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from broker.config.model import Route, Table
from broker.journal.trail import entry
from broker.stores.contract import Entry, Store
from broker.stores.lookout import Due, Late, Turn

#: A deadline that is new holds for what was accepted up to so long before it passed.
BACK = timedelta(days=30)
#: At most so much time is looked through at once.
SLICE = timedelta(days=1)
_KINDS: tuple[Due, ...] = ("delivery", "answer")


class Deadlines:
    """Finds what has become late since the last look, and writes each of it down once.

    How far it has looked is kept in the store: a pause of the process hides nothing.
    """

    def __init__(self, store: Store, table: Callable[[], Table]) -> None:
        """Take what returns the table in force."""
        self._store = store
        self._table = table

    def look(self, at: datetime) -> int:
        """Note what is late at a time, forget what is late no more; return how many were noted.

        Raises StoreError.
        """
        table = self._table()
        count = 0
        for kind in _KINDS:
            for seconds, routes in _groups(table, kind).items():
                count += self._group(kind, seconds, routes, at)
        if self._store.late(limit=1):
            self._store.caught_up().result()
        return count

    def _group(self, kind: Due, seconds: float, routes: list[str], at: datetime) -> int:
        name, within = _name(kind, seconds, routes), timedelta(seconds=seconds)
        end = at - within
        since, count = self._store.last(name) or end - BACK, 0
        while since < end:
            until = min(since + SLICE, end)
            found = self._store.crossed(kind, routes, since, until)
            late = [Late(id, kind, route, came + within) for id, route, came in found]
            if late:
                entries = tuple(map(_entry, late))
                self._store.turn(Turn(late=tuple(late), entries=entries)).result()
            self._store.ran(name, until).result()
            since, count = until, count + len(late)
        return count


def _groups(table: Table, kind: Due) -> dict[float, list[str]]:
    groups: dict[float, list[str]] = {}
    for route in table.routes:
        seconds = _within(route, kind)
        if seconds:
            groups.setdefault(seconds, []).append(route.name)
    return groups


def _within(route: Route, kind: Due) -> float | None:
    return route.deliver_within if kind == "delivery" else route.answer_within


def _name(kind: Due, seconds: float, routes: list[str]) -> str:
    """Return what the store calls this look: with another set of routes it begins anew."""
    digest = hashlib.sha256("\n".join(sorted(routes)).encode()).hexdigest()[:12]
    return f"deadline:{kind}:{seconds:g}:{digest}"


def _entry(late: Late) -> Entry:
    return entry(late.message, "overdue", route=late.route, rule=late.kind,
                 due=late.due.isoformat(timespec="seconds"))  # fmt: skip


def lines(store: Store) -> Iterator[str]:
    """Yield a line for people for each route with late requests."""
    for one in store.lateness():
        what = "not delivered" if one.kind == "delivery" else "not answered"
        yield (f"{one.route}: {one.count} {what} in time, the first since "
               f"{one.since.isoformat(timespec='seconds')}")  # fmt: skip
