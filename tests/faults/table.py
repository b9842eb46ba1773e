"""The table of the fault tests at the end of a run; a plug-in, so that it works with xdist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

#: Under this name a test hands over its line.
PROPERTY = "fault"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each fault."""
    lines = [line for reports in terminalreporter.stats.values() for line in _lines(reports)]
    if not lines:
        return
    columns = list(lines[0])
    wide = {name: max(len(name), *(len(line[name]) for line in lines)) for name in columns}
    terminalreporter.section("faults")
    for line in [
        dict(zip(columns, columns, strict=True)),
        *sorted(lines, key=lambda one: one["fault"]),
    ]:
        texts = [line["fault"].ljust(wide["fault"])]
        texts += [line[name].rjust(wide[name]) for name in columns[1:]]
        terminalreporter.write_line("  ".join(texts))


def _lines(reports: list[Any]) -> Iterator[dict[str, str]]:
    for report in reports:
        if isinstance(report, pytest.TestReport) and report.when == "call":
            found: list[Any] = [value for name, value in report.user_properties if name == PROPERTY]
            yield from found
