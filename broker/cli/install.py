"""Official bundles: putting them in, looking at them, taking them away."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, BadParameter, Option

from broker.cli.desk import noted, settings
from broker.cli.repair import Actor, acting
from broker.cli.terminal import complain, say, show, table

if TYPE_CHECKING:
    from broker.xoev.install import Change
    from broker.xoev.loose import Loose
    from broker.xoev.record import Record

Day = Annotated[datetime | None, Option(formats=["%Y-%m-%d"], show_default=False)]
Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]
Standard = Annotated[str, Argument(metavar="STANDARD/VERSION", help="such as xbau/2.6")]

_SHORT = 12
_RELOAD = "a running broker takes it at the next reload (SIGHUP); held messages then go on"


def install(  # noqa: PLR0913, PLR0917 - one argument for each option
    source: Annotated[str, Argument(metavar="BUNDLE.zip|FOLDER|URN")],
    name: Annotated[
        str, Option(help="folder of the standard; else what the bundle calls itself")
    ] = "",
    valid_from: Day = None,
    valid_until: Day = None,
    repository: Annotated[
        str,
        Option(help="address of the HTTP API for a URN; else XOEV_BROKER_REPOSITORY"),
    ] = "",
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Install an official bundle: check it, prove it, then put it in force as a whole.

    Nothing is changed if anything is wrong, and nothing is ever fetched but the URN that you name.
    A bundle that is installed already changes nothing. Code lists (Genericode) may also come
    alone, as files in a folder or zip. Dates can be given or changed later in
    calendar.yaml beside the standards, there with days of grace.
    """
    from broker.xoev.install import Terms
    from broker.xoev.install import install as put

    found = settings()
    address = repository or found.repository
    who = acting(actor)
    terms = Terms(name, _day(valid_from), _day(valid_until), 0, who, address)
    done = put(source, found.schemas, terms, _teller(json))
    if done.changed:
        for one in done.changes:
            noted("installed", who, artefact=one.record.name, artefact_digest=one.record.digest)
    if json:
        show({"changes": [_change(one) for one in done.changes],
              "codelists": [_loose(one) for one in done.lists]})  # fmt: skip
        return
    for one in done.changes:
        _say(one)
    for status in dict.fromkeys(one.status for one in done.lists):
        count = sum(one.status == status for one in done.lists)
        say(f"{count} code {'list' if count == 1 else 'lists'}: {status}")
    if done.changed:
        say(_RELOAD)


def shown(standard: Standard, json: Json = False) -> None:
    """Show one official bundle: origin, licence, files with digests, what it builds on."""
    from broker.xoev.install import shown as find

    found = find(settings().schemas, *_parted(standard))
    if json:
        show(_record(found))
        return
    table(("what", "value"), [(name, value) for name, value in _lines(found) if value])
    say()
    table(("file", "SHA-256"), sorted(found.files.items()))


def removed(
    standards: Annotated[list[str], Argument(metavar="STANDARD/VERSION…", help="as xbau/2.6")],
    actor: Actor = None,
) -> None:
    """Remove official bundles; refused while a route, or a bundle that stays, needs one."""
    import os

    from broker.app import load_site
    from broker.xoev.install import remove

    found = settings()
    names = ["/".join(_parted(one)) for one in standards]
    remove(found.schemas, names, load_site(found, os.environ).used())
    for name in names:
        noted("removed", acting(actor), artefact=name)
    say(f"removed: {', '.join(names)}; a running broker sees it at the next reload (SIGHUP)")


def _parted(text: str) -> tuple[str, str]:
    name, slash, version = text.partition("/")
    if not (name and slash and version):
        raise BadParameter("needed is a standard with its version, such as xbau/2.6")
    return name, version


def _say(change: Change) -> None:
    found = change.record
    kinds = "shared types" if found.library else f"{change.kinds} message kinds"
    say(f"{found.name}: {change.status}, {kinds}, {len(found.files)} files, "
        f"digest {found.digest[:_SHORT]}")  # fmt: skip
    for label, values in (("builds on", found.dependencies), ("licence", found.licences)):
        if values:
            say(f"  {label}: {', '.join(values)}")
    for warning in change.warnings:
        complain(f"  warning: {warning}")


def _loose(one: Loose) -> dict[str, Any]:
    return {"status": one.status, "uri": one.identity.uri, "version": one.identity.version}


def _change(change: Change) -> dict[str, Any]:
    return {
        "status": change.status,
        "kinds": change.kinds,
        "warnings": list(change.warnings),
        **_record(change.record),
    }


def _record(found: Record) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(found)


def _lines(found: Record) -> list[tuple[str, str]]:
    until = f"{found.valid_until} and {found.grace} days" if found.grace else found.valid_until
    return [
        ("standard", found.name),
        ("title", found.title),
        ("URN", found.urn),
        ("namespaces", ", ".join(found.entries)),
        ("origin", found.origin or "put here by hand"),
        ("came with", found.part_of),
        ("installed", f"{found.installed_at} {found.installed_by}".strip()),
        ("valid from", found.valid_from),
        ("valid until", until),
        ("builds on", ", ".join(found.dependencies)),
        ("licence", ", ".join(found.licences)),
        ("rules", ", ".join(found.rules)),
        ("code lists", str(len(found.codelists) or "")),
        ("services", ", ".join(found.services)),
        ("digest", found.digest),
    ]


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _teller(quiet: bool) -> Callable[[str], None]:
    """Tell on a terminal what is going on; elsewhere the result is enough."""
    if quiet or not sys.stderr.isatty():
        return lambda _: None
    return complain


__all__ = ["install", "removed", "shown"]
