"""The queue: whether it is there, what waits in it, and who listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Exit, Option

from broker.cli.desk import settings
from broker.cli.terminal import complain, say, show, table
from broker.settings import variable

if TYPE_CHECKING:
    from broker.stores.doorbell import Standing


def shown(
    json: Annotated[bool, Option("--json", help="for machines, with stable keys")] = False,
) -> None:
    """Show the queues of the broker; exit code 1 where something is wrong with them.

    Only ids of deliveries are in them. Nothing is made or changed.
    """
    from broker.app import look_at_queue

    found = look_at_queue(settings())
    if json:
        show(_record(found))
    elif found is None:
        say(f"no queue is configured ({variable('queue')}): workers look into the store themselves")
    else:
        _told(found)
    if found is not None and not found.well:
        raise Exit(1)


def _record(found: Standing | None) -> dict[str, Any]:
    if found is None:
        return {"configured": False}
    return {
        "configured": True,
        "node": found.node or None,
        "tls": found.tls,
        "finding": found.finding or None,
        "queues": [
            {
                "name": line.name,
                "waiting": line.waiting,
                "listeners": line.listeners,
                "finding": line.finding or None,
            }
            for line in found.lines
        ],
    }


def _told(found: Standing) -> None:
    if found.node:
        say(f"node  {found.node}, {'TLS' if found.tls else 'without TLS'}")
        say()
        rows = [(line.name, "?" if line.finding else "quorum", str(line.waiting),
                 str(line.listeners)) for line in found.lines]  # fmt: skip
        table(("queue", "type", "waiting", "listeners"), rows)
    for finding in filter(None, (found.finding, *(line.finding for line in found.lines))):
        complain(finding)
