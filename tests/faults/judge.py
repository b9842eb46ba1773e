"""What must hold after every fault: nothing is lost, doubled or waiting, and all is provable."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from broker.journal.checkpoint import Signer
from broker.journal.rebuild import rebuild
from broker.journal.verify import verify
from broker.message import Direction, State
from broker.stores.contract import Filter, Row, Store
from tests.faults.load import Load
from tests.faults.region import Region

#: After so many seconds nothing may wait any more.
QUIET = 60
OPEN = (State.WAITING, State.WORKING)


@dataclass(frozen=True)
class Verdict:
    """What came of one fault; `seconds` is how long it took until nothing waited any more."""

    fault: str
    accepted: int
    lost: int
    doubled: int
    waiting: int
    unclear: int
    seconds: float
    wrong: tuple[str, ...]

    def line(self) -> dict[str, str]:
        """Return a line of the table, by column."""
        return {
            "fault": self.fault,
            "accepted": str(self.accepted),
            "lost": str(self.lost),
            "doubled": str(self.doubled),
            "waiting": str(self.waiting),
            "unclear": str(self.unclear),
            "seconds to quiet": f"{self.seconds:.1f}",
        }


def judge(region: Region, load: Load, fault: str, doubt: bool, healed: float) -> Verdict:
    """Wait until nothing waits, and hold all that was accepted against what took effect.

    With `doubt`, a message may be unclear, with those of its case behind it. `healed` is when the
    fault was healed (seconds of the monotonic clock).
    """
    with region.store() as store:
        seconds = _quiet(store, healed)
        rows = {row.id: row for row in store.rows(Filter(direction=Direction.REQUEST, limit=10**6))}
        mine = [rows[id] for id in load.receipts if id in rows]
        unclear = [row for row in mine if row.state is State.UNCLEAR]
        waiting = [row for row in mine if row.state in OPEN and not _behind(row, unclear)]
        doubled = [name for office in region.offices.values() for name in office.doubled()]
        lost = list(_lost(region, load, rows, doubt))
        return Verdict(
            fault,
            len(load.receipts),
            len(lost),
            len(doubled),
            len(waiting),
            len(unclear),
            seconds,
            (
                *load.wrong,
                *lost,
                *(f"{name} took effect more than once" for name in doubled),
                *(f"{row.id} is {row.state}: {row.error}" for row in waiting),
                *_extra(region, rows),
                *_disorder(region, load, rows),
                *_journal(region, store, rows.values()),
                *_processes(region),
            ),
        )


def _quiet(store: Store, healed: float) -> float:
    while (spent := time.monotonic() - healed) < QUIET:
        counts = store.counts().states
        blocked = any(by.get(State.UNCLEAR, 0) for by in counts.values())
        if not any(by.get(state, 0) for by in counts.values() for state in OPEN):
            break
        if blocked and not store.due() and not _working(counts):
            break
        time.sleep(0.05)  # the store is asked again, it does not say when it changes
    return spent


def _working(counts: Mapping[Direction, Mapping[State, int]]) -> bool:
    return any(by.get(State.WORKING, 0) for by in counts.values())


def _behind(row: Row, unclear: Sequence[Row]) -> bool:
    """Whether it waits behind an unclear one of its case."""
    return any(
        row.route == other.route
        and row.envelope.case == other.envelope.case
        and other.seq < row.seq
        for other in unclear
    )


def _lost(region: Region, load: Load, rows: Mapping[str, Row], doubt: bool) -> Iterator[str]:
    there = {name for office in region.offices.values() for name in office.references()}
    allowed = (State.DELIVERED, *OPEN, *((State.UNCLEAR,) if doubt else ()))
    for id in load.receipts:
        row = rows.get(id)
        if row is None:
            yield f"{id} has a receipt and is not in the store"
        elif row.state is State.DELIVERED and row.reference not in there:
            yield f"{id} is delivered, and the procedure does not have it"
        elif row.state not in allowed:
            yield f"{id} is {row.state}: {row.error}"


def _extra(region: Region, rows: Mapping[str, Row]) -> Iterator[str]:
    uuids = [row.envelope.uuid for row in rows.values()]
    if len(set(uuids)) != len(uuids):
        yield f"{len(uuids) - len(set(uuids))} messages were accepted twice"
    known = {row.reference for row in rows.values()}
    for office in region.offices.values():
        if strange := set(office.references()) - known:
            yield f"{len(strange)} effects under references that nobody has"


def _disorder(region: Region, load: Load, rows: Mapping[str, Row]) -> Iterator[str]:
    """One client sent the messages of a case one after the other: so they must arrive."""
    place = {name: at for at, name in enumerate(region.offices["west"].references())}
    for ids in load.cases.values():
        mine = [rows[id] for id in ids if id in rows and load.receipts[id] == "west"]
        filed = [place[row.reference] for row in mine if row.reference in place]
        if filed != sorted(filed):
            yield f"the case of {ids[0]} did not arrive in order"


def _journal(region: Region, store: Store, rows: Iterable[Row]) -> Iterator[str]:
    verifier = Signer.open(region.settings.journal_key, region.settings.origin).verifier()
    yield from (str(finding) for finding in verify(store.tree, verifier).findings)
    told = rebuild(store.entries())
    for row in rows:
        if told[row.id].state is not row.state and row.state not in OPEN:
            yield f"{row.id} is {row.state}, the journal says {told[row.id].state}"


def _processes(region: Region) -> Iterator[str]:
    for node in region.nodes:
        if node.process is not None and (code := node.process.poll()) is not None:
            yield f"a process ({node.role}) ended by itself with {code}: {node.lines[-5:]}"
