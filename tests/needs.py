"""What a test may need and a bare machine may not have: skipped with the reason, never silently."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

#: Put on a test that reads the reference data beside the repository: `@needs.shared`.
shared = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason=f"no reference data at ../{SHARED.name} (official XÖV bundles are not part of this)",
)


def server(name: str, present: bool, remedy: str) -> None:
    """Skip the test when a server is missing; in continuous integration fail instead.

    `remedy` says what to install.
    """
    if present:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is missing, and with CI=true it must be there: {remedy}")
    pytest.skip(f"{name} is missing: {remedy}")
