"""The names an adapter author may import, and nothing else; each is loaded on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from broker.adapter import Adapter, Correlation
    from broker.document import Document, parse
    from broker.errors import ConversionFailed, ReplyError, UnknownCode
    from broker.formats import Csv, FixedWidth, Rows
    from broker.message import Facts
    from broker.saxon import SaxonStylesheet
    from broker.step import Step
    from broker.stylesheet import Stylesheet

_PLACES: Final = {
    "Adapter": "adapter",
    "ConversionFailed": "errors",
    "Correlation": "adapter",
    "Csv": "formats",
    "Document": "document",
    "Facts": "message",
    "FixedWidth": "formats",
    "ReplyError": "errors",
    "Rows": "formats",
    "SaxonStylesheet": "saxon",
    "Step": "step",
    "Stylesheet": "stylesheet",
    "UnknownCode": "errors",
    "parse": "document",
}

__all__ = [
    "Adapter",
    "ConversionFailed",
    "Correlation",
    "Csv",
    "Document",
    "Facts",
    "FixedWidth",
    "ReplyError",
    "Rows",
    "SaxonStylesheet",
    "Step",
    "Stylesheet",
    "UnknownCode",
    "parse",
]


def __getattr__(name: str) -> Any:
    """Load an exported name; keep it, so that the next use costs nothing."""
    if name not in _PLACES:
        raise AttributeError(f"module 'broker' has no attribute {name!r}")
    found = getattr(import_module(f"broker.{_PLACES[name]}"), name)
    globals()[name] = found
    return found
