"""Alerts: what people must know of now, and whether they would be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Exit, Option

from broker.cli.desk import opened, settings
from broker.cli.terminal import complain, language, moment, say, show, table
from broker.errors import ChannelError

if TYPE_CHECKING:
    from broker.stores.lookout import Alarm

Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]
Lang = Annotated[str | None, Option(help="en or de; else as LANG says")]


def listed(lang: Lang = None, json: Json = False) -> None:
    """List the open causes, and by which way people know.

    Each cause is told once by every way, and once when it is over. The daemon looks every half
    minute.
    """
    with opened() as desk:
        found = desk.store.alarms()
    if json:
        show({"alerts": [record(alarm) for alarm in found]})
        return
    german = language(lang) == "de"
    rows = [_row(alarm, german) for alarm in found]
    if not rows:
        say("Es ist nichts zu melden." if german else "There is nothing to tell.")
        return
    heads = ("seit", "Anlass", "was", "gemeldet") if german else ("since", "cause", "what", "told")
    table(heads, rows)


def tried(json: Json = False) -> None:
    """Send a test alert by every way that is set.

    The exit code is 1 where one of them fails, or none is set.
    """
    import socket

    from broker.alerts.news import Bulletin, News
    from broker.alerts.ways import ways
    from broker.message import new_id, now
    from broker.stores.lookout import Alarm

    found = settings()
    at = now()
    news = [News("raised", Alarm("test", at))]
    bulletin = Bulletin(new_id(), found.origin, socket.gethostname(), at, news)
    outcomes: dict[str, str] = {}
    for way in ways(found):
        if way.name == "log":
            continue
        try:
            way.tell(bulletin)
            outcomes[way.name] = ""
        except ChannelError as error:
            outcomes[way.name] = str(error)
    _told(outcomes, json)
    if not outcomes or any(outcomes.values()):
        raise Exit(1)


def record(alarm: Alarm) -> dict[str, Any]:
    """Return one alert for a machine."""
    from broker.alerts.news import News

    state: Any = "cleared" if alarm.over else "raised"
    return News(state, alarm).record() | {"told": dict(alarm.told)}


def line(alarm: Alarm, german: bool = False) -> str:
    """Return one alert for people."""
    from broker.alerts.words import said

    words = said(alarm.cause, alarm.facts)
    return words.de if german else words.en


def _row(alarm: Alarm, german: bool) -> tuple[str, ...]:
    told = ", ".join(f"{way} {what.partition(' ')[0]}" for way, what in alarm.told.items())
    over = ("vorbei: " if german else "over: ") if alarm.over else ""
    return moment(alarm.since), alarm.cause, over + line(alarm, german), told or "-"


def _told(outcomes: dict[str, str], json: bool) -> None:
    if json:
        show({"ways": [{"way": way, "error": error or None} for way, error in outcomes.items()]})
        return
    for way, error in outcomes.items():
        if error:
            complain(f"{way}: {error}")
        else:
            say(f"{way}: sent")
    if not outcomes:
        complain("no way is set; alerts stand in the log only: see docs/howto/alerts.md")
