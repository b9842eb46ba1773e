"""One HTML page for a report: needs nothing else, prints well, everything in it is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

_STYLE: Final = """
:root { --ink: #1c2733; --soft: #566370; --line: #d9dfe5; --ground: #f3f5f7;
  --ok: #1f7a4d; --bad: #b3261e; --warn: #8a5a00; --open: #4a5a6a; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 84rem; margin: 2rem auto; padding: 2rem 2.5rem; background: #fff;
  border: 1px solid var(--line); border-radius: 8px; }
h1 { margin: 0; font-size: 1.5rem; }
h2 { margin: 2.25rem 0 .5rem; font-size: 1.2rem; }
h3 { margin: 1.5rem 0 .25rem; font-size: 1rem; }
p { margin: .25rem 0; max-width: 60rem; }
.soft { color: var(--soft); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; margin: .5rem 0; font-size: .875rem; }
th { text-align: left; font-size: .8125rem; color: var(--soft); }
thead th { white-space: nowrap; }
th, td { padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: break-word; }
code { font: .8125rem/1.45 ui-monospace, "Liberation Mono", monospace; overflow-wrap: anywhere; }
.badge { font-size: .8125rem; font-weight: 600; border: 1px solid; border-radius: 1rem;
  padding: .05rem .6rem; white-space: nowrap; }
.ok { color: var(--ok); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.open { color: var(--open); }
.bar { display: flex; height: .75rem; margin: .75rem 0; border-radius: 4px; overflow: hidden;
  background: var(--line); max-width: 40rem; }
.bar i { display: block; } .bar .ok { background: var(--ok); }
.bar .open { background: #8fa3b5; } .bar .warn { background: #d8a33c; }
.bar .bad { background: var(--bad); }
@media print { body { background: none; font-size: 9.5pt; }
  main { max-width: none; margin: 0; padding: 0; border: 0; }
  h2, h3 { break-after: avoid; } tr { break-inside: avoid; }
  thead { display: table-header-group; } @page { size: A4 landscape; margin: 14mm; } }
"""


def document(title: str, language: str, parts: Iterable[str]) -> str:
    """Return a whole page around parts that are HTML already."""
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def code(text: str) -> str:
    """Return a path or an expression, which may break after each step."""
    return f"<code>{escape(text).replace('/', '/<wbr>')}</code>" if text else ""


def codes(texts: Iterable[str]) -> str:
    """Return several of them, each on a line of its own."""
    return "<br>".join(map(code, texts))


def badge(kind: str, text: str) -> str:
    """Return a word in the colour of what it means: ok, open, warn, bad."""
    return f'<span class="badge {kind}">{escape(text)}</span>'
