"""How many hosts, how large a database, how long a backlog: a model as simple as a spreadsheet.

`python -m benchmarks.model` prints it. The costs are measured (`python -m benchmarks cluster`), the
loads are assumptions: replace them, `--messages` and `--peak`, by what your authority counts.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.figures import aligned

DAYS, HOURS = 250, 8
_HOUR = 3600
_RETAINED = 90 / 365
#: Assumed: requests for each inhabitant and year, the busiest hour to an ordinary one, and how many
#: messages a second one procedure takes.
MESSAGES, PEAK, LIMIT = 3.0, 5.0, 5.0
#: Assumed: the day on which a release comes into force to an ordinary one, for what was held back.
RELEASE = 5.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured for one message: milliseconds of processor, and KB of storage.

    `xml` is the part of `worker` that runs on several threads at once; `accepting` and `delivering`
    are what PostgreSQL and RabbitMQ need, `edges` what HTTP in and out costs. `payload` ends with
    the retention, `rest` stays.
    """

    xml: float
    worker: float
    intake: float
    sealing: float
    accepting: float
    delivering: float
    edges: float
    payload: float
    rest: float
    wal: float
    commits: float

    @property
    def total(self) -> float:
        """Milliseconds of processor over a message's life, all processes together."""
        return self.own + self.accepting + self.delivering

    @property
    def own(self) -> float:
        """Milliseconds of our own processes, HTTP among them."""
        return self.worker + self.intake + self.sealing + self.edges

    def rate(self, workers: int, processors: float) -> float:
        """Return messages a second that so many workers drain beside their servers.

        Either the processors are the limit, or each worker: Python runs on one at a time.
        """
        shared = processors / (self.worker + self.sealing + self.delivering)
        alone = workers / (self.worker - self.xml)
        return 1000 * min(shared, alone)


@dataclass(frozen=True, slots=True)
class Counted:
    """Messages a second that so many workers were seen to drain, and that the bare loop reached
    with one thread at the time.
    """

    workers: int
    bare: float
    rate: float

    def processors(self, costs: Costs) -> float:
        """Return how much of two processors a busy machine left us, as the bare loop saw it."""
        return 2 * self.bare * costs.xml / 1000


@dataclass(frozen=True, slots=True)
class Load:
    """Who sends how much: all of it assumed.

    `messages` are requests for each inhabitant and year, `answers` for each request. `surge` is
    this day to an ordinary one, `peak` its busiest hour to its mean one; `largest` is how many
    inhabitants the largest procedure serves.
    """

    name: str
    inhabitants: int
    largest: int
    messages: float = MESSAGES
    answers: float = 1.0
    peak: float = PEAK
    surge: float = 1.0

    @property
    def year(self) -> float:
        """Messages a year, answers among them."""
        return self.inhabitants * self.messages * (1 + self.answers)

    @property
    def day(self) -> float:
        """Messages on this day, a working day."""
        return self.year / DAYS * self.surge

    @property
    def busiest(self) -> float:
        """Messages a second in the busiest hour."""
        return self.day / HOURS / _HOUR * self.peak


@dataclass(frozen=True, slots=True)
class Plan:
    """What a load needs: `limit` is how many messages a second one procedure takes, `used` the part
    of a host's processors that may be in use in the busiest hour.
    """

    costs: Costs
    load: Load
    processors: int = 8
    used: float = 0.5
    limit: float = LIMIT

    @property
    def cores(self) -> float:
        """Processors that run in the busiest hour."""
        return self.load.busiest * self.costs.total / 1000

    @property
    def hosts(self) -> int:
        """Hosts for intake and workers, one more than needed so that one may be away."""
        need = self.load.busiest * self.costs.own / 1000 / (self.processors * self.used)
        return math.ceil(need) + 1

    @property
    def server(self) -> float:
        """Processors of the database server and RabbitMQ in the busiest hour."""
        return self.load.busiest * (self.costs.accepting + self.costs.delivering) / 1000

    @property
    def kept(self) -> float:
        """GB that the database grows by in a year where everything is kept."""
        return self.load.year * (self.costs.payload + self.costs.rest) / 1e6

    @property
    def retained(self) -> float:
        """GB after the first year where payloads are erased after 90 days."""
        return self.load.year * (self.costs.payload * _RETAINED + self.costs.rest) / 1e6

    @property
    def wal(self) -> float:
        """GB of write-ahead log on this day, for archive and replicas."""
        return self.load.day * self.costs.wal / 1e6

    @property
    def depth(self) -> float:
        """Requests that wait after the largest procedure was down for this day."""
        return self.load.day / (1 + self.load.answers) * self.load.largest / self.load.inhabitants

    @property
    def everything(self) -> float:
        """Requests that wait where every procedure was down for this day."""
        return self.load.day / (1 + self.load.answers)

    @property
    def drained(self) -> float:
        """Hours until the largest procedure has caught up at its limit; new ones come meanwhile."""
        coming = self.depth / HOURS / _HOUR
        spare = self.limit - coming
        return self.depth / spare / _HOUR if spare > 0 else math.inf


#: Of messages of 8 KB; see docs/explanation/scaling.md for when and how.
MEASURED = Costs(
    xml=0.17, worker=0.60, intake=0.61, sealing=0.035, accepting=0.23, delivering=0.25, edges=1.2,
    payload=10.9, rest=5.0, wal=19.2, commits=0.16,
)  # fmt: skip
#: What a cluster drained, and what the bare loop reached in turns with it: the median of five.
COUNTED = (Counted(1, 5988.0, 1594.0), Counted(2, 5988.0, 2245.0))
#: The model and what was measured differ by no more than this factor.
WITHIN = 1.6
LOADS = (
    Load("one city (Wolfsburg)", 125_000, 125_000),
    Load("Lower Saxony", 8_000_000, 540_000),
    Load("all 10,700 municipalities", 84_000_000, 3_700_000),
)


def loads(messages: float = MESSAGES, peak: float = PEAK) -> list[Load]:
    """Return the loads, and the larger ones on the day of a release."""
    usual = [replace(one, messages=messages, peak=peak) for one in LOADS]
    return usual + [replace(one, name=f"{one.name}, 1 May", surge=RELEASE) for one in usual[1:]]


def rows(plans: Sequence[Plan]) -> list[tuple[str, ...]]:
    """Return a line for each figure, with a column for each load."""
    made = {
        "messages a year": [f"{one.load.year / 1e6:,.1f} M" for one in plans],
        "busiest hour": [f"{one.load.busiest:,.1f}/s" for one in plans],
        "processors in use then": [f"{one.cores:.2f}" for one in plans],
        "… of them database and queue": [f"{one.server:.2f}" for one in plans],
        "hosts for intake and workers": [f"{one.hosts}" for one in plans],
        "database a year, all kept": [f"{one.kept:,.0f} GB" for one in plans],
        "… payloads erased after 90 days": [f"{one.retained:,.0f} GB" for one in plans],
        "write-ahead log that day": [f"{one.wal:,.1f} GB" for one in plans],
        "queue, all procedures a day down": [f"{one.everything:,.0f}" for one in plans],
        "queue, the largest one a day down": [f"{one.depth:,.0f}" for one in plans],
        f"… drained at {plans[0].limit:g} a second": [_hours(one.drained) for one in plans],
    }
    return [("", *(one.load.name for one in plans)), *((key, *row) for key, row in made.items())]


def _hours(hours: float) -> str:
    return "it grows" if math.isinf(hours) else f"{hours:.1f} h"


def main(args: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    add = partial(parser.add_argument, type=float)
    add("--messages", default=MESSAGES, help="requests for each inhabitant and year")
    add("--peak", default=PEAK, help="the busiest hour to a mean one")
    add("--limit", default=LIMIT, help="messages a second that one procedure takes")
    given = parser.parse_args(args)
    plans = [Plan(MEASURED, one, limit=given.limit) for one in loads(given.messages, given.peak)]
    print("\n".join(aligned(rows(plans))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
