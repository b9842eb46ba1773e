"""Judging a file as the broker would: schema, code lists, business rules; nothing is stored."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from broker.cli.desk import settings
from broker.cli.source import read
from broker.cli.terminal import say
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.settings import Settings
    from broker.xoev.judgement import Checks, Judgement, Step


class Report(StrEnum):
    """In what form a judgement is told."""

    TEXT = "text"
    JSON = "json"
    XML = "xml"
    HTML = "html"


class Strictness(StrEnum):
    """What the errors of a check mean."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


def validate(
    file: Annotated[str, Argument(metavar="FILE", help="a message; `-` is stdin")],
    report: Annotated[
        Report, Option(help="text for people, json, xml (KoSIT validator), html")
    ] = Report.TEXT,
    output: Annotated[
        Path | None, Option(metavar="FILE", help="write the report here instead of showing it")
    ] = None,
    codelists: Annotated[
        Strictness, Option(help="what an unknown code or code list is")
    ] = Strictness.ERROR,
    rules: Annotated[Strictness, Option(help="what a broken business rule is")] = Strictness.ERROR,
) -> None:
    """Judge a message by its standard and say what is wrong with it.

    Checks that it can be read, its schema, its codes against the installed code lists, and the
    business rules (Schematron) of its standard; names what judged it, with version and digest.
    Needs no route and stores nothing. The exit code is 1 where the message is not accepted.
    """
    from broker.xoev.judgement import Levels, judge

    found = settings()
    raw = read(file, found.max_message)
    name = "stdin" if file == "-" else Path(file).name
    levels = Levels(codelists.value, rules.value)
    judgement = judge(raw, name, load(found), datetime.now(UTC), levels)
    body = rendered(judgement, report)
    if output is not None:
        _write(output, body)
    elif report is Report.TEXT:
        say(body.rstrip("\n"))
    else:
        sys.stdout.write(body if body.endswith("\n") else f"{body}\n")
    if judgement.verdict != "accept":
        raise Exit(1)


def load(found: Settings) -> Checks:
    """Return the checks of an installation; each schema, list and rule is read when needed."""
    from broker.document import Limits
    from broker.xoev.codelists import CodeLists
    from broker.xoev.judgement import Checks
    from broker.xoev.rules import Rules
    from broker.xoev.standards import Standards

    standards = Standards.load(found.schemas, Limits(large=found.max_message))
    return Checks(standards, CodeLists.load(found.schemas), Rules.load(found.schemas))


def rendered(judgement: Judgement, report: Report) -> str:
    """Return a judgement in one of the forms."""
    from broker.xoev.page import as_html
    from broker.xoev.report import as_json, as_xml

    if report is Report.JSON:
        return as_json(judgement, _engine()) + "\n"
    if report is Report.XML:
        return as_xml(judgement, _engine()).decode()
    if report is Report.HTML:
        return as_html(judgement, _engine())
    return "\n".join(_lines(judgement)) + "\n"


def _lines(judgement: Judgement) -> list[str]:
    name = " ".join(part for part in (judgement.title, judgement.version, judgement.kind) if part)
    lines = [f"{judgement.file}: {name or 'not recognised'}"]
    for step in judgement.steps:
        lines += _step(step)
    reason = f" ({judgement.reason})" if judgement.reason else ""
    return [*lines, f"{judgement.verdict}{reason}"]


def _step(step: Step) -> list[str]:
    signs = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}
    note = f" ({step.note})" if step.note else ""
    lines = [f"  {step.name}: {signs[step.outcome]}{note}"]
    lines += [f"    by {one.name} {one.version}, sha256 {one.digest[:12]}" for one in step.basis]
    return lines + [f"    {remark}" for remark in step.remarks]


def _engine() -> str:
    from importlib.metadata import version

    return f"xoev-broker {version('xoev-broker')}"


def _write(path: Path, body: str) -> None:
    try:
        path.write_text(body, encoding="utf-8")
    except OSError as error:
        raise BrokerError(f"{path} cannot be written: {error.strerror}") from None
