"""Checking the configuration: everything that is wrong, at once, with place and suggestion."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Exit, Option

from broker.cli.desk import settings
from broker.cli.terminal import counted, say, show
from broker.errors import BrokerError, ConfigError, Finding
from broker.message import now
from broker.settings import variable

if TYPE_CHECKING:
    from broker.channels.channel import Channel
    from broker.pipeline import Site
    from broker.settings import Settings

#: So many channels are tried at once.
_PROBES = 16


@dataclass(frozen=True, slots=True)
class Probe:
    """How one channel answered: its own sentence, or what failed."""

    channel: str
    ok: bool
    text: str


def check(
    file: Annotated[
        Path | None, Argument(metavar="FILE", help="a routes.yaml; else the one of the settings")
    ] = None,
    probe: Annotated[
        bool, Option("--probe", help="try every channel too, without sending anything")
    ] = False,
    json: Annotated[bool, Option("--json", help="for machines, with stable keys")] = False,
) -> None:
    """Check settings, routes.yaml, adapters and standards.

    The exit code is 1 if anything is wrong. Findings are printed as `file:line:column: what is
    wrong`. Warnings do not change the exit code: broken adapters that no route uses, standards
    of which only a profile is installed.
    """
    found = settings()
    if file is not None:
        found = replace(found, routes=file)
    site, findings = _load(found)
    warnings = _warnings(found, site)
    probes = _probed(site.channels.values()) if site and probe else ()
    if json:
        _show(site, findings, warnings, probes)
    else:
        _say(site, found, findings, warnings)
        for one in probes:
            say(f"channel {one.channel}: {'ok' if one.ok else 'FAILED'}: {one.text}")
    if findings or not all(one.ok for one in probes):
        raise Exit(1)


def _load(found: Settings) -> tuple[Site | None, tuple[Finding, ...]]:
    from broker.app import disabled, load_site

    try:
        site = load_site(found, os.environ)
        return site, tuple(one for broken in disabled(site).values() for one in broken)
    except ConfigError as error:
        return None, error.findings or (Finding(str(error)),)


def _warnings(found: Settings, site: Site | None) -> tuple[str, ...]:
    """Return what works but should be looked at; broken adapters also where nothing else works."""
    if site is None:
        from broker.catalog import Catalog

        return tuple(map(str, Catalog.load(found.adapters).findings))
    from broker.app import disabled, outlasting

    told = {one for found in disabled(site).values() for one in found}
    broken = tuple(str(one) for one in site.catalog.findings if one not in told)
    pairs = {(name, version) for name, _, version in (one.partition("/") for one in site.used())}
    ending = site.standards.ending(found.ending_weeks, now(), pairs)
    return (
        *_clear(found),
        *(_outlasts(channel, found) for channel in outlasting(found, site)),
        *site.table.table.warnings,
        *broken,
        *(text for text in site.standards.warnings() if not text.startswith(_unused(site))),
        *site.standards.altered(),
        *(one.text for one in ending),
    )


def _clear(found: Settings) -> tuple[str, ...]:
    if found.encryption == "on":
        return ()
    return (
        f"{variable('encryption')}=off: payloads are stored in the clear; whoever reads the store "
        "or a backup of it reads them",
    )


def _outlasts(channel: Channel, found: Settings) -> str:
    lease = variable("lease")
    return (
        f'channel "{channel.name}": "deadline" is {channel.deadline:g} s and {lease} '
        f"{found.lease:g} s: a process that hung may send what another has taken over, and the "
        f'procedure does not recognise that; set "deadline" shorter or {lease} longer'
    )


def _unused(site: Site) -> tuple[str, ...]:
    """Return how warnings begin that nobody needs: about versions that no route takes.

    Modules of a standard that is used (xbau-kernmodul of xbau) are needed in their newest version:
    answers are made of them.
    """
    needed, standards = site.used(), site.standards
    names = {one.partition("/")[0] for one in needed}
    modules = {
        f"{name}/{standards.versions(name)[-1]}"
        for name in standards.names()
        if standards.versions(name) and any(name.startswith(f"{one}-") for one in names if one)
    }
    return tuple(
        f"{name} {version}:"
        for name in standards.names()
        for version in standards.versions(name)
        if f"{name}/{version}" not in needed and f"{name}/{version}" not in modules
    )


def _probed(channels: Iterable[Channel]) -> tuple[Probe, ...]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_PROBES) as pool:
        return tuple(pool.map(_probe, channels))


def _probe(channel: Channel) -> Probe:
    try:
        return Probe(channel.name, True, channel.probe())
    except BrokerError as error:
        return Probe(channel.name, False, str(error))
    finally:
        channel.close()


def _say(
    site: Site | None, found: Settings, findings: Iterable[Finding], warnings: Iterable[str]
) -> None:
    for finding in findings:
        say(str(finding))
    for warning in warnings:
        say(f"warning: {warning}")
    if site is None or findings:
        return
    table = site.table.table
    standards = [
        f"{name} {version}"
        for name in site.standards.names()
        for version in site.standards.versions(name)
    ]
    say(f"{found.routes}: ok: {counted(len(table.routes), 'route')}, "
        f"{counted(len(table.channels), 'channel')}, "
        f"{counted(len(table.parties), 'party', 'parties')}, "
        f"{counted(len(site.catalog.names), 'adapter')}; "
        f"standards: {', '.join(standards) or 'none'}")  # fmt: skip
    at, windows = now(), site.maintenance
    for stop in windows.stops(at):
        since, until = windows.local(stop.span.start), windows.local(stop.span.until)
        told = f"window until {until}" if stop.open(at) else f"next window {since} to {until}"
        say(f"channel {stop.channel}: {told} ({stop.span.text})")


def _show(
    site: Site | None,
    findings: Iterable[Finding],
    warnings: Iterable[str],
    probes: Iterable[Probe],
) -> None:
    from broker.pulse import halt

    value: dict[str, Any] = {
        "ok": site is not None and not findings,
        "findings": [record(finding) for finding in findings],
        "warnings": list(warnings),
        "probes": [
            {"channel": one.channel, "ok": one.ok, "text": one.text} for one in probes
        ],
    }  # fmt: skip
    if site is not None:
        table = site.table.table
        value["maintenance"] = [halt(one, now()) for one in site.maintenance.stops(now())]
        value |= {"digest": table.digest, "routes": len(table.routes),
                  "channels": len(table.channels), "parties": len(table.parties),
                  "adapters": list(site.catalog.names)}  # fmt: skip
    show(value)


def record(finding: Finding) -> dict[str, Any]:
    """Return one finding for a machine."""
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "path": finding.path,
        "rule": finding.rule,
        "code": finding.code,
        "text": finding.text,
    }
