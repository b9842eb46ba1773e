"""The soak in little: twenty seconds of load and trouble, all sums in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.soak import soak

#: What a young process still takes in twenty seconds is no leak.
_GROWS = ("memory after warm-up, at the end", "open files after warm-up, at the end")


@pytest.mark.parametrize("seed", [20261124])
def test_after_load_and_trouble_all_sums_are_right(tmp_path: Path, seed: int) -> None:
    result = soak(tmp_path, 20, seed, lambda _text: None)

    wrong = [line for line in result.lines if not line.good and line.what not in _GROWS]
    assert wrong == [], result
    assert result.sent["good"] > 20
