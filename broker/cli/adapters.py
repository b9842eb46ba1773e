"""Adapters: which there are, and whether their golden samples still come out as expected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Exit, Option

from broker.cli.desk import settings
from broker.cli.terminal import complain, progress, say, show, table
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.catalog import Catalog
    from broker.errors import Finding
    from broker.samples import Result
    from broker.xoev.standards import Standards

Json = Annotated[bool, Option("--json", help="for machines, with stable keys")]


def listed(json: Json = False) -> None:
    """List the adapters, what they accept and how many samples they have."""
    catalog = _catalog()
    found = [_record(catalog, name) for name in catalog.names]
    broken = [str(finding) for finding in catalog.findings]
    if json:
        show({"adapters": found, "broken": broken})
    else:
        rows = [(one["name"], ", ".join(one["accepts"]), str(one["samples"]), one["digest"][:12],
                 one["folder"]) for one in found]  # fmt: skip
        table(("adapter", "accepts", "samples", "digest", "folder"), rows)
        for text in broken:
            complain(f"broken: {text}")
    if broken:
        raise Exit(1)


def compared(
    name: Annotated[str | None, Argument(metavar="NAME", help="one adapter; else all")] = None,
    update: Annotated[
        bool, Option("--update", help="write what comes out as what is expected from now on")
    ] = False,
    junit: Annotated[
        Path | None, Option(metavar="FILE", help="write the results as JUnit XML, for CI")
    ] = None,
    json: Json = False,
) -> None:
    """Run the samples beside the adapters and compare, both ways.

    Requests and answers are also judged by the installed standard. Where something comes out
    wrong, the difference is shown (XML by its content, fixed width by field, CSV by column) and the
    exit code is 1.
    """
    catalog, standards = _catalog(), _standards()
    broken = _broken(catalog, name)
    names = ([] if broken else [name]) if name else list(catalog.names)
    if update:
        _update(catalog, names, standards)
        return
    results = [
        result
        for one in progress(names, "samples")
        for result in _run(catalog, one, standards, json)
    ]
    wrong = [result for result in results if not result.ok]
    if junit is not None:
        _report(junit, results, broken)
    if json:
        show({"results": [_result(result) for result in results],
              "broken": [str(finding) for finding in broken]})  # fmt: skip
    else:
        _summary(results, wrong)
        for finding in broken:
            complain(f"broken: {finding}")
    if wrong or broken:
        raise Exit(1)


def _catalog() -> Catalog:
    from broker.app import load_catalog

    return load_catalog(settings())


def _broken(catalog: Catalog, name: str | None) -> tuple[Finding, ...]:
    """Return what is wrong with the adapters that were asked for."""
    place = f"{name}/adapter.py" if name else ""
    return tuple(finding for finding in catalog.findings if finding.file.startswith(place))


def _standards() -> Standards:
    from broker.app import load_standards

    return load_standards(settings())


def _run(catalog: Catalog, name: str, standards: Standards, quiet: bool) -> tuple[Result, ...]:
    from broker import samples

    results = samples.run(catalog, name, standards)
    if not results and not quiet:
        complain(f"warning: {name} has no samples, so nothing proves that it is right")
    return results


def _update(catalog: Catalog, names: list[str], standards: Standards) -> None:
    from broker import samples

    for one in names:
        for file in samples.update(catalog, one, standards):
            say(f"written {file}")


def _report(file: Path, results: list[Result], broken: tuple[Finding, ...]) -> None:
    from broker.kit.junit import report

    try:
        file.write_bytes(report(results, broken))
    except OSError as error:
        raise BrokerError(f"{file} cannot be written: {error.strerror}") from error


def _summary(results: list[Result], wrong: list[Result]) -> None:
    for result in results:
        say(f"{'ok    ' if result.ok else 'WRONG '} {result.sample} {result.file}")
    for result in wrong:
        say(f"\n{result.sample}:\n{result.difference}")
    say(f"\n{len(results)} files, {len(wrong)} wrong")


def _result(result: Result) -> dict[str, Any]:
    return {
        "sample": result.sample,
        "file": result.file,
        "ok": result.ok,
        "difference": result.difference,
    }


def _record(catalog: Catalog, name: str) -> dict[str, Any]:
    from broker import samples

    return {
        "name": name,
        "accepts": list(catalog.accepts(name)),
        "samples": len(samples.find(catalog, name)),
        "digest": catalog.digest(name),
        "folder": str(catalog.folder(name)),
    }
