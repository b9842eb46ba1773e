"""What would happen to a message, shown without storing or sending anything."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Exit, Option

from broker.cli.checks import record
from broker.cli.desk import settings
from broker.cli.source import read
from broker.cli.terminal import detail, say, show
from broker.errors import BrokerError, MessageError, Refusal, SchemaMissing, SenderNotAllowed

if TYPE_CHECKING:
    from broker.config.model import Route
    from broker.message import Envelope
    from broker.pipeline import Site
    from broker.xoev.standards import Artefact


@dataclass(slots=True)
class Explanation:
    """What is known of a message so far; every stage adds to it, or a problem."""

    envelope: Envelope | None = None
    artefact: Artefact | None = None
    party: str = ""
    route: Route | None = None
    others: tuple[tuple[Route, str], ...] = ()
    output: bytes | None = None
    problems: list[BrokerError] = field(default_factory=list)


def explain(
    file: Annotated[str, Argument(metavar="FILE", help="a message; `-` is stdin")],
    party: Annotated[
        str | None, Option(help="who sends it; else the party whose key is the author")
    ] = None,
    output: Annotated[
        Path | None, Option(metavar="FILE", help="write the converted bytes here, as they are")
    ] = None,
    quiet: Annotated[bool, Option("--no-output", help="do not show the converted bytes")] = False,
    json: Annotated[bool, Option("--json", help="for machines, with stable keys")] = False,
) -> None:
    """Say what would happen to a message, and convert it.

    Shows what its procedure would get. Names standard, artefact, route, adapter and channel,
    and why other routes do not match. Stores and sends nothing and needs no store. The exit
    code is 1 where the message would not be delivered; then every problem is named with its
    reason code and place.
    """
    from broker.app import load_site

    found = settings()
    body = read(file, found.max_message)
    site = load_site(found, os.environ)
    made = _explained(site, body, party)
    if output is not None and made.output is not None:
        _write(output, made.output)
    text = made.output if output is None and not quiet else None
    if json:
        show(_record(file, body, made, site, text))
    else:
        _say(file, body, made, site)
        if text is not None:
            say("\nconverted:\n\n" + _text(text))
    if made.problems:
        raise Exit(1)


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise BrokerError(f"{file} cannot be written: {error.strerror}") from error


def _explained(site: Site, body: bytes, party: str | None) -> Explanation:
    from broker.message import now
    from broker.pipeline import adapter
    from broker.samples import facts

    made = Explanation()
    try:
        document = site.standards.parse(body)
        made.envelope = site.standards.envelope(document)
    except Refusal as error:
        made.problems.append(error)
        return made
    try:
        made.artefact = site.standards.validate(document, made.envelope, now())
    except (MessageError, SchemaMissing) as error:
        made.problems.append(error)
    _routed(site, made, party)
    if made.problems or made.route is None:
        return made
    try:
        made.output = adapter(site, made.route.adapter).to_legacy(document, facts(made.envelope))
    except BrokerError as error:
        made.problems.append(error)
    return made


def _routed(site: Site, made: Explanation, party: str | None) -> None:
    """Find the route as the intake does, then hold it against the test flag as the worker does."""
    envelope, table = made.envelope, site.table
    if envelope is None:
        return
    owner = table.party_of_key(envelope.sender.key)
    made.party = party or (owner.name if owner else "")
    made.others = table.explain(envelope, made.party)
    try:
        if not table.owns(made.party, envelope.sender.key):
            raise SenderNotAllowed("the author of this message is no key of the party that sent it")
        made.route = table.judge(envelope, made.party)
        _flagged(site, made.route, envelope)
    except BrokerError as error:
        made.problems.append(error)


def _flagged(site: Site, route: Route, envelope: Envelope) -> None:
    """Ask the pipeline itself, with a delivery that exists only here."""
    from broker.message import Direction, now
    from broker.pipeline import allowed
    from broker.samples import MESSAGE, REFERENCE
    from broker.stores.contract import Job, Payload

    nothing = Payload("original", b"", b"", 0)
    job = Job(MESSAGE, "", Direction.REQUEST, envelope, "", now(), b"", 0, nothing, False,
              route.name, route.adapter, route.channel, REFERENCE, 1)  # fmt: skip
    allowed(site, job)


def _say(file: str, body: bytes, made: Explanation, site: Site) -> None:
    say(f"{file}: {len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}")
    for name, value in _facts(made, site):
        say(f"  {name:<10} {value or '-'}")
    for route, reason in made.others:
        if route is not made.route:
            say(f'  not route "{route.name}" (line {route.line}): {reason}')
    for error in made.problems:
        text = "\n".join(detail(error))
        say(f"{_follows(error)}: {type(error).__name__} {error.reason}: {text}")
    if made.output is not None:
        say(f"would be delivered over {made.route.channel if made.route else ''}: "
            f"{len(made.output)} bytes")  # fmt: skip


def _facts(made: Explanation, site: Site) -> tuple[tuple[str, str], ...]:
    head, route = made.envelope, made.route
    if head is None:
        return ()
    ways = ("", "", "", "") if route is None else (
        f"{route.name} (line {route.line})",
        route.adapter,
        f"{route.channel} ({site.table.channel(route.channel).kind})",
        _window(site, route),
    )  # fmt: skip
    names = ("route", "adapter", "channel", "window")
    return (
        ("standard", f"{head.standard} {head.version}".strip()),
        ("kind", head.kind),
        ("uuid", head.uuid),
        ("from", f"{made.party or 'no party'}, author {head.sender.key}"),
        ("to", head.recipient.key),
        ("test", "yes" if head.test is not None else "no"),
        ("artefact", _judged(made.artefact)),
        *zip(names, ways, strict=True),
    )


def _window(site: Site, route: Route) -> str:
    """Say when nothing is delivered over the channel of a route: now, or next."""
    from broker.message import now

    windows, at = site.maintenance, now()
    for stop in windows.stops(at, route.channel):
        since, until = windows.local(stop.span.start), windows.local(stop.span.until)
        told = f"it would wait until {until}" if stop.open(at) else f"next {since} to {until}"
        return f"{told} ({stop.span.text})"
    return ""


def _judged(artefact: Artefact | None) -> str:
    if artefact is None:
        return ""
    only = " (a profile: the head is checked, the content is not)" if artefact.profile else ""
    return f"{artefact.name}, sha256 {artefact.digest[:12]}{only}"


def _follows(error: BrokerError) -> str:
    if isinstance(error, Refusal):
        return "would not be accepted"
    if isinstance(error, SchemaMissing):
        return "would be held"
    return "would be rejected" if isinstance(error, MessageError) else "would wait"


#: Keys that are null where the message did not get so far.
_KEYS = (
    "standard", "version", "kind", "uuid", "sender", "recipient", "test", "party", "artefact",
    "artefact_digest", "profile", "route", "adapter", "channel", "channel_kind", "maintenance",
)  # fmt: skip


def _record(
    file: str, body: bytes, made: Explanation, site: Site, text: bytes | None
) -> dict[str, Any]:
    value: dict[str, Any] = {
        "file": file,
        "size": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "delivered": made.output is not None,
        **dict.fromkeys(_KEYS),
        **_head(made.envelope, made.party),
    }
    if made.artefact is not None:
        found = made.artefact
        value |= {"artefact": found.name, "artefact_digest": found.digest, "profile": found.profile}
    if made.route is not None:
        route, kind = made.route, site.table.channel(made.route.channel).kind
        value |= {"route": route.name, "adapter": route.adapter, "channel": route.channel,
                  "channel_kind": kind, "maintenance": _halts(site, route)}  # fmt: skip
    others = [(other, reason) for other, reason in made.others if other is not made.route]
    value["others"] = [
        {"route": other.name, "line": other.line, "reason": reason} for other, reason in others
    ]
    value["problems"] = [_problem(error) for error in made.problems]
    value["output"] = _text(text) if text is not None else None
    return value


def _halts(site: Site, route: Route) -> list[dict[str, Any]]:
    from broker.message import now
    from broker.pulse import halt

    return [halt(stop, now()) for stop in site.maintenance.stops(now(), route.channel)]


def _head(head: Envelope | None, party: str) -> dict[str, Any]:
    from broker.records import heading

    if head is None:
        return {}
    return {**heading(head), "party": party or None}


def _problem(error: BrokerError) -> dict[str, Any]:
    return {
        "error": type(error).__name__,
        "reason": error.reason,
        "text": str(error),
        "follows": _follows(error),
        "findings": [record(one) for one in error.findings],
    }


def _text(data: bytes) -> str:
    """Return bytes to look at; what is no UTF-8 is of a procedure with an older code page."""
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return data.decode("iso8859-15").replace("\r\n", "\n")
