"""How much is measured: enough to trust a median, or just enough to see that it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """Numbers of rounds, messages, towns and matches; bytes of the large message; seconds idle;
    messages that are only judged; entries of a large journal; messages of a cluster, of its long
    backlog, and of the naive consumer.
    """

    rounds: int = 5
    backlog: int = 8_000
    http: int = 4_000
    slow: int = 6_000
    connections: int = 32
    singles: int = 50
    towns: int = 10_700
    matches: int = 50_000
    large: int = 30_000_000
    idle: float = 60.0
    judged: int = 500
    calls: int = 20_000
    entries: int = 1_000_000
    cluster: int = 8_000
    long: int = 100_000
    naive: int = 500


FULL = Effort()
QUICK = Effort(
    rounds=3,
    backlog=2_000,
    http=1_000,
    slow=2_000,
    matches=10_000,
    idle=20.0,
    judged=100,
    entries=100_000,
    calls=5_000,
)
