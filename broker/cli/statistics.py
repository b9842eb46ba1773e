"""A period in numbers, as tables and bars on a terminal, as JSON, and as a page with charts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from broker.cli import query
from broker.cli.desk import opened
from broker.cli.terminal import complain, language, say, show, table
from broker.errors import BrokerError
from broker.message import Direction, State

if TYPE_CHECKING:
    from broker.statistics import Group, Statistics

#: So many characters are the longest bar of a terminal.
_BAR = 40
#: So many days are shown one by one on a terminal; the page and JSON have all.
_DAYS = 31


def statistics(  # noqa: PLR0913, PLR0917 - one argument for each option
    since: query.Since = "30d",
    until: query.Until = "",
    route: query.Route = "",
    party: query.Party = "",
    html: Annotated[
        Path | None, Option(metavar="FILE", help="write a page with charts, for printing too")
    ] = None,
    lang: Annotated[str | None, Option(help="language of the page, en or de")] = None,
    json: Annotated[bool, Option("--json", help="for machines, with stable keys")] = False,
) -> None:
    """Count a period: how many, how long, refused why.

    Times run from acceptance to delivery. Messages count in the period in which they were accepted,
    by the state that they are in now.
    Only numbers are read, so that it leaves no entry in the journal.
    """
    from broker.statistics import collect, record

    asked = query.Query(route=route, party=party, since=since, until=until)
    with opened() as desk:
        found = collect(desk.store, asked.filter(desk, 1))
    if html is not None:
        _write(html, found, lang)
    if json:
        show(record(found))
    elif html is None:
        _tables(found)


def _write(file: Path, found: Statistics, lang: str | None) -> None:
    from broker.cli.chart import page

    try:
        file.write_text(page(found, language(lang)), "utf-8")
    except OSError as error:
        raise BrokerError(f"{file} cannot be written: {error.strerror}") from error
    complain(f"written {file}")


def _tables(found: Statistics) -> None:
    from broker.journal.entry import stamp

    period = (found.filter.since, found.filter.until)
    begin, end = (stamp(time)[:16] + "Z" if time else "now" for time in period)
    say(f"accepted from {begin} to {end}\n")
    totals = (found.total(direction) for direction in Direction)
    rows = [_row(group, group.route or "(none)") for group in found.groups]
    rows += [_row(group, "all") for group in totals if group.accepted]
    heads = ("", "route", "accepted", "delivered", "rejected", "closed", "open", "median", "95 %")
    table(heads, rows)
    _reasons("rejected, why", found.reasons)
    _reasons("refused at the door, why", found.refused)
    _days(found)


def _row(group: Group, route: str) -> tuple[str, ...]:
    from broker.cli.chart import lasted
    from broker.statistics import percentile

    states = group.states
    return (
        f"{group.direction.value}s",
        route,
        str(group.accepted),
        *(str(states[state]) for state in (State.DELIVERED, State.REJECTED, State.CLOSED)),
        str(group.open),
        lasted(percentile(group.times, 50)),
        lasted(percentile(group.times, 95)),
    )


def _reasons(title: str, reasons: Mapping[str, int]) -> None:
    if reasons:
        say(f"\n{title}")
        most = max(reasons.values())
        rows = [(code, str(count), bar(count, most)) for code, count in reasons.items()]
        table(("code", "count", ""), rows)


def _days(found: Statistics) -> None:
    days = list(found.days.items())[-_DAYS:]
    if not days:
        return
    left = len(found.days) - len(days)
    say(f"\nrequests a day{f' (the last {_DAYS} days that had any)' if left else ''}")
    most = max(states.total() for _, states in days)
    table(("day", "count", ""),
          [(day.isoformat(), str(states.total()), bar(states.total(), most))
           for day, states in days])  # fmt: skip


def bar(count: int, most: int, width: int = _BAR) -> str:
    """Return a bar; what is there at all can be seen."""
    return "█" * max(1 if count else 0, round(count * width / most))
