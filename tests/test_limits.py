"""The page on limits says what the code does."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from broker.settings import FIELDS, variable
from broker.values import seconds

PAGE = (Path(__file__).parents[1] / "docs/explanation/limits.md").read_text("utf-8")
CONSTANTS = re.findall(
    r"^\| [^|]+ \| `([a-z.]+)\.([A-Z][A-Za-z_.]*)` \| ([0-9,]+) \|", PAGE, re.MULTILINE
)
SETTINGS = re.findall(r"^\| [^|]+ \| `(XOEV_BROKER_[A-Z_]+)` \| ([^|]+) \|", PAGE, re.MULTILINE)


def value(module: str, name: str) -> float:
    """Return a constant, or the default of a field of a class in it."""
    found = importlib.import_module(f"broker.{module}")
    first, _, field = name.partition(".")
    found = getattr(found, first)
    return float(getattr(found() if field else None, field) if field else found)


def test_the_page_is_read() -> None:
    assert len(CONSTANTS) > 20
    assert len(SETTINGS) > 5


@pytest.mark.parametrize(("module", "name", "shown"), CONSTANTS)
def test_a_fixed_limit_is_the_one_in_the_code(module: str, name: str, shown: str) -> None:
    assert value(module, name) == float(shown.replace(",", ""))


@pytest.mark.parametrize(("name", "shown"), SETTINGS)
def test_a_setting_has_the_default_that_the_page_says(name: str, shown: str) -> None:
    defaults = {variable(field.name): field.default for field in FIELDS}

    given = defaults[name]
    assert given is not None
    same = given == shown.strip()
    assert same or seconds(given) == seconds(shown.strip().replace(" ", ""))
