"""How a standard writes its version into root namespaces, guessed from one of them."""

from __future__ import annotations

import re
from typing import Final

_SEPARATORS: Final = (".", "_", "/", "-", "")
_TAIL: Final = re.compile(r"(?:^|[^0-9])(\d+(?:[._/-]\d+)*[a-z]?)/?$")
_STEP: Final = re.compile(r"[/:_-][vV]?(\d+(?:[._]\d+)+)(?=[/:])")
_SLUG: Final = re.compile(r"[^a-z0-9]+")
_DULL: Final = frozenset(
    {"http", "https", "urn", "www", "de", "org", "net", "com", "eu", "schema", "schemas", "xsd"}
    | {"schemata", "spezifikation", "standard", "xoev", "xoev-de", "raw", "main", "master"}
    | {"gitlab", "github", "opencode", "v", "version", "kosit"}
)


def spell(namespace: str, version: str) -> tuple[str, str] | None:
    r"""Return a pattern of the namespaces of all versions and the version its groups mean.

    None where the version does not stand in the namespace. `http://www.osci.de/xmeld2611` and
    `26.11` give `http://www\.osci\.de/xmeld([0-9A-Za-z]{2})(\d+[a-z]?)` and `\1.\2`.
    """
    parts = re.split(r"[._-]", version)
    if not all(part.isalnum() for part in parts):
        return None
    for separator in _SEPARATORS:
        literal = re.escape(separator.join(parts))
        found = list(re.finditer(rf"(?<![0-9]){literal}(?![0-9])", namespace))
        if found:
            start, end = found[-1].span()
            groups = _groups(parts, separator)
            pattern = re.escape(namespace[:start]) + groups + re.escape(namespace[end:])
            return pattern, ".".join(rf"\{number}" for number in range(1, len(parts) + 1))
    return None


def written(namespace: str) -> str:
    """Return the version at the end of a namespace, or in a step of its own; empty if none.

    `http://www.xplanung.de/xplangml/6/0` gives `6.0`, `http://xbildung.de/def/x/1.0/xsd` `1.0`.
    """
    found = _TAIL.search(namespace) or _STEP.search(namespace)
    return re.sub(r"[_/-]", ".", found[1]) if found else ""


def slug(text: str) -> str:
    """Return a name as a folder has it: small letters, digits, hyphens."""
    return _SLUG.sub("-", text.lower()).strip("-")[:60]


def named(namespace: str) -> str:
    """Guess the name of a standard from its namespace; those of XÖV begin with x."""
    words = [slug(word) for word in re.split(r"[/:.]|\d+", namespace)]
    words = [word for word in words if word and word not in _DULL and not word.isdigit()]
    own = [word for word in words if word.startswith("x") and len(word) > 2]
    return (own or words or ["standard"])[-1]


def _groups(parts: list[str], separator: str) -> str:
    if separator:
        shapes = [r"(\d+)" if part.isdigit() else r"([0-9A-Za-z]+)" for part in parts[:-1]]
    else:
        shapes = [rf"([0-9A-Za-z]{{{len(part)}}})" for part in parts[:-1]]
    last = parts[-1]
    shapes.append(r"(\d+[a-z]?)" if re.fullmatch(r"\d+[a-z]?", last) else r"([0-9A-Za-z]+)")
    return re.escape(separator).join(shapes)
