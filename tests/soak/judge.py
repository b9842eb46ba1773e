"""The sums at the end: nothing lost, nothing doubled, all counted, all provable, nothing grown."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broker.journal.checkpoint import Signer
from broker.journal.rebuild import rebuild
from broker.journal.verify import verify
from broker.message import Direction, State
from broker.stores.contract import Filter, Row, Store
from tests.soak.house import House
from tests.soak.load import Load

#: After so many seconds without load nothing may wait any more.
QUIET = 180
#: Memory and open files may grow by so much.
MORE = 1.10
OPEN = (State.WAITING, State.WORKING)
_ALL = 10**7
_TRACE = re.compile(r"Traceback|\"event\": ?\"failed\"")


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, how much, what must be, and whether it is."""

    what: str
    found: str
    must: str
    good: bool


@dataclass(frozen=True)
class Size:
    """What the idle process takes: bytes, open files and sockets."""

    memory: int
    files: int

    @classmethod
    def of(cls, house: House) -> Size:
        """Measure it; raises BrokerError where the process ended by itself."""
        house.child.alive()
        return cls(house.memory(), house.files())


def quiet(house: House) -> float:
    """Wait until nothing waits and nothing lies in the folder; return the seconds."""
    begun = time.monotonic()
    with house.store() as store:
        while (spent := time.monotonic() - begun) < QUIET:
            counts = store.counts().states
            busy = any(by.get(state, 0) for by in counts.values() for state in OPEN)
            if not busy and not any(file.is_file() for file in house.town.inbox.iterdir()):
                break
            time.sleep(0.2)  # the store is asked again, it does not say when it changes
    return spent


def judge(house: House, load: Load, before: Size, after: Size) -> list[Line]:
    """Return the table; the broker still runs and nothing is sent."""
    with house.store() as store:
        requests = store.rows(Filter(direction=Direction.REQUEST, limit=_ALL))
        answers = store.rows(Filter(direction=Direction.ANSWER, limit=_ALL))
        return [
            *_accepted(load, requests),
            *_states(load, requests, answers),
            *_effects(house, requests),
            *_refused(load, store),
            *_journal(house, store, [*requests, *answers]),
            *_grown(before, after),
            _log(house),
        ]


def _line(what: str, found: int, must: int) -> Line:
    return Line(what, str(found), str(must), found == must)


def _accepted(load: Load, requests: Sequence[Row]) -> Iterator[Line]:
    names = Counter(row.envelope.uuid for row in requests)
    ids = {row.envelope.uuid: row.id for row in requests}
    lost = [name for name, id in load.receipts.items() if ids.get(name) != id]
    lost += [name for name in load.dropped if name not in ids]
    yield _line("requests accepted", len(requests), len(load.receipts) + len(load.dropped))
    yield _line("accepted and lost", len(lost), 0)
    yield _line("accepted twice", sum(count > 1 for count in names.values()), 0)
    yield _line("answers of HTTP that are wrong", len(load.wrong), 0)


def _states(load: Load, requests: Sequence[Row], answers: Sequence[Row]) -> Iterator[Line]:
    states = Counter(row.state for row in requests)
    wrong = [
        row
        for row in requests
        if (row.state is State.REJECTED) is not (row.envelope.uuid in load.rejected)
    ]
    yield _line("requests rejected", states[State.REJECTED], len(load.rejected))
    yield _line("requests delivered", states[State.DELIVERED], len(requests) - len(load.rejected))
    yield _line("requests at a wrong end", len(wrong), 0)
    done = sum(row.state is State.DELIVERED for row in answers)
    yield _line("answers delivered", done, len(answers))


def _effects(house: House, requests: Sequence[Row]) -> Iterator[Line]:
    effects: Counter[str] = Counter()
    for found in house.town.effects().values():
        effects.update(found)
    delivered = {row.reference for row in requests if row.state is State.DELIVERED}
    missing = sum(not effects[reference] for reference in delivered)
    yield _line("files at the procedures", effects.total(), len(delivered))
    yield _line("delivered and not there", missing, 0)
    yield _line("in effect twice", sum(count > 1 for count in effects.values()), 0)


def _refused(load: Load, store: Store) -> Iterator[Line]:
    found, least, most = store.counts().refused, load.refused, load.tries
    yield Line("refused", str(found), f"{least} to {most}", least <= found <= most)


def _journal(house: House, store: Store, rows: Sequence[Row]) -> Iterator[Line]:
    verifier = Signer.open(house.settings.journal_key, house.settings.origin).verifier()
    verdict = verify(store.tree, verifier)
    yield Line("entries verified", str(verdict.size), "no finding", not verdict.findings)
    told = rebuild(store.entries())
    wrong = sum(told[row.id].state is not row.state for row in rows)
    yield _line("states that the journal says otherwise", wrong, 0)
    yield _line("messages by the journal", len(told), store.counts().accepted)


def _grown(before: Size, after: Size) -> Iterator[Line]:
    for what, old, new, unit in (
        ("memory after warm-up, at the end", before.memory >> 10, after.memory >> 10, " KiB"),
        ("open files after warm-up, at the end", before.files, after.files, ""),
    ):
        most = old * MORE
        yield Line(what, f"{old}{unit}, {new}{unit}", f"at most {most:.0f}{unit}", new <= most)


def _log(house: House) -> Line:
    text = house.log.read_text("utf-8", "replace")
    return _line("errors without a name in the log", len(_TRACE.findall(text)), 0)
