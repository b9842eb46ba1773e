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

#: A cause is over when it was away for so long: what comes and goes is told once.
QUIET = timedelta(minutes=5)
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


def news(alarms: Iterable[Alarm], way: str, at: datetime, repeat: float) -> list[News]:
    """Return what people do not know by this way yet; `repeat` is seconds, 0 for never."""
    found = ((state, alarm) for alarm in alarms if (state := _state(alarm, way, at, repeat)))
    return [News(state, alarm) for state, alarm in found]


def _state(alarm: Alarm, way: str, at: datetime, repeat: float) -> State | None:
    what, _, when = alarm.told.get(way, "").partition(" ")
    if alarm.over is not None:
        return "cleared" if what == "raised" and quiet(alarm, at) else None
    if what != "raised":
        return "raised"
    again = repeat > 0 and at - datetime.fromisoformat(when) >= timedelta(seconds=repeat)
    return "repeated" if again else None


def quiet(alarm: Alarm, at: datetime) -> bool:
    """Whether a cause has been away for long enough."""
    return alarm.over is not None and at - alarm.over >= QUIET


def told(one: News, way: str, at: datetime) -> Mapping[str, str]:
    """Return what people know of an alarm after this news."""
    state = "cleared" if one.state == "cleared" else "raised"
    return {**one.alarm.told, way: f"{state} {at.isoformat()}"}


def gone(alarms: Iterable[Alarm], ways: Sequence[str], at: datetime) -> tuple[str, ...]:
    """Return the causes that are over and that nobody need be told of any more."""
    return tuple(
        alarm.cause
        for alarm in alarms
        if quiet(alarm, at) and not any(_waits(alarm, way) for way in ways)
    )


def _waits(alarm: Alarm, way: str) -> bool:
    return alarm.told.get(way, "").startswith("raised")
