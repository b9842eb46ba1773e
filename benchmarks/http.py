"""From HTTP to HTTP: online service, broker and procedure, three processes on the same cores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import site
from benchmarks.bare import Bare
from benchmarks.child import Child, Daemon
from benchmarks.effort import Effort
from benchmarks.failure import Failed
from benchmarks.figures import Figure, Part, least, most
from broker.app import load_site


@dataclass(frozen=True, slots=True)
class Round:
    """One round: rates in messages per second, seconds of processor per message and process."""

    bare: float
    rate: float
    intake: float
    receipt: float
    broker: float
    load: float
    sink: float
    doubled: int


def measure(effort: Effort, folder: Path) -> Part:
    """Measure it in turns with the bare loop on one thread."""
    marks = [effort.http] * (effort.rounds + 1)
    with Child(["-m", "benchmarks.sink", *map(str, marks)], {}, folder / "sink.log") as sink:
        address = f"http://127.0.0.1:{sink.found()['port']}/antraege"
        channel = f'kind: rest, address: "{address}", repeats: recognised, inflight: 8'
        place = site.build(folder / "http", channel)
        bare = Bare(load_site(place.settings, place.environ))
        with Daemon(place) as broker:
            rounds = [_round(effort, bare, broker, sink, folder) for _ in marks]
    # The first one loads libraries and opens connections.
    return _part(effort, rounds[1:])


def _part(effort: Effort, rounds: list[Round]) -> Part:
    notes = [
        f"{effort.rounds} rounds of {effort.http} messages, {effort.connections} connections in, "
        "8 out"
    ]
    doubled = sum(one.doubled for one in rounds)
    if doubled:
        notes.append(f"{doubled} requests came to the procedure more than once")
    return Part(
        "http",
        "handed in over HTTP, to delivered over HTTP",
        (
            Figure("bare loop, one thread", median(one.bare for one in rounds), "msg/s"),
            Figure("delivered", median(one.rate for one in rounds), "msg/s"),
            Figure("delivered to bare loop", median(one.rate / one.bare for one in rounds),
                   goal=least(0.3)),
            Figure("accepted", median(one.intake for one in rounds), "msg/s"),
            Figure("receipt, median", 1000 * median(one.receipt for one in rounds), "ms"),
            Figure("processor a message, broker", 1000 * median(one.broker for one in rounds),
                   "ms", most(1.2)),
            Figure("processor a message, load generator",
                   1000 * median(one.load for one in rounds), "ms"),
            Figure("processor a message, sink", 1000 * median(one.sink for one in rounds), "ms"),
        ),
        tuple(notes),
    )  # fmt: skip


def _round(effort: Effort, bare: Bare, broker: Daemon, sink: Child, folder: Path) -> Round:
    count, messages = effort.http, site.messages(effort.http)
    before = bare.rate(messages, 1)
    spent = broker.processor()
    numbers = map(str, (broker.port, effort.connections, count))
    with Child(["-m", "benchmarks.load", *numbers], {}, folder / "load.log") as load:
        sent = load.found()
    if sent["statuses"] != {"202": count}:
        raise Failed(f"the broker answered {sent['statuses']}, wanted {count} times 202")
    arrived = sink.found()
    spent = broker.processor() - spent
    return Round(
        bare=(before + bare.rate(messages, 1)) / 2,
        rate=count / (arrived["at"] - sent["start"]),
        intake=count / (sent["at"] - sent["start"]),
        receipt=sent["receipt"],
        broker=spent / count,
        load=sent["processor"] / count,
        sink=arrived["processor"] / count,
        doubled=arrived["requests"] - count,
    )
