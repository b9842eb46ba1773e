"""Standards: which are installed, and by what their messages are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from broker.cli.desk import settings
from broker.cli.terminal import show, table

if TYPE_CHECKING:
    from broker.xoev.standards import Standards


def listed(
    json: Annotated[bool, Option("--json", help="for machines, with stable keys")] = False,
) -> None:
    """List the installed standards, and whether an official bundle or only a profile judges."""
    from broker.xoev.standards import Standards

    standards = Standards.load(settings().schemas)
    found = [_record(standards, name, version) for name in standards.names()
             for version in standards.versions(name)]  # fmt: skip
    if json:
        show({"standards": found})
        return
    rows = [
        (one["standard"], one["version"], one["title"], one["judged_by"], str(one["kinds"]),
         one["digest"][:12])
        for one in found
    ]  # fmt: skip
    table(("standard", "version", "title", "judged by", "message kinds", "digest"), rows)


def _record(standards: Standards, name: str, version: str) -> dict[str, Any]:
    bundle = standards.bundle(name, version)
    return {
        "standard": name,
        "version": version,
        "title": standards.title(name),
        "judged_by": "profile" if bundle.profile else "official",
        "kinds": len(standards.kinds(name, version)),
        "digest": bundle.digest,
    }
