"""Looks again and again for causes that people must know of, and tells them once each.

Every process keeps what only it can see in the store; the one that holds the office looks at what
all can see, and tells. State lies in the store, so that no start and no other holder tells twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from broker.alerts.news import Bulletin, News, Patience, gone, news, told
from broker.alerts.sights import Sights, aside, here
from broker.alerts.ways import Log, Way
from broker.alerts.words import Facts
from broker.deadlines import Deadlines
from broker.errors import ChannelError, StoreAway
from broker.logs import get
from broker.message import new_id, now
from broker.pipeline import Broker
from broker.pressure import Reading
from broker.settings import Settings
from broker.stores.contract import Entry
from broker.stores.lookout import Alarm, Turn
from broker.stores.mending import Lane

#: The causes are looked for so often at least (seconds).
ROUND = 30.0
#: A database that is away for so long is a cause.
AWAY = timedelta(seconds=60)


def _none() -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class Senses:
    """What this process knows of itself.

    `holder` says whether it tells; `weak` and `disturbed` are the channels over which it cannot
    deliver, or that it cannot look into; `alive` are the processes that may be there now.
    """

    process: str
    host: str
    holder: Callable[[], bool]
    reading: Callable[[], Reading] = Reading
    weak: Callable[[], Collection[str]] = _none
    disturbed: Callable[[], Collection[str]] = _none
    alive: Callable[[], Collection[str]] = _none


@dataclass(slots=True)
class _Since:
    """Since when names are there, as far as they were looked for."""

    known: dict[str, datetime] = field(default_factory=dict)

    def seen(self, names: Iterable[str], at: datetime) -> Mapping[str, datetime]:
        self.known = {name: self.known.get(name, at) for name in names}
        return self.known


class Watch:
    """Looks in rounds; call `look` every `period` seconds, on one thread."""

    def __init__(
        self, broker: Broker, settings: Settings, senses: Senses, ways: Iterable[Way] = (Log(),)
    ) -> None:
        """Take what is watched, what this process knows, and how people are told."""
        self._broker = broker
        self._settings = settings
        self._senses = senses
        self._ways = tuple(ways)
        self._patience = Patience(settings.alert_repeat, settings.alert_over)
        self._sights = Sights(broker, settings)
        self._deadlines = Deadlines(broker.store, lambda: broker.site.table.table)
        self._weak, self._disturbed = _Since(), _Since()
        self._held = False
        self._gone_since: datetime | None = None
        self._missed: dict[str, str] = {}
        self._failing: set[str] = set()
        self._log = get()

    @property
    def period(self) -> float:
        """Return the seconds from one look to the next: what is over soon is seen soon."""
        return min(ROUND, self._settings.alert_over)

    def look(self, at: datetime | None = None) -> None:
        """Look once. Raises StoreError; where the store is away for long, it tells that first."""
        at = at or now()
        try:
            self._round(at)
        except StoreAway:
            self._away(at)
            raise

    def older(self, at: datetime | None = None) -> None:
        """Tell that the store is an older copy, where this process was the one that tells: it ends,
        and nothing can be written any more.
        """
        at = at or now()
        if self._held:
            self._told_by_all(Alarm("copy", at, {}), at)

    def _told_by_all(self, alarm: Alarm, at: datetime) -> Mapping[str, str]:
        """Tell one alarm that the store cannot hold; return by which ways people know of it."""
        known = alarm.told
        for way in self._ways:
            items = news([alarm], way.name, at, Patience())
            if items and self._told(way, items, at):
                known = {**known, **told(items[0], way.name, at)}
        return known

    def _round(self, at: datetime) -> None:
        store, holder = self._broker.store, self._senses.holder()
        if holder:
            self._deadlines.look(at)
        known = store.alarms()
        self._held = holder
        if self._missed:
            # People were told of it already; that it is over they learn in the usual way.
            self._raised_while_away()
            known = store.alarms()
        self._gone_since = None
        turn = self._turn(known, holder, at)
        if turn != Turn():
            store.turn(turn).result()
            known = store.alarms()
        if holder:
            self._tell(known, at)

    def _turn(self, known: list[Alarm], holder: bool, at: datetime) -> Turn[Entry]:
        open = {alarm.cause: alarm for alarm in known if alarm.over is None}
        mine = self._mine(open, at)
        lanes = self._broker.store.lanes() if holder else []
        site = self._everywhere(open, lanes, at) if holder else {}
        seen = {cause: (facts, self._senses.process) for cause, facts in mine.items()}
        seen.update((cause, (facts, "")) for cause, facts in site.items())
        raised = tuple(
            Alarm(cause, at, facts, process)
            for cause, (facts, process) in seen.items()
            if cause not in open or open[cause].facts != facts
        )
        over = self._over(holder)
        calmed = tuple(
            (cause, at) for cause, alarm in open.items() if cause not in seen and over(alarm)
        )
        return Turn(raised, calmed)

    def _over(self, holder: bool) -> Callable[[Alarm], bool]:
        """Return whether a cause that this process does not see is over."""
        alive = self._senses.alive() if holder else ()

        def over(alarm: Alarm) -> bool:
            if alarm.process == self._senses.process:
                return True
            # What only a dead process saw, nobody sees.
            return holder and alarm.process not in alive

        return over

    def _mine(self, open: Mapping[str, Alarm], at: datetime) -> dict[str, Facts]:
        found = here(self._senses.reading(), self._senses.host)
        found.update(aside(self._broker.site.channels.values()))
        for name, since in self._disturbed.seen(self._senses.disturbed(), at).items():
            cause = f"inlet:{name}"
            if cause in open or self._long(since, at):
                found[cause] = {"channel": name}
        return found

    def _everywhere(
        self, open: Mapping[str, Alarm], lanes: list[Lane], at: datetime
    ) -> dict[str, Facts]:
        found = self._sights.look(at, lanes)
        weak = self._weak.seen(self._senses.weak(), at)
        failing = self._failing_channels(lanes)
        for name in weak.keys() | failing:
            cause = f"channel:{name}"
            # Right after a start nothing was tried yet: what was a cause stays one while it waits.
            if cause in open or (name in weak and self._long(weak[name], at)):
                found[cause] = {"channel": name}
        return found

    def _failing_channels(self, lanes: list[Lane]) -> set[str]:
        table = self._broker.site.table
        routes = [table.route(lane.route) for lane in lanes if lane.failing]
        return {route.channel for route in routes if route}

    def _long(self, since: datetime, at: datetime) -> bool:
        return at - since >= timedelta(seconds=self._settings.alert_disturbed)

    def _tell(self, known: list[Alarm], at: datetime) -> None:
        alarms = {alarm.cause: alarm for alarm in known}
        changed: set[str] = set()
        for way in self._ways:
            items = news(alarms.values(), way.name, at, self._patience)
            if items and self._told(way, items, at):
                for one in items:
                    cause = one.alarm.cause
                    alarms[cause] = replace(alarms[cause], told=told(one, way.name, at))
                    changed.add(cause)
        names = [way.name for way in self._ways]
        over = gone(alarms.values(), names, at, self._patience)
        facts = tuple((cause, alarms[cause].told) for cause in sorted(changed))
        if facts or over:
            self._broker.store.turn(Turn(told=facts, gone=over)).result()

    def _told(self, way: Way, items: list[News], at: datetime) -> bool:
        bulletin = Bulletin(new_id(), self._settings.origin, self._senses.host, at, items)
        try:
            way.tell(bulletin)
        except ChannelError as error:
            if way.name not in self._failing:
                self._failing.add(way.name)
                self._log.error("untold", channel=way.name, error=str(error))
            return False
        if way.name in self._failing:
            self._failing.discard(way.name)
            self._log.info("restored", channel=way.name)
        return True

    def _away(self, at: datetime) -> None:
        """Tell that the store is away, where this process was the one that tells."""
        self._gone_since = self._gone_since or at
        if not self._held or at - self._gone_since < AWAY:
            return
        alarm = Alarm("store", self._gone_since, _oldest(self._gone_since), told=self._missed)
        self._missed = dict(self._told_by_all(alarm, at))

    def _raised_while_away(self) -> None:
        since = self._gone_since or now()
        alarm = Alarm("store", since, _oldest(since), told=self._missed)
        self._broker.store.turn(Turn(raised=(alarm,), told=(("store", self._missed),))).result()
        self._missed, self._gone_since = {}, None


def _oldest(at: datetime) -> Facts:
    return {"oldest": at.isoformat(timespec="seconds")}
