"""Listing the routes, and the schema that lets an editor check routes.yaml."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from broker.cli.desk import Desk, opened, settings
from broker.cli.terminal import show, table
from broker.message import now

if TYPE_CHECKING:
    from broker.config.model import Route
    from broker.pipeline import Site

Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]


def listed(json: bool) -> None:
    """Print all routes in the order in which they are tried."""
    site, paused = _site()
    kinds = {name: declared.kind for name, declared in site.table.table.channels.items()}
    found = [_record(route, kinds, route.name in paused) for route in site.table.table.routes]
    if json:
        show({"digest": site.table.table.digest, "routes": found})
        return
    rows = [
        (one["name"], _standard(one), ", ".join(one["kinds"]) or "any", one["recipient"],
         ", ".join(one["senders"]) or "any", one["adapter"],
         f"{one['channel']} ({one['channel_kind']})", "paused" if one["paused"] else "")
        for one in found
    ]  # fmt: skip
    columns = ("route", "standard", "kind", "recipient", "sender", "adapter", "channel", "")
    table(columns, rows)


def schema() -> None:
    """Print the JSON schema of routes.yaml, for editors."""
    from broker.app import kind_fields
    from broker.config.schema import schema as made

    show(made(kind_fields()))


def _site() -> tuple[Site, Collection[str]]:
    """Return the configuration and what is paused; without a store only a window stops anything."""
    from broker.app import load_site
    from broker.errors import BrokerError, ConfigError, StoreError

    try:
        with opened() as desk:
            return desk.site, _paused(desk)
    except (ConfigError, StoreError):
        raise
    except BrokerError:
        import os

        site = load_site(settings(), os.environ)
        return site, site.maintenance.routes(now())


def _paused(desk: Desk) -> Collection[str]:
    from broker.pulse import stopped

    return stopped(desk.store, desk.site.maintenance, now())


def _standard(one: dict[str, Any]) -> str:
    return f"{one['standard']} {', '.join(one['versions'])}".strip() or "any"


def _record(route: Route, kinds: dict[str, str], paused: bool) -> dict[str, Any]:
    match = route.match
    return {
        "name": route.name,
        "line": route.line,
        "standard": match.standard,
        "versions": list(match.versions),
        "kinds": list(match.kinds),
        "recipient": match.recipient,
        "senders": list(match.senders),
        "adapter": route.adapter,
        "channel": route.channel,
        "channel_kind": kinds.get(route.channel, ""),
        "answer": route.answer,
        "order": "case" if route.order_by_case else "none",
        "paused": paused,
    }
