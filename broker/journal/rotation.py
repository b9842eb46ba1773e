"""Changing the site key: every message key is wrapped anew, in batches, while the broker runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from broker.errors import BrokerError, StoreError
from broker.journal.ring import KEY, KeyFile, Ring, Source, short
from broker.journal.trail import entry
from broker.journal.vault import Vault
from broker.message import now
from broker.stores.contract import Store
from broker.stores.custody import Wrapped

#: So many keys are wrapped anew in one commit: short enough that the broker hardly waits for it.
BATCH = 200
#: A message whose key was wrapped just before the change must be on disk before the old key goes.
GRACE = timedelta(hours=1)

Told = Callable[[int], None]


class NotRotated(BrokerError):
    """The site key cannot be changed now."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many message keys were wrapped anew, and the short name of the key that wraps now."""

    count: int
    key: str


class Rotation:
    """Changes the site key of one store; started again after a crash, it goes on.

    The new key is on disk, beside the old one, before the first message key is wrapped with it; the
    old one stays until `retire`. So every message key can be opened at every moment.
    """

    def __init__(self, store: Store, file: Path, actor: str, source: Source | None = None) -> None:
        """Take the key file and the name of the person.

        With a `source`, the keys are there; the place of the file is then that of the lock alone.
        """
        self._store = store
        self._file = file
        self._source = source or KeyFile(file)
        self._actor = actor

    def rotate(self, told: Told | None = None) -> Rotated:
        """Make a new key, or go on with a rotation that was cut off.

        Raises NotRotated, ConfigError, and StoreError where a stored key does not fit the file;
        then nothing was changed.
        """
        with self._alone():
            ring = self._source.read()
            self._fits()
            if ring.old is None:
                ring = replace(ring, wrap=os.urandom(KEY), old=ring.wrap, made=now())
                self._source.write(ring)
                self._note("rotated", ring)
            count = self._all(told)
            self._since(ring)
            self._note("rewrapped", ring, count)
        return Rotated(count, ring.name)

    def retire(self, force: bool = False, told: Told | None = None) -> Rotated:
        """Forget the old key once nothing needs it any more.

        Raises NotRotated where there is none, or within an hour of the change (`force` says that
        no broker has run since).
        """
        with self._alone():
            ring = self._source.read()
            if ring.old is None:
                raise NotRotated("there is no old key; xoev-broker keys rotate makes a new one")
            if ring.made and now() - ring.made < GRACE and not force:
                raise NotRotated(
                    "the key was changed less than an hour ago: a message that is just being "
                    "accepted may need the old one; try again later"
                )
            count = self._all(told)
            if count and not force:
                self._since(ring)
                raise NotRotated(
                    f"{count} message keys still needed the old key and are wrapped anew now; "
                    "whoever works on them may have read them before, try again in an hour"
                )
            self._note("retired", ring, count)
            self._source.write(replace(ring, old=None))
        return Rotated(count, ring.name)

    def _since(self, ring: Ring) -> None:
        """The hour counts from now on: what was read before this may still be in hand."""
        self._source.write(replace(ring, made=now()))

    def _fits(self) -> None:
        vault = Vault.of(self._source)
        for refused in (False, True):
            for one in self._store.keys("", BATCH, refused):
                vault.key(one.key)

    def _all(self, told: Told | None) -> int:
        """Wrap anew until a whole pass finds nothing more: messages arrive meanwhile."""
        vault, total = Vault.of(self._source), 0
        while count := sum(self._pass(vault, refused, told) for refused in (False, True)):
            total += count
        if total and not self._store.scrub():
            raise StoreError(
                "all keys are wrapped anew, but a long read, or how the database server is set, "
                "keeps the old ones in files of the store; end it and run this again (for "
                "PostgreSQL see docs/howto/postgresql.md)"
            )
        return total

    def _pass(self, vault: Vault, refused: bool, told: Told | None) -> int:
        count, after = 0, ""
        while batch := self._store.keys(after, BATCH, refused):
            stale = _stale(vault, batch)
            if stale:
                self._store.rewrap(stale).result()
            count += len(stale)
            after = batch[-1].id
            if told:
                told(len(batch))
        return count

    def _note(self, event: str, ring: Ring, count: int | None = None) -> None:
        was = short(ring.old) if ring.old else None
        line = entry("", event, self._actor, key=ring.name, was=was, count=count)
        self._store.note([line]).result()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two rotations at once would each make a key, and one of them would be lost."""
        file = self._file
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for part in file.parent.glob(f".{file.name}.*.ring"):
                part.unlink(missing_ok=True)
            yield
        except BlockingIOError as error:
            raise NotRotated("another rotation of this key runs") from error
        finally:
            os.close(lock)


def _stale(vault: Vault, batch: list[Wrapped]) -> list[Wrapped]:
    anew = [(one, vault.rewrapped(one.key)) for one in batch]
    return [replace(one, anew=wrapped) for one, wrapped in anew if wrapped is not None]
