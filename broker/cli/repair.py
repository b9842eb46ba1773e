"""What a person does to a message or a route; every act names the person and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from typer import Argument, BadParameter, Option

from broker.cli.desk import Desk, opened
from broker.cli.terminal import complain, say
from broker.errors import BrokerError

Id = Annotated[str, Argument(metavar="ID", help="id, nachrichtenUUID, reference or file number")]
Reason = Annotated[
    str, Option(help="why, without personal data: it stays in the journal", show_default=False)
]
Actor = Annotated[str | None, Option(help="who acts; else the user of the operating system")]
Route = Annotated[str, Argument(metavar="ROUTE", help="a route, or an entry with all its routes")]


def replay(
    id: Id,
    reason: Reason,
    again: Annotated[
        bool, Option("--again", help="send once more what was, or may have been, delivered")
    ] = False,
    reroute: Annotated[bool, Option("--reroute", help="decide the route anew first")] = False,
    actor: Actor = None,
) -> None:
    """Let a message go on that is stuck.

    It keeps its key, so that the procedure recognises a repeat. What was delivered is sent only
    with --again, as a new message that is linked to the original.
    """
    from broker.repair import Repair
    from broker.trace import single

    with opened() as desk:
        row = single(desk.store, id)
        went = Repair(desk, acting(actor)).replay(row, given(reason), again, reroute)
    linked = f", a replay of {row.id}" if went != row.id else ""
    say(f"{went} is waiting{linked}; follow it with: xoev-broker trace {went}")


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


def pause(route: Route, reason: Reason, actor: Actor = None) -> None:
    """Stop a route; its messages wait until it is resumed.

    They are still accepted. The name of an entry with `for:` stops all its routes.
    """
    from broker.repair import Repair

    with opened(fresh=True) as desk:
        repair = Repair(desk, acting(actor))
        for name in _routes(desk, route):
            repair.pause(name, given(reason))
            say(f"{name} is paused")


def resume(route: Route, reason: Reason = "", actor: Actor = None) -> None:
    """Let a stopped route go on."""
    from broker.repair import Repair

    with opened() as desk:
        paused = [pause.route for pause in desk.store.pauses()]
        names = [name for name in paused if name == route or name.startswith(f"{route}/")]
        if not names:
            raise BrokerError(f'route "{route}" is not paused; xoev-broker status lists those')
        repair = Repair(desk, acting(actor))
        for name in names:
            repair.resume(name, reason)
            say(f"{name} goes on")


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
    """Return who acts: as given, else the person behind sudo, else the user of this process.

    An account without a name is shown by its number.
    """
    import getpass
    import os

    if found := name or os.environ.get("SUDO_USER"):
        return found
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
