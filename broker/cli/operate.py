"""Running the broker, and handing messages to it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, BadParameter, Exit, Option

from broker.cli.desk import Desk, opened, settings
from broker.cli.repair import Actor, acting
from broker.cli.source import Unreadable, read
from broker.cli.terminal import complain, detail, line, progress, say
from broker.errors import BrokerError, Overloaded, Refusal

if TYPE_CHECKING:
    from broker.message import Receipt
    from broker.service import Running

Choice = Literal["intake", "worker", "all"]
_VIA = "cli"


def run(
    role: Annotated[
        Choice,
        Option(help="`intake` takes messages in, `worker` converts and delivers, `all` does both"),
    ] = "all",
) -> None:
    """Run the broker in the foreground until SIGTERM or Ctrl-C.

    SIGHUP reloads routes.yaml, SIGUSR2 replaces the process by a new one that keeps its listening
    socket. On an SQLite file one run of each role works, a second one is refused; on PostgreSQL
    any number works, on any number of hosts. All other commands work beside it. What is in hand
    at the end is finished first, what is not is taken up at the next start.
    """
    from broker import logs
    from broker.renewal import inherited, renew
    from broker.roles import Role
    from broker.service import Service

    found = settings()
    logs.configure(found.log_level, "text" if found.log_format == "console" else "json")
    service = Service(found, os.environ, role=Role(role), given=inherited(os.environ))
    service.signals()
    count = len(service.app.site.table.table.routes)

    def ready(running: Running) -> None:
        host = found.address[0] if found.address else ""
        kind = "https" if found.listen_certificate else "http"
        place = f"{kind}://{host}:{running.port}"
        place = f"listens on {place}" if running.port else "runs without HTTP"
        say(f"xoev-broker {place}, {count} route(s) of {found.routes}, state in {found.state}")
        sys.stdout.flush()

    service.run(ready)
    if service.renewing:
        renew(service.listening, os.environ)
    leave()


def leave() -> None:
    """End the process when everything is settled, whatever a thread still hangs in.

    A procedure that never answers would else keep the process from ending: Python waits for every
    thread of a pool at its exit.
    """
    hanging = [thread for thread in threading.enumerate() if not thread.daemon]
    if len(hanging) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def submit(
    files: Annotated[list[str], Argument(metavar="FILE", help="messages; `-` is stdin")],
    party: Annotated[
        str | None,
        Option(help="who sends them; else the party whose key is the author of the message"),
    ] = None,
    actor: Actor = None,
    json: Annotated[bool, Option("--json", help="one JSON document a line for each file")] = False,
) -> None:
    """Accept messages from files and print their receipts.

    Each receipt is printed after the message is on disk. Works with and without a running
    broker. A file that is not accepted is named on standard error with the reason code, the
    others go on; the exit code is then 1. The receipt holds the id, the SHA-256 of the bytes
    and the time; submitting the same file again gives the same receipt. The journal keeps who
    brought it.
    """
    from broker.intake import Intake
    from broker.pressure import Bounds, Pressure

    with opened(fresh=True) as desk:
        _known(desk, party)
        pressure = Pressure(desk.store, lambda: desk.site.table.table, Bounds.of(desk.settings))
        intake = Intake(desk, _sealed(desk), pressure=pressure)
        outcomes = [
            _submitted(desk, intake, file, party, acting(actor), json)
            for file in progress(files, "submit")
        ]
    if not all(outcomes):
        raise Exit(1)


def version() -> None:
    """Print the version of this installation."""
    from importlib.metadata import version as installed

    say(f"xoev-broker {installed('xoev-broker')}")


def demo(
    stay: Annotated[
        bool, Option("--stay", help="send nothing and leave the broker running until Ctrl-C")
    ] = False,
    keep: Annotated[
        Path | None, Option(metavar="FOLDER", help="where it writes; else a new temporary folder")
    ] = None,
    cluster: Annotated[
        bool,
        Option("--cluster", help="PostgreSQL, 3 nodes of RabbitMQ, 3 workers; kills one of each"),
    ] = False,
) -> None:
    """Show three cities on one machine, and prove that it worked.

    Applications go in and answers come back. The exit code is 0 only if every message ended where
    it must. With --cluster, servers and workers are killed meanwhile; it needs the Debian packages
    postgresql and rabbitmq-server.
    """
    if cluster:
        from broker.cli.cluster import demo as show_cluster

        if stay:
            raise BadParameter("cannot be given together with --stay", param_hint="--cluster")
        show_cluster(keep)
        return
    from broker.cli.demo import demo as show

    show(stay, keep)


def _submitted(
    desk: Desk, intake: Any, file: str, party: str | None, actor: str, json: bool
) -> bool:
    try:
        intake.pressure.measure()
        body = read(file, desk.settings.max_message, "the file")
        receipt = intake.accept(body, party or _author(desk, body), _VIA, actor)
    except (Overloaded, Refusal, UnknownAuthor, Unreadable) as error:
        _refused(file, error, json)
        return False
    _accepted(file, receipt, json)
    return True


class UnknownAuthor(BrokerError):
    """The author of the message belongs to no party of routes.yaml; say --party NAME."""

    reason = "T070"


def _author(desk: Desk, body: bytes) -> str:
    """Return the party of the author; empty where no head can be read, the intake refuses that."""
    standards = desk.site.standards
    try:
        envelope = standards.envelope(standards.parse(body))
    except Refusal:
        return ""
    found = desk.site.table.party_of_key(envelope.sender.key)
    if found is None:
        raise UnknownAuthor
    return found.name


def _sealed(desk: Desk) -> Callable[[], None]:
    """Return what raises Unsealed, as in the daemon, where the journal cannot be sealed."""
    from broker.journal.notary import sealer
    from broker.journal.standing import guard

    found = desk.settings
    return guard(desk.store, found.seal_limit, lambda: sealer(found, desk.store).seal(final=True))


def _known(desk: Desk, party: str | None) -> None:
    from broker.values import closest

    parties: Sequence[str] = tuple(desk.site.table.table.parties)
    if party is not None and party not in parties:
        raise BrokerError(f'unknown party "{party}"{closest(party, parties)}')


def _accepted(file: str, receipt: Receipt, json: bool) -> None:
    from broker.journal.entry import stamp

    if json:
        line({"file": file, "id": receipt.id, "sha256": receipt.sha256,
              "received": stamp(receipt.received), "duplicate": receipt.duplicate})  # fmt: skip
        return
    again = "  (was accepted before)" if receipt.duplicate else ""
    say(f"{file}: {receipt.id}  sha256 {receipt.sha256}  {stamp(receipt.received)}{again}")


def _refused(file: str, error: BrokerError, json: bool) -> None:
    if json:
        line({"file": file, "error": type(error).__name__, "reason": error.reason,
              "text": str(error)})  # fmt: skip
    complain(f"{file}: not accepted: {error.reason}: {chr(10).join(detail(error))}")
