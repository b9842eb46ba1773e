"""Folders as an operator has them: our profiles, and official bundles from the reference data."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.needs import ROOT

SCHEMAS = ROOT / "schemas/xoev"
XBAU = "http://www.xleitstelle.de/xbau/2/6"
KERNMODUL = "http://www.xleitstelle.de/xbau/kernmodul/1/3/0"


def official(shared: Path, target: Path) -> Path:
    """Copy our schemas and put the official bundles of XBau 2.6 and Kernmodul 1.3.0 beside them."""
    shutil.copytree(SCHEMAS, target)
    xoev = shared / "xoev"
    shutil.copytree(xoev / "xbau_2.6/xsd_dev", target / "xbau/2.6/official")
    kernmodul = target / "xbau-kernmodul/1.3.0/official"
    shutil.copytree(xoev / "xbau-kernmodul_1.3.0/xsd", kernmodul)
    return target


def samples(shared: Path) -> list[Path]:
    """Return the valid messages of the reference data."""
    folder = shared / "xoev/xbau_2.6/samples/synthetic"
    return [path for path in sorted(folder.glob("*.xml")) if not path.name.startswith("INVALID")]
