"""The sealer gives committed entries their place in the tree and signs checkpoints.

It works beside the deliveries, in small batches that join their commits. Several processes may
seal: an append counts only if it continues the tree, so that whoever is quicker is the one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Lock, Thread

from broker.errors import BrokerError, StoreError, Unsealed
from broker.journal import restore, tree
from broker.journal.checkpoint import Checkpoint, Signer
from broker.journal.entry import decode
from broker.journal.places import Place
from broker.logs import get
from broker.message import now
from broker.stores.contract import Entry, Store
from broker.stores.tree import Leaf, Note, Seal

#: So many entries are sealed in one transaction: a few milliseconds of the writer.
BATCH = 500
#: Pause between two looks (seconds).
PAUSE = 1.0
#: Pause between two looks where another process seals.
WATCH = 5.0
#: At a stop, no more than so many batches are sealed first.
LAST = 40
#: Where entries may become visible late, all of the last sweeps are looked at again so often.
SWEEP = 60.0
SWEEPS = 3


class Ledger:
    """What the tree over a store's journal says; for proofs and evidence. Thread-safe."""

    def __init__(self, store: Store) -> None:
        """Take the store."""
        self._tree = store.tree

    def size(self) -> int:
        """Return how many entries are sealed."""
        return self._tree.extent()[0]

    def checkpoint(self) -> str | None:
        """Return the latest signed note, with the lines of its witnesses, or None."""
        found = self._tree.notes(last=True)
        return found[0].text if found else None

    def note(self, size: int) -> str:
        """Return the signed note over so many entries; raises StoreError where there is none."""
        found = self._tree.notes(after=size - 1, limit=1)
        if not found or found[0].size != size:
            raise StoreError(f"there is no checkpoint over {size} entries; run xoev-broker verify")
        return found[0].text

    def checkpoints(self) -> list[str]:
        """Return all signed notes, smallest first."""
        return [note.text for note in self._tree.notes()]

    def index(self, entry: int) -> int | None:
        """Return the tree index of the entry with this sequence number, or None."""
        leaf = self._tree.leaf(entry)
        return None if leaf is None else leaf.number

    def proof(self, index: int, size: int) -> tuple[bytes, ...]:
        """Return the inclusion proof of a leaf in the tree of the first `size` entries."""
        return tree.inclusion(index, size, self._tree.hashes)

    def growth(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the consistency proof between two sizes."""
        return tree.consistency(old, new, self._tree.hashes)

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` entries."""
        return tree.root(size, self._tree.hashes)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When to sign: after so many entries or seconds; `limit` seconds without success stop the
    intake.
    """

    entries: int = 1000
    seconds: float = 60.0
    limit: float = 4 * 3600.0


class Sealer:
    """Seals on a thread of its own until it is stopped."""

    def __init__(
        self,
        store: Store,
        signer: Signer,
        places: Sequence[Place],
        rhythm: Rhythm | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where checkpoints go: the first place must work, of the others it is only said
        where they do not.
        """
        #: Whether this process is the one that seals, where several work on a store.
        self.may: Callable[[], bool] = lambda: True
        self._store = store
        self._tree = store.tree
        self._signer = signer
        #: Checkpoints that a restored copy gave up, each with the size it went on from.
        self._given_up: Mapping[tuple[int, bytes], int] = {}
        self._first, *self._others = places
        self._rhythm = rhythm or Rhythm()
        self._clock = clock
        self._worked = clock()
        self._failing = False
        self._frontier: tree.Frontier | None = None
        self._top = 0
        self._floors: deque[int] = deque([0], maxlen=SWEEPS)
        self._swept = -SWEEP
        self._signed = -1
        self._signed_at = -self._rhythm.seconds
        self._behind: set[str] = set()
        self._published: dict[str, int] = {}
        self._stopping = Event()
        self._lock = Lock()
        self._thread = Thread(target=self._run, name="sealer", daemon=True)
        self._log = get()

    def start(self) -> None:
        """Begin to seal."""
        self._thread.start()

    def stop(self) -> None:
        """Seal what is there, sign it, and stop. Does nothing where it was not started."""
        if self._thread.is_alive():
            self._stopping.set()
            self._thread.join()

    def check(self) -> None:
        """Raise Unsealed where sealing has not worked for longer than the limit."""
        seconds = self._clock() - self._worked
        if seconds > self._rhythm.limit:
            raise Unsealed(
                f"the journal could not be sealed for {seconds / 60:.0f} minutes, so nothing is "
                "taken over until it can; the log of the broker says why"
            )

    def seal(self, final: bool = False) -> bool:
        """Seal and sign once; return whether it worked. `final` signs whatever is new."""
        with self._lock:
            began = self._clock()
            try:
                self._append_all()
                self._sign(final)
                self._publish(self._first)
            except (BrokerError, OSError) as error:
                self._fail(error)
                return False
            self._worked = began
            if self._failing:
                self._failing = False
                self._log.info("restored", channel="journal")
            for place in self._others:
                self._try(place)
            return True

    def watch(self) -> None:
        """See to it that another process seals: nothing may wait for longer than the limit."""
        with self._lock:
            # Whoever seals next takes up what others have sealed meanwhile.
            self._frontier = None
            began = self._clock()
            try:
                waits = self._tree.unsealed(self._tree.extent()[1], 1)
            except StoreError:
                return
            limit = timedelta(seconds=self._rhythm.limit)
            if not waits or now() - decode(waits[0]).time < limit:
                self._worked = began

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self.may():
                self.seal()
                self._stopping.wait(PAUSE)
            else:
                self.watch()
                self._stopping.wait(WATCH)
        if self.may():
            self.seal(final=True)

    def _fail(self, error: Exception) -> None:
        # What is in memory may not be what is stored.
        self._frontier = None
        if not self._failing:
            self._failing = True
            self._log.error("unsealed", error=_text(error))

    def _append_all(self) -> None:
        frontier = self._frontier or self._take_up()
        after, batches = self._after(), 0
        while found := self._tree.unsealed(after, BATCH):
            if not self._tree.append(_seal(frontier, found)).result():
                # Another process was quicker; the next look goes on after its leaves.
                self._take_up()
                return
            after = found[-1].seq
            self._top = max(self._top, after)
            batches += 1
            if len(found) < BATCH or (self._stopping.is_set() and batches >= LAST):
                return

    def _after(self) -> int:
        if not self._tree.late or self._clock() - self._swept < SWEEP:
            return self._top
        self._swept = self._clock()
        self._floors.append(self._top)
        return self._floors[0]

    def _take_up(self) -> tree.Frontier:
        """Go on where the stored tree ends; it must still hold what was published."""
        size, self._top = self._tree.extent()
        self._given_up = restore.abandoned(self._store)
        for place in (self._first, *self._others):
            self._grown(place, size)
        self._frontier = tree.Frontier(size, tree.peaks(size, self._tree.hashes))
        found = self._tree.notes(last=True)
        self._signed = found[0].size if found else -1
        return self._frontier

    def _grown(self, place: Place, size: int) -> None:
        known = self._known(place)
        if known is None or self._since(known) is not None or restore.grown(self._store, known):
            return
        raise StoreError(
            f"the journal with {size} sealed entries is not the one of the last checkpoint in "
            f"{place.name} over {known.size}: an older copy, or changed; nothing is "
            "signed. Run xoev-broker restore show, and verify --from with that file"
        )

    def _known(self, place: Place) -> Checkpoint | None:
        return restore.last(place, self._signer.verifier())

    def _since(self, known: Checkpoint) -> int | None:
        """Return from where the journal went on that gave this checkpoint up; None: it did not."""
        return self._given_up.get((known.size, known.root))

    def _sign(self, final: bool) -> None:
        frontier = self._frontier or self._take_up()
        if frontier.size <= max(self._signed, 0):
            return
        waited = self._clock() - self._signed_at >= self._rhythm.seconds
        if not (final or waited or frontier.size - self._signed >= self._rhythm.entries):
            return
        checkpoint = Checkpoint(self._signer.name, frontier.size, frontier.root())
        self._tree.publish(Note(frontier.size, self._signer.sign(checkpoint))).result()
        self._signed, self._signed_at = frontier.size, self._clock()
        self._log.debug("sealed", count=frontier.size)

    def _publish(self, place: Place) -> None:
        if self._published.get(place.name, -1) >= self._signed:
            return
        known = self._known(place)
        since = self._since(known) if known else None
        last = known.size if known and since is None else since or -1
        if last < self._signed:
            place.add(self._tree.notes(after=last))
        self._published[place.name] = self._signed

    def _try(self, place: Place) -> None:
        try:
            self._publish(place)
        except (BrokerError, OSError) as error:
            if place.name not in self._behind:
                self._behind.add(place.name)
                self._log.warning("disturbed", channel=place.name, error=_text(error))
        else:
            if place.name in self._behind:
                self._behind.discard(place.name)
                self._log.info("restored", channel=place.name)


def _seal(frontier: tree.Frontier, found: Sequence[Entry]) -> Seal:
    leaves: list[Leaf] = []
    nodes: list[tuple[int, int, bytes]] = []
    for entry in found:
        leaf = Leaf(frontier.size, entry.seq, tree.leaf(entry.body))
        leaves.append(leaf)
        nodes += frontier.add(leaf.hash)
    return Seal(tuple(leaves), tuple(nodes))


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, BrokerError) else str(getattr(error, "strerror", error))
