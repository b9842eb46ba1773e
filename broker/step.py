"""Steps of a conversion, and how they are put together with `|`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from lxml import etree

from broker.codes import Lists
from broker.document import Document, parse
from broker.errors import ConversionFailed
from broker.message import Facts

#: What a step takes and gives: a tree, or bytes on either side of the procedure.
Matter = etree._Element | bytes


class Converter(Protocol):
    """Whatever converts one way: a step, a chain of steps, or a method of an adapter."""

    def __call__(self, source: Document | bytes, facts: Facts, /) -> bytes:
        """Return the converted bytes; raise ConversionFailed or UnknownCode."""


class Step:
    """One step of a conversion, made in a class body of an adapter; `a | b` gives what a made to b.

    Files that a step names lie in the folder of the adapter. They are read by `load`, once, before
    the first message, on the thread that builds the adapter.
    """

    folder: Path = Path()

    def place(self, folder: Path) -> None:
        """Tell the step which folder its files lie in."""
        self.folder = folder

    def load(self) -> None:
        """Read and compile the files; raise ConfigError with all findings."""

    def use(self, lists: Lists) -> None:
        """Tell the step how to find a code in the installed lists; most steps need none."""

    def run(self, matter: Matter, facts: Facts) -> Matter:
        """Do the work on a tree or on bytes."""
        raise NotImplementedError

    def render(self, matter: Matter, facts: Facts) -> bytes:
        """Do the work as the last step and return the bytes that leave the adapter."""
        made = self.run(matter, facts)
        return made if isinstance(made, bytes) else serialise(made)

    def read(self, data: bytes) -> etree._Element:
        """Return the tree of a reply, where this is the first step on the way back."""
        return tree(data)

    def __call__(self, source: Document | bytes, facts: Facts, /) -> bytes:
        """Convert a document, or the bytes of a reply."""
        return self.render(source.root if isinstance(source, Document) else source, facts)

    def __or__(self, other: Step) -> Step:
        """Put `other` behind this step."""
        return Chain(self, other)


class Chain(Step):
    """Steps one after the other."""

    def __init__(self, *steps: Step) -> None:
        """Take the steps in order; chains among them are unrolled."""
        self.steps: tuple[Step, ...] = tuple(
            single
            for step in steps
            for single in (step.steps if isinstance(step, Chain) else (step,))
        )

    def place(self, folder: Path) -> None:
        """Tell all steps which folder their files lie in."""
        for step in self.steps:
            step.place(folder)

    def load(self) -> None:
        """Load all steps."""
        for step in self.steps:
            step.load()

    def use(self, lists: Lists) -> None:
        """Tell all steps."""
        for step in self.steps:
            step.use(lists)

    def read(self, data: bytes) -> etree._Element:
        """Read as the first step does."""
        return self.steps[0].read(data)

    def run(self, matter: Matter, facts: Facts) -> Matter:
        """Run all steps."""
        for step in self.steps:
            matter = step.run(matter, facts)
        return matter

    def render(self, matter: Matter, facts: Facts) -> bytes:
        """Run all steps and let the last one write."""
        for step in self.steps[:-1]:
            matter = step.run(matter, facts)
        return self.steps[-1].render(matter, facts)


def tree(matter: Matter) -> etree._Element:
    """Return the tree of a document; bytes are parsed with the limits of the intake."""
    return parse(matter).root if isinstance(matter, bytes) else matter


def serialise(element: etree._Element) -> bytes:
    """Return UTF-8 bytes with a declaration."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=True)


def path(element: etree._Element) -> str:
    """Return where an element stands, by local names and without any value (`/a/b[2]/c`)."""
    steps = [_name(element)]
    steps += [_name(parent) for parent in element.iterancestors()]
    return "/" + "/".join(reversed(steps))


def fail(text: str, **details: Any) -> ConversionFailed:
    """Return the error of a message that cannot be converted."""
    return ConversionFailed(text, **details)


def _name(element: etree._Element) -> str:
    before = sum(1 for _ in element.itersiblings(element.tag, preceding=True))
    name = etree.QName(element).localname
    more = before or next(element.itersiblings(element.tag), None) is not None
    return f"{name}[{before + 1}]" if more else name


def quoted(params: Mapping[str, str]) -> dict[str, Any]:
    """Return texts as XSLT parameters; no value can become an expression."""
    return {name: etree.XSLT.strparam(text) for name, text in params.items()}
