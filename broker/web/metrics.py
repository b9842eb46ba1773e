"""Figures for a monitoring system, in the text format of Prometheus, without any name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from broker.message import Direction, State, now
from broker.pipeline import Broker, Site
from broker.stores.contract import Counts
from broker.web.reply import Reply
from broker.web.request import Request

TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
#: Every end is told, however far away: whoever watches decides when it is near.
_EVER: Final = 5_000
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Sample = tuple[Mapping[str, str], float]


class Metrics:
    """Answers without a token; the figures are read from the store when they are asked for."""

    def __init__(self, broker: Broker) -> None:
        """Take the broker that is watched."""
        self._broker = broker
        self._one = asyncio.Lock()

    async def show(self, _request: Request) -> Reply:
        """Return all figures; one request at a time adds up, so that asking costs little."""
        async with self._one:
            counts = await asyncio.to_thread(self._broker.store.counts)
        return Reply(200, text(counts, self._broker.site, now()).encode(), TYPE)


def text(counts: Counts, site: Site, at: datetime) -> str:
    """Return the figures at a time."""
    waiting = (at - counts.oldest).total_seconds() if counts.oldest else 0.0
    families: tuple[tuple[str, str, Iterable[Sample]], ...] = (
        ("messages", "Messages by direction and state; their sum is all that was accepted.",
         _states(counts)),
        ("refused", "What was refused and so is no message.", [({}, counts.refused)]),
        ("oldest_waiting_seconds", "Age of the oldest message that waits for delivery; 0 if none.",
         [({}, max(0.0, waiting))]),
        ("standard_ends_days",
         "Days until a version that a route takes is no longer accepted; negative: it ended.",
         _ends(site, at)),
    )  # fmt: skip
    return "".join(_family(f"xoev_broker_{name}", help, found) for name, help, found in families)


def _states(counts: Counts) -> Iterator[Sample]:
    for direction in Direction:
        found = counts.states.get(direction, {})
        for state in State:
            yield {"direction": direction.value, "state": state.value}, found.get(state, 0)


def _ends(site: Site, at: datetime) -> Iterator[Sample]:
    used = {(name, version) for name, _, version in (one.partition("/") for one in site.used())}
    for one in site.standards.ending(_EVER, at, used):
        yield {"standard": one.standard, "version": one.version}, one.days


def _family(name: str, help: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {help}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        pairs = ",".join(f'{key}="{one.translate(_ESCAPES)}"' for key, one in labels.items())
        lines.append(f"{name}{{{pairs}}} {_number(value)}" if pairs else f"{name} {_number(value)}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
