"""What the tests of the amqp channel send, and how they wait for it."""

from __future__ import annotations

from collections.abc import Callable

from broker.channels.amqp import Amqp
from broker.channels.channel import Incoming, Prepared, Verdict
from broker.errors import (
    Busy,
    DeliveryUnclear,
    Unreachable,
)
from broker.standins.daemon import until

PERSON = "Erika Muster"
LETTER = Prepared("0190-key", "ABCDEFGHJKMNP", "antrag.0200", PERSON.encode(), about="uuid-1")
TAKEN = Verdict(True, "accepted")
REFUSED = Verdict(False, "this is no XML document", "X000")
SECONDS = 60
#: The SHA-256 of b"1".
ONE = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
Build = Callable[..., Amqp]


def nothing() -> None:
    """Stand in for a mark that succeeds."""


def sent(channel: Amqp, letter: Prepared = LETTER) -> bool:
    """Whether a send succeeds now."""
    try:
        channel.send(letter, nothing)
    except (Unreachable, Busy, DeliveryUnclear):
        return False
    return True


def received(channel: Amqp, wanted: int = 1) -> list[Incoming]:
    """Look until so many are in hand: what a connection gave back is there a moment later."""
    found: list[Incoming] = []

    def look() -> bool:
        try:
            found[:] = channel.receive()
        except Unreachable:
            return False
        return len(found) >= wanted

    assert until(look, SECONDS)
    return found
