"""Regular maintenance windows of procedures: as they are written, and when they are."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, NamedTuple

from broker.errors import ConfigError, Finding
from broker.values import closest
from broker.variables import variable

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEKS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_DAY, _WEEK = 1440, 10080  # minutes
_ONE = "|".join(DAYS)
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"
#: What an editor may hold a window against; `Slot.read` says what is wrong.
PATTERN: Final = (
    rf"^(daily|(({'|'.join(WEEKS)}) )?({_ONE})|({_ONE})-({_ONE})) {_CLOCK}-({_CLOCK}|24:00)$"
)
_PARTS = re.compile(rf"(.+?) ({_CLOCK})-({_CLOCK}|24:00)", re.ASCII)
#: How the days begin in the words of those who write the file, for the hint.
_MEANT = {
    "mo": "Mon", "di": "Tue", "tu": "Tue", "mi": "Wed", "we": "Wed", "do": "Thu", "th": "Thu",
    "fr": "Fri", "sa": "Sat", "so": "Sun", "su": "Sun", "tä": "daily", "da": "daily",
    "ev": "daily", "er": "first", "le": "last",
}  # fmt: skip
#: Days that are looked at before a time, for windows that run into each other, and after it: the
#: same weekday of two months in a row is at most five weeks apart, and one may fall into the hour
#: that is skipped.
_BEFORE, _AFTER = 9, 75
_NEEDED_DAY = "a day such as Sun, Mon-Fri, daily or first Sat before the times"


@dataclass(frozen=True, slots=True)
class Slot:
    """A window as it is written, such as `Sun 02:00-06:00`.

    `days` of the week begin it (0 is Monday), `week` is which one of a month: 0 every, -1 the
    last. `start` and `end` are minutes from the midnight before; an end of the next day is larger
    than a day.
    """

    text: str
    days: frozenset[int]
    week: int
    start: int
    end: int

    @classmethod
    def read(cls, text: str) -> Slot:
        """Return the window of a text; raises ConfigError that says what is needed instead."""
        found = _PARTS.fullmatch(text)
        if not found:
            raise ConfigError(
                "a day and two times such as Sun 02:00-06:00, Mon-Fri 22:30-23:15, "
                "daily 22:00-04:00 or first Sat 20:00-24:00"
            )
        days, week = _days(found[1])
        start, end = _minutes(found[2]), _minutes(found[3])
        if start == end:
            raise ConfigError("an end that is not the begin; a whole day is 00:00-24:00")
        return cls(text, days, week, start, end if end > start else end + _DAY)

    def on(self, day: date) -> bool:
        """Whether it begins on a day."""
        if day.weekday() not in self.days:
            return False
        if self.week < 0:
            return (day + timedelta(days=7)).month != day.month
        return not self.week or (day.day + 6) // 7 == self.week

    def span(self, day: date, zone: tzinfo) -> Span:
        """Return when it is if it begins on a day.

        It begins when a clock of the zone shows its begin for the first time, and ends when that
        shows its end for the last time; what the clock skips is the moment in which it does.
        """
        midnight = datetime.combine(day, time())
        begin, end = (midnight + timedelta(minutes=at) for at in (self.start, self.end))
        return Span(_instant(begin, zone, 0), _instant(end, zone, 1), self.text)


class Span(NamedTuple):
    """One time in which a procedure stands (UTC), and the window that says so."""

    start: datetime
    until: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    """A channel that stands or will stand, and the routes over it."""

    channel: str
    routes: tuple[str, ...]
    span: Span

    def open(self, at: datetime) -> bool:
        """Whether nothing is delivered over it at a time."""
        return self.span.start <= at < self.span.until


@dataclass(frozen=True, slots=True)
class _Known:
    """Which channels stand, and between which times that is so."""

    since: datetime
    until: datetime
    closed: frozenset[str]


class Maintenance:
    """The windows of all channels in one time zone. Thread-safe."""

    def __init__(
        self,
        hours: Mapping[str, Sequence[str]] | None = None,
        ways: Mapping[str, str] | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        """Take the windows of each channel that has any, as written, and the channel of each route.

        Raises ConfigError where a window cannot be read.
        """
        self._zone = zone
        self._known: _Known | None = None
        # Channels with the same windows are looked at once.
        self._groups: dict[tuple[Slot, ...], list[str]] = {}
        self._routes: dict[str, list[str]] = {channel: [] for channel in hours or ()}
        for channel, texts in (hours or {}).items():
            slots = tuple(Slot.read(text) for text in texts)
            self._groups.setdefault(slots, []).append(channel)
        for route, channel in (ways or {}).items():
            if channel in self._routes:
                self._routes[channel].append(route)

    def closed(self, at: datetime) -> frozenset[str]:
        """Return the channels over which nothing is delivered at a time; cheap."""
        known = self._known
        if known is None or not known.since <= at < known.until:
            self._known = known = self._look(at)
        return known.closed

    def recent(self, since: datetime, at: datetime) -> frozenset[str]:
        """Return the channels that stand at a time, or stood at any moment since another."""
        names: set[str] = set()
        for slots, channels in self._groups.items():
            over, running, _ = _around(slots, self._zone, at)
            if running or (over and over.until > since):
                names.update(channels)
        return frozenset(names)

    def routes(self, at: datetime) -> dict[str, datetime]:
        """Return the routes that stand at a time, each with the end of that."""
        return {
            route: stop.span.until
            for stop in self.stops(at)
            if stop.open(at)
            for route in stop.routes
        }

    def coming(self, at: datetime) -> dict[str, datetime]:
        """Return when each route stands next."""
        return {
            route: stop.span.start
            for stop in self.stops(at)
            if not stop.open(at)
            for route in stop.routes
        }

    def stops(self, at: datetime, channel: str = "") -> list[Stop]:
        """Return the running and the next window of every channel, or of one, by their begin."""
        found = []
        for slots, channels in self._groups.items():
            if channel and channel not in channels:
                continue
            _, running, coming = _around(slots, self._zone, at)
            for name in (channel,) if channel else channels:
                routes = tuple(self._routes[name])
                found += [Stop(name, routes, span) for span in (running, coming) if span]
        return sorted(found, key=lambda stop: (stop.span.start, stop.channel))

    def local(self, at: datetime) -> str:
        """Return a time as a clock of the zone shows it."""
        return f"{at.astimezone(self._zone):%Y-%m-%d %H:%M %Z}"

    def _look(self, at: datetime) -> _Known:
        closed: set[str] = set()
        until = at + timedelta(days=_BEFORE)
        for slots, channels in self._groups.items():
            _, running, coming = _around(slots, self._zone, at)
            if running:
                closed.update(channels)
                until = min(until, running.until)
            elif coming:
                until = min(until, coming.start)
        return _Known(at, until, frozenset(closed))


def zone(name: str) -> tzinfo:
    """Return a time zone by its name, as the setting has it; raises ConfigError."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = closest(name, available_timezones())
        needed = f"a time zone such as Europe/Berlin{hint}"
        finding = Finding(f'is "{name}", needed is {needed}', file=variable("zone"))
        text = "the settings in the environment cannot be used"
        raise ConfigError(text, findings=[finding]) from None


def endless(texts: Iterable[str]) -> bool:
    """Whether these windows leave no minute of a week; raises ConfigError."""
    left = bytearray(b"\1" * _WEEK)
    for slot in map(Slot.read, texts):
        for day in slot.days if not slot.week else ():
            for minute in range(day * _DAY + slot.start, day * _DAY + slot.end):
                left[minute % _WEEK] = 0
    return not any(left)


def _days(text: str) -> tuple[frozenset[int], int]:
    """Return the days of the week that words mean, and which week of the month."""
    if text == "daily":
        return frozenset(range(7)), 0
    words = text.split()
    week = WEEKS.get(words[0], 0)
    if week and len(words) == 2:
        return frozenset({_day(words[1])}), week
    first, dash, last = text.partition("-")
    begin, end = _day(first), _day(last if dash else first)
    return frozenset((begin + more) % 7 for more in range((end - begin) % 7 + 1)), 0


def _day(word: str) -> int:
    if word in DAYS:
        return DAYS.index(word)
    meant = _MEANT.get(word[:2].lower())
    raise ConfigError(_NEEDED_DAY + (f', did you mean "{meant}"?' if meant else ""))


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _instant(wall: datetime, zone: tzinfo, fold: int) -> datetime:
    """Return when a clock shows a time: of two such times the first (fold 0) or the last."""
    low, high = (wall.replace(tzinfo=zone, fold=one).astimezone(UTC) for one in (1, 0))
    found = high if fold == 0 else low
    if _shown(found, zone) == wall:
        return found
    # The clock jumps over this time, somewhere between what it would be before and after.
    seconds = range(int((high - low).total_seconds()))
    jump = bisect_left(seconds, wall, key=lambda at: _shown(low + timedelta(seconds=at), zone))
    return low + timedelta(seconds=jump)


def _shown(at: datetime, zone: tzinfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def _spans(slots: Sequence[Slot], zone: tzinfo, day: date) -> Iterator[Span]:
    """Yield the times from a day on by their begin; those that touch are one."""
    held: Span | None = None
    for at in (day + timedelta(days=more) for more in range(_BEFORE + _AFTER)):
        for span in sorted(slot.span(at, zone) for slot in slots if slot.on(at)):
            if span.until <= span.start:
                continue  # in the hour that the clock skips
            if held and span.start <= held.until:
                held = held._replace(until=max(held.until, span.until))
                continue
            if held:
                yield held
            held = span
    if held:
        yield held


def _around(
    slots: Sequence[Slot], zone: tzinfo, at: datetime
) -> tuple[Span | None, Span | None, Span | None]:
    """Return the last time that is over, the one that is now, and the next."""
    over = running = None
    for span in _spans(slots, zone, at.astimezone(zone).date() - timedelta(days=_BEFORE)):
        if span.until <= at:
            over = span
        elif span.start <= at:
            running = span
        else:
            return over, running, span
    return over, running, None
