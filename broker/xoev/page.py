"""A judgement for people: one HTML page in German that needs nothing else and prints well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from broker.errors import Finding
from broker.xoev.judgement import CODES, RULES, SCHEMA, WELLFORMED, Basis, Judgement, Step
from broker.xoev.remark import Remark

_VERDICTS: Final = {
    "accept": ("ok", "Angenommen", "Die Nachricht entspricht ihrem Standard."),
    "reject": ("bad", "Abgewiesen", "Die Nachricht entspricht ihrem Standard nicht."),
    "undecided": ("open", "Nicht entschieden",
                  "Der Standard ist bekannt, diese Version aber hier nicht installiert. "
                  "Das ist kein Fehler der Nachricht."),
}  # fmt: skip
_STEPS: Final = {
    WELLFORMED: "Lesbarkeit",
    SCHEMA: "XML-Schema",
    CODES: "Codelisten",
    RULES: "Geschäftsregeln (Schematron)",
}
_OUTCOMES: Final = {
    "passed": ("ok", "bestanden"),
    "failed": ("bad", "nicht bestanden"),
    "skipped": ("open", "nicht geprüft"),
}
_SEVERITIES: Final = {
    "error": ("bad", "Fehler"),
    "warning": ("warn", "Warnung"),
    "information": ("open", "Hinweis"),
}
_NOTES: Final = {
    "switched off": "Diese Prüfung ist abgeschaltet.",
    "no rules are installed": "Für diese Version sind keine Regeln installiert.",
    "skipped, because the step before it failed":
        "Entfällt, weil die Prüfung davor nicht bestanden ist.",
    "only the profile is installed: the message head was checked, not the content":
        "Nur das Profil ist installiert: Geprüft wurde der Nachrichtenkopf, nicht der Inhalt.",
}  # fmt: skip
#: What the findings of our own checks mean, by their rule; rules of a standard are German already.
_RULES: Final = {
    "unknown list": "Die genannte Codeliste oder ihre Version ist hier nicht bekannt.",
    "unknown code": "Der Code steht nicht in der genannten Codeliste.",
    "list not installed": "Eine Codeliste des Standards ist hier nicht installiert; ihre Codes "
    "wurden nicht geprüft.",
    "rules not finished": "Die Zeit reichte nicht für alle Regeln; nicht alle wurden geprüft.",
    "rules not supported": "Einige Regeln des Standards können hier nicht ausgewertet werden.",
    "ELEMENT_CONTENT": "Ein Element fehlt oder ist an dieser Stelle nicht vorgesehen.",
    "Group": "Ein Element fehlt oder ist an dieser Stelle nicht vorgesehen.",
    "CVC_COMPLEX_TYPE_4": "Ein vorgeschriebenes Attribut fehlt.",
    "CVC_COMPLEX_TYPE_3_2_1": "Ein Attribut ist hier nicht vorgesehen.",
    "CVC_COMPLEX_TYPE_3_2_2": "Ein Attribut ist hier nicht vorgesehen.",
    "AttributeGroup": "Ein Attribut fehlt oder ist hier nicht vorgesehen.",
    "CVC_DATATYPE_VALID_1_2_1": "Der Wert hat nicht den Datentyp des Schemas.",
    "CVC_PATTERN_VALID": "Der Wert entspricht nicht dem vorgeschriebenen Muster.",
    "PatternFacets": "Der Wert entspricht nicht dem vorgeschriebenen Muster.",
    "CVC_ENUMERATION_VALID": "Der Wert ist keiner der zugelassenen.",
    "EnumerationFacets": "Der Wert ist keiner der zugelassenen.",
    "CVC_ELT_1": "Dieser Nachrichtentyp steht nicht im Schema.",
    "base64Binary": "Der Wert enthält Zeichen, die in base64 nicht vorkommen.",
    "IDREF": "Verweist auf eine ID, die es in der Nachricht nicht gibt.",
}
_OWN: Final = frozenset(name for name in _RULES if " " in name)
#: Where a finding has no rule of its own, its reason code says what is wrong.
_REASONS: Final = {
    "X000": "Die Datei ist kein zulässiges XML-Dokument mit lesbarem Nachrichtenkopf.",
    "X001": "Die Nachricht entspricht nicht dem Schema ihres Standards.",
    "V000": "Diese Version des Standards ist hier nicht oder nicht mehr in Kraft.",
    "V001": "Kein hier installierter Standard kennt diese Nachricht.",
}
_STYLE: Final = """
:root { --ink: #1c2733; --soft: #5a6875; --line: #d9dfe5; --paper: #fff; --ground: #f3f5f7;
  --ok: #1f7a4d; --bad: #b3261e; --warn: #8a5a00; --open: #4a5a6a; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 62rem; margin: 2rem auto; padding: 2rem 2.5rem 2.5rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: 8px; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 2.25rem 0 .75rem; font-size: 1.125rem; display: flex; align-items: baseline;
  gap: .75rem; flex-wrap: wrap; }
p { margin: .25rem 0; }
.kind { color: var(--soft); overflow-wrap: anywhere; }
.verdict { margin: 1.5rem 0; padding: 1rem 1.25rem; border-left: 6px solid; border-radius: 4px;
  background: var(--ground); }
.verdict strong { font-size: 1.25rem; }
.verdict p { color: var(--ink); }
.ok { color: var(--ok); border-color: var(--ok); }
.bad { color: var(--bad); border-color: var(--bad); }
.warn { color: var(--warn); border-color: var(--warn); }
.open { color: var(--open); border-color: var(--open); }
.badge { font-size: .8125rem; font-weight: 600; border: 1px solid; border-radius: 1rem;
  padding: .05rem .65rem; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 1rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code { font: .8125rem/1.45 ui-monospace, "Liberation Mono", monospace; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; margin: .5rem 0; font-size: .9375rem; }
th { text-align: left; font-size: .8125rem; color: var(--soft); font-weight: 600; }
th, td { padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.rule { width: 11rem; overflow-wrap: anywhere; } td.sev { width: 6.5rem; }
.path { display: block; color: var(--soft); }
.note { color: var(--soft); }
.basis { font-size: .875rem; color: var(--soft); }
footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .875rem; }
@media (max-width: 40rem) { main { margin: 0; padding: 1.25rem; border: 0; border-radius: 0; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } td.rule { width: auto; } }
@media print { body { background: none; font-size: 10.5pt; }
  main { max-width: none; margin: 0; padding: 0; border: 0; } h2 { break-after: avoid; }
  tr, .verdict { break-inside: avoid; } thead { display: table-header-group; }
  .verdict { background: none; border: 1px solid; border-left-width: 6px; }
  @page { margin: 18mm 16mm; } }
"""


def as_html(judgement: Judgement, engine: str) -> str:
    """Return the judgement as a page; everything in it is escaped, nothing is loaded."""
    title = " ".join(part for part in (judgement.title, judgement.version) if part)
    parts = [
        f"<h1>Prüfbericht{f' {escape(title)}' if title else ''}</h1>",
        f'<p class="kind">{escape(judgement.kind or "Nachrichtentyp nicht erkannt")}</p>',
        _verdict(judgement),
        _facts(judgement),
        *(_step(step) for step in judgement.steps),
        f"<footer>Erstellt mit {escape(engine)}. Der Bericht nennt Stellen und Regeln, keine "
        "Inhalte der Nachricht.</footer>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="de">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Prüfbericht {escape(title or judgement.file)}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n" + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )  # fmt: skip


def _verdict(judgement: Judgement) -> str:
    kind, word, text = _VERDICTS[judgement.verdict]
    reason = f" (Grund {escape(judgement.reason)})" if judgement.reason else ""
    counts = _counts(remark for step in judgement.steps for remark in step.remarks)
    return (
        f'<div class="verdict {kind}"><strong>{word}{reason}</strong>'
        f"<p>{text}{f' {counts}.' if counts else ''}</p></div>"
    )


def _counts(remarks: Iterable[Remark]) -> str:
    names = {
        "error": ("Fehler", "Fehler"),
        "warning": ("Warnung", "Warnungen"),
        "information": ("Hinweis", "Hinweise"),
    }
    found = [remark.severity for remark in remarks]
    parts = [
        f"{number} {name[number != 1]}"
        for severity, name in names.items()
        if (number := sum(one == severity for one in found))
    ]
    return ", ".join(parts)


def _facts(judgement: Judgement) -> str:
    facts = {
        "Datei": escape(judgement.file),
        "Größe": f"{judgement.size:,} Bytes".replace(",", "."),
        "SHA-256": f"<code>{escape(judgement.digest)}</code>",
        "Geprüft": _time(judgement.at),
    }
    return _list(facts)


def _list(facts: Mapping[str, str]) -> str:
    rows = (f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())
    return f"<dl>{''.join(rows)}</dl>"


def _step(step: Step) -> str:
    kind, word = _OUTCOMES[step.outcome]
    parts = [f'<h2>{_STEPS[step.name]} <span class="badge {kind}">{word}</span></h2>']
    if step.note:
        parts.append(f'<p class="note">{escape(_NOTES.get(step.note, step.note))}</p>')
    if step.remarks:
        parts.append(_table(step.remarks))
    parts.append(_bases(step.basis))
    return f"<section>{''.join(parts)}</section>"


def _bases(bases: Sequence[Basis]) -> str:
    lines = [
        f'<p class="basis">Grundlage: {escape(basis.name)}, Version {escape(basis.version)}<br>'
        f"<code>SHA-256 {escape(basis.digest)}</code></p>"
        for basis in bases
    ]
    return "".join(lines)


def _table(remarks: Sequence[Remark]) -> str:
    """Return a table with one row for each rule; the places where it is broken follow in it."""
    rows: dict[tuple[str, str, str], list[Finding]] = {}
    for remark in remarks:
        key = (remark.severity, _rule(remark.finding), german(remark.finding))
        rows.setdefault(key, []).append(remark.finding)
    titles = "".join(f'<th scope="col">{name}</th>' for name in ("Schwere", "Regel", "Befund"))
    head = f"<thead><tr>{titles}</tr></thead>"
    body = "".join(_row(*key, findings) for key, findings in rows.items())
    return f"<table>{head}<tbody>{body}</tbody></table>"


def _row(severity: str, rule: str, text: str, findings: Sequence[Finding]) -> str:
    kind, word = _SEVERITIES[severity]
    places = "".join(f'<code class="path">{_place(one)}</code>' for one in findings)
    return (
        f'<tr><td class="sev"><span class="badge {kind}">{word}</span></td>'
        f'<td class="rule"><code>{escape(rule)}</code></td><td>{escape(text)}{places}</td></tr>'
    )


def _rule(finding: Finding) -> str:
    """Return the rule of a standard or a library; for checks of our own the reason code."""
    return finding.code if finding.rule in _OWN else finding.rule or finding.code


def _place(finding: Finding) -> str:
    """Return line and path; a long path may break after each step."""
    line = f"Zeile {finding.line}" if finding.line else ""
    path = escape(finding.path).replace("/", "/<wbr>")
    return " · ".join(part for part in (line, path) if part)


def german(finding: Finding) -> str:
    """Return the German sentence for a finding of our own, with what else it names."""
    known = _RULES.get(finding.rule) or (_REASONS.get(finding.code) if not finding.rule else None)
    if known is None:
        return finding.text
    named = finding.text.split('"')[1::2]
    here = finding.text.rpartition("; here: ")[2] if "; here: " in finding.text else ""
    parts = [*named, *([f"hier: {here}"] if here else [])]
    return f"{known} ({'; '.join(parts)})" if parts else known


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%d.%m.%Y, %H:%M:%S UTC")
