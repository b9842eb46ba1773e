"""Other values of the same form: what a value is replaced by to see where it goes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_PLAIN: Final = re.compile(r"[0-9A-Za-z]")
_FLIPPED: Final = {"true": "false", "false": "true"}
#: Shorter values are replaced as a whole only: no part of them means anything by itself.
_SHORT: Final = 6
_PIECE: Final = 3


def whole(value: str) -> str:
    """Return another value of the same length and form (`2026-02-18`, `true`, `12a`, a UUID)."""
    if value in _FLIPPED:
        return _FLIPPED[value]
    if match := _DATE.match(value):
        return f"{int(match[1]) + 1:04}-{match[2]}-{'11' if match[3] != '11' else '12'}" + (
            _turned(value[10:])
        )
    return _turned(value) if _PLAIN.search(value) else f"x{value[1:]}"


def parts(value: str) -> Iterator[str]:
    """Yield values in which one piece differs: the start, the middle, the end."""
    spots = [match.start() for match in _PLAIN.finditer(value)]
    if len(value) < _SHORT or len(spots) < _SHORT or _DATE.fullmatch(value):
        return
    middle = len(spots) // 2
    for piece in (spots[:1], spots[middle : middle + _PIECE], spots[-_PIECE:]):
        first, last = piece[0], piece[-1] + 1
        yield value[:first] + _turned(value[first:last]) + value[last:]


def _turned(text: str) -> str:
    """Replace every ASCII letter and digit by the next one; others may be special, and stay."""
    return _PLAIN.sub(lambda match: _next(match[0]), text)


def _next(char: str) -> str:
    after = {"9": "0", "z": "a", "Z": "A", "f": "a", "F": "A"}
    return after.get(char) or chr(ord(char) + 1)
