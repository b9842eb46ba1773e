"""First match wins, in a time that does not grow with the number of routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from operator import itemgetter
from typing import Any

from broker.config.model import Match, Route

Criteria = tuple[str, str, str, str]
"""Standard, version, kind and sender; empty means any."""

_ANY = ("",)
_SHAPES: tuple[Callable[[Criteria], Any], ...] = tuple(
    itemgetter(*[i for i in range(4) if shape >> i & 1]) if shape else (lambda _: ())
    for shape in range(16)
)


class _Table:
    """Routes that name the same of the four criteria, keyed by just these."""

    __slots__ = ("key", "routes", "shape")

    def __init__(self, shape: int) -> None:
        self.shape = shape
        self.key = _SHAPES[shape]
        self.routes: dict[Any, tuple[int, Route]] = {}


class Bucket:
    """All routes of one recipient: one look-up for each set of criteria in use, at most sixteen."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        """Take routes in the order of the file."""
        self._tables: list[_Table] = []
        self._count = 0
        for route in routes:
            self.add(route)

    def add(self, route: Route) -> None:
        """Add the next route; what an earlier one takes already stays with that one."""
        self._count += 1
        for criteria in atoms(route.match):
            table = self._table(criteria)
            table.routes.setdefault(table.key(criteria), (self._count, route))

    def find(self, criteria: Criteria) -> Route | None:
        """Return the first route, in the order of the file, that takes this."""
        best = None
        for table in self._tables:
            hit = table.routes.get(table.key(criteria))
            if hit is not None and (best is None or hit[0] < best[0]):
                best = hit
        return best[1] if best else None

    def _table(self, criteria: Criteria) -> _Table:
        shape = sum(1 << i for i, value in enumerate(criteria) if value)
        for table in self._tables:
            if table.shape == shape:
                return table
        self._tables.append(_Table(shape))
        return self._tables[-1]


class Index:
    """Routes by recipient; the bucket of a recipient is built when its first message comes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Take all routes in the order of the file."""
        self._routes = recipients(routes)
        self._buckets: dict[str, Bucket] = {}

    def find(self, recipient: str, criteria: Criteria) -> Route | None:
        """Return the first route that takes this."""
        bucket = self._buckets.get(recipient)
        if bucket is None:
            if recipient not in self._routes:
                return None
            # Two threads may both build it: the buckets are equal, and the last one stays.
            bucket = self._buckets[recipient] = Bucket(self._routes[recipient])
        return bucket.find(criteria)

    def of(self, recipient: str) -> list[Route]:
        """Return all routes of a recipient in the order of the file."""
        return self._routes.get(recipient, [])


def recipients(routes: Iterable[Route]) -> Mapping[str, list[Route]]:
    """Return the routes of each recipient in the order of the file."""
    found: dict[str, list[Route]] = {}
    for route in routes:
        found.setdefault(route.match.recipient, []).append(route)
    return found


def atoms(match: Match) -> Iterator[Criteria]:
    """Yield every single combination that a match takes; what is not given stays empty."""
    return product(
        (match.standard,), match.versions or _ANY, match.kinds or _ANY, match.senders or _ANY
    )
