"""A diff of two versions, and what it touches here, as tables and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from broker.cli.terminal import say, table

if TYPE_CHECKING:
    from broker.errors import Finding
    from broker.impact import Impact
    from broker.xoev.change import Change
    from broker.xoev.diff import Diff

#: So much of a pattern or list of codes is shown in a table; --json and --html have all of it.
_SHOWN = 40
_AREAS = {
    "message": "Messages",
    "element": "Elements",
    "attribute": "Attributes",
    "type": "Types",
    "codelist": "Code lists",
    "rule": "Rules",
}


def told(diff: Diff, strict: bool) -> None:
    """Print a diff as tables; with `strict` only what can refuse."""
    shown = diff.strict if strict else diff.changes
    say(f"{diff.old} → {diff.new}: {len(diff.changes)} changes, {len(diff.strict)} of them (!) can "
        "refuse a message that was valid before")  # fmt: skip
    counts = Counter(change.difference.what.value for change in diff.changes)
    say(", ".join(f"{count} {what}" for what, count in counts.most_common()))
    for note in diff.notes:
        say(f"note: {note}")
    for area in ("message", "element", "attribute", "type", "codelist", "rule"):
        rows = [_row(change, diff) for change in shown if change.difference.area == area]
        if rows:
            say(f"\n{_AREAS[area]}")
            table(("", "where", "what", "aspect", "before", "after", "messages"), rows)


def _row(change: Change, diff: Diff) -> tuple[str, ...]:
    one = change.difference
    return (
        "!" if one.strict else "",
        f"{one.owner}/{one.path}".rstrip("/"),
        one.what.value,
        one.aspect,
        _short(one.before),
        _short(one.after),
        _named(change.messages, len(diff.kinds)),
    )


def _named(messages: Sequence[str], all: int) -> str:
    """Return message kinds in a few words."""
    if not messages or len(messages) == all:
        return "all"
    if len(messages) < 3:
        return ", ".join(messages)
    return f"{messages[0]} and {len(messages) - 1} more"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[: _SHOWN - 1]}…"


def touched(found: Impact | None) -> None:
    """Print what of this installation is touched."""
    if found is None:
        return
    parts = [part for part in _parts(found) if part[2]]
    for title, heads, rows in parts:
        say(f"\n{title}")
        table(heads, rows)
    if not parts:
        say("\nNothing of this installation is touched.")


def _parts(found: Impact) -> Iterator[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    yield (
        "Routes of this installation",
        ("route", "takes the new version", "changes", "can refuse", "adapter"),
        [(way.name, _yes(way.takes), str(len(way.changes)), str(way.strict), way.adapter)
         for way in found.ways],
    )  # fmt: skip
    yield (
        "Adapters of this installation",
        ("adapter", "accepts the new version", "names old namespaces"),
        [(one.adapter, _yes(one.accepts), "; ".join(one.namespaces) or "none")
         for one in found.adapters],
    )  # fmt: skip
    yield (
        "XPaths that name something that changed",
        ("place", "XPath", "what", "where"),
        list(_mentions(found)),
    )
    yield (
        "Samples that the new version would refuse",
        ("sample", "why"),
        [(name, _first(why)) for name, why in found.samples],
    )


def _yes(value: bool) -> str:
    return "yes" if value else "NO"


def _mentions(found: Impact) -> Iterator[tuple[str, ...]]:
    for one in found.mentions:
        change = one.change.difference
        place = one.place if one.place != "requires" else f"{one.adapter}: requires"
        yield (place, _short(one.xpath), change.what.value,
               f"{change.owner}/{change.path}".rstrip("/"))  # fmt: skip


def _first(findings: Sequence[Finding]) -> str:
    more = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
    return f"{findings[0]}{more}"


def record(diff: Diff, touched: Impact | None) -> dict[str, Any]:
    """Return a diff for machines."""
    found: dict[str, Any] = {
        "old": diff.old,
        "new": diff.new,
        "namespaces": {old: new for old, new in sorted(diff.spaces.items()) if old != new},
        "notes": list(diff.notes),
        "changes": [_change(change) for change in diff.changes],
    }
    return found | (_impacted(touched) if touched else {})


def _change(change: Change) -> dict[str, Any]:
    one = change.difference
    return {
        "what": one.what.value,
        "area": one.area,
        "owner": one.owner,
        "path": one.path,
        "aspect": one.aspect,
        "before": one.before,
        "after": one.after,
        "can_refuse": one.strict,
        "messages": list(change.messages),
        "example": change.example,
    }


def _impacted(found: Impact) -> dict[str, Any]:
    return {
        "routes": [
            {"route": way.name, "adapter": way.adapter, "takes_new": way.takes,
             "changes": len(way.changes), "can_refuse": way.strict} for way in found.ways
        ],
        "adapters": [
            {"adapter": one.adapter, "accepts_new": one.accepts,
             "old_namespaces": list(one.namespaces)} for one in found.adapters
        ],
        "mentions": [
            {"adapter": one.adapter, "place": one.place, "xpath": one.xpath,
             "change": _change(one.change)} for one in found.mentions
        ],
        "samples": [
            {"sample": name, "findings": [str(finding) for finding in findings]}
            for name, findings in found.samples
        ],
    }  # fmt: skip
