"""The schemas of one version as content: which elements and attributes may stand where.

Read from the XSDs of a bundle, imports resolved as the bundle resolves them, never by the network.
Types are looked up by key when they are needed, so that recursive ones are no problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from lxml import etree

from broker.xoev import particles
from broker.xoev.bundle import Bundle
from broker.xoev.facets import BOUNDS, Facets
from broker.xoev.particles import Choice, Group, Use

XS: Final = "http://www.w3.org/2001/XMLSchema"
_XS: Final = f"{{{XS}}}"
_GROUPS: Final = ("sequence", "choice", "all", "group")
_INDEXED: Final = ("element", "complexType", "simpleType", "group", "attributeGroup", "attribute")


@dataclass(frozen=True, slots=True)
class Content:
    """What one type allows. `name` is empty for a type without a name.

    `elements` stand in the order of the schema; `text` is None where only elements may stand;
    `open` says that any elements may.
    """

    name: str
    elements: Mapping[str, Use] = field(default_factory=dict)
    attributes: Mapping[str, Use] = field(default_factory=dict)
    choices: frozenset[Choice] = frozenset()
    text: Facets | None = None
    open: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A component: its node, the namespace it belongs to, whether locals are qualified, owner."""

    node: etree._Element
    namespace: str
    qualified: bool
    owner: str

    def key(self, name: str) -> str:
        """Return the key of a name with prefix."""
        prefix, colon, local = name.rpartition(":")
        # A chameleon include has no namespace of its own: its names mean the including one.
        found = self.node.nsmap.get(prefix if colon else None) or self.namespace
        return f"{{{found}}}{local}"


class Outline:
    """All components of the schemas of one version."""

    def __init__(self, bundle: Bundle) -> None:
        """Read the files; raises ConfigError where one is broken or an import is missing."""
        self.namespaces: set[str] = set()
        self._index: dict[str, dict[str, _Place]] = {kind: {} for kind in _INDEXED}
        self._anonymous: dict[str, _Place] = {}
        self._contents: dict[str, Content] = {}
        for root, namespace in _files(bundle):
            self._add(root, namespace)
        self._members = self._substitutes()

    @property
    def messages(self) -> dict[str, Use]:
        """The message kinds by root name: those that end in digits, else all global elements."""
        roots = {key.rpartition("}")[2]: key for key in reversed(self._index["element"])}
        named = {name: key for name, key in roots.items() if name[-4:].isdigit()}
        return {name: self._global(key) for name, key in sorted((named or roots).items())}

    def content(self, key: str) -> Content:
        """Return what a type allows; an unknown one allows nothing that could be compared."""
        if key not in self._contents:
            # A type that derives from itself is a broken schema; it must not end the comparison.
            self._contents[key] = Content(key.rpartition("}")[2])
            self._contents[key] = self._content(key)
        return self._contents[key]

    def _add(self, root: etree._Element, namespace: str) -> None:
        self.namespaces.add(namespace)
        qualified = root.get("elementFormDefault") == "qualified"
        for node in root.iterchildren(*[_XS + kind for kind in _INDEXED]):
            name = node.get("name", "")
            place = _Place(node, namespace, qualified, name)
            self._index[_kind(node)].setdefault(f"{{{namespace}}}{name}", place)

    def _substitutes(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key, place in self._index["element"].items():
            if head := place.node.get("substitutionGroup"):
                found.setdefault(place.key(head), []).append(key)
        return found

    def _global(self, key: str) -> Use:
        namespace, _, name = key[1:].rpartition("}")
        place = self._index["element"].get(key)
        if place is None:
            return Use(name, namespace, 1, 1, key, name)
        return Use(name, namespace, 1, 1, self._type_of(place), name, place.node.get("fixed"))

    def _type_of(self, place: _Place) -> str:
        """Return the key of the type of an element or attribute."""
        if name := place.node.get("type"):
            return place.key(name)
        for node in place.node.iterchildren(f"{_XS}complexType", f"{_XS}simpleType"):
            return self._anonym(replace(place, node=node))
        if head := place.node.get("substitutionGroup"):
            return self._global(place.key(head)).type
        return f"{_XS}anyType"

    def _anonym(self, place: _Place) -> str:
        path = place.node.getroottree().getpath(place.node)
        key = f"#{place.node.base or ''}#{path}"
        self._anonymous.setdefault(key, place)
        return key

    def _content(self, key: str) -> Content:
        if key in self._anonymous:
            return self._built(self._anonymous[key], "")
        name = key.rpartition("}")[2]
        for kind in ("complexType", "simpleType"):
            if place := self._index[kind].get(key):
                return self._built(place, name)
        if key.startswith(_XS):
            return Content(name, text=None if name == "anyType" else Facets(name))
        return Content(name)

    def _built(self, place: _Place, name: str) -> Content:
        if _kind(place.node) == "simpleType":
            return Content(name, text=self._facets(place))
        for body in place.node.iterchildren(f"{_XS}complexContent", f"{_XS}simpleContent"):
            for step in body.iterchildren(f"{_XS}extension", f"{_XS}restriction"):
                return self._derived(replace(place, node=step), name, body)
        return self._own(place, name)

    def _derived(self, place: _Place, name: str, body: etree._Element) -> Content:
        base = self.content(place.key(place.node.get("base", "")))
        own = self._own(place, name)
        attributes = _overlaid(base.attributes, own.attributes)
        if _kind(body) == "simpleContent":
            text = self._restricted(base.text, place) if base.text else None
            return replace(own, attributes=attributes, text=text)
        if _kind(place.node) == "restriction":
            return replace(own, attributes=attributes)
        return Content(
            name,
            particles.joined([base.elements, own.elements]),
            attributes,
            base.choices | own.choices,
            base.text,
            base.open or own.open,
        )

    def _own(self, place: _Place, name: str) -> Content:
        """Read what stands directly below a complexType, extension or restriction."""
        group = self._children(place)
        text = Facets("string") if place.node.get("mixed") == "true" else None
        attributes = {use.name: use for use in self._attributes(place)}
        return Content(name, group.elements, attributes, group.choices, text, group.open)

    def _children(self, place: _Place) -> Group:
        """Combine the one model group below a node, if there is one."""
        for node in place.node.iterchildren(*[_XS + kind for kind in _GROUPS]):
            return self._group(replace(place, node=node))
        return Group()

    def _group(self, place: _Place) -> Group:
        if reference := place.node.get("ref"):
            found = self._index["group"].get(place.key(reference))
            inner = self._children(replace(found, owner=place.owner)) if found else Group()
            return particles.times(inner, place.node)
        parts = list(self._parts(place))
        made = {"choice": particles.choice, "all": particles.unordered}
        combine = made.get(_kind(place.node), particles.sequence)
        return particles.times(combine(parts), place.node)

    def _parts(self, place: _Place) -> Iterator[Group]:
        for node in place.node.iterchildren(tag=etree.Element):
            inner = replace(place, node=node)
            kind = _kind(node)
            if kind == "element":
                yield particles.times(self._element(inner), node)
            elif kind == "any":
                yield Group(open=True)
            elif kind in _GROUPS:
                yield self._group(inner)

    def _element(self, place: _Place) -> Group:
        if reference := place.node.get("ref"):
            key = place.key(reference)
            uses = [self._global(one) for one in (key, *self._members.get(key, ()))]
            single = [Group({use.name: replace(use, owner=place.owner)}) for use in uses]
            return single[0] if len(single) == 1 else particles.choice(single)
        form = place.node.get("form", "qualified" if place.qualified else "unqualified")
        namespace = place.namespace if form == "qualified" else ""
        name, fixed = place.node.get("name", ""), place.node.get("fixed")
        return Group({name: Use(name, namespace, 1, 1, self._type_of(place), place.owner, fixed)})

    def _attributes(self, place: _Place) -> Iterator[Use]:
        for node in place.node.iterchildren(f"{_XS}attribute", f"{_XS}attributeGroup"):
            inner = replace(place, node=node)
            key = inner.key(node.get("ref", ""))
            if _kind(node) == "attribute":
                yield self._attribute(inner, self._index["attribute"].get(key))
            elif found := self._index["attributeGroup"].get(key):
                yield from self._attributes(replace(found, owner=place.owner))

    def _attribute(self, place: _Place, found: _Place | None) -> Use:
        node, declared = place.node, found or place
        name = (node.get("name") or node.get("ref") or "").rpartition(":")[2]
        use = node.get("use", "optional")
        least, most = int(use == "required"), int(use != "prohibited")
        fixed = node.get("fixed") or declared.node.get("fixed")
        return Use(name, "", least, most, self._type_of(declared), place.owner, fixed)

    def _facets(self, place: _Place) -> Facets:
        """Read a simpleType: restriction, list or union."""
        for node in place.node.iterchildren(f"{_XS}restriction"):
            inner = replace(place, node=node)
            return self._restricted(self._base(inner, "base").text or Facets("?"), inner)
        for node in place.node.iterchildren(f"{_XS}list"):
            item = self._base(replace(place, node=node), "itemType").text or Facets("?")
            return replace(item, base=f"list of {item.base}")
        return self._union(place)

    def _base(self, place: _Place, attribute: str) -> Content:
        if name := place.node.get(attribute):
            return self.content(place.key(name))
        for node in place.node.iterchildren(f"{_XS}simpleType"):
            return self._built(replace(place, node=node), "")
        return Content("")

    def _union(self, place: _Place) -> Facets:
        members: list[Facets | None] = []
        for node in place.node.iterchildren(f"{_XS}union"):
            keys = map(place.key, node.get("memberTypes", "").split())
            members += [self.content(key).text for key in keys]
            members += [
                self._facets(replace(place, node=child))
                for child in node.iterchildren(f"{_XS}simpleType")
            ]
        known = [member for member in members if member]
        base = " | ".join(sorted({member.base for member in known}))
        if any(member.codes is None for member in known):
            return Facets(base)
        return Facets(
            base, {code: text for one in known for code, text in (one.codes or {}).items()}
        )

    def _restricted(self, base: Facets, place: _Place) -> Facets:
        found = {
            _kind(node): node.get("value", "")
            for node in place.node.iterchildren(tag=etree.Element)
        }
        codes = {
            node.get("value", ""): _meaning(node)
            for node in place.node.iterchildren(f"{_XS}enumeration")
        }
        patterns = [node.get("value", "") for node in place.node.iterchildren(f"{_XS}pattern")]
        bounds = {name: found[name] for name in BOUNDS if name in found}
        return Facets(
            base.base,
            codes or base.codes,
            base.patterns | ({"|".join(patterns)} if patterns else set()),
            {**base.bounds, **bounds},
        )


def _files(bundle: Bundle) -> Iterator[tuple[etree._Element, str]]:
    """Yield the root and the namespace of every file of a bundle, then of what they import."""
    places = bundle.places
    waiting = [(file.path, file.namespace) for file in bundle.files if file.namespace]
    seen: set[tuple[Path, str]] = set()
    while waiting:
        path, namespace = waiting.pop(0)
        if (path, namespace) in seen:
            continue
        seen.add((path, namespace))
        root = _parse(path)
        yield root, namespace
        for node in root.iterchildren(f"{_XS}include", f"{_XS}import", f"{_XS}redefine"):
            location = node.get("schemaLocation", "")
            target = places.get(location) or (path.parent / location).resolve()
            if location and target.is_file():
                imported = _kind(node) == "import"
                waiting.append((target, node.get("namespace", "") if imported else namespace))


def _parse(path: Path) -> etree._Element:
    # The bundle has read it before: it is well-formed. xmldsig has a DOCTYPE that is ignored.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    return etree.fromstring(path.read_bytes(), parser, base_url=path.as_uri())


def _overlaid(base: Mapping[str, Use], own: Mapping[str, Use]) -> dict[str, Use]:
    """Return the attributes of a derived type: what it forbids is gone."""
    return {name: use for name, use in {**base, **own}.items() if use.most}


def _kind(node: etree._Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _meaning(node: etree._Element) -> str:
    """Return what the schema says that a code means."""
    return " ".join(" ".join(map(str, node.itertext())).split())
