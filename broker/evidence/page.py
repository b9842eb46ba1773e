"""The readable report of a bundle: one HTML file that loads nothing and prints well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from broker.evidence.parts import Bytes, Part, Stamped
from broker.evidence.timeline import draw
from broker.evidence.words import WORDS
from broker.journal.checkpoint import Checkpoint
from broker.journal.entry import stamp
from broker.message import Direction
from broker.trace import Language, phrase, state

#: So many messages are told in full; a period may have many more.
LONGEST = 50
#: So many are drawn in one timeline; with more, each has its own.
_TOGETHER = 8

_STYLE = """\
:root { --ink: #1a1d21; --soft: #5a6370; --line: #d5dae1; --ground: #f4f6f8; --paper: #fff;
  --ok: #1b6e3c; --bad: #a61b29; --warn: #8a5a00; --plain: #5a6370; color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, "Liberation Sans", Arial, sans-serif; }
main { max-width: 62rem; margin: 2rem auto; padding: 2rem 2.5rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: 8px; }
h1 { margin: 0; font-size: 1.5rem; } h2 { margin: 2.25rem 0 .5rem; font-size: 1.2rem; }
h3 { margin: 1.5rem 0 .5rem; font-size: 1rem; } p { margin: .5rem 0; }
.soft { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; margin: .75rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font: .8125rem/1.45 ui-monospace, "Liberation Mono", monospace; }
code { overflow-wrap: anywhere; } a { color: inherit; }
pre { padding: .75rem 1rem; background: var(--ground); border: 1px solid var(--line);
  border-radius: 4px; white-space: pre-wrap; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
th { text-align: left; color: var(--soft); font-weight: 600; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.time, td.num { white-space: nowrap; font-variant-numeric: tabular-nums; }
.badge { padding: .05rem .65rem; border: 1px solid; border-radius: 1rem; font-size: .8125rem;
  font-weight: 600; white-space: nowrap; }
.ok { color: var(--ok); } .bad { color: var(--bad); } .warn { color: var(--warn); }
svg.timeline { display: block; width: 100%; margin: .5rem 0; }
svg text { font: 13px system-ui, "Liberation Sans", Arial, sans-serif; fill: var(--ink); }
svg text.time, svg text.gap, svg text.lane { fill: var(--soft);
  font-variant-numeric: tabular-nums; }
svg text.time { font-size: 12px; } svg text.gap { font-size: 11px; }
svg circle { stroke: currentColor; stroke-width: 2; fill: currentColor; }
svg circle.plain { color: var(--plain); fill: var(--paper); }
svg circle.warn { fill: var(--paper); stroke-dasharray: 3 2; }
svg .span { stroke: var(--line); stroke-width: 3; }
svg .link { stroke: var(--soft); fill: none; stroke-dasharray: 3 3; }
@media (max-width: 40rem) { main { margin: 0; padding: 1.25rem; border: 0; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
@media print { body { background: none; font-size: 10pt; }
  main { max-width: none; margin: 0; padding: 0; border: 0; }
  h2, h3 { break-after: avoid; } tr, svg, dl { break-inside: avoid; }
  thead { display: table-header-group; } @page { size: A4; margin: 18mm 16mm; } }
"""
#: What holds a digest and is set as one.
_DIGESTS = ("table", "artefact")
_KINDS = {"delivered": "ok", "rejected": "bad", "dead": "bad"}


@dataclass(frozen=True, slots=True)
class Cover:
    """What stands above all messages: what was asked for, by whom and why, and what seals it."""

    asked: str
    actor: str
    reason: str
    checkpoint: Checkpoint
    key: str
    stamps: tuple[Stamped, ...] = ()


def page(cover: Cover, parts: Sequence[Part], more: int, language: Language) -> str:
    """Return the report; everything in it is escaped. `more` messages are not told here."""
    words = WORDS[language]
    together = len(parts) <= _TOGETHER
    body = [
        f"<h1>{words['title']}: {_asked(cover.asked, words)}</h1>",
        f'<p class="soft">{words["personal"]}</p>',
        _cover(cover, words),
        f"<h2>{words['messages']}</h2>{_overview(parts, language)}",
        f"<h2>{words['timeline']}</h2>{draw(parts, language)}" if together else "",
        *(
            _part(at + 1, part, language, "" if together else draw([part], language))
            for at, part in enumerate(parts)
        ),
        f"<p>{more} {words['more']}.</p>" if more else "",
        f"<h2>{words['check']}</h2><p>{words['how']}</p>",
        f"<pre>python3 verify_evidence.py BUNDLE.zip --key '{escape(cover.key)}'</pre>",
        f'<p class="soft">{words["limits"]}</p>',
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{words['title']}: {_asked(cover.asked, words)}</title>\n<style>{_STYLE}</style>\n"
        "</head>\n<body>\n<main>\n" + "\n".join(body) + "\n</main>\n</body>\n</html>\n"
    )


def _asked(text: str, words: Mapping[str, str]) -> str:
    """Return what was asked for, a scope of the manifest in the words of the report."""
    kind, _, rest = text.partition(" ")
    if kind == "period" and rest.count(" ") == 1:
        times = [one[:16].replace("T", " ") if one != "-" else "…" for one in rest.split(" ")]
        return f"{words['period']} {escape(' – '.join(times))} (UTC)"
    if text.startswith("case of "):
        return f"{words['case']} {escape(text.removeprefix('case of '))}"
    return escape(text)


def _cover(cover: Cover, words: Mapping[str, str]) -> str:
    point = cover.checkpoint
    rows = (
        ("actor", cover.actor), ("reason", cover.reason), ("journal", point.origin),
        ("size", str(point.size)), ("root", f"<code>{point.root.hex()}</code>"),
        ("key", f"<code>{escape(cover.key)}</code>"),
    )  # fmt: skip
    told = [(words[name], value if "<code>" in value else escape(value)) for name, value in rows]
    told += [
        (words["stamp"], f"{stamp(one.time)}: {one.size} {words['below']}, "
                         f"<code>{escape(one.file)}</code>")
        for one in cover.stamps[:LONGEST]
    ]  # fmt: skip
    return _list(told)


def _overview(parts: Sequence[Part], language: Language) -> str:
    """Return what became of each message, with a link to what is told of it."""
    words, rows = WORDS[language], []
    for number, part in enumerate(parts, 1):
        row = part.row
        kind = words["request" if row.direction is Direction.REQUEST else "answer"]
        badge = _KINDS.get(row.state.value, "warn")
        last = max(entry.line.time for entry in part.entries)
        rows.append((
            f'<a href="#m{number}">{number}. {kind}</a>',
            f"{escape(row.envelope.standard)} {escape(row.envelope.kind)}",
            _moment(row.received), _moment(last),
            f'<span class="badge {badge}">{escape(state(row.state, language))}</span>',
        ))  # fmt: skip
    names = ("message", "kind", "received", "last", "end")
    return _table([words[name] for name in names], rows)


def _moment(time: datetime) -> str:
    return stamp(time)[:19].replace("T", " ")


def _part(number: int, part: Part, language: Language, timeline: str) -> str:
    row, words = part.row, WORDS[language]
    kind = words["request" if row.direction is Direction.REQUEST else "answer"]
    badge = _KINDS.get(row.state.value, "warn")
    head = (
        f'<h2 id="m{number}">{number}. {kind} <span class="badge {badge}">'
        f"{escape(state(row.state, language))}</span></h2>"
    )
    return (
        f"<section>{head}{_list(_told(part, words))}{timeline}<h3>{words['bytes']}</h3>"
        f"{_forms(part.forms, words)}<h3>{words['entries']}</h3>"
        f"{_entries(part, words, language)}</section>"
    )


def _told(part: Part, words: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    row, head = part.row, part.row.envelope
    artefacts = [
        f"{facts.get('artefact', '')}, SHA-256 {facts.get('artefact_digest', '')}"
        for facts in (entry.line.facts for entry in part.entries)
        if "artefact" in facts
    ]
    told = (
        ("", row.id),
        ("kind", f"{head.standard} {head.version} {head.kind}".strip()),
        ("uuid", head.uuid),
        ("from", f"{row.party} {head.sender.key}".strip()),
        ("to", head.recipient.key),
        ("received", stamp(row.received)),
        ("answers", row.answers or ""),
        ("replays", row.replays or ""),
        ("route", f"{row.route}: {row.adapter} → {row.channel}" if row.route else ""),
        ("table", row.table),
        ("artefact", "; ".join(dict.fromkeys(artefacts))),
        ("attempts", str(row.attempts)),
        ("receipt", row.receipt),
        ("number", row.number),
        ("why", ": ".join(filter(None, (row.reason, row.error)))),
    )
    for name, value in told:
        if value:
            shown = f"<code>{escape(value)}</code>" if name in _DIGESTS else escape(value)
            yield words.get(name, "ID"), shown


def _forms(forms: Sequence[Bytes], words: Mapping[str, str]) -> str:
    rows = []
    for one in forms:
        file = words[one.absent] if one.absent else f"<code>{escape(one.file)}</code>"
        digest = f"<code>{one.sha256}</code>"
        size = "" if one.absent else str(one.size)
        rows.append((words[one.form], size, file, "" if one.absent else digest))
    return _table((words["form"], words["bytes"], words["file"], "SHA-256"), rows)


def _entries(part: Part, words: Mapping[str, str], language: Language) -> str:
    rows = []
    for entry in part.entries:
        line = entry.line
        facts = "<br>".join(
            f"{escape(name)} = <code>{escape(value)}</code>" for name, value in line.facts.items()
        )
        rows.append((str(entry.index), stamp(line.time).replace("T", " ").replace("+00:00", ""),
                     f"{escape(line.event)}<br><span class='soft'>"
                     f"{escape(phrase(line.event, language))}</span>",
                     escape(line.actor), facts))  # fmt: skip
    return _table([words[name] for name in ("entry", "time", "event", "who", "facts")], rows)


def _list(rows: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in rows)}</dl>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
