"""What it means that a part could not be measured."""

from __future__ import annotations

#: A round that takes longer has failed (seconds).
PATIENCE = 600.0


class Failed(Exception):
    """What was measured did not do its work, so that its figures mean nothing."""
