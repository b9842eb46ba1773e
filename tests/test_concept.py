"""Input for the security concept: each test that it names exists, each requirement is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.needs import ROOT

PAGE = (ROOT / "docs/explanation/security-concept.md").read_text("utf-8")
_NAMED = re.compile(r"`((?:[a-z_]+/)?test_[a-z_]+\.py)(?:::(test_[a-z0-9_]+))?`")


def functions(file: Path) -> set[str]:
    found = ast.parse(file.read_text("utf-8")).body
    return {one.name for one in found if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_the_page_names_exists() -> None:
    missing = []
    for path, name in _NAMED.findall(PAGE):
        file = ROOT / "tests" / path
        if not file.is_file() or (name and name not in functions(file)):
            missing.append(f"{path}::{name}")

    assert missing == []


def test_all_requirements_are_there_in_their_order() -> None:
    rows = re.findall(r"^\| R(\d+) \|", PAGE, re.MULTILINE)

    assert rows == [str(number) for number in range(1, 32)]


def test_every_row_of_a_control_names_a_test_and_a_state() -> None:
    table = PAGE.partition("## IT-Grundschutz")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if re.match(r"\| [A-Z]{3}\.", line)]

    assert len(rows) > 20
    assert [row[0] for row in rows if len(row) != 5 or not _NAMED.search(row[3])] == []
