"""Hold the locked packages against the known weaknesses of the package index.

    python tools/audit.py [LOCK] [--strict]

Exit code 1: a package has a known weakness. Where the index cannot be asked, in whole or for single
packages, that is said, and is an error with `--strict` only: a build at a place without network
must not fail for it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
#: Seconds for all questions together.
PATIENCE = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out: packages asked for, those nobody knows, and a line for each weakness."""

    asked: int
    unknown: int
    weak: tuple[str, ...]


def main(argv: list[str] | None = None) -> int:
    """Ask, and say what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("lock", type=Path, nargs="?", default=ROOT / "requirements.lock")
    parser.add_argument("--strict", action="store_true", help="what was not asked is an error")
    given = parser.parse_args(argv)
    text = asked(given.lock)
    if text is None:
        print("audit: the package index cannot be asked; nothing was checked", file=sys.stderr)
        return int(given.strict)
    return told(judged(json.loads(text)), given.strict)


def asked(lock: Path) -> str | None:
    """Return what pip-audit says as JSON, None where it could not ask."""
    command = [
        sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "-r", str(lock),
        "--format", "json", "--progress-spinner", "off",
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - the command above
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.stdout.lstrip().startswith("{") else None


def judged(found: dict[str, Any]) -> Verdict:
    """Return the verdict of a report of pip-audit."""
    parts = found["dependencies"]
    weak = tuple(
        f"{one['name']} {one['version']}: {bug['id']}, better: "
        f"{', '.join(bug['fix_versions']) or 'no version yet'}"
        for one in parts
        for bug in one.get("vulns", ())
    )
    unknown = sum("skip_reason" in one for one in parts)
    return Verdict(len(parts), unknown, weak)


def told(verdict: Verdict, strict: bool) -> int:
    """Print the verdict; return the exit code."""
    for line in verdict.weak:
        print(f"audit: {line}")
    known = verdict.asked - verdict.unknown
    print(f"audit: {known} of {verdict.asked} packages were asked for, {len(verdict.weak)} weak")
    if verdict.unknown:
        print(f"audit: the index did not know {verdict.unknown} packages; ask again elsewhere",
              file=sys.stderr)  # fmt: skip
    return int(bool(verdict.weak) or (strict and verdict.unknown > 0))


if __name__ == "__main__":
    sys.exit(main())
