"""Messages made from official schemas: every root, optional parts by a seeded chance."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from lxml import etree

# Tried in this order until one fits the type; nothing here describes a person.
CANDIDATES = (
    "true",
    "1",
    "7",
    "12.5",
    "2026-05-04",
    "2026-05-04T09:30:00.000+02:00",
    "2026",
    "2026-05",
    "09:30:00",
    "P1D",
    "0a1b2c3d-0000-4000-8000-0123456789ab",
    "UVVKRA==",
    "urn:example:muster",
    "Muster",
    "Muster Straße 12",
    "a@example.org",
    "0200",
    "03103000",
    "12345",
    "1.0 2.0",
    "1.0 2.0 3.0 4.0 1.0 2.0",
)
DEEP = 12


class Generator:
    """Writes messages of one xmlschema schema; the same seed gives the same messages."""

    def __init__(self, schema: Any, seed: int) -> None:
        self.schema = schema
        self.chance = random.Random(seed)
        self._values: dict[int, list[str]] = {}

    def message(self, kind: str) -> etree._Element:
        """Return one message with this root."""
        declared = self.schema.elements[kind]
        root = etree.Element(f"{{{self.schema.target_namespace}}}{kind}")
        self._fill(root, declared, 0)
        return root

    def _fill(self, element: etree._Element, declared: Any, depth: int) -> None:
        kind = declared.type
        if kind.is_simple():
            element.text = self._text(declared, kind)
            return
        for name, attribute in kind.attributes.items():
            if name and (attribute.use == "required" or self.chance.random() < 0.3):
                element.set(name, self._text(attribute, attribute.type))
        if kind.has_simple_content():
            element.text = self._text(declared, kind.content)
        else:
            self._group(element, kind.content, depth)

    def _group(self, parent: etree._Element, group: Any, depth: int) -> None:
        for _ in range(self._times(group, depth)):
            particles = list(group)
            if group.model == "choice" and particles:
                particles = [self.chance.choice(particles)]
            for particle in particles:
                self._particle(parent, particle, depth)

    def _particle(self, parent: etree._Element, particle: Any, depth: int) -> None:
        if hasattr(particle, "model"):
            self._group(parent, particle, depth)
        elif particle.name is None:  # a wildcard: anything, so nothing
            return
        else:
            for _ in range(self._times(particle, depth)):
                declared = self._concrete(particle)
                self._fill(etree.SubElement(parent, declared.name), declared, depth + 1)

    def _concrete(self, declared: Any) -> Any:
        """Take a member of the substitution group where the head is abstract."""
        if not declared.abstract:
            return declared
        members = [one for one in declared.iter_substitutes() if not one.abstract]
        return self.chance.choice(members) if members else declared

    def _times(self, particle: Any, depth: int) -> int:
        low = particle.min_occurs
        high = particle.max_occurs if particle.max_occurs is not None else low + 2
        if depth > DEEP or self.chance.random() < 0.6:
            return int(low)
        return self.chance.randint(low, min(high, low + 2))

    def _text(self, declared: Any, kind: Any) -> str:
        if getattr(declared, "fixed", None) is not None:
            return str(declared.fixed)
        if kind.enumeration:
            return str(self.chance.choice(list(kind.enumeration)))
        fitting = self._values.get(id(kind))
        if fitting is None:
            fitting = [value for value in CANDIDATES if kind.is_valid(value)]
            if kind.root_type.local_name == "anyURI":  # libxml2 is stricter here than xmlschema
                fitting = ["urn:example:muster"]
            self._values[id(kind)] = fitting
        return self.chance.choice(fitting) if fitting else ""


def messages(schema: Any, kinds: tuple[str, ...], each: int, seed: int) -> Iterator[etree._Element]:
    """Yield `each` messages of every kind."""
    generator = Generator(schema, seed)
    for kind in kinds:
        for _ in range(each):
            yield generator.message(kind)
