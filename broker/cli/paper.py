"""A diff or a rehearsal as one HTML page in German that needs nothing else and prints well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from broker.errors import Finding
from broker.xoev.page import german

if TYPE_CHECKING:
    from broker.impact import Impact, Mention
    from broker.rehearsal import Reason, Rehearsal
    from broker.xoev.change import Change
    from broker.xoev.diff import Diff

_WHAT = {
    "added": "neu",
    "removed": "entfallen",
    "mandatory": "nun Pflicht",
    "optional": "nun freiwillig",
    "narrowed": "eingeschränkt",
    "widened": "erweitert",
    "changed": "geändert",
}
_AREAS = {
    "message": "Nachrichten",
    "element": "Elemente",
    "attribute": "Attribute",
    "type": "Datentypen",
    "codelist": "Codelisten",
    "rule": "Geschäftsregeln (Schematron)",
}
_ASPECTS = {
    "times": "Häufigkeit",
    "type": "Typ",
    "name": "Name",
    "namespace": "Namensraum",
    "fixed": "fester Wert",
    "choice": "Auswahl",
    "order": "Reihenfolge",
    "content": "Inhalt",
    "pattern": "Muster",
    "codes": "Codes",
    "list": "Codeliste",
    "version": "Version der Liste",
    "rule": "Regel",
    "test": "Prüfung",
    "context": "Geltung",
    "text": "Wortlaut",
    "length": "Länge",
    "minLength": "Mindestlänge",
    "maxLength": "Höchstlänge",
    "minInclusive": "kleinster Wert",
    "maxInclusive": "größter Wert",
    "minExclusive": "größer als",
    "maxExclusive": "kleiner als",
    "totalDigits": "Stellen",
    "fractionDigits": "Nachkommastellen",
}
_LEFT = {
    "before": "schon nach ihrer eigenen Version abgewiesen",
    "erased": "Inhalt bereits gelöscht",
    "broken": "Inhalt nicht lesbar",
}
_STYLE = """
:root { --ink: #1c2733; --soft: #5a6875; --line: #d9dfe5; --ground: #f3f5f7; --bad: #b3261e;
  --ok: #1f7a4d; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 80rem; margin: 2rem auto; padding: 2rem 2.5rem; background: #fff;
  border: 1px solid var(--line); border-radius: 8px; }
h1 { margin: 0 0 .25rem; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 2.25rem 0 .5rem; font-size: 1.15rem; }
p { margin: .25rem 0; } .soft { color: var(--soft); }
nav { margin: 1rem 0; display: flex; gap: .25rem 1.25rem; flex-wrap: wrap; }
nav a { color: inherit; }
.sum { margin: 1.25rem 0; padding: .9rem 1.2rem; border-left: 6px solid var(--ok);
  background: var(--ground); border-radius: 4px; }
.sum.bad { border-color: var(--bad); } .sum strong { font-size: 1.2rem; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; table-layout: auto; }
th { white-space: nowrap; text-align: left; color: var(--soft); font-weight: 600;
  font-size: .8rem; }
th, td { padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
td.what { white-space: nowrap; overflow-wrap: normal; }
td.num { text-align: right; font-variant-numeric: tabular-nums; }
code { font: .8rem/1.45 ui-monospace, "Liberation Mono", monospace; }
.bad td.what:first-child, b.bad { color: var(--bad); font-weight: 600; }
details summary { cursor: pointer; color: var(--soft); }
footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .85rem; }
@media (max-width: 48rem) { main { margin: 0; padding: 1.25rem; border: 0; } }
@media print { body { background: none; font-size: 9.5pt; }
  main { max-width: none; margin: 0; padding: 0; border: 0; } nav { display: none; }
  h2 { break-after: avoid; } tr, .sum { break-inside: avoid; }
  thead { display: table-header-group; } .sum { background: none; border: 1px solid var(--line);
  border-left-width: 6px; } @page { size: A4 landscape; margin: 14mm; } }
"""
_LONG = 240  #: A pattern beyond this many characters is cut: nobody reads it on paper.


def diffed(names: tuple[str, str], diff: Diff, touched: Impact | None) -> str:
    """Return the page of a diff; everything in it is escaped, nothing is loaded."""
    old, new = names
    areas = [
        (area, [one for one in diff.changes if one.difference.area == area]) for area in _AREAS
    ]
    parts = [
        f"<h1>Versionswechsel {escape(old)} → {escape(new)}</h1>",
        '<p class="soft">Was sich am Standard ändert und was es in dieser Installation '
        "berührt</p>",
        _verdict(bool(diff.strict), f"{len(diff.changes)} Änderungen; durch {len(diff.strict)} "
                 "davon können bisher gültige Nachrichten abgewiesen werden",
                 "Solche Änderungen sind in den Tabellen rot."),
        *(f'<p class="soft">{escape(_note(note))}</p>' for note in diff.notes),
        _links([(f"a-{area}", _AREAS[area]) for area, found in areas if found]
               + ([("hier", "In dieser Installation")] if touched else [])),
        *(_area(area, found, len(diff.kinds)) for area, found in areas if found),
    ]  # fmt: skip
    if touched is not None:
        parts += _touched(touched)
    return _page(f"Versionswechsel {old} → {new}", parts)


def rehearsal(found: Rehearsal) -> str:
    """Return the page of a rehearsal; it names messages by their ids and holds no value of them."""
    title = f"Probelauf {found.standard} {found.version}"
    refused = found.messages["refused"] + found.samples["refused"]
    lines = [
        f"{found.messages['refused']} von {found.messages['judged']} gespeicherten Nachrichten und "
        f"{found.samples['refused']} von {found.samples['judged']} Musterdateien würden abgewiesen",
    ]
    left = [f"{found.messages[word]} Nachrichten: {text}" for word, text in _LEFT.items()
            if found.messages[word]]  # fmt: skip
    text = "Gesendet oder verändert wurde nichts."
    if left:
        text += f" Nicht geprüft: {'; '.join(left)}."
    if found.profile:
        text += " Nur das Profil ist installiert: Inhalte wurden nicht geprüft."
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">Geprüft mit den Schemata {escape(found.digest[:16])}…</p>',
        _verdict(bool(refused), lines[0], text),
    ]
    if found.reasons:
        parts += ["<h2>Gründe</h2>", _table(("Anzahl", "Grund", "Stelle", "Was", "Betroffen"),
                  map(_reason, found.reasons))]  # fmt: skip
    return _page(title, parts)


def _page(title: str, parts: Iterable[str]) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="de">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n<footer>Erstellt mit xoev-broker. Der Bericht nennt Stellen, Regeln und Kennungen, "
        "keine Inhalte von Nachrichten.</footer>\n</main>\n</body>\n</html>\n"
    )


def _verdict(bad: bool, title: str, text: str) -> str:
    kind = "sum bad" if bad else "sum"
    return f'<div class="{kind}"><strong>{escape(title)}</strong><p>{escape(text)}</p></div>'


def _links(targets: Sequence[tuple[str, str]]) -> str:
    links = (f'<a href="#{target}">{escape(text)}</a>' for target, text in targets)
    return f"<nav>{' '.join(links)}</nav>"


def _note(note: str) -> str:
    from broker.xoev.diff import NO_RULES, ONE_SIDED

    if note == NO_RULES:
        return (
            "Beide Versionen liegen hier ohne Schematron-Dateien: Regeln wurden nicht verglichen."
        )
    name = note.removesuffix(ONE_SIDED)
    return f"{name} liegt hier ohne Schematron-Dateien: Genannt ist jede Regel der anderen Version."


def _area(area: str, changes: Sequence[Change], kinds: int) -> str:
    heads = ["Änderung", "Stelle", "Woran", "bisher", "künftig", "Nachrichten"]
    if area == "message":
        # The place is the message; more is to be said only where one has another name now.
        renamed = any(one.difference.before or one.difference.after for one in changes)
        heads = heads[:-1] if renamed else heads[:2]
    rows = [_change(change, kinds, len(heads)) for change in changes]
    return f'<h2 id="a-{area}">{_AREAS[area]} ({len(rows)})</h2>' + _table(heads, rows)


def _change(change: Change, kinds: int, width: int) -> str:
    one = change.difference
    place = f"{one.owner}/{one.path}".rstrip("/")
    cells = [
        f'<td class="what">{_WHAT[one.what.value]}</td>',
        f"<td><code>{_path(place)}</code>{_example(change, place)}</td>",
        f'<td class="what">{escape(_aspect(one.aspect))}</td>',
        f"<td>{_value(one.before)}</td>",
        f"<td>{_value(one.after)}</td>",
        f"<td>{_messages(change.messages, kinds)}</td>",
    ]
    return f"<tr class='{'bad' if one.strict else 'fine'}'>{''.join(cells[:width])}</tr>"


def _example(change: Change, place: str) -> str:
    """Say where a shared type stands, if that is not said already."""
    if change.example in ("", f"/{place}"):
        return ""
    return f'<br><span class="soft">z. B. {_path(change.example)}</span>'


def _aspect(aspect: str) -> str:
    if aspect.startswith("meaning of "):
        return f"Bedeutung von {aspect.removeprefix('meaning of ')}"
    return _ASPECTS.get(aspect, aspect)


def _value(text: str) -> str:
    flat = " ".join(text.split())
    if flat == "first" or flat.startswith("after "):
        flat = "an erster Stelle" if flat == "first" else f"nach {flat.removeprefix('after ')}"
    return escape(flat if len(flat) <= _LONG else f"{flat[:_LONG]}…") or "–"


def _messages(names: Sequence[str], kinds: int) -> str:
    if not names or len(names) == kinds:
        return "alle"
    if len(names) <= 2:
        return "<br>".join(_path(name).replace(".", ".<wbr>") for name in names)
    items = ", ".join(escape(name) for name in names)
    return f"<details><summary>{len(names)} Nachrichten</summary>{items}</details>"


def _touched(found: Impact) -> Iterator[str]:
    yield '<h2 id="hier">In dieser Installation</h2>'
    if not (found.ways or found.adapters or found.mentions or found.samples):
        yield "<p>Nichts in dieser Installation ist betroffen.</p>"
    if found.ways:
        yield _table(("Weg", "nimmt die neue Version", "Änderungen", "davon abweisend"),
                     (_cells(one.name, _yes(one.takes), str(len(one.changes)), str(one.strict))
                      for one in found.ways))  # fmt: skip
    if found.adapters:
        yield _table(("Adapter", "nimmt die neue Version", "nennt alte Namensräume"),
                     (_cells(one.adapter, _yes(one.accepts), "\n".join(one.namespaces) or "–")
                      for one in found.adapters))  # fmt: skip
    if found.mentions:
        yield "<h2>XPath-Ausdrücke, die Geändertes nennen</h2>"
        yield _table(("Stelle", "XPath", "Änderung", "woran"), map(_mention, found.mentions))
    if found.samples:
        yield "<h2>Musterfälle, die die neue Version abweisen würde</h2>"
        yield _table(("Datei", "warum"), (
            _cells(name, "\n".join(map(_finding, findings)))
            for name, findings in found.samples))  # fmt: skip


def _finding(found: Finding) -> str:
    line = f"Zeile {found.line}" if found.line else ""
    return ": ".join(part for part in (line, found.path, german(found)) if part)


def _mention(found: Mention) -> str:
    one = found.change.difference
    place = f"{one.owner}/{one.path}".rstrip("/")
    return _cells(f"{found.adapter}: {found.place}", found.xpath, _WHAT[one.what.value], place)


def _reason(one: Reason) -> str:
    names = [*one.messages, *one.samples]
    whom = "<br>".join(escape(name) for name in names[:3])
    if len(names) > 3:
        rest = "<br>".join(escape(name) for name in names[3:])
        whom += f"<details><summary>{len(names) - 3} weitere</summary>{rest}</details>"
    return (
        f'<tr class="bad"><td class="num">{one.count}</td><td class="what">{escape(one.code)}</td>'
        f"<td><code>{_path(one.path)}</code></td><td>{escape(_said(one))}<br>"
        f'<span class="soft">{escape(one.rule)}</span></td><td><code>{whom}</code></td></tr>'
    )


def _said(one: Reason) -> str:
    """Return the German sentence of a reason, with the names that the schema expected."""
    text, _, expected = one.text.partition(", expected: ")
    said = german(Finding(text, rule=one.rule, code=one.code))
    return f"{said} Erwartet: {expected}." if expected else said


def _path(text: str) -> str:
    """Return a path that may break after each step."""
    return escape(text).replace("/", "/<wbr>")


def _yes(value: bool) -> str:
    return "ja" if value else "NEIN"


def _cells(*texts: str) -> str:
    cells = (escape(text).replace("\n", "<br>").replace("NEIN", '<b class="bad">nein</b>')
             for text in texts)  # fmt: skip
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
