"""What is erased when: periods, erasure by a person, legal holds, and the proof of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from broker.config.model import Route
from broker.errors import BrokerError
from broker.journal.birth import case_key
from broker.journal.entry import decode, stamp
from broker.journal.trail import BROKER, entry
from broker.journal.vault import Vault
from broker.logs import get
from broker.message import now
from broker.pipeline import Broker
from broker.settings import Settings, periods
from broker.stores.contract import Erasure, Filter, Row, Store
from broker.stores.custody import Hold, Leftover, Part
from broker.trace import LONGEST, NotFound, single, story

PARTS: tuple[Part, ...] = ("payload", "metadata", "refusal")
NAME = "retention"
DAY = timedelta(days=1)
#: A clock that is so far ahead of the last run has jumped, or the broker was away for long.
JUMP = timedelta(days=31)
#: Clocks of several machines differ, and a wrong one is set back in small steps.
SLACK = timedelta(minutes=5)
#: So many messages are erased in one commit: short enough that intake hardly waits for it.
BATCH = 200
#: Erased bytes are overwritten, so that a commit with large attachments must hold fewer messages.
BYTES = 64_000_000
#: After so many looks it is checked again whether a day has passed (`Service` looks each minute).
LOOKS = 60


class InUse(BrokerError):
    """A message cannot be erased now: it is in use, or a legal hold protects it."""


class ClockJumped(BrokerError):
    """The clock cannot be trusted, so nothing was erased."""


@dataclass(frozen=True, slots=True)
class Periods:
    """How long payload and metadata are kept after the end of a message, in seconds; 0 is for
    ever.
    """

    payload: float
    metadata: float

    def of(self, part: Part) -> float:
        """Return the period of a part; what was refused is kept as long as payloads."""
        return self.metadata if part == "metadata" else self.payload


class Policy:
    """Which periods apply to which message: those of its route, its standard, or the site's."""

    def __init__(self, settings: Settings, routes: Iterable[Route]) -> None:
        """Take the settings and the routes in force."""
        self.default = Periods(settings.retention_payload, settings.retention_metadata)
        given = periods(settings.retention_standards)
        self.standards = {name: Periods(*pair) for name, pair in given.items()}
        self.routes = {route.name: route for route in routes}
        self._all = [self.default, *self.standards.values()]
        self._all += [self.of(name, "")[1] for name in self.routes]

    def of(self, route: str, standard: str) -> tuple[str, Periods]:
        """Return the name of the rule, and its periods.

        A route that is in force no more may have kept its messages longer than others, which
        nobody can tell any more: the longest period of all applies.
        """
        known = self.routes.get(route)
        if route and known is None:
            return "unknown route", Periods(*(self._longest(part) for part in PARTS[:2]))
        # The match of a route names the standard where the message itself is not looked at.
        name = standard or (known.match.standard if known else "")
        base = self.standards.get(name, self.default)
        rule = f"standard {name}" if name in self.standards else "default"
        if known is None or known.keep.payload is known.keep.metadata is None:
            return rule, base
        payload, metadata = known.keep.payload, known.keep.metadata
        return f"route {route}", Periods(
            base.payload if payload is None else payload,
            base.metadata if metadata is None else metadata,
        )

    def shortest(self, part: Part) -> float | None:
        """Return the shortest period of a part, None where everything is kept for ever."""
        return min((one.of(part) for one in self._all if one.of(part)), default=None)

    def _longest(self, part: Part) -> float:
        found = [one.of(part) for one in self._all]
        return max(found) if all(found) else 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """How many messages, or refused ones, a rule takes a part of, and how many bytes."""

    part: Part
    rule: str
    count: int
    size: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a run has erased, or a plan would; `held` messages were due and are protected.

    `clean` says that no file holds anything of it any more.
    """

    shares: tuple[Share, ...]
    held: int = 0
    clean: bool = True

    @property
    def count(self) -> int:
        """Parts of messages in all."""
        return sum(share.count for share in self.shares)

    @property
    def size(self) -> int:
        """Bytes freed in all."""
        return sum(share.size for share in self.shares)


@dataclass(frozen=True, slots=True)
class _Due:
    left: Leftover
    name: str
    seconds: float

    @property
    def rule(self) -> str:
        return f"{self.left.part} {self.seconds / DAY.total_seconds():g}d, {self.name}"


def plan(store: Store, policy: Policy, at: datetime) -> Report:
    """Return what a run at this time would erase; nothing is changed."""
    tally = _Tally()
    for part in PARTS:
        for due in _due(store, policy, part, at):
            tally.add(due)
            if (more := _following(policy, due, at)) is not None:
                tally.add(more)
    return tally.report()


def _following(policy: Policy, due: _Due, at: datetime) -> _Due | None:
    """Return the metadata that the same run takes, once the payload is gone."""
    left = due.left
    seconds = policy.of(left.route, left.standard)[1].metadata
    over = seconds and left.ended + timedelta(seconds=seconds) <= at
    if left.part != "payload" or left.held or not over:
        return None
    return _Due(replace(left, part="metadata", size=0), due.name, seconds)


def run(
    store: Store,
    policy: Policy,
    actor: str = BROKER,
    sure: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> Report:
    """Erase what is due, in small commits; a run that was cut off is simply done again.

    `sure` says that a person has looked at the clock. Raises ClockJumped.
    """
    at = now()
    if not sure:
        trust(store, at)
    store.ran(NAME, at).result()
    tally = _Tally()
    for part in PARTS:
        for batch in _batches(_due(store, policy, part, at)):
            if stopping():
                break
            for due in _erased(store, batch, actor):
                tally.add(due)
    report = tally.report(store.scrub())
    store.note([entry("", "retained", actor, count=report.count, size=report.size)]).result()
    return report


def trust(store: Store, at: datetime) -> None:
    """Refuse a clock that is behind the journal, or far ahead of the last run.

    Raises ClockJumped.
    """
    newest, last = store.newest(), store.last(NAME)
    times = [time for time in (decode(newest).time if newest else None, last) if time]
    if times and max(times) > at + SLACK:
        raise ClockJumped(
            f"the clock shows {stamp(at)}, but something was done at {stamp(max(times))}; set the "
            "clock, or confirm with --yes"
        )
    if last and at - last > JUMP:
        raise ClockJumped(
            f"the last run was {stamp(last)}, the clock shows {stamp(at)}; if that is right, "
            "look at xoev-broker retention plan and confirm with retention run --yes"
        )


def _due(store: Store, policy: Policy, part: Part, at: datetime) -> Iterator[_Due]:
    shortest = policy.shortest(part)
    if shortest is None:
        return
    before, after = at - timedelta(seconds=shortest), ""
    while found := store.leftovers(part, before, after, BATCH):
        for left in found:
            name, kept = policy.of(left.route, left.standard)
            seconds = kept.of(part)
            if seconds and left.ended + timedelta(seconds=seconds) <= at:
                yield _Due(left, name, seconds)
        after = found[-1].id


def _batches(dues: Iterator[_Due]) -> Iterator[list[_Due]]:
    batch: list[_Due] = []
    size = 0
    for due in dues:
        batch.append(due)
        size += due.left.size
        if len(batch) == BATCH or size >= BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _erased(store: Store, batch: list[_Due], actor: str) -> list[_Due]:
    """Erase a batch; where one of it changed meanwhile, the others go one by one."""
    held = [due for due in batch if due.left.held]
    free = [due for due in batch if not due.left.held]
    if free and not store.erase([_erasure(due, actor) for due in free]).result():
        free = [due for due in free if store.erase([_erasure(due, actor)]).result()]
    return held + free


def _erasure(due: _Due, actor: str) -> Erasure:
    left = due.left
    event = "forgotten" if left.part == "metadata" else "erased"
    message, name = ("", left.id) if left.part == "refusal" else (left.id, None)
    size = None if left.part == "metadata" else left.size
    line = entry(message, event, actor, rule=due.rule, size=size, name=name)
    return Erasure(left.id, left.part, due.rule, (line,))


class _Tally:
    def __init__(self) -> None:
        self._shares: dict[tuple[Part, str], tuple[int, int]] = {}
        self._held = 0
        self.count = 0

    def add(self, due: _Due) -> None:
        if due.left.held:
            self._held += 1
            return
        self.count += 1
        key = (due.left.part, due.rule)
        count, size = self._shares.get(key, (0, 0))
        self._shares[key] = count + 1, size + due.left.size

    def report(self, clean: bool = True) -> Report:
        shares = tuple(Share(*key, *value) for key, value in self._shares.items())
        return Report(shares, self._held, clean)


class Daily:
    """Erases what is due once a day while the broker runs."""

    def __init__(self, broker: Broker, settings: Settings, stopping: Callable[[], bool]) -> None:
        """Take the broker, and what says that it is about to end."""
        self._broker = broker
        self._settings = settings
        self._stopping = stopping
        self._pause = 0

    def look(self) -> None:
        """Run where a day has passed; a clock that cannot be trusted is logged."""
        self._pause -= 1
        if self._pause > 0:
            return
        self._pause = LOOKS
        store, at = self._broker.store, now()
        last = store.last(NAME)
        if last is not None and last <= at < last + DAY:
            return
        policy = Policy(self._settings, self._broker.site.table.table.routes)
        try:
            report = run(store, policy, stopping=self._stopping)
        except ClockJumped as error:
            get().error("spared", error=str(error))
            return
        get().info("erased", count=report.count, size=report.size)


@dataclass(frozen=True, slots=True)
class Removed:
    """What a person erased: how many messages, how many bytes, how many were erased before."""

    count: int
    size: int
    before: int
    clean: bool


class Keeper:
    """Erasure and legal holds by one person; every act names the person and the reason."""

    def __init__(self, store: Store, vault: Vault, actor: str) -> None:
        """Take the store and the name of the person."""
        self._store = store
        self._vault = vault
        self._actor = actor

    def message(self, text: str) -> list[Row]:
        """Return one message and what belongs to it: its answers, its request, its replays.

        Raises NotFound.
        """
        return self._whole([single(self._store, text)])

    def case(self, case: str) -> list[Row]:
        """Return all messages of a case and what belongs to them; raises NotFound."""
        key = case_key(self._vault, case.strip())
        found = self._store.rows(Filter(case=key, limit=LONGEST + 1)) if case.strip() else []
        if not found:
            raise NotFound("no message has this case")
        return self._whole(found)

    def _whole(self, rows: list[Row]) -> list[Row]:
        known: dict[str, Row] = {}
        for row in rows:
            if row.id not in known:
                told = story(self._store, self._vault, row.id)
                known |= {chapter.row.id: chapter.row for chapter in told.chapters}
            if len(known) > LONGEST:
                raise InUse(f"more than {LONGEST} messages belong together; name single ids")
        return list(known.values())

    def erase(self, rows: list[Row], reason: str) -> Removed:
        """Erase the payloads of all of these, or of none.

        Raises InUse where one has not ended or is protected.
        """
        self._free(rows)
        left = [row for row in rows if self._store.erased(row.id) is None]
        rule = "by a person"
        items = [
            Erasure(row.id, "payload", rule, (entry(
                row.id, "erased", self._actor, rule=rule, reason=reason, size=row.size),))
            for row in left
        ]  # fmt: skip
        if items and not self._store.erase(items).result():
            raise InUse("one of these messages has changed just now; look at it again")
        found = [self._store.erased(row.id) for row in left]
        size = sum(one.size for one in found if one)
        return Removed(len(left), size, len(rows) - len(left), self._store.scrub())

    def _free(self, rows: list[Row]) -> None:
        held = {hold.message for hold in self._store.holds()}
        kept = [row.id for row in rows if row.id in held or row.answers in held]
        if kept:
            ids = ", ".join(kept)
            raise InUse(f"a legal hold protects {ids}; xoev-broker unhold ends it")
        used = [f"{row.id} is {row.state.value}" for row in rows if not row.state.terminal]
        if used:
            raise InUse(f"in use: {', '.join(used)}; wait until it has ended, or close it first")

    def hold(self, rows: list[Row], reason: str) -> int:
        """Protect these from erasure; return how many were not protected yet."""
        at = now()
        done = [
            self._store.hold(
                Hold(row.id, self._actor, reason, at),
                entry(row.id, "locked", self._actor, at, reason=reason),
            )
            for row in rows
        ]
        return sum(future.result() for future in done)

    def unhold(self, rows: list[Row], reason: str) -> int:
        """End the protection; return how many had one."""
        done = [
            self._store.unhold(row.id, entry(row.id, "unlocked", self._actor, reason=reason))
            for row in rows
        ]
        return sum(future.result() for future in done)


def shown(policy: Policy) -> Mapping[str, Periods]:
    """Return the periods by rule, for people."""
    found = {"default": policy.default}
    found |= {f"standard {name}": one for name, one in sorted(policy.standards.items())}
    for name in policy.routes:
        rule, one = policy.of(name, "")
        if rule.startswith("route "):
            found[rule] = one
    return found
