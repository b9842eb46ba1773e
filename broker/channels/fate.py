"""What becomes of published messages and of connections, in words for an operator."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from broker.amqp import causes

_TURNED_DOWN = frozenset((311, 403, 404, 406))  #: the server says: this very message, no


class Outcome(Enum):
    """What became of a published message."""

    TAKEN = "every queue it belongs to has it on disk"
    RETURNED = "no queue is bound to where it was sent"
    FULL = "the server said no: a queue is full or cannot take it now"
    LARGE = "it is larger than the server takes"
    UNSENT = "it did not leave this process, or the server turned it down"
    UNKNOWN = "it left and nothing came back"


@dataclass(frozen=True, slots=True)
class Fate:
    """An outcome and, where the connection ended, why."""

    outcome: Outcome
    text: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to publish; `id` becomes its message_id and is unique among those under way."""

    id: str
    exchange: str
    key: str
    body: bytes
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message fetched and not acknowledged; `id` and `user` are what its properties say."""

    tag: int
    body: bytes
    id: str
    user: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a connection is over; `code` is the server's own, 0 where it said nothing."""

    text: str
    code: int = 0


def ended(error: BaseException) -> Ended:
    """Say why a connection ended, in words for an operator, without credentials."""
    from pika import exceptions

    if isinstance(error, (exceptions.ChannelClosed, exceptions.ConnectionClosed)):
        said = "".join(filter(str.isprintable, str(error.reply_text)))[:200]
        return Ended(f"the server said {error.reply_code} {said}", int(error.reply_code))
    known: Mapping[type[BaseException], str] = {
        exceptions.ProbableAuthenticationError: "user or password is wrong, see password_file",
        exceptions.ProbableAccessDeniedError: "the user may not use this virtual host",
        exceptions.AMQPHeartbeatTimeout: "the server did not answer heartbeats",
        exceptions.ConnectionBlockedTimeout: "the server was out of memory or disk for too long",
        exceptions.StreamLostError: "the connection was lost",
        ssl.SSLCertVerificationError: "its certificate is not trusted, see ca_file",
        socket.gaierror: "nobody knows this host name",
        ConnectionRefusedError: "the connection is refused; check url and whether it is running",
    }
    *_, root = causes(error)
    kind = type(error) if type(error) in known else type(root)
    return Ended(known.get(kind, f"no connection ({kind.__name__})"))


def confirmed(taken: bool, returned: bool) -> Outcome:
    """Return what a confirm means, where the message may have been returned before it."""
    if not taken:
        return Outcome.FULL
    return Outcome.RETURNED if returned else Outcome.TAKEN


def last(why: Ended, under_way: int) -> Fate:
    """Judge what was under way: the server names no message, so only one alone is certain."""
    if why.code in _TURNED_DOWN and under_way == 1:
        large = why.code == 406 and "size" in why.text
        return Fate(Outcome.LARGE if large else Outcome.UNSENT, why.text)
    return Fate(Outcome.UNKNOWN, why.text)
