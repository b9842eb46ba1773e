"""Holds what happened against what must happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from broker.errors import BrokerError
from broker.message import Direction, State, now
from broker.standins.play import End, Part
from broker.standins.portal import Answer, Posted
from broker.stores.contract import Filter, Row, Store
from broker.xoev.standards import Standards

#: HTTP status that each end has, where the broker did not take a new message over.
STATUS = {End.REPEATED: (200,), End.REFUSED: (400, 409, 413, 422)}


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one part: the answer to its sending, its row, what came back, files made."""

    part: Part
    posted: Posted | None = None
    row: Row | None = None
    answers: Sequence[Answer] = ()
    filed: int = 0
    first: str = field(default="", kw_only=True)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come, or more came than should."""
        if isinstance(self.part.end, End):
            return self.posted is not None
        if self.row is None or not self.row.state.terminal:
            return False
        return len(self.answers) >= len(self.part.answers)

    def told(self) -> list[str]:
        """Return what is wrong, with the name of the message."""
        return [f"{self.part.title} ({self.part.city}): {text}" for text in self.wrong()]

    def wrong(self) -> Iterator[str]:
        """Yield everything that is not as it must be."""
        part = self.part
        if isinstance(part.end, End):
            yield from self._not_taken(part.end)
            return
        state, reason = (self.row.state, self.row.reason) if self.row else (None, "")
        if state is not part.end or reason != part.reason:
            yield f"is {state or 'not there'} {reason}".strip() + f", must be {part.end.value}"
        came = sorted(answer.kind for answer in self.answers)
        if came != sorted(part.answers):
            yield f"answered with {came or 'nothing'}, must be {sorted(part.answers)}"
        if self.filed != part.filed:
            yield f"filed {self.filed} times, must be {part.filed}"

    def _not_taken(self, end: End) -> Iterator[str]:
        posted = self.posted or Posted(0)
        if posted.status not in STATUS[end] or posted.reason != self.part.reason:
            yield f"got HTTP {posted.status} {posted.reason}".strip() + f", must be {end.value}"
        if end is End.REPEATED and posted.id != self.first:
            yield "got another receipt than the first time"


def look(
    parts: Sequence[Part],
    posted: Mapping[int, Posted],
    store: Store,
    answers: Mapping[str, Sequence[Answer]],
    effects: Mapping[str, Mapping[str, int]],
) -> list[Seen]:
    """Return what is known of each part now; `posted` by the number of the part."""
    rows = store.rows(Filter(direction=Direction.REQUEST, limit=10 * len(parts)))
    known = {row.envelope.uuid: row for row in rows}
    seen = []
    for number, part in enumerate(parts):
        row = known.get(part.uuid)
        if isinstance(part.end, End):
            first = row.id if row else ""
            seen.append(Seen(part, posted.get(number), first=first))
            continue
        filed = effects.get(part.city, {}).get(row.reference, 0) if row else 0
        seen.append(Seen(part, posted.get(number), row, answers.get(part.uuid, ()), filed))
    return seen


def faults(
    seen: Sequence[Seen], store: Store, effects: Mapping[str, Mapping[str, int]]
) -> Iterator[str]:
    """Yield everything that is not as it must be, messages first, then the sums."""
    for one in seen:
        yield from one.told()
    filed, wanted = _files(effects), sum(one.part.filed for one in seen)
    if filed != wanted:
        yield f"{filed} files at the procedures, must be {wanted}"
    counts = store.counts()
    refused = sum(one.part.end is End.REFUSED for one in seen)
    if counts.refused != refused:
        yield f"{counts.refused} were refused, must be {refused}"
    taken = sum(isinstance(one.part.end, State) for one in seen)
    answers = sum(len(one.part.answers) for one in seen)
    if counts.accepted != taken + answers:
        yield f"{counts.accepted} messages are in the store, must be {taken} and {answers} answers"
    open_ones = [
        f"{count} {state.value}"
        for states in counts.states.values()
        for state, count in states.items()
        if count and not state.terminal
    ]
    if open_ones:
        yield f"not at an end: {', '.join(open_ones)}"


def _files(effects: Mapping[str, Mapping[str, int]]) -> int:
    return sum(sum(counts.values()) for counts in effects.values())


def invalid(seen: Sequence[Seen], standards: Standards) -> Iterator[str]:
    """Yield every answer that is not valid by its standard."""
    for one in seen:
        for answer in one.answers:
            if answer.kind == "reason":
                continue
            try:
                document = standards.parse(answer.body)
                standards.validate(document, standards.envelope(document), now())
            except BrokerError as error:
                yield f"{one.part.title} ({one.part.city}): answer {answer.kind}: {error}"
