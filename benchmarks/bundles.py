"""Official bundles beside the repository, installed for the benchmark where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.site import ROOT
from broker.xoev.install import install

XOEV = ROOT.parent / "shared/xoev"
ABSENT = "no official bundles beside the repository (../shared/xoev)"
#: What a broker of a large city may have installed; ten bundles with their code lists.
ALL = (
    "xoev-bibliothek",
    "xbau_2.5",
    "xbau_2.6",
    "xbau-kernmodul_1.2.2",
    "xbau-kernmodul_1.3.0",
    "xdomea_2.3.0",
    "xdomea_2.4.0",
    "xdomea_3.0.0",
    "xdomea_3.1.0",
    "genericode",
)


def there() -> bool:
    """Whether the bundles can be used here."""
    return all((XOEV / name).is_dir() for name in ALL)


def put(schemas: Path, names: Sequence[str]) -> None:
    """Install bundles, one after the other."""
    for name in names:
        install(XOEV / name, schemas)
