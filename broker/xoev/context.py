"""Which nodes of a message a rule is about: contexts matched by name, without searching for each.

A context is a match pattern as in XSLT: `a/b`, `a//b`, `//a`, `/a`, `*`, unions, conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from broker.xoev.expression import Compiler, Expression, Tree, Unsupported
from broker.xoev.translation import alternatives, steps


class Index:
    """The elements of one message by name, in the order of the message."""

    def __init__(self, root: etree._Element) -> None:
        """Walk the message once."""
        self.names: dict[str, list[etree._Element]] = {}
        for element in root.iter():
            self.names.setdefault(element.tag, []).append(element)
        self.all = list(root.iter("{*}*"))

    def of(self, test: Test) -> Sequence[etree._Element]:
        """Return the elements that pass a name test."""
        if test.exact:
            return self.names.get(test.name, ())
        return self.all if not test.name else [one for one in self.all if test.passes(one)]


@dataclass(frozen=True, slots=True)
class Test:
    """A name test: an exact name, a namespace (`{uri}`), or anything (empty)."""

    __test__ = False

    name: str
    exact: bool

    def passes(self, element: etree._Element) -> bool:
        """Whether an element has such a name."""
        if self.exact:
            return bool(element.tag == self.name)
        return str(element.tag).startswith(self.name)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: how it hangs on the step before (`/`, `//`), name, conditions."""

    separator: str
    test: Test
    conditions: tuple[etree.XPath, ...]

    def passes(self, element: etree._Element) -> bool:
        """Whether an element is what this step wants, wherever it stands."""
        return self.test.passes(element) and all(bool(one(element)) for one in self.conditions)


@dataclass(frozen=True, slots=True)
class Context:
    """A compiled context: paths of plain steps, or, for whatever is more, an expression.

    `names` are, for each path, the element names without which it matches nothing.
    """

    paths: tuple[tuple[Step, ...], ...]
    names: tuple[frozenset[str], ...] = ()
    general: Expression | None = None

    def misses(self, index: Index) -> bool:
        """Whether the names in a message alone show that nothing matches."""
        names = index.names.keys()
        return self.general is None and not any(wanted <= names for wanted in self.names)

    def select(self, index: Index, tree: Tree, variables: Mapping[str, Any]) -> Iterable[Any]:
        """Yield elements (lxml) and other nodes (elementpath). Raises Late and Failed."""
        if self.general is not None:
            for node in tree.value(self.general, tree.document(), variables):
                value = getattr(node, "value", None)
                yield value if etree.iselement(value) else node
            return
        for path, names in zip(self.paths, self.names, strict=True):
            # Most contexts name another kind of message, or an element that this one has not.
            for element in index.of(path[-1].test) if names <= index.names.keys() else ():
                if _matches(element, path, len(path) - 1):
                    yield element


def compiled(source: str, compiler: Compiler, variables: Iterable[str]) -> Context:
    """Compile a context; raises Unsupported."""
    names = frozenset(variables)
    expression = compiler.compile(source, names)
    paths = [_path(one, compiler) for one in alternatives(expression.token)]
    if any(path is None for path in paths):
        anywhere = compiler.compile(f"/descendant-or-self::node()/({source})", names)
        return Context((), general=anywhere)
    found = tuple(path for path in paths if path is not None)
    needed = (frozenset(step.test.name for step in path if step.test.exact) for path in found)
    return Context(found, tuple(needed))


def _path(token: Any, compiler: Compiler) -> tuple[Step, ...] | None:
    found = steps(token)
    if found is None:
        return None
    path: list[Step] = []
    for separator, name, predicates in found:
        conditions = [compiler.fast(one) for one in predicates]
        test = _test(name, compiler)
        if any(one is None for one in conditions):
            return None
        path.append(Step(separator, test, tuple(one for one in conditions if one is not None)))
    return tuple(path)


def _test(name: str, compiler: Compiler) -> Test:
    prefix, colon, local = name.rpartition(":")
    if not colon:
        return Test("", False) if name == "*" else Test(name, True)
    uri = compiler.namespaces.get(prefix)
    if uri is None:
        raise Unsupported(f'the prefix "{prefix}" is not declared')
    return Test(f"{{{uri}}}", False) if local == "*" else Test(f"{{{uri}}}{local}", True)


def _matches(element: etree._Element, path: tuple[Step, ...], at: int) -> bool:
    """Match a path from its end upwards; after `//` every ancestor is tried."""
    step = path[at]
    if not step.passes(element):
        return False
    parent = element.getparent()
    if at == 0:
        return step.separator != "/" or parent is None
    while parent is not None:
        if _matches(parent, path, at - 1):
            return True
        if step.separator == "/":
            return False
        parent = parent.getparent()
    return False
