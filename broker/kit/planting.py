"""Fields that no sample holds, put into one: would they arrive?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from broker import samples
from broker.adapter import Adapter
from broker.catalog import Catalog
from broker.document import Document
from broker.kit import lineage
from broker.kit.leaves import Leaf
from broker.samples import Sample
from broker.xoev.standards import Standards

#: Values to begin with; the first that the adapter can convert is taken.
_SEEDS: Final = ("Angabe 17", "2026-01-02", "17")


@dataclass(frozen=True, slots=True)
class _Bed:
    """A sample to plant in."""

    sample: Sample
    request: Document


def arriving(
    catalog: Catalog, name: str, standards: Standards, groups: Mapping[str, Sequence[str]]
) -> frozenset[str]:
    """Return those of the paths that change what comes out. Order does not count: it is the
    adapter that is asked and not the schema.
    """
    adapter = catalog.get(name)
    beds = [
        _Bed(sample, standards.parse((sample.folder / "1-request.xoev.xml").read_bytes()))
        for sample in samples.find(catalog, name)
    ]
    good = [bed for bed in beds if _converts(adapter, bed, standards)]
    found: set[str] = set()
    for top, paths in groups.items():
        bed = max(good, key=lambda one: _depth(one.request.root, top, adapter.prefixes))
        found.update(path for path in paths if _arrives(adapter, bed, standards, path))
    return frozenset(found)


def _converts(adapter: Adapter, bed: _Bed, standards: Standards) -> bool:
    return lineage.forth(adapter, bed.sample, bed.request, standards, ()).baseline is not None


def _arrives(adapter: Adapter, bed: _Bed, standards: Standards, path: str) -> bool:
    """Plant one field, see whether its value matters, and take it out again."""
    ground, rest = _ground(bed.request.root, path, adapter.prefixes)
    names = [_qualified(step, adapter.prefixes) for step in rest]
    top = leaf = etree.SubElement(ground, names[0])
    for step in names[1:]:
        leaf = etree.SubElement(leaf, step)
    try:
        return _matters(adapter, bed, standards, path, leaf)
    finally:
        ground.remove(top)


def _matters(
    adapter: Adapter, bed: _Bed, standards: Standards, path: str, planted: etree._Element
) -> bool:
    def put(value: str) -> None:
        planted.text = value

    for seed in _SEEDS:
        put(seed)
        experiment = lineage.forth(adapter, bed.sample, bed.request, standards, ())
        if experiment.baseline is not None:
            return experiment.touch(Leaf(path, seed, put), set()).arrives
    return True  # no value pleases the adapter: it looks at it


def _ground(
    root: etree._Element, path: str, prefixes: Mapping[str, str]
) -> tuple[etree._Element, list[str]]:
    """Return the deepest element of a path that is there, and the steps that are not."""
    ground, steps = root, path.split("/")
    while len(steps) > 1:
        child = ground.find(_qualified(steps[0], prefixes))
        if child is None:
            break
        ground, steps = child, steps[1:]
    return ground, steps


def _depth(root: etree._Element, path: str, prefixes: Mapping[str, str]) -> int:
    return -len(_ground(root, path, prefixes)[1])


def _qualified(step: str, prefixes: Mapping[str, str]) -> str:
    prefix, colon, local = step.rpartition(":")
    return f"{{{prefixes[prefix]}}}{local}" if colon and prefix in prefixes else local
