"""XPath 2 put into XPath 1.0 where both surely mean the same, so that libxml2 can evaluate it.

Only what converts nothing is translated: names, existence, text compared with text, counts.
Everything else, such as numbers, dates, regular expressions or variables, is left to elementpath.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

#: What a downward expression is made of.
_DOWNWARD: Final = frozenset(
    ("(name)", ":", "*", "@", ".", "/", "//", "[", "(", ",", "(string)", "(integer)", "(decimal)",
     "(float)", "and", "or", "not", "if", "true", "false", "=", "!=", "<", "<=", ">", ">=", "eq",
     "ne", "lt", "le", "gt", "ge", "+", "-", "div", "mod", "exists", "empty", "boolean", "count",
     "sum", "number", "string", "string-length", "normalize-space", "matches", "contains",
     "starts-with", "ends-with", "concat", "substring", "text")
)  # fmt: skip
_PATHS: Final = frozenset(("(name)", ":", "*", "@", ".", "..", "/", "//", "["))


def condition(token: Any) -> str | None:
    """Translate a test to XPath 1.0; None unless both versions must agree on every message."""
    one = _boolean(token)
    return None if one is None else f"boolean({one})"


def steps(token: Any) -> list[tuple[str, str, tuple[Any, ...]]] | None:
    """Take a path apart: separator (`/`, `//` or none), name test, predicates; None if it is other
    than names.
    """
    if token.symbol in ("/", "//"):
        if len(token) == 1:
            inner = _step(token[0])
            return None if inner is None else [(token.symbol, *inner)]
        before, inner = steps(token[0]), _step(token[1])
        return None if before is None or inner is None else [*before, (token.symbol, *inner)]
    inner = _step(token)
    return None if inner is None else [("", *inner)]


def downward(token: Any) -> bool:
    """Whether an expression surely looks at nothing but its node and what is below."""
    return all(
        one.symbol in _DOWNWARD and (one.symbol not in ("/", "//") or len(one) == 2)
        for one in token.iter()
    )


def alternatives(token: Any) -> Iterator[Any]:
    """Yield the parts of a union."""
    if token.symbol in ("|", "union"):
        yield from alternatives(token[0])
        yield from alternatives(token[1])
    elif token.symbol == "(" and len(token) == 1:
        yield from alternatives(token[0])
    else:
        yield token


def _step(token: Any) -> tuple[str, tuple[Any, ...]] | None:
    if token.symbol == "[":
        inner = _step(token[0])
        return None if inner is None else (inner[0], (*inner[1], token[1]))
    if token.symbol == "(name)":
        return token.value, ()
    if token.symbol == "*" and not len(token):
        return "*", ()
    if token.symbol == ":" and token[1].symbol in ("(name)", "*"):
        return f"{token[0].value}:{token[1].value}", ()
    return None


def _boolean(token: Any) -> str | None:
    """Translate what is used as a truth value."""
    translate = _CONDITIONS.get(token.symbol)
    return _path(token) if translate is None else translate(token)


def _both(token: Any) -> str | None:
    one, other = _boolean(token[0]), _boolean(token[1])
    return one and other and f"(({one}) {token.symbol} ({other}))"


def _constant(token: Any) -> str:
    return f"{token.symbol}()"


def _not(token: Any) -> str | None:
    inner = _boolean(token[0])
    return inner and f"not({inner})"


def _empty(token: Any) -> str | None:
    inner = _path(token[0])
    return inner and f"not({inner})"


def _exists(token: Any) -> str | None:
    inner = _path(token[0])
    return inner and f"boolean({inner})"


def _inner(token: Any) -> str | None:
    return _boolean(token[0]) if len(token) == 1 else None


def _if(token: Any) -> str | None:
    test, yes, no = (_boolean(one) for one in token)
    if test is None or yes is None or no is None:
        return None
    return f"((({test}) and ({yes})) or (not({test}) and ({no})))"


def _compared(token: Any) -> str | None:
    """Translate text compared with text, and a count with a number; nothing that converts."""
    left, right = token[0], token[1]
    operator = token.symbol
    if left.symbol in ("count", "string-length") and right.symbol == "(integer)":
        number = _number(left)
        return number and f"{number} {operator} {right.value}"
    if operator not in ("=", "!="):
        return None
    one, other = _texts(left), _texts(right)
    if not one or not other:
        return None
    return "(" + " or ".join(f"{a} {operator} {b}" for a in one for b in other) + ")"


def _number(token: Any) -> str | None:
    if token.symbol == "count":
        path = _path(token[0])
        return None if path is None else f"count({path})"
    return "string-length(.)" if not len(token) or token[0].symbol == "." else None


def _texts(token: Any) -> list[str]:
    """Translate one side of a comparison: a path, a text, or texts in parentheses."""
    if token.symbol == "(" and len(token) == 1:
        return _texts(token[0])
    if token.symbol == ",":
        one, other = _texts(token[0]), _texts(token[1])
        return [*one, *other] if one and other else []
    if token.symbol == "(string)":
        return _literal(token.value)
    return _text(token)


def _text(token: Any) -> list[str]:
    if token.symbol == "normalize-space":
        return ["normalize-space(.)"] if not len(token) or token[0].symbol == "." else []
    path = _path(token)
    return [path] if path else []


def _literal(text: str) -> list[str]:
    if "'" not in text:
        return [f"'{text}'"]
    return [] if '"' in text else [f'"{text}"']


def _path(token: Any) -> str | None:
    """Translate a path of names, attributes and conditions; positions are left alone."""
    if token.symbol not in _PATHS:
        return None
    if token.symbol in (".", ".."):
        return str(token.symbol)
    if token.symbol in ("/", "//"):
        return _steps(token)
    if token.symbol == "[":
        before, inner = _path(token[0]), _boolean(token[1])
        return before and inner and f"{before}[boolean({inner})]"
    if token.symbol == "@":
        inner = _path(token[0])
        return inner and f"@{inner}"
    found = _step(token)
    return None if found is None else found[0]


def _steps(token: Any) -> str | None:
    if len(token) == 0:
        return "/"
    parts = [_path(one) for one in token]
    if any(part is None for part in parts):
        return None
    separator = str(token.symbol)
    return separator + str(parts[0]) if len(parts) == 1 else separator.join(map(str, parts))


_CONDITIONS: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "and": _both,
    "or": _both,
    "true": _constant,
    "false": _constant,
    "not": _not,
    "empty": _empty,
    "exists": _exists,
    "boolean": _exists,
    "(": _inner,
    "if": _if,
    **dict.fromkeys(("=", "!=", "<", "<=", ">", ">="), _compared),
}
