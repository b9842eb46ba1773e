"""What leaves the broker for a person: a list of messages, or the content of one."""

from __future__ import annotations

import csv
import hashlib
import io
import json as documents
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

from typer import Argument, BadParameter, Option

from broker.cli import query
from broker.cli.desk import opened
from broker.cli.repair import Actor, Id, Reason, acting, given
from broker.cli.terminal import complain, moment, safe, say, show, table
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.journal.entry import Line
    from broker.stores.contract import Filter, Store

#: What a spreadsheet takes for a formula, also behind white space and in full width.
_FORMULA: Final = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_PAGE: Final = 1_000
_BLOCK: Final = 1 << 20
_STDOUT: Final = "-"


class Format(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSONL = "jsonl"


class Form(StrEnum):
    """Which bytes of a message."""

    ORIGINAL = "original"
    CONVERTED = "converted"


def export(  # noqa: PLR0913, PLR0917 - one argument for each option
    output: Annotated[
        str, Option("--output", "-o", metavar="FILE", help="a new file; `-` is stdout")
    ] = _STDOUT,
    format: Annotated[Format, Option(help="csv for spreadsheets, jsonl for programs")] = Format.CSV,
    separator: Annotated[str, Option(help="between the cells of csv: one character")] = ";",
    state: query.States = None,
    direction: query.Way = None,
    route: query.Route = "",
    party: query.Party = "",
    case: query.Case = "",
    key: query.Keys = None,
    code: query.Code = "",
    since: query.Since = "",
    until: query.Until = "",
    actor: Actor = None,
) -> None:
    """Write a list of messages, oldest first, without any content.

    In csv, a cell that a spreadsheet would take for a formula gets an apostrophe in front; jsonl
    has every value as it is. The journal keeps who exported what, with the SHA-256 of the bytes.
    """
    from broker.access import Access

    if len(separator) != 1 or separator in "\"'\r\n":
        raise BadParameter("needed is one character such as ; or ,", param_hint="--separator")
    asked = query.Query(state, direction, route, party, "", case, key, code, since, until)
    with opened() as desk, _draft(output) as draft:
        records = _records(desk.store, asked.filter(desk, _PAGE))
        count = _csv(draft, records, separator) if format is Format.CSV else _jsonl(draft, records)
        digest = _digest(draft)
        access = Access(desk.store, desk.vault, acting(actor))
        access.exported(asked.asked(), count, format.value, digest)
        _publish(draft, output)
    complain(f"{count} messages, sha256 {digest}")


def payload(
    id: Id,
    reason: Reason,
    output: Annotated[
        str, Option("--output", "-o", metavar="FILE", help="a new file; `-` is stdout")
    ],
    form: Annotated[
        Form, Option(help="as it was received, or as it was delivered")
    ] = Form.ORIGINAL,
    actor: Actor = None,
) -> None:
    """Open the content of one message and write it, byte for byte.

    The journal keeps who opened it and why, before anything is read. The file may be read by its
    owner only.
    """
    from broker.access import Access
    from broker.trace import single

    why = given(reason)
    with opened() as desk:
        row = single(desk.store, id)
        found = desk.store.payload(row.id, form.value)
        if found is None:
            raise BrokerError(
                f"{row.id} has no {form.value} bytes here: they were erased or never made; "
                "xoev-broker trace says which"
            )
        with _draft(output) as draft:
            Access(desk.store, desk.vault, acting(actor)).opened(row.id, form.value, why)
            for piece in desk.vault.pieces(found[0], row.id, found[1]):
                draft.write(piece)
            _publish(draft, output)


def accesses(
    about: Annotated[
        str, Argument(metavar="TEXT", help="the id of a message, or what was searched for")
    ] = "",
    person: Annotated[str, Option(help="only what this person did")] = "",
    since: query.Since = "",
    json: Annotated[bool, Option("--json", help="for machines, with stable keys")] = False,
) -> None:
    """List what people did: who searched, read, sent again.

    Also who opened, exported, closed, paused, erased, installed and submitted by hand. With TEXT
    only what concerns this message, or the searches for exactly this text: the journal has only
    fingerprints of it.
    """
    from broker.access import acts
    from broker.records import line_record

    begin = query.moment_of(since) if since else None
    with opened() as desk:
        found = [
            line
            for line in acts(desk.store, desk.vault, about, person)
            if begin is None or line.time >= begin
        ]
    if json:
        show({"accesses": [line_record(line) | {"message": line.message} for line in found]})
        return
    table(("time", "who", "what", "message", "details"), [_shown(line) for line in found])


def _shown(line: Line) -> Sequence[str]:
    details = ", ".join(f"{name} {value}" for name, value in line.facts.items()
                        if name not in ("state", "was"))  # fmt: skip
    return moment(line.time), line.actor, line.event, line.message, details


def _records(store: Store, filter: Filter) -> Iterator[dict[str, Any]]:
    """Yield all records that pass, page by page, so that a long list needs little memory."""
    from broker.records import record

    filter = replace(filter, oldest=True)
    while rows := store.rows(filter):
        yield from map(record, rows)
        filter = replace(filter, after=rows[-1].seq)


def _csv(draft: IO[bytes], records: Iterable[dict[str, Any]], separator: str) -> int:
    from broker.records import FIELDS

    text = io.TextIOWrapper(draft, "utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(FIELDS)
    count = 0
    for record in records:
        writer.writerow([cell(record[name]) for name in FIELDS])
        count += 1
    text.detach()
    return count


def cell(value: Any) -> str:
    """Return a value as a spreadsheet may have it: never a formula, nothing that cannot be seen."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return safe(f"'{text}" if _FORMULA.match(text) else text)


def _jsonl(draft: IO[bytes], records: Iterable[dict[str, Any]]) -> int:
    count = 0
    for record in records:
        draft.write(documents.dumps(record).encode() + b"\n")
        count += 1
    return count


def _digest(draft: IO[bytes]) -> str:
    draft.seek(0)
    digest = hashlib.sha256()
    while block := draft.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _draft(output: str) -> IO[bytes]:
    """Open what only this process sees; it becomes the file once the journal knows of it."""
    import tempfile

    if output == _STDOUT:
        return tempfile.TemporaryFile()
    file = Path(output)
    if file.exists():
        raise BrokerError(f"{file} exists already; give a new name")
    try:
        return tempfile.TemporaryFile(dir=file.parent)
    except OSError as error:
        raise BrokerError(f"{file} cannot be written: {error.strerror}") from error


def _publish(draft: IO[bytes], output: str) -> None:
    import shutil

    draft.flush()
    draft.seek(0)
    if output == _STDOUT:
        sys.stdout.flush()
        shutil.copyfileobj(draft, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    try:
        handle = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            shutil.copyfileobj(draft, stream)
    except OSError as error:
        raise BrokerError(f"{output} cannot be written: {error.strerror}") from error
    say(f"written {output}")
