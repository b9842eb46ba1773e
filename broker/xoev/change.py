"""The words of a release change: what changed, where, from what to what, and whom it concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

#: Gives the codes of a list, by URI and version, with what each means; None where it is not here.
Lists = Callable[[str, str], Mapping[str, str] | None]
#: Goes through items and may show how far it is.
Track = Callable[[Sequence[str], str], Iterable[str]]
Area = Literal["message", "element", "attribute", "type", "codelist", "rule"]


class What(StrEnum):
    """How something changed."""

    ADDED = "added"
    REMOVED = "removed"
    MANDATORY = "mandatory"
    OPTIONAL = "optional"
    NARROWED = "narrowed"
    WIDENED = "widened"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference below a type or message (`owner`), at a `path` of names (attributes with @).

    `aspect` says in what respect (`times`, `type`, `pattern`, `codes` …), `before` and `after` what
    the schemas say. `strict` means that a message which was valid before can be refused now.
    """

    what: What
    area: Area
    owner: str
    path: str = ""
    aspect: str = ""
    before: str = ""
    after: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A difference, the message kinds it concerns, and where it stands in the first of them.

    `messages` is empty for a rule that concerns no single kind. `names` are those of the elements
    (attributes with @) that have the difference, each with the element above it.
    """

    difference: Difference
    messages: tuple[str, ...] = ()
    example: str = ""
    names: frozenset[tuple[str, str]] = frozenset()
