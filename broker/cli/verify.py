"""The journal as evidence: whether it was changed, its checkpoints, and those of others."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, BadParameter, Exit, Option

from broker.cli.desk import Desk, noted, opened, settings
from broker.cli.repair import Actor, acting
from broker.cli.terminal import complain, moment, say, show
from broker.errors import BrokerError, ConfigError

if TYPE_CHECKING:
    from broker.journal.checkpoint import Checkpoint, Verifier
    from broker.journal.sealer import Ledger
    from broker.journal.verify import Verdict
    from broker.settings import Settings
    from broker.stores.contract import Store

Key = Annotated[
    str, Option(metavar="KEY", help="verifier key, or a file that holds it", show_default=False)
]
File = Annotated[Path, Argument(metavar="FILE", help="a file, or - for standard input")]


def verify(
    outside: Annotated[
        list[Path] | None,
        Option("--from", metavar="CHECKPOINT", help="file with checkpoints kept elsewhere"),
    ] = None,
    key: Key = "",
    json: Annotated[bool, Option("--json", help="for machines, with stable keys")] = False,
) -> None:
    """Read the whole journal and find every tampering.

    Finds what was edited, deleted, inserted, swapped or cut off. A checkpoint kept elsewhere also
    shows an older copy and a journal that was computed anew. Works beside a running broker.
    """
    from broker.journal.verify import verify as look

    with opened() as desk, _progress(json) as progress:
        verifier = _verifier(desk.settings, key)
        known = [one for file in outside or () for one in _outside(file, verifier)]
        verdict = look(desk.store.tree, verifier, known, progress)
    if json:
        show(_document(verdict))
    else:
        _tell(verdict, verifier)
    if verdict.findings:
        raise Exit(1)


def checkpoint(
    now: Annotated[bool, Option("--now", help="seal and sign what is there first")] = False,
    public: Annotated[bool, Option("--public", help="print the public key instead")] = False,
    since: Annotated[
        int | None,
        Option(min=0, metavar="N", help="print what a witness needs that has seen N entries"),
    ] = None,
    cosigned: Annotated[
        Path | None, Option(metavar="FILE", help="keep the line of a witness; needs --key")
    ] = None,
    stamp: Annotated[bool, Option("--stamp", help="have the last one stamped by timestamp_url")] = (
        False
    ),
    key: Key = "",
) -> None:
    """Print the last checkpoint, to be kept elsewhere.

    Keep it where nobody who works on this machine can change it; `verify --from` takes it.
    """
    from broker.journal.checkpoint import Signer
    from broker.journal.notary import sealer
    from broker.journal.sealer import Ledger
    from broker.journal.witness import request

    with opened() as desk:
        if public:
            fresh = not desk.store.tree.notes(last=True)
            say(Signer.open(desk.settings.journal_key, desk.settings.origin, fresh).public)
            return
        if now and not sealer(desk.settings, desk.store).seal(final=True):
            raise BrokerError("the journal could not be sealed; the lines above say why")
        ledger = Ledger(desk.store)
        if stamp:
            _stamp(desk, _last(ledger.checkpoint()))
        if cosigned is not None:
            _keep(ledger, desk.store, _read(cosigned), _given(key))
        elif since is not None:
            sys.stdout.write(request(ledger, since))
        else:
            sys.stdout.write(_last(ledger.checkpoint()))


def witness(
    file: Annotated[
        Path | None, Argument(metavar="FILE", help="the request, or - for standard input")
    ] = None,
    key: Key = "",
    public: Annotated[bool, Option("--public", help="print the key of this witness")] = False,
    actor: Actor = None,
) -> None:
    """Countersign a consistent checkpoint of another journal.

    The other side makes the request with `checkpoint --since N`, where N is what this witness saw
    last, and keeps the printed line with `checkpoint --cosigned`. Where this installation has a
    journal of its own, it keeps who countersigned what.
    """
    from broker.journal.checkpoint import WITNESS, Signer
    from broker.journal.witness import Witness

    found = settings()
    signer = Signer.open(found.state / "witness.key", found.origin)
    if public:
        say(signer.verifier(WITNESS).line)
        return
    if file is None:
        raise BadParameter("the request is missing", param_hint="FILE")
    log, seen = _given(key), Witness(found.state / "witness", signer)
    line = seen.cosign(_read(file), log, int(time.time()))
    noted("witnessed", acting(actor), name=log.name, count=str(seen.seen(log.name)[0]))
    sys.stdout.write(line)


def _keep(ledger: Ledger, store: Store, line: str, witness: Verifier) -> None:
    from broker.journal.checkpoint import BadCheckpoint
    from broker.journal.trail import entry

    for note in reversed(ledger.checkpoints()):
        try:
            checkpoint = witness.verify(note + line)
        except BadCheckpoint:
            continue
        store.tree.countersign(checkpoint.size, witness.name, line).result()
        known = entry("", "witnessed", acting(None), name=witness.name, count=checkpoint.size)
        store.note([known]).result()
        say(f"kept the line of {witness.name} for the checkpoint over {checkpoint.size} entries")
        return
    raise BrokerError(f"the line is no signature of {witness.name} on a checkpoint of this journal")


def _stamp(desk: Desk, note: str) -> None:
    """Ask for a time stamp on a checkpoint at once, as the running broker does by itself."""
    from broker.journal.checkpoint import Checkpoint
    from broker.journal.notary import authority

    found = authority(desk.settings)
    if found is None:
        raise ConfigError("XOEV_BROKER_TIMESTAMP_URL is not set: there is nobody to ask")
    made = found.stamp(Checkpoint.parse(note))
    desk.store.tree.stamp(made).result()
    complain(f"stamped: {made.size} entries at {moment(made.time)} by {found.url}")


def _last(note: str | None) -> str:
    if note is None:
        raise BrokerError("there is no checkpoint yet; make one: xoev-broker checkpoint --now")
    return note


def _verifier(found: Settings, key: str) -> Verifier | None:
    """Return the given key, else the one of this installation, which is not made here."""
    from broker.journal.checkpoint import Signer

    if key:
        return _given(key)
    if not found.journal_key.exists():
        return None
    return Signer.open(found.journal_key, found.origin).verifier()


def _given(key: str) -> Verifier:
    from broker.journal.checkpoint import Verifier

    if not key:
        raise BadParameter("whose key? give it as printed by --public", param_hint="--key")
    file = Path(key)
    known = "+" not in key or file.exists()
    return Verifier.parse(_read(file) if known else key)


def _outside(file: Path, verifier: Verifier | None) -> list[Checkpoint]:
    from broker.journal.checkpoint import BadCheckpoint, notes

    if verifier is None:
        raise ConfigError(f"there is no key to check {file} with; give --key")
    found = list(notes(_read(file)))
    if not found:
        raise BrokerError(f"{file} holds no signed checkpoint")
    try:
        return [verifier.verify(note) for note in found]
    except BadCheckpoint as error:
        text = "another journal, or the key was exchanged; give the key of then with --key"
        raise BrokerError(f"{file}: {error}: {text}") from error


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokerError(f"{file} cannot be read, check the path") from error


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int], None]]:
    """Yield what shows on a terminal how many entries were read."""
    if quiet or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console

    with Console(stderr=True).status("reading the journal") as status:
        yield lambda count: status.update(f"reading the journal: {count} entries")


def _tell(verdict: Verdict, verifier: Verifier | None) -> None:
    from broker.journal.verify import limits

    say(f"entries      {verdict.size} sealed, {verdict.unsealed} not sealed yet")
    say(f"root         {verdict.root.hex()}")
    say(f"checkpoints  {verdict.checkpoints} stored, {verdict.outside} from outside")
    if verifier is None:
        complain("note: there is no signing key here, so signatures were not checked; give --key")
    for text in limits(verdict).values():
        say(f"not shown    {text}")
    for finding in verdict.findings:
        say(f"FOUND        {finding}")
    say("nothing was changed" if not verdict.findings else "the journal was changed")


def _document(verdict: Verdict) -> dict[str, Any]:
    from broker.journal.verify import limits

    return {
        "size": verdict.size,
        "root": verdict.root.hex(),
        "unsealed": verdict.unsealed,
        "unsigned": verdict.unsigned,
        "checkpoints": verdict.checkpoints,
        "outside": verdict.outside,
        "not_shown": dict(limits(verdict)),
        "findings": [
            {"kind": one.kind, "first": one.first, "last": one.last, "text": one.text}
            for one in verdict.findings
        ],
    }
