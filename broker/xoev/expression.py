"""XPath of business rules: libxml2 where its XPath 1.0 means the same, else elementpath."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from lxml import etree

from broker.xoev.translation import condition, downward

_CURRENT: Final = "xoev-broker.current"
_CALL: Final = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|\bcurrent\s*\(\s*\)")
_TEXT: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
#: Rules may read the message and nothing else.
_READING: Final = re.compile(
    r"(?<![\w.\-])(doc|doc-available|document|collection|uri-collection|unparsed-text|"
    r"unparsed-text-lines|unparsed-text-available|environment-variable|json-doc|"
    r"available-environment-variables|load-xquery-module|transform|function-lookup)\s*[(#]"
)
_PARTS: Final = 8  # so many parts of a message are built before the whole of it is
#: What elementpath lets through of Python's own where an expression has no value.
_NO_VALUE: Final = (
    ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RecursionError,
)  # fmt: skip
_PREFIXES: Final = {
    "xs": "http://www.w3.org/2001/XMLSchema",
    "fn": "http://www.w3.org/2005/xpath-functions",
    "xml": "http://www.w3.org/XML/1998/namespace",
}


class Unsupported(Exception):
    """An expression that cannot be evaluated here; the text says why, in one line."""


class Late(Exception):
    """The time for the rules of one message is over."""


class Failed(Exception):
    """An expression had no value on this message; the text is the error code of XPath alone."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `fast` evaluates on an lxml element, where it exists; a `downward`
    one needs no more than the part of the message below its element.
    """

    source: str
    token: Any
    fast: etree.XPath | None
    downward: bool = False


class Compiler:
    """Compiles the expressions of one file; equal expressions are compiled once."""

    def __init__(self, xpath: str, namespaces: Mapping[str, str]) -> None:
        """Take the version of XPath (1, 2 or 3) and the prefixes that the file declares."""
        import elementpath

        self.namespaces = {**_PREFIXES, **{key: uri for key, uri in namespaces.items() if key}}
        self._old = xpath == "1"
        first = elementpath.XPath2Parser(self.namespaces, compatibility_mode=self._old)
        # Functions such as format-number() came to XPath 3 from XSLT 2, where rules may use them.
        second = _parser31()(self.namespaces)
        self._parsers: list[Any] = [second] if xpath == "3" else [first, second]
        self._done: dict[tuple[str, frozenset[str]], Expression] = {}

    def compile(self, source: str, variables: Set[str] = frozenset()) -> Expression:
        """Compile a test or a value; raises Unsupported. `variables` are those in scope."""
        key = (source, frozenset(variables))
        if key not in self._done:
            self._done[key] = self._compiled(source, key[1])
        return self._done[key]

    def fast(self, token: Any) -> etree.XPath | None:
        """Return a condition for libxml2 if its XPath 1.0 surely says the same, else None."""
        translated = None if self._old else condition(token)
        if translated is None:
            return None
        used = {
            prefix: uri for prefix, uri in self.namespaces.items() if f"{prefix}:" in translated
        }
        try:
            return etree.XPath(translated, namespaces=used, regexp=False, smart_strings=False)
        except etree.XPathError:
            return None

    def _compiled(self, source: str, variables: frozenset[str]) -> Expression:
        # Before it is parsed, for elementpath evaluates what is constant while it parses.
        if reading := _READING.search(_TEXT.sub("''", source)):
            raise Unsupported(f"{reading[1]}() reads more than the message")
        token = self._parsed(_current(source))
        unknown = _variables(token) - variables - {_CURRENT}
        if unknown:
            raise Unsupported(f"the variable ${min(unknown)} is not declared")
        return Expression(source, token, self.fast(token), downward(token))

    def _parsed(self, source: str) -> Any:
        import elementpath

        reason = "is empty"
        for parser in self._parsers if source.strip() else ():
            try:
                return parser.parse(source)
            except (elementpath.ElementPathError, *_NO_VALUE) as error:
                # The last line of elementpath's own text says what is wrong with the expression.
                reason = str(error).rpartition("] ")[2]
        raise Unsupported(reason)


class Tree:
    """The tree of one message for elementpath, built when the first expression needs it.

    All expressions of a message share its deadline; even a single one is stopped by it.
    """

    def __init__(self, root: etree._Element, seconds: float) -> None:
        """Start the clock."""
        self.root = root
        self.deadline = time.monotonic() + seconds
        self._context: Any = None
        self._parts: dict[etree._Element, Any] = {}

    def node(self, element: etree._Element) -> Any:
        """Return the node of an element."""
        return self._base().root.elements[element]

    def select(self, token: Any, variables: Mapping[str, Any]) -> list[Any]:
        """Return the nodes that an expression selects from the root. Raises Late, Failed."""
        context = self._at(self._base().root, variables)
        return list(_guarded(lambda: token.select_results(context) or ()))

    def value(self, expression: Expression, item: Any, variables: Mapping[str, Any]) -> Any:
        """Return what an expression is worth at a node: items in a list. Raises Late, Failed."""
        context = self._at(item, variables)
        return _guarded(lambda: list(expression.token.select(context)))

    def test(self, expression: Expression, item: Any, variables: Mapping[str, Any]) -> bool:
        """Whether an expression holds at an element or another node. Raises Late, Failed."""
        self.check()
        if expression.fast is not None and etree.iselement(item):
            try:
                return bool(expression.fast(item))
            except etree.XPathError as error:
                raise Failed(type(error).__name__) from None
        part = self._part(item) if expression.downward and etree.iselement(item) else None
        if part is None:
            part = self._at(self.node(item) if etree.iselement(item) else item, variables)
        context = part
        return bool(_guarded(lambda: expression.token.boolean_value(
            list(expression.token.select(context)))))  # fmt: skip

    def document(self) -> Any:
        """Return the node of the whole document."""
        return self._base().root

    def check(self) -> None:
        """Raise Late if the time is over."""
        if time.monotonic() > self.deadline:
            raise Late

    def _part(self, element: etree._Element) -> Any:
        """Return a context for an element alone: few rules of a message need all of its tree."""
        if self._context is not None or len(self._parts) == _PARTS:
            return None
        if element not in self._parts:
            self._parts[element] = _timed()(element, deadline=self.deadline)
        return copy.copy(self._parts[element])

    def _base(self) -> Any:
        if self._context is None:
            self._context = _timed()(self.root.getroottree(), deadline=self.deadline)
        return self._context

    def _at(self, item: Any, variables: Mapping[str, Any]) -> Any:
        self.check()
        context = copy.copy(self._base())
        context.item = item
        context.variables = {**variables, _CURRENT: item}
        return context


def _current(source: str) -> str:
    """Turn XSLT's current() into a variable, outside of texts."""
    return _CALL.sub(lambda match: match[1] or f"${_CURRENT}", source)


def _variables(token: Any) -> set[str]:
    """Names of variables that an expression takes from outside."""
    bound: set[str] = set()
    used: set[str] = set()
    for one in token.iter():
        if one.symbol == "$":
            used.add(one[0].value)
        elif one.symbol in ("for", "some", "every", "let"):
            bound.update(child[0].value for child in list(one)[:-1:2] if child.symbol == "$")
    return used - bound


def _guarded(work: Any) -> Any:
    import elementpath

    try:
        return work()
    except (elementpath.ElementPathError, *_NO_VALUE) as error:
        code = re.search(r"\berr:([A-Z]{4}\d{4})\b", str(error))
        raise Failed(code[1] if code else type(error).__name__) from None


@cache
def _parser31() -> Any:
    from elementpath.xpath3 import XPath3Parser

    return XPath3Parser


@cache
def _timed() -> Any:
    """Make the context class at first use, so that elementpath is not imported before."""
    import elementpath

    class Timed(elementpath.XPathContext):
        """A context that looks at the clock whenever an expression moves through the message."""

        def __init__(self, root: Any, deadline: float) -> None:
            super().__init__(root)
            self.deadline = deadline

        def __copy__(self) -> Any:
            self.look()
            return super().__copy__()

        def iter_children_or_self(self) -> Any:
            self.look()
            return super().iter_children_or_self()

        def iter_descendants(self, *args: Any, **kwargs: Any) -> Any:
            self.look()
            return super().iter_descendants(*args, **kwargs)

        def look(self) -> None:
            """Raise Late if the time is over."""
            if time.monotonic() > self.deadline:
                raise Late

    return Timed
