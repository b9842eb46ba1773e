"""What is to be told by which way: each cause once when it is there, once when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from broker.alerts.words import kind, said
from broker.journal.entry import stamp
from broker.stores.lookout import Alarm

State = Literal["raised", "repeated", "cleared"]

#: So many alerts stand in one bulletin; others are counted.
MOST = 100


@dataclass(frozen=True, slots=True)
class News:
    """One alert, and what is new about it."""

    state: State
    alarm: Alarm

    def record(self) -> dict[str, Any]:
        """Return it for a machine: ids and numbers only."""
        alarm = self.alarm
        words = said(alarm.cause, alarm.facts)
        return {
            "state": self.state,
            "cause": alarm.cause,
            "kind": kind(alarm.cause),
            "since": stamp(alarm.since),
            "over": stamp(alarm.over) if alarm.over else None,
            "facts": dict(alarm.facts),
            "text": words.en,
            "text_de": words.de,
            "next": words.next,
        }


@dataclass(frozen=True, slots=True)
class Bulletin:
    """All that is new at one moment: one bulletin, however many causes there are."""

    id: str
    site: str
    host: str
    time: datetime
    news: Sequence[News]

    def record(self) -> dict[str, Any]:
        """Return it for a machine."""
        return {
            "id": self.id,
            "site": self.site,
            "host": self.host,
            "time": stamp(self.time),
            "alerts": [one.record() for one in self.news[:MOST]],
            "more": max(0, len(self.news) - MOST),
        }


@dataclass(frozen=True, slots=True)
class Patience:
    """When people are told more than once (seconds): what is open is told again after `repeat` (0
    is never), what was away for `over` is over, so that what comes and goes is told once.
    """

    repeat: float = 0
    over: float = 300

    def quiet(self, alarm: Alarm, at: datetime) -> bool:
        """Whether a cause has been away for long enough."""
        return alarm.over is not None and at - alarm.over >= timedelta(seconds=self.over)


def news(alarms: Iterable[Alarm], way: str, at: datetime, patience: Patience) -> list[News]:
    """Return what people do not know by this way yet."""
    found = ((state, alarm) for alarm in alarms if (state := _state(alarm, way, at, patience)))
    return [News(state, alarm) for state, alarm in found]


def _state(alarm: Alarm, way: str, at: datetime, patience: Patience) -> State | None:
    what, _, when = alarm.told.get(way, "").partition(" ")
    if alarm.over is not None:
        return "cleared" if what == "raised" and patience.quiet(alarm, at) else None
    if what != "raised":
        return "raised"
    repeat = timedelta(seconds=patience.repeat)
    return "repeated" if repeat and at - datetime.fromisoformat(when) >= repeat else None


def told(one: News, way: str, at: datetime) -> Mapping[str, str]:
    """Return what people know of an alarm after this news."""
    state = "cleared" if one.state == "cleared" else "raised"
    return {**one.alarm.told, way: f"{state} {at.isoformat()}"}


def gone(
    alarms: Iterable[Alarm], ways: Sequence[str], at: datetime, patience: Patience
) -> tuple[str, ...]:
    """Return the causes that are over and that nobody need be told of any more."""
    return tuple(
        alarm.cause
        for alarm in alarms
        if patience.quiet(alarm, at) and not any(_waits(alarm, way) for way in ways)
    )


def _waits(alarm: Alarm, way: str) -> bool:
    return alarm.told.get(way, "").startswith("raised")
