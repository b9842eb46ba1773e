"""Tries an adapter on one file, with the fixed facts of the samples and as sealed off as there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker import sealed
from broker.adapter import Adapter
from broker.catalog import Catalog
from broker.errors import BrokerError, ConfigError, MessageError, Refusal, SchemaMissing
from broker.message import Authority, Envelope
from broker.samples import REPLIED, REQUESTED, facts, reply_facts
from broker.xoev.standards import Standards

#: Whom an answer goes to where no request is given.
_ANSWERED: Final = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Output:
    """What came out of a file: the bytes, and what the standard says against them, or nothing.

    `name` tells the outputs of a batch of replies apart (the reference of each).
    """

    name: str
    body: bytes
    objection: BrokerError | None = None


def forth(adapter: Adapter, message: bytes, standards: Standards) -> Output:
    """Convert a message; what is wrong with the message itself is the objection.

    Raises Refusal, MessageError where nothing comes out.
    """
    document = standards.parse(message)
    envelope = standards.envelope(document)
    objection: BrokerError | None = None
    try:
        standards.validate(document, envelope, REQUESTED)
    except (MessageError, SchemaMissing) as error:
        objection = error
    return Output("", sealed.run(adapter.to_legacy, document, facts(envelope)), objection)


def back(
    adapter: Adapter, replies: bytes, standards: Standards, request: bytes | None = None
) -> tuple[Output, ...]:
    """Convert what the procedure answered, one output for each reply of a batch.

    Without the request an invented one is answered, to and from invented offices. Raises ReplyError
    where nothing comes out.
    """
    answered = request if request is not None else b"<request/>"
    envelope = (
        _invented(adapter) if request is None else standards.envelope(standards.parse(request))
    )
    outputs = []
    for reply in sealed.run(adapter.replies, replies):
        name = sealed.run(adapter.correlate, reply).reference
        body = sealed.run(adapter.to_xoev, reply, reply_facts(envelope, answered, reply))
        outputs.append(Output(name, body, _judged(body, standards)))
    return tuple(outputs)


def locate(catalog: Catalog, name: str, file: Path) -> str:
    """Return the adapter to use: `name`, else the one below whose samples the file lies.

    Raises ConfigError with what is wrong with that adapter, also where there is none.
    """
    name = name or owner(file)
    broken = [
        finding
        for finding in catalog.findings
        if finding.file.startswith((f"{name}/", f"shared/{name.rpartition('/')[2]}/"))
    ]
    if broken and not catalog.has(name):
        raise ConfigError(f"adapter {name} cannot be used", findings=broken)
    catalog.get(name)
    return name


def owner(file: Path) -> str:
    """Return the adapter whose sample a file is; ConfigError if it is none."""
    parts = file.resolve().parts
    if parts[-3:-2] != ("samples",):
        raise ConfigError("which adapter? This file is no sample, so say it with --adapter")
    return "/".join(parts[-5:-3])


def golden(file: Path, reverse: bool) -> tuple[Path, ...]:
    """Return the files beside a sample that hold what must come out of it."""
    if not file.name.startswith("3-" if reverse else "1-"):
        return ()
    return tuple(sorted(file.parent.glob("4-reply*.xoev.xml" if reverse else "2-request.legacy*")))


def _judged(body: bytes, standards: Standards) -> BrokerError | None:
    try:
        document = standards.parse(body)
        standards.validate(document, standards.envelope(document), REPLIED)
    except (Refusal, MessageError, SchemaMissing) as error:
        return error
    return None


def _invented(adapter: Adapter) -> Envelope:
    standard, _, version = adapter.accepts[0].partition("/")
    reader = Authority("bab:03999000", name="Muster-Verfahren")
    author = Authority("bap:03000001", name="Muster-Portal")
    return Envelope(
        standard, version, "", "", author, reader, "0000", _ANSWERED,
        "2026-03-02T08:30:00.000+00:00", _ANSWERED, "Muster",
    )  # fmt: skip
