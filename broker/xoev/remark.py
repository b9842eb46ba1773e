"""What a check of a message found, and how much that matters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from lxml import etree

from broker.document import split
from broker.errors import Finding, SchemaViolation

Severity = Literal["error", "warning", "information"]
#: What a route does with the errors of a check: refuse the message, note them, or not check at all.
Level = Literal["error", "warning", "off"]

MOST: Final = 50  #: So many remarks of one check are reported.


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding of a check, and how bad it is. Only errors can refuse a message."""

    severity: Severity
    finding: Finding

    def __str__(self) -> str:
        return f"{self.severity}: {self.finding}"


def weigh(remarks: Iterable[Remark], level: Level) -> tuple[Remark, ...]:
    """Return remarks as a route wants them: at `warning` no error is left, at `off` nothing."""
    if level == "off":
        return ()
    if level == "warning":
        return tuple(
            replace(remark, severity="warning") if remark.severity == "error" else remark
            for remark in remarks
        )
    return tuple(remarks)


def refuse(remarks: Sequence[Remark], what: str) -> None:
    """Raise SchemaViolation, with the reason code of the first error, if there is an error.

    `what` names the check in the text: "its code lists", "its rules".
    """
    errors = [remark.finding for remark in remarks if remark.severity == "error"]
    if not errors:
        return
    more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
    text = f"the message does not follow {what}: {errors[0]}{more}"
    raise SchemaViolation(text, reason=errors[0].code, findings=errors[:MOST])


def line(element: Any) -> int:
    """Return the line where an element starts; 0 if it was not parsed."""
    return element.sourceline or 0


def place(element: etree._Element, known: Set[str] | None = None) -> str:
    """Return the path of an element by local names, with positions where a name repeats.

    A name that is not in `known` becomes `*`: whoever invents names may write values into them.
    """
    steps: list[str] = []
    node: etree._Element | None = element
    while node is not None:
        name = split(node.tag)[1]
        steps.append((name if known is None or name in known else "*") + _position(node))
        node = node.getparent()
    return "/" + "/".join(reversed(steps))


def _position(element: etree._Element) -> str:
    before = sum(1 for _ in element.itersiblings(element.tag, preceding=True))
    after = next(iter(element.itersiblings(element.tag)), None) is not None
    return f"[{before + 1}]" if before or after else ""
