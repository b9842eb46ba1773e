"""A drawn timeline: one lane for each message, one row for each entry, time from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from broker.evidence.parts import Part
from broker.journal.entry import Line
from broker.trace import Language, phrase

_ROW = 26
_TIME = 232
_LANE = 24
_WIDTH = 960
_TOP = 34
#: Where the outcome of an entry is bad, or needs a person.
_BAD = ("rejected", "buried", "refused", "conflict")
_OPEN = ("held", "doubted", "postponed", "erased")
_GOOD = ("accepted", "delivered", "validated", "settled", "answered", "released")
#: More lanes than this are drawn in the last one.
_LANES = 8


def draw(parts: Sequence[Part], language: Language) -> str:
    """Return the timeline as SVG, readable in print and without colours."""
    lanes = {part.row.id: min(at, _LANES - 1) for at, part in enumerate(parts)}
    lines = sorted(
        (entry.line for part in parts for entry in part.entries),
        key=lambda line: (line.time, line.seq),
    )
    height = _TOP + _ROW * len(lines) + 6
    title = "Zeitverlauf" if language == "de" else "Timeline"
    body = [_heads(lanes), *_spans(lines, lanes)]
    before: datetime | None = None
    for at, line in enumerate(lines):
        body.append(_entry(line, before, _y(at), (lanes, language)))
        before = line.time
    return (
        f'<svg class="timeline" role="img" viewBox="0 0 {_WIDTH} {height}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{title}</title>{"".join(body)}</svg>'
    )


def _y(row: int) -> int:
    return _TOP + _ROW * row + _ROW // 2


def _x(lane: int) -> int:
    return _TIME + 14 + _LANE * lane


def _heads(lanes: dict[str, int]) -> str:
    return "".join(
        f'<text class="lane" x="{_x(lane)}" y="20" text-anchor="middle">{at + 1}</text>'
        for at, lane in enumerate(lanes.values())
        if at < _LANES
    )


def _spans(lines: Sequence[Line], lanes: dict[str, int]) -> list[str]:
    """Return the line of each lane from its first entry to its last, and links to its cause."""
    rows: dict[str, list[int]] = {}
    for at, line in enumerate(lines):
        rows.setdefault(line.message, []).append(at)
    drawn = []
    for id, found in rows.items():
        x = _x(lanes[id])
        drawn.append(f'<line class="span" x1="{x}" y1="{_y(found[0])}" x2="{x}" '
                     f'y2="{_y(found[-1])}"/>')  # fmt: skip
        cause = lines[found[0]].facts.get("answers") or lines[found[0]].facts.get("replays")
        if cause in lanes and lanes[cause] != lanes[id]:
            y = _y(found[0])
            drawn.append(f'<path class="link" d="M{_x(lanes[cause])} {y - _ROW} '
                         f'C{_x(lanes[cause])} {y} {x - 8} {y} {x - 6} {y}"/>')  # fmt: skip
    return drawn


def _entry(
    line: Line, before: datetime | None, y: int, around: tuple[dict[str, int], Language]
) -> str:
    lanes, language = around
    labels = _x(min(len(lanes), _LANES)) + 4
    time = line.time.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    mark = f'<circle class="{_kind(line)}" cx="{_x(lanes[line.message])}" cy="{y}" r="6"/>'
    who = "" if line.actor == "broker" else f" ({line.actor})"
    text = escape(f"{phrase(line.event, language)}{who}{_extra(line)}"[:96])
    return (
        f'<text class="time" x="0" y="{y + 4}">{time}</text>'
        f'<text class="gap" x="{_TIME - 8}" y="{y + 4}" text-anchor="end">'
        f"{_gap(line.time, before)}</text>{mark}"
        f'<text x="{labels}" y="{y + 4}">{text}</text>'
    )


def _kind(line: Line) -> str:
    for kind, events in (("bad", _BAD), ("warn", _OPEN), ("ok", _GOOD)):
        if line.event in events:
            return kind
    return "plain"


def _extra(line: Line) -> str:
    facts = line.facts
    shown = facts.get("artefact") or facts.get("channel") or facts.get("adapter") or ""
    if line.event in _BAD + _OPEN:
        shown = facts.get("reason", "")
    return f": {shown}" if shown else ""


def _gap(time: datetime, before: datetime | None) -> str:
    if before is None:
        return ""
    spent = time - before
    if spent < timedelta(seconds=1):
        return f"+{spent.total_seconds() * 1000:.0f} ms"
    if spent < timedelta(minutes=2):
        return f"+{spent.total_seconds():.1f} s"
    if spent < timedelta(hours=2):
        return f"+{spent.total_seconds() / 60:.0f} min"
    if spent < timedelta(days=2):
        return f"+{spent.total_seconds() / 3600:.0f} h"
    return f"+{spent.days} d"
