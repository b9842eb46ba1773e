"""The page of a period: tables, and charts drawn in SVG that need nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, timedelta
from html import escape
from typing import TYPE_CHECKING, Final, Literal

from broker.cli import styled
from broker.message import Direction, State
from broker.statistics import OPEN, percentile

if TYPE_CHECKING:
    from broker.statistics import Group, Statistics

_WORDS: Final = {
    "en": {
        "title": "Messages in numbers", "period": "Accepted from {0} to {1}", "now": "now",
        "routes": "Routes", "direction": "", "route": "route", "accepted": "accepted",
        "delivered": "delivered", "rejected": "rejected", "closed": "closed", "open": "open",
        "median": "median", "p95": "95 % within", "request": "requests", "answer": "answers",
        "all": "all", "nowhere": "(none)",
        "days": "Requests by day of acceptance", "rejected_why": "Rejected, why",
        "refused_why": "Refused at the door, why", "code": "reason", "count": "count",
        "none": "No message was accepted in this period.",
        "note": "Each message counts in the period in which it was accepted, by the state it is in "
        "now. Times run from acceptance to delivery.",
    },
    "de": {
        "title": "Nachrichten in Zahlen", "period": "Angenommen von {0} bis {1}", "now": "jetzt",
        "routes": "Wege", "direction": "", "route": "Weg", "accepted": "angenommen",
        "delivered": "zugestellt", "rejected": "zurückgewiesen", "closed": "geschlossen",
        "open": "offen", "median": "Median", "p95": "95 % binnen", "request": "Anfragen",
        "answer": "Antworten", "all": "alle", "nowhere": "(keiner)",
        "days": "Anfragen nach Tag der Annahme",
        "rejected_why": "Zurückgewiesen, warum", "refused_why": "An der Tür abgewiesen, warum",
        "code": "Grund", "count": "Anzahl",
        "none": "In diesem Zeitraum wurde keine Nachricht angenommen.",
        "note": "Jede Nachricht zählt in dem Zeitraum, in dem sie angenommen wurde, mit ihrem "
        "heutigen Zustand. Zeiten laufen von der Annahme bis zur Zustellung.",
    },
}  # fmt: skip
#: Colour and states of each part of a column, from the bottom.
_PARTS: Final = (
    ("delivered", "#1f7a4d", (State.DELIVERED,)),
    ("closed", "#8fa3b5", (State.CLOSED,)),
    ("rejected", "#b3261e", (State.REJECTED,)),
    ("open", "#d8a33c", OPEN),
)
_WIDE: Final = 960
_HIGH: Final = 220
_LEFT: Final = 48
_LOW: Final = 28
_HALF: Final = 30
#: Beyond so many columns, days are put together.
_COLUMNS: Final = 62

Days = Mapping[date, Counter[State]]


def page(found: Statistics, lang: Literal["en", "de"]) -> str:
    """Return the page; everything in it is escaped, nothing is loaded."""
    words = _WORDS[lang]
    return styled.document(words["title"], lang, _parts(found, words))


def _parts(found: Statistics, words: Mapping[str, str]) -> Iterator[str]:
    since, until = found.filter.since, found.filter.until
    times = [
        f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if time else words["now"]
        for time in (since, until)
    ]
    yield f"<p>{escape(words['period'].format(*times))}</p>"
    yield f'<p class="soft">{escape(words["note"])}</p>'
    if not found.groups:
        yield f"<p>{escape(words['none'])}</p>"
    else:
        yield f"<h2>{escape(words['routes'])}</h2>"
        yield styled.table(_heads(words), _rows(found, words))
    if found.days:
        yield f"<h2>{escape(words['days'])}</h2>{_legend(words)}{columns(found.days, words)}"
    for name, reasons in (("rejected_why", found.reasons), ("refused_why", found.refused)):
        if reasons:
            yield f"<h2>{escape(words[name])}</h2>{_bars(reasons, words)}"


def _heads(words: Mapping[str, str]) -> list[str]:
    names = ("direction", "route", "accepted", *(name for name, _, _ in _PARTS), "median", "p95")
    return [words[name] for name in names]


def _rows(found: Statistics, words: Mapping[str, str]) -> list[list[str]]:
    totals = [found.total(direction) for direction in Direction]
    rows = [_row(group, group.route or words["nowhere"], words) for group in found.groups]
    return rows + [_row(group, words["all"], words) for group in totals if group.accepted]


def _row(group: Group, route: str, words: Mapping[str, str]) -> list[str]:
    cells = [
        words[group.direction.value],
        route,
        str(group.accepted),
        *(str(_sum(group.states, states)) for _, _, states in _PARTS),
        lasted(percentile(group.times, 50)),
        lasted(percentile(group.times, 95)),
    ]
    return [escape(cell) for cell in cells]


def _sum(counts: Counter[State], states: tuple[State, ...]) -> int:
    return sum(counts[state] for state in states)


def _legend(words: Mapping[str, str]) -> str:
    signs = (
        f'<span style="color:{colour}">■</span> {escape(words[name])}' for name, colour, _ in _PARTS
    )
    return f'<p class="soft">{" &nbsp; ".join(signs)}</p>'


def columns(days: Days, words: Mapping[str, str]) -> str:
    """Return a chart with one stacked column for each day, or for some days together."""
    bins = _binned(days)
    most = max(1, *(states.total() for _, states in bins))
    step = (_WIDE - _LEFT) / len(bins)
    wide = min(48.0, max(2.0, step * 0.8))
    drawn = [
        _column(_LEFT + step * at + (step - wide) / 2, wide, day, states, most)
        for at, (day, states) in enumerate(bins)
    ]
    return (
        f'<svg viewBox="0 0 {_WIDE} {_HIGH + _LOW}" role="img" width="100%" '
        f'aria-label="{escape(words["days"])}" font-size="11" fill="#566370">'
        f"{_grid(most)}{''.join(drawn)}{_dates(bins, step)}</svg>"
    )


def _binned(days: Days) -> list[tuple[date, Counter[State]]]:
    """Return every day from the first to the last, also those without messages."""
    first, last = min(days), max(days)
    width = -(-((last - first).days + 1) // _COLUMNS)
    bins = {
        first + timedelta(at): Counter[State]() for at in range(0, (last - first).days + 1, width)
    }
    for day, states in days.items():
        bins[first + timedelta((day - first).days // width * width)].update(states)
    return list(bins.items())


def _column(x: float, wide: float, day: date, states: Counter[State], most: int) -> str:
    y, drawn = float(_HIGH), []
    for _, colour, wanted in _PARTS:
        if count := _sum(states, wanted):
            high = count * (_HIGH - 20) / most
            y -= high
            drawn.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" '
                f'fill="{colour}"/>'
            )
    return f"<g><title>{day}: {states.total()}</title>{''.join(drawn)}</g>"


def _grid(most: int) -> str:
    lines = []
    for count in sorted({0, most // 2, most}):
        y = _HIGH - count * (_HIGH - 20) / most
        lines.append(
            f'<line x1="{_LEFT}" x2="{_WIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d9dfe5"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{count}</text>'
        )
    return "".join(lines)


def _dates(bins: list[tuple[date, Counter[State]]], step: float) -> str:
    """Return the days below the columns, as many as there is room for."""
    every = max(1, round(80 / step))
    return "".join(
        f'<text x="{_LEFT + step * (at + 0.5):.1f}" y="{_HIGH + 18}" text-anchor="middle">'
        f"{day}</text>"
        for at, (day, _) in enumerate(bins)
        if at % every == 0 and step * (at + 0.5) < _WIDE - _LEFT - _HALF
    )


def _bars(reasons: Mapping[str, int], words: Mapping[str, str]) -> str:
    most = max(reasons.values())
    rows = [
        (
            styled.code(code or "-"),
            str(count),
            f'<svg width="320" height="12" role="img" aria-label="{count}"><rect height="12" '
            f'width="{max(2, round(320 * count / most))}" fill="#b3261e"/></svg>',
        )
        for code, count in reasons.items()
    ]
    return styled.table((words["code"], words["count"], ""), rows)


def lasted(seconds: float | None) -> str:
    """Return a duration for people."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
