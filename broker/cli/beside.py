"""Two contents side by side, for a person at a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from broker.cli.terminal import safe, say

if TYPE_CHECKING:
    from broker.formats import Format

#: A line that is longer (an attachment) is not shown whole.
_LONGEST = 2_000


def beside(name: str, before: str, after: str) -> None:
    """Show two texts side by side, or one after the other where nobody looks."""
    if not sys.stdout.isatty():
        say(f"== before: {name}\n{before}\n\n== after\n{after}")
        return
    from rich.console import Console
    from rich.syntax import Syntax
    from rich.table import Table

    made = Table(expand=True, header_style="bold")
    for head in (f"before: {name}", "after"):
        made.add_column(safe(head), ratio=1, overflow="fold")
    # The theme for light terminals: the one for dark ones writes white, unreadable on white.
    look: Any = {"theme": "ansi_light", "word_wrap": True, "background_color": "default"}
    cells = [Syntax(text, _language(text), **look) for text in (before, after)]
    made.add_row(*cells)
    Console().print(made)


def shown(content: bytes, layout: Format | None = None) -> str:
    """Return bytes as lines to look at, XML with one element a line, nothing that acts."""
    from broker.difference import pretty, text

    try:
        whole = pretty(content)
    except ValueError:
        whole = text(content, layout.encoding if layout else "")
    return "\n".join(safe(_cut(line)) for line in whole.replace("\r\n", "\n").split("\n"))


def _cut(line: str) -> str:
    if len(line) <= _LONGEST:
        return line
    return f"{line[:_LONGEST]} … ({len(line)} characters)"


def _language(text: str) -> str:
    return {"<": "xml", "{": "json", "[": "json"}.get(text.lstrip()[:1], "text")
