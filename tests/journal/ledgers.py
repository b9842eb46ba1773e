"""A sealed journal to try things on, and what a tamperer would do to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import create_engine, text

from broker.errors import StoreError
from broker.journal.checkpoint import Signer
from broker.journal.places import FilePlace, Place
from broker.journal.sealer import Rhythm, Sealer
from broker.journal.trail import entry
from broker.stores.sqlite import SqliteStore

SIGNER = Signer("stadt-muster", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def opened(file: Path) -> SqliteStore:
    """Open a store that must not break."""

    def broken(error: StoreError) -> None:
        raise AssertionError(error)

    return SqliteStore(file, broken)


def noted(store: SqliteStore, count: int, start: int = 0) -> None:
    """Write so many entries, each with bytes of its own."""
    futures = [
        store.note([entry(f"m-{at}", "delivered", attempt=at) for at in range(first, last)])
        for first, last in _slices(start, start + count)
    ]
    for future in futures:
        future.result()


def _slices(start: int, end: int) -> list[tuple[int, int]]:
    return [(at, min(at + 500, end)) for at in range(start, end, 500)]


def sealing(
    store: SqliteStore,
    file: Path,
    others: Sequence[Place] = (),
    rhythm: Rhythm | None = None,
    clock: Callable[[], float] = lambda: 0.0,
) -> Sealer:
    """Return a sealer whose time stands still unless it is given a clock."""
    return Sealer(store, SIGNER, [FilePlace(file), *others], rhythm, clock)


def sealed(store: SqliteStore, file: Path, count: int, every: int = 500) -> None:
    """Write and seal entries, with a checkpoint after so many."""
    sealer = sealing(store, file)
    for first, start in enumerate(range(0, count, every)):
        noted(store, min(every, count - start), first * every)
        assert sealer.seal(final=True)


def tamper(file: Path, *statements: str) -> None:
    """Change the database as somebody who can write to it."""
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
