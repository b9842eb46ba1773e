"""The demo's judgement: what is not as it must be is said, and nothing else."""

from __future__ import annotations

import pytest

from broker.standins.play import End, Part
from broker.standins.portal import Posted
from broker.standins.proof import Seen


def part(end: End, reason: str = "") -> Part:
    return Part("title", "peine", "uuid", b"", end=end, reason=reason)


@pytest.mark.parametrize(
    "seen",
    [
        Seen(part(End.REPEATED), Posted(200, "id"), first="id"),
        Seen(part(End.REFUSED, "X000"), Posted(400, reason="X000")),
    ],
)
def test_what_ended_as_it_must_is_not_told(seen: Seen) -> None:
    assert seen.ended
    assert seen.told() == []


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (Seen(part(End.REPEATED), Posted(200, "other"), first="id"), "another receipt"),
        (Seen(part(End.REPEATED), Posted(202, "id"), first="id"), "got HTTP 202"),
        (Seen(part(End.REFUSED, "X000"), Posted(400, reason="S050")), "got HTTP 400 S050"),
        (Seen(part(End.REFUSED, "X000")), "must be refused"),
        (Seen(Part("t", "c", "u", b"", answers=("1120",), filed=1)), "is not there"),
        (Seen(Part("t", "c", "u", b"", answers=("1120",), filed=1)), "answered with nothing"),
        (Seen(Part("t", "c", "u", b"", answers=("1120",), filed=1)), "filed 0 times"),
    ],
)
def test_what_did_not_is_told(seen: Seen, text: str) -> None:
    assert any(text in line for line in seen.told())
