"""What a person does to a message or a route; every act names the person and the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from broker.cli.desk import Desk, opened
from broker.cli.terminal import complain, moment, say
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.repair import Repair

Id = Annotated[str, Argument(metavar="ID", help="id, nachrichtenUUID, reference or file number")]
Reason = Annotated[
    str, Option(help="why, without personal data: it stays in the journal", show_default=False)
]
Actor = Annotated[str | None, Option(help="who acts; else the user of the operating system")]
Route = Annotated[str, Argument(metavar="ROUTE", help="a route, or an entry with all its routes")]
#: Returns a time zone.
Zone = Callable[[], tzinfo]


def close(id: Id, reason: Reason, actor: Actor = None) -> None:
    """End a message that a person has taken care of.

    It will never be sent; its state is then final.
    """
    from broker.repair import Repair
    from broker.trace import single

    with opened() as desk:
        row = single(desk.store, id)
        Repair(desk, acting(actor)).close(row, given(reason))
    say(f"{row.id} is closed")


def settle(
    id: Id,
    reason: Reason,
    delivered: Annotated[
        bool, Option("--delivered", help="confirm: the procedure has the message")
    ] = False,
    actor: Actor = None,
) -> None:
    """Say that an unclear delivery did arrive.

    Look into the procedure first: only there one can see it.
    """
    from broker.repair import Repair
    from broker.trace import single

    if not delivered:
        text = "say --delivered if it arrived; if it did not, use: xoev-broker replay ID --again"
        raise BadParameter(text, param_hint="--delivered")
    with opened() as desk:
        row = single(desk.store, id)
        Repair(desk, acting(actor)).settle(row, given(reason))
    say(f"{row.id} is delivered")


def pause(
    route: Route,
    reason: Reason,
    until: Annotated[
        str, Option(metavar="TIME", help="until 2h from now, 14:30, or 2026-03-02T08:30")
    ] = "",
    start: Annotated[
        str, Option("--from", metavar="TIME", help="from then on; written as for --until")
    ] = "",
    actor: Actor = None,
) -> None:
    """Stop a route; its messages wait until it is resumed.

    They are still accepted. The name of an entry with `for:` stops all its routes. With --from and
    --until it is a planned maintenance window: nothing needs to run for it to begin or end. A time
    of day for --until is then the next one after the begin.
    """
    from broker.maintenance import zone as named
    from broker.repair import Repair

    if start and not until:
        raise BadParameter("a planned pause needs an end", param_hint="--until")
    with opened(fresh=True) as desk:
        zone = partial(named, desk.settings.zone)
        begin = ahead(start, "--from", zone) if start else None
        times = (begin, ahead(until, "--until", zone, begin) if until else None)
        repair = Repair(desk, acting(actor))
        for name in _routes(desk, route):
            _stop(repair, name, given(reason), acting(actor), times)


def _stop(
    repair: Repair, name: str, reason: str, actor: str, times: tuple[datetime | None, ...]
) -> None:
    from broker.message import new_id, now
    from broker.stores.mending import Window

    start, until = times
    if until is None:
        repair.pause(name, reason)
        say(f"{name} is paused")
        return
    repair.plan(Window(new_id(), name, start or now(), until, actor, reason))
    say(f"{name} is paused {f'from {moment(start)} ' if start else ''}until {moment(until)}")


def ahead(text: str, option: str, zone: Zone, begin: datetime | None = None) -> datetime:
    """Return the time that a duration from now, a time of day or a date means, local time.

    A time of day is the next one after `begin`, by default after now. `zone` is asked where a time
    zone is needed.
    """
    from broker.errors import ConfigError
    from broker.message import now
    from broker.values import seconds

    try:
        return now() + timedelta(seconds=seconds(text))
    except ConfigError:
        pass
    try:
        if (clock := _clock(text)) is None:
            return _local(datetime.fromisoformat(text), zone)
        after = (begin or now()).astimezone(UTC)
        first = after.astimezone(zone()).date()
        days = (first + timedelta(days=count) for count in range(3))
        times = (_local(datetime.combine(day, clock), zone) for day in days)
        return next(found for found in times if found > after)
    except ValueError as error:
        wanted = "needed is a duration such as 2h, a time such as 14:30, or 2026-03-02T08:30"
        raise BadParameter(wanted, param_hint=option) from error


def _local(time: datetime, zone: Zone) -> datetime:
    return (time if time.tzinfo else time.replace(tzinfo=zone())).astimezone(UTC)


def _clock(text: str) -> time | None:
    try:
        return time.fromisoformat(text)
    except ValueError:
        return None


def resume(
    route: Route,
    reason: Reason = "",
    planned: Annotated[bool, Option("--planned", help="take back what is planned, too")] = False,
    actor: Actor = None,
) -> None:
    """Let a stopped route go on. What is planned for later stays, without --planned."""
    from broker.message import now
    from broker.repair import Repair

    with opened() as desk:
        windows = [one for one in desk.store.windows() if planned or one.open(now())]
        names = {one.route for one in windows} | {one.route for one in desk.store.pauses()}
        found = sorted(name for name in names if name == route or name.startswith(f"{route}/"))
        if not found:
            raise BrokerError(f'route "{route}" is not paused{_standing(desk, route)}')
        repair = Repair(desk, acting(actor))
        for one in windows:
            if one.route in found:
                repair.unplan(one, reason)
        for name in found:
            repair.resume(name, reason)
            say(f"{name} goes on")


def _standing(desk: Desk, name: str) -> str:
    """Say what else stops a route that nobody has stopped."""
    from broker.message import now

    found = desk.maintenance.routes(now())
    until = [end for route, end in found.items() if route == name or route.startswith(f"{name}/")]
    if not until:
        return "; xoev-broker status lists those"
    return (
        f", its channel is in a regular window until {desk.maintenance.local(max(until))}; to end "
        'that now, take the window out of "maintenance" in routes.yaml and reload'
    )


def _routes(desk: Desk, name: str) -> Sequence[str]:
    """Return the routes that a name means; a broken routes.yaml must not prevent a stop."""
    from broker.errors import ConfigError
    from broker.values import closest

    try:
        routes = desk.site.table.table.routes
    except ConfigError:
        complain("warning: the configuration has findings, so the name is not checked")
        return (name,)
    found = [route.name for route in routes if name in (route.name, route.entry)]
    if not found:
        names = {route.name for route in routes} | {route.entry for route in routes}
        raise BrokerError(f'unknown route "{name}"{closest(name, names)}')
    return found


def given(reason: str) -> str:
    """Return a reason without spaces around it; an empty one is wrong usage."""
    if not reason.strip():
        raise BadParameter("a reason is needed, it stays in the journal", param_hint="--reason")
    return reason.strip()


def acting(name: str | None) -> str:
    """Return who acts: as given, else the account behind this process."""
    return name or account()


def account() -> str:
    """Return the person behind sudo, else the user of this process.

    An account without a name is shown by its number.
    """
    import getpass
    import os

    if found := os.environ.get("SUDO_USER"):
        return found
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
