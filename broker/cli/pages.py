"""Writes the reference pages from the code, and says which of them are stale."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from typer import Context, Exit, Option

from broker.cli.terminal import complain, say

#: What the worker or the intake does after an error of this branch, and what a person does.
_NEXT = {
    "ConfigError": "It does not start, or the old configuration stays. Correct what each finding "
    "names; `xoev-broker check` shows them all.",
    "Refusal": "Not accepted: the sender is told at once and keeps the message, the bytes are kept "
    "under refusals. The sender corrects it and sends it again.",
    "NotXml": "Send well-formed XML with a message head of a known family.",
    "Forbidden": "Leave out DOCTYPE and foreign encodings; stay below the limits of the settings.",
    "NotAllowed": "Check the token, and `token_file` of the party in routes.yaml.",
    "Conflict": "Give the changed message a new id; the same bytes may be sent again at any time.",
    "MessageError": "Accepted, then rejected: the sender gets a rejection over its return channel.",
    "UnknownStandard": "Add the standard below `schemas/xoev`, or send another one.",
    "SchemaViolation": "The sender corrects what each finding names and sends it with a new id.",
    "VersionExpired": "The sender uses a version that is in force.",
    "NoRoute": "Check the recipient; `xoev-broker explain FILE` says why no route takes it.",
    "SenderNotAllowed": "Add the author key to `key` of the party, or the party to `sender` of the "
    "route, if it may send.",
    "TestMessage": "Send test messages to channels with `test: true` only.",
    "ConversionFailed": "Correct the message or the adapter; "
    "`xoev-broker explain FILE` shows the conversion.",
    "UnknownCode": "Add the code to the code list of the adapter, if the procedure knows it.",
    "Refused": "Look into the procedure; the text names what it said.",
    "Overloaded": "Nothing is lost: the sender tries again. `xoev-broker status` says whether the "
    "disk is full or too much waits.",
    "TooFast": "The sender sends more slowly, or `rate` of its party is raised.",
    "Exhausted": "Nothing was accepted or lost; the process starts anew, send it again.",
    "SchemaMissing": "The message is held. Install the bundle; it then goes on by itself.",
    "DeliveryUnclear": "The message is unclear. Look into the procedure, then "
    "`xoev-broker settle ID --delivered` or `xoev-broker replay ID --again`.",
    "ReplyError": "The reply is a dead letter. Look at it with `xoev-broker trace`, then replay or "
    "close it.",
    "Unforeseen": "A dead letter; on the way out it waits, or is unclear after the mark. The text "
    "says where: mend the adapter, or send the line to the maintainers, then replay.",
    "OlderCopy": "The process exits and does not start again. After a failover, look for the newer "
    "database; if it is lost: `xoev-broker restore show`, then `xoev-broker restore confirm`.",
    "StoreAway": "HTTP answers 503 with Retry-After, other senders keep their message; the broker "
    "goes on by itself once the database is back. Nothing accepted is lost.",
    "StoreError": "Intake stops and the process exits; nothing was accepted that is not on disk. "
    "Check disk and permissions, then start it again.",
    "Unsealed": "Nothing is lost: the sender tries again. The log of the broker says what prevents "
    "the checkpoint: usually the disk of `XOEV_BROKER_CHECKPOINT_FILE`, or an older copy of the "
    "store.",
    "ChannelError": "The message waits and is tried again by the timetable of its route.",
    "Unreachable": "Check network, address and certificates: `xoev-broker check --probe`.",
    "Busy": "Nothing to do; the other side asked to come back later.",
}

_CODES = (
    ("X000", "not well-formed, or a construct that is not taken", "nicht wohlgeformt"),
    ("X001", "does not follow the schema", "nicht schemakonform"),
    ("V000", "version not supported or not in force", "Version nicht unterstützt"),
    ("V001", "standard or kind not supported", "Nachrichtentyp nicht unterstützt"),
    ("T070", "the sender may not send this", "Absender nicht berechtigt"),
    ("T080", "not served here", "falscher Empfänger"),
    ("S011", "unknown code", "unbekannter Code"),
    ("S050", "same message id with other bytes", "doppelte Nachricht"),
    ("S102", "test flag and channel do not fit", "Testkennzeichen nicht zulässig"),
    ("S999", "everything else", "sonstiger Fehler"),
)


def docs(
    context: Context,
    check: Annotated[
        bool, Option("--check", help="write nothing; exit code 1 if a page is stale")
    ] = False,
    folder: Annotated[Path, Option(help="where the pages are")] = Path("docs/reference"),
) -> None:
    """Write the reference pages from the code.

    The pages of routes.yaml, settings, commands, errors and events, the JSON schema and OpenAPI.
    """
    stale = [
        (folder / name, text)
        for name, text in pages(_root(context))
        if _differs(folder / name, text)
    ]
    for file, text in stale:
        if check:
            complain(f"{file} is stale; write it anew with: xoev-broker docs")
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        say(f"written {file}")
    if check and stale:
        raise Exit(1)
    if not stale:
        say(f"{folder} is up to date")


def _root(context: Context) -> Any:
    return context.find_root().command


def pages(root: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every reference page; `root` is the whole command line."""
    from broker import logs
    from broker import settings as process
    from broker.app import kind_fields
    from broker.config.reference import reference
    from broker.config.schema import schema
    from broker.web import openapi

    yield "routes.md", reference(kind_fields())
    yield "routes.schema.json", json.dumps(schema(kind_fields()), indent=2) + "\n"
    yield "settings.md", process.reference()
    yield "commands.md", commands(root)
    yield "errors.md", errors()
    yield "events.md", logs.reference() + journal()
    yield "openapi.json", openapi.reference()


def _differs(file: Path, text: str) -> bool:
    return not file.is_file() or file.read_text("utf-8") != text


def commands(root: Any) -> str:
    """Return the page of all commands: what `--help` of each of them prints."""
    parts = [
        "# Commands\n\n<!-- Generated by `xoev-broker docs` from broker/cli; do not edit. -->\n",
        "All commands work beside a running broker, on the same store.\n",
    ]
    for name, text in _helps(root, "xoev-broker", None):
        parts.append(f"## {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _helps(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    with command.make_context(
        name, [], parent, resilient_parsing=True, terminal_width=90, max_content_width=90
    ) as context:
        lines = context.get_help().rstrip().split("\n")
        yield context.command_path, "\n".join(text.rstrip() for text in lines)
        for one in getattr(command, "commands", {}).values():
            yield from _helps(one, one.name, context)


def errors() -> str:
    """Return the page of all errors with reason code and next step."""
    from broker.errors import BrokerError

    lines = [
        "# Errors",
        "",
        "<!-- Generated by `xoev-broker docs` from broker/errors.py; do not edit. -->",
        "",
        "The branch decides what the broker does. An error text says what was found, where, and",
        "never a value of the message.",
        "",
        "| error | reason code | what it means | what follows, what to do |",
        "|---|---|---|---|",
    ]
    lines += [_error(kind, depth) for kind, depth in _tree(BrokerError, 0)]
    lines += ["", "## Reason codes", "", "| code | meaning | Bedeutung |", "|---|---|---|"]
    lines += [f"| `{code}` | {meaning} | {german} |" for code, meaning, german in _CODES]
    return "\n".join(lines) + "\n"


def _tree(kind: type[Any], depth: int) -> Iterator[tuple[type[Any], int]]:
    """Yield the errors below one, in the order of the file; those of other modules are no part."""
    for one in kind.__subclasses__():
        if one.__module__ == kind.__module__:
            yield one, depth
            yield from _tree(one, depth + 1)


def _error(kind: type[Any], depth: int) -> str:
    text = " ".join((inspect.getdoc(kind) or "").split())
    name = f"{'&nbsp;' * 4 * depth}`{kind.__name__}`"
    return f"| {name} | `{kind.reason}` | {text} | {_NEXT.get(kind.__name__, '')} |"


def journal() -> str:
    """Return the part about the events of the journal."""
    from broker.trace import EVENTS

    lines = [
        "",
        "## Events of the journal",
        "",
        "What `xoev-broker trace` shows: each is an entry that cannot be changed.",
        "",
        "| event | meaning | Bedeutung |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{event}` | {english} | {german} |" for event, (english, german) in EVENTS.items()
    ]
    return "\n".join(lines) + "\n"
