"""What an adapter loses, and where each of its fields comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from broker.cli.desk import settings
from broker.cli.terminal import complain, language, say, show
from broker.errors import BrokerError, ConfigError

if TYPE_CHECKING:
    from broker.catalog import Catalog
    from broker.xoev.standards import Standards

Name = Annotated[str, Argument(metavar="NAME", help="an adapter, as `adapters list` shows it")]
Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]
Html = Annotated[Path | None, Option(metavar="FILE", help="write an HTML page")]
Lang = Annotated[str | None, Option("--lang", help="de or en; else that of the environment")]


def coverage(
    name: Name,
    everything: Annotated[bool, Option("--all", help="list the fields that arrive, too")] = False,
    strict: Annotated[
        bool,
        Option("--strict", help="exit code 1 also for parts of the standard that no sample holds"),
    ] = False,
    html: Html = None,
    lang: Lang = None,
    json: Json = False,
) -> None:
    """Say which fields reach the procedure, which are left out on purpose, which are lost.

    Every value of every sample is replaced in turn, both ways. A field that changes nothing is
    lost, unless `drops.csv` beside the adapter says why; then the exit code is 1.
    """
    from broker.cli import loss
    from broker.kit import coverage as measured

    catalog, standards = _site(name)
    found = measured.report(catalog, name, standards)
    if html is not None:
        _write(html, loss.page(found, language(lang)))
    if json:
        show(loss.record(found))
    else:
        for line in loss.lines(found, language(lang), everything):
            say(line)
    missing = [one for way in found.ways for one in way.unproven if one.state == "lost"]
    if not found.ok or (strict and missing):
        raise Exit(1)


def fields(
    name: Name,
    html: Html = None,
    csv: Annotated[Path | None, Option(metavar="FILE", help="write a CSV file")] = None,
    markdown: Annotated[bool, Option("--markdown", help="print a Markdown page")] = False,
    lang: Lang = None,
    json: Json = False,
) -> None:
    """Show where every field of the procedure comes from, for a clerk to review.

    Source, code list, condition, rule and an example, made from the samples and the stylesheet.
    """
    from broker.cli import spread
    from broker.kit.mapping import mapping

    catalog, standards = _site(name)
    found = mapping(catalog, name, standards)
    chosen = language(lang)
    if html is not None:
        _write(html, spread.page(found, chosen))
    if csv is not None:
        # With a byte order mark a spreadsheet knows that it is UTF-8.
        _write(csv, "\ufeff" + spread.as_csv(found, chosen))
    if json:
        show(spread.record(found))
    elif markdown:
        say(spread.markdown(found, chosen))
    elif html is None and csv is None:
        for line in spread.lines(found, chosen):
            say(line)


def _site(name: str) -> tuple[Catalog, Standards]:
    """Return adapters and standards; where the adapter is broken, say what is wrong with it."""
    from broker.app import load_catalog, load_standards

    found = settings()
    catalog = load_catalog(found)
    broken = [one for one in catalog.findings if one.file.startswith(f"{name}/")]
    if broken:
        raise ConfigError(f"adapter {name} is broken", findings=broken)
    return catalog, load_standards(found)


def _write(file: Path, text: str) -> None:
    try:
        file.write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise BrokerError(f"{file} cannot be written: {error.strerror}") from error
    complain(f"written {file}")
