"""A channel into nowhere: what is left when delivery costs nothing."""

from __future__ import annotations

import time
from threading import Event
from typing import ClassVar

from broker.channels.channel import Channel, Declared, Mark, Prepared, Sent
from broker.fields import Field


class Nowhere(Channel):
    """Takes everything at once, and notes when."""

    kind: ClassVar[str] = "nowhere"
    fields: ClassVar[tuple[Field, ...]] = ()
    repeats = True

    def __init__(self, declared: Declared) -> None:
        """Expect nothing yet."""
        super().__init__(declared)
        self.times: list[float] = []
        self.all = Event()
        self._expected = 0

    def expect(self, count: int) -> None:
        """Start to count anew; `all` is set once so many have come."""
        self.times.clear()
        self.all.clear()
        self._expected = count

    def send(self, prepared: Prepared, mark: Mark) -> Sent:
        self.times.append(time.perf_counter())
        if len(self.times) >= self._expected:
            self.all.set()
        return Sent("nowhere")

    def probe(self) -> str:
        return "takes everything"
