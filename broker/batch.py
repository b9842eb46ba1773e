"""Repair of many messages: chosen, looked at, frozen, and then done one by one, each once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Event

from broker.errors import MessageError, Refusal
from broker.journal.trail import entry
from broker.message import now
from broker.pipeline import Broker
from broker.repair import Act, NotPossible, Repair, Step
from broker.stores.contract import Birth, Row
from broker.stores.mending import Act as Kind
from broker.stores.mending import Selected, Selection

#: So many bytes of new messages wait for their commit at most.
BUDGET = 32_000_000
#: Is told how many more were looked at.
Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would happen to one message: why it is refused (or empty), its route and the route that
    it would take.
    """

    row: Row
    refused: str = ""
    route: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many at once, and at most how many a second (0: as quick as the store)."""

    size: int = 50
    rate: float = 0.0

    @property
    def batch(self) -> int:
        """How many are done before the next look at the clock: a rate must not come in bursts."""
        return max(1, min(self.size, int(self.rate))) if self.rate else self.size


class Batch:
    """Acts of one person on many messages."""

    def __init__(self, broker: Broker, actor: str) -> None:
        """Take the broker and the name of the person."""
        self._broker = broker
        self._actor = actor
        self._repair = Repair(broker, actor)

    def preview(self, rows: Iterable[Row], kind: Kind, act: Act) -> Iterator[Prospect]:
        """Yield what would happen to each message; nothing is done."""
        for row in rows:
            try:
                self._repair.check(row, kind, act)
                route = self._repair.rerouted(row)[0] if act.reroute else row.route
            except (NotPossible, MessageError) as error:
                yield Prospect(row, str(error), row.route)
            else:
                yield Prospect(row, "", route)

    def freeze(self, selection: Selection, ids: Sequence[str], filters: str = "") -> None:
        """Keep what was chosen under a name. Raises NotPossible where it is taken, or empty."""
        if not ids:
            raise NotPossible("nothing was chosen; xoev-broker dead list shows what is stuck")
        line = entry("", "selected", self._actor, selection=selection.name, count=len(ids),
                     kind=selection.act, reason=selection.reason, filters=filters)  # fmt: skip
        if not self._broker.store.freeze(selection, ids, line).result():
            raise NotPossible(f'the name "{selection.name}" is taken; see: selection list')

    def run(self, name: str, pace: Pace, stop: Event, told: Told) -> Selection:
        """Do what is pending in a selection until it is done, cancelled, or `stop` is set.

        It may be run again after any interruption, and by several at once: each message is done
        once. `told` is called after each batch. Raises NotPossible where there is no selection.
        """
        found = chosen(self._broker, name)
        before = found.counts.get("done", 0)
        after, began, done = 0, time.monotonic(), 0
        try:
            while not stop.is_set() and (some := self._pending(name, after, pace.batch)):
                self._do(found, some)
                after, done = some[-1].number, done + len(some)
                told(len(some))
                if pace.rate:
                    stop.wait(max(0.0, began + done / pace.rate - time.monotonic()))
        finally:
            ended = chosen(self._broker, name)
            self._note(ended, ended.counts.get("done", 0) - before)
        return ended

    def cancel(self, name: str, reason: str) -> int:
        """Cancel what is pending; return how many. Raises NotPossible."""
        chosen(self._broker, name)
        line = entry("", "cancelled", self._actor, selection=name, reason=reason)
        return self._broker.store.cancel(name, line).result()

    def _pending(self, name: str, after: int, limit: int) -> list[Selected]:
        return self._broker.store.selected(name, "pending", after, limit)

    def _do(self, selection: Selection, some: Sequence[Selected]) -> None:
        futures: list[tuple[Selected, Future[bool]]] = []
        size = 0
        for one in some:
            step = self._step(selection, one)
            futures.append((one, self._written(selection, one, step)))
            size += step.payload.size if isinstance(step, Birth) else 0
            if size > BUDGET:
                futures[-1][1].result()
                size = 0
        # Somebody was quicker, or the message moved: look once more, with what it is now.
        for one in [one for one, future in futures if not future.result()]:
            step = self._step(selection, one)
            if not self._written(selection, one, step).result():
                self._broker.store.pass_over(selection.name, one.number, "moved meanwhile").result()

    def _step(self, selection: Selection, one: Selected) -> Step | str:
        """Return what is done to a message, or why nothing is."""
        row = self._broker.store.row(one.message)
        if row is None:
            return "no such message"
        act = Act(selection.reason, selection.again, selection.reroute,
                  {"selection": selection.name})  # fmt: skip
        try:
            if selection.act == "close":
                return self._repair.closing(row, act)
            return self._repair.replaying(row, act)
        except (NotPossible, MessageError, Refusal) as error:
            return str(error)

    def _written(self, selection: Selection, one: Selected, step: Step | str) -> Future[bool]:
        store = self._broker.store
        if isinstance(step, str):
            return store.pass_over(selection.name, one.number, step)
        return store.carry(selection.name, one.number, step)

    def _note(self, selection: Selection, count: int) -> None:
        outcome = "stopped" if selection.open else "done"
        line = entry("", "carried", self._actor, selection=selection.name, count=count,
                     kind=selection.act, outcome=outcome)  # fmt: skip
        self._broker.store.note([line]).result()


def chosen(broker: Broker, name: str) -> Selection:
    """Return a selection by its name; raises NotPossible."""
    for one in broker.store.selections():
        if one.name == name:
            return one
    raise NotPossible(f'no selection is called "{name}"; see: xoev-broker selection list')


def selection(name: str, kind: Kind, actor: str, act: Act) -> Selection:
    """Return a selection that is not frozen yet."""
    return Selection(name, kind, actor, act.reason, now(), act.again, act.reroute)
