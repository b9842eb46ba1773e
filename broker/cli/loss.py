"""The loss report as text, JSON and HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Any, Final

from broker.cli import styled
from broker.kit.drops import NAME

if TYPE_CHECKING:
    from broker.kit.coverage import Place, Report, Way

#: Words by language; the states are those of coverage.
_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "Loss report",
        "to_legacy": "To the procedure (to_legacy)",
        "to_xoev": "Back to XÖV (to_xoev)",
        "reached": "arrives",
        "kept": "read by the broker",
        "dropped": "left out on purpose",
        "lost": "lost silently",
        "ok": "Nothing is lost silently.",
        "bad": "Fields are lost silently, or a declaration is not true.",
        "path": "field", "state": "state", "values": "values", "target": "arrives in",
        "reason": "reason", "samples": "not in",
        "share": "of the values in {samples} samples arrive or are read by the broker",
        "fields": "fields",
        "empty": "Fields of the target that no sample fills",
        "part": "Fields of which only a part was seen to arrive",
        "stale": "Declared as left out, but they arrive",
        "unproven": "Parts of the standard that no sample holds",
        "known": "The official schema knows {fields} fields for these messages. What no sample "
                 "holds was planted into one: would it arrive?",
        "would": "{arrive} of {fields} would arrive",
        "how": "Each value of each sample was replaced by another, and the outputs were compared.",
        "profile": "Of {name} only a profile is installed: fields that no sample holds are not in "
                   "this report.",
        "hint": "map it, or say in {name} why it is left out: {line}",
    },
    "de": {
        "title": "Verlustbericht",
        "to_legacy": "Hin zum Fachverfahren (to_legacy)",
        "to_xoev": "Zurück nach XÖV (to_xoev)",
        "reached": "kommt an",
        "kept": "liest der Broker",
        "dropped": "bewusst weggelassen",
        "lost": "geht still verloren",
        "ok": "Nichts geht still verloren.",
        "bad": "Felder gehen still verloren, oder eine Angabe stimmt nicht.",
        "path": "Feld", "state": "Zustand", "values": "Werte", "target": "kommt an in",
        "reason": "Begründung", "samples": "fehlt in",
        "share": "der Werte in {samples} Musterfällen kommen an oder werden vom Broker gelesen",
        "fields": "Felder",
        "empty": "Zielfelder, die kein Musterfall füllt",
        "part": "Felder, von denen nur ein Teil ankam",
        "stale": "Als weggelassen angegeben, kommt aber an",
        "unproven": "Teile des Standards, die in keinem Musterfall vorkommen",
        "known": "Das amtliche Schema kennt {fields} Felder für diese Nachrichten. Was in keinem "
                 "Musterfall steht, wurde in einen eingesetzt: Käme es an?",
        "would": "{arrive} von {fields} kämen an",
        "how": "Jeder Wert jedes Musterfalls wurde durch einen anderen ersetzt und die Ausgabe "
               "verglichen.",
        "profile": "Von {name} ist nur ein Profil installiert: Felder, die in keinem Musterfall "
                   "stehen, fehlen in diesem Bericht.",
        "hint": "abbilden, oder in {name} begründen: {line}",
    },
}  # fmt: skip
_ORDER: Final = ("lost", "reached", "dropped", "kept")
_KINDS: Final = {"reached": "ok", "kept": "open", "dropped": "warn", "lost": "bad"}


def lines(report: Report, language: str, everything: bool) -> Iterator[str]:
    """Yield the report for a terminal; `everything` lists the fields that arrive, too."""
    words = _WORDS[language]
    for way in report.ways:
        yield f"{report.adapter}: {words[way.direction]}"
        yield f"  {_share(way, words)}"
        for state, kind in _counts(way).items():
            yield f"  {kind:>5}  {words[state]}"
        yield from _listed(way, words, everything)
        yield ""
    for drop in report.stale:
        yield f"{words['stale']}: {drop.file}:{drop.line}: {drop.path}"
    yield from _profiles(report, words)
    yield words["ok" if report.ok else "bad"]


def _listed(way: Way, words: dict[str, str], everything: bool) -> Iterator[str]:
    for state in _ORDER if everything else _ORDER[:1]:
        for place in way.of(state):
            yield from _told(place, words)
    if lost := way.of("lost"):
        yield f"  {_hint(lost[0], way, words)}"
    if way.empty:
        yield f"  {words['empty']}: {', '.join(way.empty)}"
    partial = [place.path for place in way.places if place.part]
    if partial:
        yield f"  {words['part']}: {', '.join(partial)}"
    if way.fields:
        yield from _unproven(way, words, everything)


def _told(place: Place, words: dict[str, str]) -> Iterator[str]:
    targets = f" → {', '.join(place.targets)}" if place.targets else ""
    yield f"  {words[place.state]}: {place.path} ({place.arrived}/{place.total}){targets}"
    if place.reason:
        yield f"      {place.reason}"


def _unproven(way: Way, words: dict[str, str], everything: bool) -> Iterator[str]:
    yield f"  {words['known'].format(fields=way.fields)}"
    for one in sorted(way.unproven, key=lambda one: (one.state, -one.fields)):
        if everything or one.state == "lost":
            would = words["would"].format(arrive=one.arrive, fields=one.fields)
            yield f"    {words[one.state]}: {one.path} ({would}){_because(one.reason)}"


def _profiles(report: Report, words: dict[str, str]) -> list[str]:
    return [words["profile"].format(name=name) for name in report.profiles]


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _hint(place: Place, way: Way, words: dict[str, str]) -> str:
    return words["hint"].format(name=NAME, line=f"{way.direction},{place.path},…")


def _share(way: Way, words: dict[str, str]) -> str:
    return f"{way.share:.0%} {words['share'].format(samples=way.samples)}"


def _counts(way: Way) -> dict[str, int]:
    return {state: len(way.of(state)) for state in _KINDS}


def record(report: Report) -> dict[str, Any]:
    """Return the report for a machine; the keys are stable."""
    return {
        "adapter": report.adapter,
        "accepts": list(report.accepts),
        "ok": report.ok,
        "ways": [_way(way) for way in report.ways],
        "stale": [{"file": one.file, "line": one.line, "path": one.path} for one in report.stale],
        "profiles": list(report.profiles),
    }


def _way(way: Way) -> dict[str, Any]:
    return {
        "direction": way.direction,
        "samples": way.samples,
        "share": round(way.share, 4),
        "counts": _counts(way),
        "fields": [asdict(place) for place in way.places],
        "empty": list(way.empty),
        "schema_fields": way.fields,
        "unproven": [{**asdict(one), "state": one.state} for one in way.unproven],
    }


def page(report: Report, language: str) -> str:
    """Return the report as one HTML page."""
    words = _WORDS[language]
    kind = "ok" if report.ok else "bad"
    parts = [
        f'<p class="soft">{escape(", ".join(report.accepts))}</p>',
        f"<p>{styled.badge(kind, words[kind])}</p>",
        f'<p class="soft">{escape(words["how"])}</p>',
        *(f'<p class="soft">{escape(note)}</p>' for note in _profiles(report, words)),
    ]
    for way in report.ways:
        parts += _section(way, words)
    if report.stale:
        rows = [(styled.code(one.path), escape(f"{one.file}:{one.line}")) for one in report.stale]
        parts += [f"<h2>{words['stale']}</h2>", styled.table((words["path"], NAME), rows)]
    return styled.document(f"{words['title']}: {report.adapter}", language, parts)


def _section(way: Way, words: dict[str, str]) -> list[str]:
    counts = _counts(way)
    legend = " ".join(
        styled.badge(_KINDS[state], f"{number} {words[state]}") for state, number in counts.items()
    )
    headings = [words[key] for key in ("path", "state", "values", "target", "reason", "samples")]
    found = [place for state in _ORDER for place in way.of(state)]
    parts = [
        f"<h2>{escape(words[way.direction])}</h2>",
        f"<p>{escape(_share(way, words))}</p>", _bar(counts), f"<p>{legend}</p>",
        styled.table(headings, [_row(place, words) for place in found]),
    ]  # fmt: skip
    for key, paths in (
        ("empty", way.empty),
        ("part", [place.path for place in way.places if place.part]),
    ):
        if paths:
            parts += [f"<h3>{words[key]}</h3>", f"<p>{styled.codes(paths)}</p>"]
    return parts + (_schema(way, words) if way.fields else [])


def _schema(way: Way, words: dict[str, str]) -> list[str]:
    rows = [
        (
            styled.code(one.path),
            styled.badge(_KINDS[one.state], words[one.state]),
            escape(words["would"].format(arrive=one.arrive, fields=one.fields)),
            escape(one.reason),
        )
        for one in sorted(way.unproven, key=lambda one: (one.state != "lost", -one.fields))
    ]
    headings = [words[key] for key in ("path", "state", "fields", "reason")]
    return [
        f"<h3>{words['unproven']}</h3>",
        f"<p>{escape(words['known'].format(fields=way.fields))}</p>",
        styled.table(headings, rows),
    ]


def _bar(counts: dict[str, int]) -> str:
    total = sum(counts.values()) or 1
    pieces = "".join(
        f'<i class="{_KINDS[state]}" style="width:{number / total:.1%}"></i>'
        for state, number in counts.items()
    )
    return f'<div class="bar">{pieces}</div>'


def _row(place: Place, words: dict[str, str]) -> Sequence[str]:
    return (
        styled.code(place.path),
        styled.badge(_KINDS[place.state], words[place.state]),
        f"{place.arrived}/{place.total}",
        styled.codes(place.targets or place.steers),
        escape(place.reason),
        escape(", ".join(place.samples)) if place.state in ("lost", "dropped") else "",
    )
