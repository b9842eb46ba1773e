"""Release change: what the next version of a standard changes here, and whom it would refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from broker.cli.desk import opened, settings
from broker.cli.terminal import complain, progress, say, show, table
from broker.cli.validate import Strictness, load
from broker.errors import BrokerError, ConfigError

if TYPE_CHECKING:
    from broker.catalog import Catalog
    from broker.config.model import Table
    from broker.impact import Impact
    from broker.rehearsal import Reason, Rehearsal
    from broker.settings import Settings
    from broker.xoev.diff import Diff
    from broker.xoev.edition import Edition
    from broker.xoev.judgement import Checks, Levels
    from broker.xoev.stage import Stage

Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]
Html = Annotated[
    Path | None, Option(metavar="FILE", help="write a page in German that prints well")
]


def compared(
    old: Annotated[str, Argument(metavar="OLD", help="an installed version, or a folder")],
    new: Annotated[str, Argument(metavar="NEW", help="an installed version, or a folder")],
    message: Annotated[str, Option(metavar="KIND", help="only this message kind")] = "",
    strict: Annotated[
        bool, Option("--strict", help="only what can refuse a message that was valid before")
    ] = False,
    json: Json = False,
    html: Html = None,
) -> None:
    """Say what changed from one version of a standard to another, and what it touches here.

    Elements, how often they may stand, types, code lists and rules: added, removed, made mandatory
    or optional, narrowed, widened, changed. A type that many messages use is told once. Then the
    routes, adapters and samples of this installation that it touches.
    """
    from broker.cli import changes
    from broker.cli.paper import diffed

    found = settings()
    checks = load(found)
    before, after = _editions((old, new), checks, found)
    diff = _diff((before, after), message, checks)
    touched = _impact((before, after), diff, checks, found)
    if html is not None:
        _write(html, diffed((before.name, after.name), diff, touched))
    if json:
        show(changes.record(diff, touched))
        return
    changes.told(diff, strict)
    changes.touched(touched)


def rehearsed(  # noqa: PLR0913, PLR0917 - one argument for each option
    new: Annotated[str, Argument(metavar="NEW", help="an installed version")],
    last: Annotated[int, Option(min=0, help="most stored messages that are judged")] = 1000,
    since: Annotated[
        str, Option(metavar="TIME", help="only messages since 30d, 12h or 2026-03-02")
    ] = "",
    codelists: Annotated[
        Strictness | None, Option(help="what an unknown code is; else as each route says")
    ] = None,
    rules: Annotated[
        Strictness | None, Option(help="what a broken rule is; else as each route says")
    ] = None,
    actor: Annotated[str | None, Option(help="who acts; else the user of the system")] = None,
    json: Json = False,
    html: Html = None,
) -> None:
    """Judge stored messages and golden samples by a newer version, and say who would be refused.

    Namespace and version are rewritten in memory; nothing is sent, nothing is changed. Reading
    the messages leaves an entry in the journal.
    """
    from broker.cli.paper import rehearsal as page
    from broker.rehearsal import Rehearse, Wanted

    found = settings()
    checks = load(found)
    edition = _editions((new,), checks, found)[0]
    wanted = Wanted(last, _moment(since))
    with opened() as desk:
        catalog = _catalog(found)
        levels = _levels(_table(catalog, checks, found), codelists, rules)
        run = Rehearse(_stage(edition, checks), desk.store, desk.vault, levels)
        result = run.run(wanted, catalog, _actor(actor), progress)
    if html is not None:
        _write(html, page(result))
    if json:
        show(rehearsal(result))
        return
    _summary(result)


def _editions(names: Sequence[str], checks: Checks, found: Settings) -> list[Edition]:
    from broker.xoev.edition import find

    return [find(name, checks.standards, found.schemas) for name in names]


def _diff(editions: tuple[Edition, Edition], message: str, checks: Checks) -> Diff:
    from broker.xoev.diff import compare

    def codes(uri: str, version: str) -> dict[str, str] | None:
        known = checks.lists.find(uri, version)
        return {code: known.meaning(code) for code in known.rows} if known else None

    old, new = (edition.bundle for edition in editions)
    return compare(old, new, message, codes, progress)


def _stage(edition: Edition, checks: Checks) -> Stage:
    from broker.xoev.stage import Stage

    return Stage(edition.bundle, (edition.standard, edition.version), checks.standards, checks)


def _levels(
    table: Table | None, codelists: Strictness | None, rules: Strictness | None
) -> Callable[[str], Levels]:
    """Return what refuses on a route, or on the first route of an adapter."""
    from broker.config.model import Checks as Declared
    from broker.xoev.judgement import Levels

    routes = reversed(table.routes if table else ())
    known = {name: route.checks for route in routes for name in (route.adapter, route.name)}

    def levels(name: str) -> Levels:
        said = known.get(name, Declared())
        return Levels(
            codelists.value if codelists else said.codelists, rules.value if rules else said.rules
        )

    return levels


def _catalog(found: Settings) -> Catalog:
    from broker.app import load_catalog

    return load_catalog(found)


def _impact(
    editions: tuple[Edition, Edition], diff: Diff, checks: Checks, found: Settings
) -> Impact | None:
    """Return what is touched here; None where the schemas are of no standard of this place."""
    from broker.impact import Release, impact

    old, new = editions
    if not new.standard:
        complain(f"{new.name} is of no standard that is installed here; nothing else was compared")
        return None
    catalog = _catalog(found)
    release = Release(diff, new.standard, old.version, new.version)
    table = _table(catalog, checks, found)
    return impact(release, table, catalog, _stage(new, checks), progress)


def _table(catalog: Catalog, checks: Checks, found: Settings) -> Table | None:
    """Return routes.yaml; a broken one is named and left out, for the diff does not need it."""
    import os

    from broker.app import known
    from broker.config.load import load

    try:
        return load(found.routes, known(catalog, checks.standards), os.environ)
    except ConfigError as error:
        complain(f"warning: the routes are left out: {error}")
        return None


def _moment(text: str) -> datetime | None:
    from broker.cli.query import moment_of

    return moment_of(text) if text else None


def _actor(name: str | None) -> str:
    from broker.cli.repair import acting

    return acting(name)


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        raise BrokerError(f"{path} cannot be written: {error.strerror}") from error
    complain(f"written {path}")


def _summary(found: Rehearsal) -> None:
    counts = found.messages
    only = " (only its profile: heads, not contents)" if found.profile else ""
    say(f"{found.standard} {found.version}{only}: {counts['refused']} of {counts['judged']} stored "
        f"messages and {found.samples['refused']} of {found.samples['judged']} samples would be "
        "refused")  # fmt: skip
    for word, text in _LEFT.items():
        if counts[word]:
            say(f"  {counts[word]} messages {text}")
    for id in found.broken:
        complain(f"the stored payload of {id} cannot be opened")
    rows = [(str(one.count), one.code, one.path, one.text, _whom(one)) for one in found.reasons]
    if rows:
        say()
        table(("count", "code", "path", "why", "who"), rows)


def _whom(one: Reason) -> str:
    names = [*one.messages, *one.samples]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more


def rehearsal(found: Rehearsal) -> dict[str, Any]:
    """Return a rehearsal for machines."""
    return {
        "standard": found.standard,
        "version": found.version,
        "digest": found.digest,
        "profile": found.profile,
        "messages": {word: found.messages[word] for word in ("judged", "refused", *_LEFT)},
        "samples": {word: found.samples[word] for word in ("judged", "refused")},
        "broken": list(found.broken),
        "reasons": [
            {"code": one.code, "rule": one.rule, "path": one.path, "text": one.text,
             "count": one.count, "messages": list(one.messages), "samples": list(one.samples)}
            for one in found.reasons
        ],
    }  # fmt: skip


_LEFT = {
    "before": "were not judged: their own version refused them already",
    "erased": "were not judged: their payload was erased",
    "broken": "were not judged: their payload cannot be opened",
}
