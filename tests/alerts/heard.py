"""A command that gets alerts, and what it has heard so far."""

from __future__ import annotations

import json
import sys
from pathlib import Path

_WRITE = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read().strip() + '\\n')"


class Heard:
    """What people were told, by all processes of a site."""

    def __init__(self, folder: Path) -> None:
        """Take a folder for the script and what it writes."""
        self._script, self._file = folder / "alarm.py", folder / "heard"
        self._script.write_text(_WRITE, "utf-8")
        self._file.touch()

    @property
    def command(self) -> str:
        """What `alert_command` is set to."""
        return f"{sys.executable} {self._script} {self._file}"

    def told(self, kind: str) -> list[tuple[str, str]]:
        """Return what was told about causes of a kind: state and cause, in this order."""
        bulletins = [json.loads(line) for line in self._file.read_text("utf-8").splitlines()]
        alerts = [one for bulletin in bulletins for one in bulletin["alerts"]]
        return [(one["state"], one["cause"]) for one in alerts if one["kind"] == kind]
