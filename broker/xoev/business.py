"""Business keys: what people look for in a message, found where its standard says it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from lxml import etree

from broker.document import Document
from broker.xoev.header import text
from broker.xoev.manifest import Places

ANY: Final = "*"
#: So many values of one key count: a message may name many parcels.
_MOST: Final = 16
_LONGEST: Final = 200


def read(document: Document, kind: str, keys: Mapping[str, Places]) -> tuple[tuple[str, str], ...]:
    """Return name and value of each key that a message has; values that are too long are left out.

    Unlike the key of a case, every place counts: an application may have several applicants.
    """
    return tuple(
        (name, value)
        for name, places in keys.items()
        for value in _values(document.root, places.get(kind, places.get(ANY, ())))
    )


def _values(root: etree._Element, paths: Iterable[tuple[str, ...]]) -> list[str]:
    found: dict[str, None] = {}
    for path in paths:
        for element in _places(path)(root):
            if 0 < len(value := text(element)) <= _LONGEST:
                found[value] = None
            if len(found) == _MOST:
                return list(found)
    return list(found)


@lru_cache(maxsize=1_000)
def _places(path: tuple[str, ...]) -> Any:
    """Return what finds a path in C; its names were checked when standard.yaml was read."""
    steps = ("*" if step == ANY else f"*[local-name()='{step}']" for step in path)
    return etree.XPath("/".join(steps))
