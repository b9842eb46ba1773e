"""The field table as text, Markdown, CSV and HTML, in English and German."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Any, Final

from broker.cli import styled

if TYPE_CHECKING:
    from broker.kit.mapping import Condition, FieldMap, Row, Table

_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "Field table",
        "to_legacy": "To the procedure",
        "to_xoev": "Back to XÖV",
        "file": "file",
        "from": "from {source} to {target}",
        "chosen": "where {conditions}",
        "field": "field", "start": "start", "length": "length", "kind": "kind",
        "source": "source", "list": "code list", "condition": "condition", "rule": "rule",
        "example": "example (invented)", "filled": "filled in", "place": "place",
        "fixed": "fixed: {value}",
        "made": "made by the adapter",
        "flag": "J where a character of the record was replaced, else N",
        "empty": "no sample fills it",
        "as": "as it is",
        "if": "if {path} = {values}",
        "or": " or ",
        "only": "only {test}",
        "lists": "Code lists",
        "about": "Where every field comes from, measured with the golden samples of the adapter. "
                 "Paths start below the root of the message.",
    },
    "de": {
        "title": "Feldtabelle",
        "to_legacy": "Hin zum Fachverfahren",
        "to_xoev": "Zurück nach XÖV",
        "file": "Datei",
        "from": "aus {source} wird {target}",
        "chosen": "wenn {conditions}",
        "field": "Feld", "start": "Start", "length": "Länge", "kind": "Art",
        "source": "Herkunft", "list": "Codeliste", "condition": "Bedingung", "rule": "Regel",
        "example": "Beispiel (erfunden)", "filled": "gefüllt in", "place": "Fundstelle",
        "fixed": "fest: {value}",
        "made": "bildet der Adapter",
        "flag": "J, wenn ein Zeichen des Satzes ersetzt wurde, sonst N",
        "empty": "kein Musterfall füllt es",
        "as": "unverändert",
        "if": "wenn {path} = {values}",
        "or": " oder ",
        "only": "nur {test}",
        "lists": "Codelisten",
        "about": "Woher jedes Feld kommt, gemessen mit den Musterfällen des Adapters. Pfade "
                 "beginnen unter der Wurzel der Nachricht.",
    },
}  # fmt: skip
#: What a conversion knows besides the message, see Facts.
_FACTS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "reference": "the delivery's reference", "message": "the message's id in the broker",
        "received": "time of receipt", "test": "test flag of the request",
        "digest": "a new id, made of the reply", "original": "the whole request",
        "reader": "author of the request", "author": "reader of the request",
        "answered.uuid": "id of the request", "answered.created": "time of the request",
        "answered.code": "kind of the request", "answered.case": "case of the request",
    },
    "de": {
        "reference": "Kennung der Lieferung", "message": "Kennung der Nachricht im Broker",
        "received": "Zeit des Eingangs", "test": "Testkennzeichen des Antrags",
        "digest": "neue Kennung, aus der Antwort gebildet", "original": "der ganze Antrag",
        "reader": "Autor des Antrags", "author": "Leser des Antrags",
        "answered.uuid": "Kennung des Antrags", "answered.created": "Zeit des Antrags",
        "answered.code": "Nachrichtentyp des Antrags", "answered.case": "Vorgang des Antrags",
    },
}  # fmt: skip
_LAYOUT: Final = ("start", "length", "kind")


def lines(found: FieldMap, language: str) -> Iterator[str]:
    """Yield the tables for a terminal: a block for each field, which never needs to be folded."""
    words = _WORDS[language]
    for table in found.tables:
        yield _heading(table, words)
        for row in table.rows:
            cells = dict(_cells(row, table, language))
            yield f"  {cells.pop(words['field'])}"
            yield from (f"      {name}: {text}" for name, text in cells.items() if text)
        yield ""


def markdown(found: FieldMap, language: str) -> str:
    """Return the tables as a Markdown page."""
    words = _WORDS[language]
    parts = [f"# {words['title']}: {found.adapter}", "", words["about"], ""]
    for table in found.tables:
        headings, rows = _grid(table, language)
        parts += [
            f"## {_heading(table, words)}",
            "",
            _bars(headings),
            _bars(["---"] * len(headings)),
        ]
        parts += [_bars([_tick(cell) for cell in row]) for row in rows]
        parts.append("")
    if found.lists:
        parts += [f"## {words['lists']}", ""]
    for name, codes in found.lists.items():
        parts += [f"### {name}", "", _bars(list(codes[0])), _bars(["---"] * len(codes[0]))]
        parts += [*(_bars(list(one.values())) for one in codes), ""]
    return "\n".join(parts)


def as_csv(found: FieldMap, language: str) -> str:
    """Return all tables as one CSV for a spreadsheet: semicolons, and which table a row is of."""
    words = _WORDS[language]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=";", lineterminator="\r\n")
    names = ("field", *_LAYOUT, "source", "list", "condition", "rule", "example", "filled", "place")
    titles = [words[name] for name in names]
    writer.writerow(["direction", "target", *titles])
    for table in found.tables:
        for row in table.rows:
            cells = dict(_cells(row, table, language))
            writer.writerow([table.direction, table.target,
                             *(_tame(cells.get(title, "")) for title in titles)])  # fmt: skip
    return stream.getvalue()


def page(found: FieldMap, language: str) -> str:
    """Return the tables and the code lists as one HTML page."""
    words = _WORDS[language]
    parts = [
        f'<p class="soft">{escape(", ".join(found.accepts))}</p>',
        f'<p class="soft">{escape(words["about"])}</p>',
    ]
    for table in found.tables:
        headings, rows = _grid(table, language)
        shown = [[_html(cell, number) for number, cell in enumerate(row)] for row in rows]
        parts += [f"<h2>{escape(_heading(table, words))}</h2>", styled.table(headings, shown)]
    if found.lists:
        parts.append(f"<h2>{words['lists']}</h2>")
    for name, codes in found.lists.items():
        rows = [[escape(text) for text in one.values()] for one in codes]
        parts += [f"<h3>{escape(name)}</h3>", styled.table(list(codes[0]), rows)]
    return styled.document(f"{words['title']}: {found.adapter}", language, parts)


def record(found: FieldMap) -> dict[str, Any]:
    """Return the tables for a machine; the keys are stable."""
    return {
        "adapter": found.adapter,
        "accepts": list(found.accepts),
        "tables": [asdict(table) for table in found.tables],
        "lists": {name: [dict(one) for one in codes] for name, codes in found.lists.items()},
    }


def _heading(table: Table, words: dict[str, str]) -> str:
    target = table.target or words["file"]
    text = f"{words[table.direction]}: " + words["from"].format(
        source=", ".join(table.sources) or words["file"], target=target
    )
    if table.chosen:
        conditions = "; ".join(_equals(one, words) for one in table.chosen)
        text += f", {words['chosen'].format(conditions=conditions)}"
    return text


def _equals(one: Condition, words: dict[str, str]) -> str:
    return f"{one.path} = {words['or'].join(one.values)}"


def _grid(table: Table, language: str) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the cells; a column that is empty everywhere is left out."""
    rows = [dict(_cells(row, table, language)) for row in table.rows]
    titles = [title for title in rows[0] if any(row[title] for row in rows)] if rows else []
    return titles, [[row[title] for title in titles] for row in rows]


def _cells(row: Row, table: Table, language: str) -> Iterator[tuple[str, str]]:
    words = _WORDS[language]
    column = row.column
    yield words["field"], row.field
    yield words["start"], str(column.start + 1) if column and table.fixed else ""
    yield words["length"], str(column.length or "") if column else ""
    yield words["kind"], column.kind if column else ""
    yield words["source"], _source(row, language)
    yield words["list"], ", ".join(f"codes/{name}.csv" for name in row.lists)
    yield words["condition"], _condition(row, words)
    yield words["rule"], _rule(row, words)
    yield words["example"], row.example
    yield words["filled"], f"{row.filled}/{row.samples}"
    yield words["place"], ", ".join(row.places)


def _source(row: Row, language: str) -> str:
    words = _WORDS[language]
    if row.origin == "fact":
        return ", ".join(_FACTS[language].get(name, name) for name in row.sources)
    if row.origin == "field":
        return "; ".join(row.sources)
    if row.column is not None and row.column.kind == "flag":
        return words["flag"]
    return words[row.origin].format(value=row.example)


def _condition(row: Row, words: dict[str, str]) -> str:
    """Return what was measured; where nothing was, what the stylesheet says."""
    measured = [
        words["if"].format(path=one.path, values=words["or"].join(one.values))
        for one in row.conditions
    ]
    return "; ".join(measured or [words["only"].format(test=test) for test in row.tests])


def _rule(row: Row, words: dict[str, str]) -> str:
    """Return how it is written; what only names the source again says nothing."""
    if row.origin in ("fixed", "fact") and all(text.startswith(("$", '"')) for text in row.rules):
        return ""
    told = [text for text in row.rules if not text.startswith("$") and not _plain(text)]
    if told or row.lists:
        return "; ".join(told)
    return words["as"] if row.origin == "field" and row.rules else ""


def _plain(text: str) -> bool:
    """Whether an expression is a path and nothing else."""
    return ": " not in text and not set(text) & set("()$\"'[]=, ")


def _bars(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _tick(cell: str) -> str:
    """Return paths and expressions as code, so that nothing in them acts as Markdown."""
    return f"`{cell}`" if cell and set(cell) & set("/:*_$<[") and "`" not in cell else cell


def _html(cell: str, number: int) -> str:
    if number == 0 or set(cell) & set("/$(["):
        return "<br>".join(styled.code(part) for part in cell.split("; "))
    return escape(cell)


def _tame(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
