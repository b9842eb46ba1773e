"""The single-file program, loaded from where it lies."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.needs import ROOT

FILE: Path = ROOT / "tools/verify_evidence.py"


def load() -> ModuleType:
    """Return the program as a module."""
    spec = importlib.util.spec_from_file_location("verify_evidence", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look for the module they are made in.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TOOL: Any = load()


def fails(bundle: bytes, key: str, *witnesses: str) -> list[str]:
    """Return what does not hold, as `place: words`."""
    return told(bundle, key, "fails", *witnesses)


def told(bundle: bytes, key: str, verdict: str, *witnesses: str) -> list[str]:
    """Return all findings of one verdict."""
    keys = [TOOL.Key.read(line) for line in witnesses]
    found = TOOL.check(bundle, TOOL.Key.read(key) if key else None, keys)
    return [f"{place}: {words}" for word, place, words in found if word == verdict]
