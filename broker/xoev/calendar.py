"""When a version is in force: days are those of Germany, whatever the clock of the machine says."""

from __future__ import annotations

from calendar import SUNDAY, monthcalendar
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from broker.xoev import record
from broker.xoev.manifest import Calendar
from broker.xoev.record import Record


@dataclass(frozen=True, slots=True)
class Ending:
    """A version that ends: last regular day, last day with grace, days until then."""

    standard: str
    version: str
    until: date
    last: date
    days: int

    @property
    def text(self) -> str:
        """One line for people."""
        name = f"{self.standard} {self.version}"
        if self.days < 0:
            return f"{name} has not been in force since {self.last}"
        grace = f", accepted until {self.last}" if self.last != self.until else ""
        return f"{name} is in force until {self.until}{grace}: {self.days} days from now"


def german_day(moment: datetime) -> date:
    """Return the day in Germany: half past eleven at night in UTC is tomorrow there."""
    moment = moment.astimezone(UTC)
    summer = _change(moment.year, 3) <= moment < _change(moment.year, 10)
    return (moment + timedelta(hours=2 if summer else 1)).date()


def merged(calendar: Calendar, written: Record | None, own: Calendar | None) -> Calendar:
    """Put the dates together: of the installed bundle, over them standard.yaml, then calendar.yaml.

    Each date is taken alone, so that an operator may give only the end.
    """
    stated = written and (record.day(written.valid_from), record.day(written.valid_until))
    first, last = stated or (None, None)
    days = written.grace if written else 0
    for one in (calendar, own):
        if one is not None:
            first, last = one.valid_from or first, one.valid_until or last
            days = one.grace or days
    return replace(calendar, valid_from=first, valid_until=last, grace=days)


def ending(
    standard: str, version: str, calendar: Calendar, at: datetime, weeks: int
) -> Ending | None:
    """Return the end of a version, None where it has none or only later than so many weeks."""
    if calendar.valid_until is None or calendar.last is None:
        return None
    days = (calendar.last - german_day(at)).days
    if days > 7 * weeks:
        return None
    return Ending(standard, version, calendar.valid_until, calendar.last, days)


@lru_cache
def _change(year: int, month: int) -> datetime:
    """Return when the clocks change: the last Sunday of March and October, 01:00 UTC."""
    last = max(week[SUNDAY] for week in monthcalendar(year, month))
    return datetime(year, month, last, 1, tzinfo=UTC)
