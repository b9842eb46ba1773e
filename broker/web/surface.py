"""What the HTTP side shows besides the intake: figures, the state of the broker, security.txt."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.journal.entry import stamp
from broker.journal.standing import standing
from broker.message import Direction, State, now
from broker.metrics import Meter
from broker.pipeline import Broker
from broker.pressure import Pressure
from broker.pulse import pauses
from broker.settings import Settings
from broker.web.metrics import Metrics
from broker.web.problem import Problem
from broker.web.reply import TEXT, Reply, answer
from broker.web.request import Limits, Request
from broker.web.staff import Role, Staff

#: A security.txt has a few lines; a larger file is a mistake (bytes).
SMALL = 16_384


@dataclass(frozen=True, slots=True)
class Options:
    """How the HTTP side is set: its limits, who may look, what measures, and the settings."""

    limits: Limits = field(default_factory=Limits)
    staff: Staff = field(default_factory=lambda: Staff(None))
    meter: Meter | None = None
    settings: Settings | None = None

    @classmethod
    def of(cls, settings: Settings, meter: Meter | None = None) -> Options:
        """Return what the settings say."""
        return cls(Limits.of(settings.max_message), Staff(settings.staff_file), meter, settings)


class Surface:
    """Answers staff where there is any; without, figures are open and the state is not shown."""

    def __init__(self, broker: Broker, options: Options, pressure: Pressure) -> None:
        """Take the broker that is shown, and what says whether it takes more."""
        self._broker = broker
        self._pressure = pressure
        self._staff = options.staff
        self._metrics = Metrics(broker, options.settings, options.meter, pressure)
        self._file = options.settings.security_txt if options.settings else None

    async def metrics(self, request: Request) -> Reply:
        """Return the figures; any role may see them."""
        if self._staff.known:
            self._staff.person(request)
        return await self._metrics.show(request)

    async def status(self, request: Request) -> Reply:
        """Return how many messages are in each state, what is or will be paused, late or a cause
        for an alert, whether more is taken, and the seal.
        """
        if not self._staff.known:
            text = "no staff is set up (XOEV_BROKER_STAFF_FILE); see xoev-broker status"
            raise Problem("not-found", text)
        self._staff.person(request, Role.OPERATOR, Role.AUDITOR, Role.ADMINISTRATOR)
        return answer(200, await asyncio.to_thread(_standing, self._broker, self._pressure))

    async def security(self, _request: Request) -> Reply:
        """Return the file that says whom to tell of a weakness (RFC 9116)."""
        found = await asyncio.to_thread(_text, self._file) if self._file else None
        if found is None:
            raise Problem("not-found", "there is no security.txt here")
        return Reply(200, found, TEXT)


def _text(file: Path) -> bytes | None:
    try:
        with file.open("rb") as stream:
            return stream.read(SMALL)
    except OSError:
        return None


def _standing(broker: Broker, pressure: Pressure) -> Mapping[str, Any]:
    store = broker.store
    counts = store.counts()
    return {
        "accepted": counts.accepted,
        "states": {
            direction.value: {
                state.value: counts.states.get(direction, {}).get(state, 0) for state in State
            }
            for direction in Direction
        },
        "refused": counts.refused,
        "oldest_waiting": counts.oldest.isoformat() if counts.oldest else None,
        **pauses(store, broker.site.maintenance, now()),
        "journal": standing(store).record(),
        "pressure": pressure.reading.record(),
        "late": [
            {"route": one.route, "kind": one.kind, "count": one.count, "since": stamp(one.since)}
            for one in store.lateness()
        ],
        "alerts": [
            {"cause": one.cause, "since": stamp(one.since), "facts": dict(one.facts)}
            for one in store.alarms()
            if one.over is None
        ],
    }
