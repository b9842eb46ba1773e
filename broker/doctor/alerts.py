"""The ways of the alerts: can each of them be used, as far as that shows without sending?"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator

from broker.alerts.ways import ways
from broker.doctor.remark import Remark, error, ok
from broker.errors import ConfigError
from broker.settings import Settings, variable


def look(settings: Settings) -> Iterator[Remark]:
    """Look at the settings of every way and at its command; nothing is sent."""
    try:
        found = ways(settings)
    except ConfigError as problem:
        yield from (error("alerts.wrong", text=str(one)) for one in problem.findings)
        return
    problems = [*_command(settings.alert_command)]
    yield from problems
    if not problems:
        yield ok("alerts.good", ", ".join(way.name for way in found))


def _command(command: str) -> Iterator[Remark]:
    words = shlex.split(command)
    # Words behind it may be secrets: only the program is named.
    if words and shutil.which(words[0]) is None:
        yield error("alerts.command", words[0], name=variable("alert_command"))
