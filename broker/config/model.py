"""What a checked routes.yaml says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from broker.channels.channel import Declared


@dataclass(frozen=True, slots=True)
class Party:
    """Someone who sends or receives: an online service or a city.

    `keys` are the author keys that may stand in its messages (`bap:03000001`); `token_file` holds
    SHA-256 hashes of its bearer tokens, one a line; `certificates` are SHA-256 fingerprints (hex)
    of its TLS certificates; `answer` is the name of its default return channel.
    `rate` is messages a second, `max_message` bytes; None is no limit of its own.
    """

    name: str
    title: str = ""
    ags: str = ""
    keys: tuple[str, ...] = ()
    token_file: Path | None = None
    certificates: tuple[str, ...] = ()
    answer: str | None = None
    rate: float | None = None
    max_message: int | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """The timetable of attempts, in seconds: first wait, factor, longest wait, and the end."""

    first: float = 30.0
    factor: float = 2.0
    longest: float = 3600.0
    give_up: float = 259200.0


@dataclass(frozen=True, slots=True)
class Checks:
    """What the checks beyond the schema do on a route: `error`, `warning` or `off` each."""

    codelists: Literal["error", "warning", "off"] = "warning"
    rules: Literal["error", "warning", "off"] = "warning"


@dataclass(frozen=True, slots=True)
class Keep:
    """How long messages of a route are kept, in seconds after they ended: 0 is for ever, None is
    what the standard or the installation says.
    """

    payload: float | None = None
    metadata: float | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What a route takes; empty means anything. `kinds` and `versions` are alternatives."""

    standard: str = ""
    versions: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    recipient: str = ""
    senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One way from an envelope to an adapter and a channel.

    `name` is unique (`bau/wolfsburg` for an entry with `for:`, else the entry's name); `entry` is
    the name in the file and `line` its place. `answer` overrides the sender's return channel.
    `deliver_within` and `answer_within` are seconds from acceptance, `depth` is how many
    undelivered messages it may have at most; None is no such limit.
    """

    name: str
    entry: str
    match: Match
    adapter: str
    channel: str
    order_by_case: bool = False
    retry: Retry = Retry()
    checks: Checks = Checks()
    keep: Keep = Keep()
    answer: str | None = None
    line: int = 0
    deliver_within: float | None = None
    answer_within: float | None = None
    depth: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A routes.yaml without findings.

    `digest` is the SHA-256 of the file before `${}` was filled in (hex).
    """

    parties: Mapping[str, Party]
    channels: Mapping[str, Declared]
    routes: tuple[Route, ...]
    digest: str
    file: Path
    warnings: tuple[str, ...] = field(default=())
