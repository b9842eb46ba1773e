"""Carrying a whole site from one database into another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from typer import BadParameter, Option

from broker.cli.desk import settings
from broker.cli.repair import Actor, acting
from broker.cli.terminal import complain, say, table
from broker.errors import BrokerError, ConfigError
from broker.settings import Settings, variable

if TYPE_CHECKING:
    from broker.journal.checkpoint import Verifier
    from broker.journal.verify import Verdict
    from broker.stores.contract import Store

_SQLITE = "sqlite:///"
#: Rows between two lines of the progress.
_STEP = 50_000


def move(
    source: Annotated[
        str, Option("--from", metavar="URL", help="the database of now; else that of the settings")
    ] = "",
    source_file: Annotated[
        Path | None, Option("--from-file", help="file that holds the URL, with its password")
    ] = None,
    target: Annotated[str, Option("--to", metavar="URL", help="an empty database")] = "",
    target_file: Annotated[
        Path | None, Option("--to-file", help="file that holds the URL, with its password")
    ] = None,
    actor: Actor = None,
) -> None:
    """Carry a whole site over: messages, payloads, journal, with the same numbers.

    Between SQLite and PostgreSQL, in both directions. The broker must be stopped. Everything goes
    over in one transaction, or nothing; the journal is verified before and after.
    """
    from broker.roles import Role, lock, unlock

    found = settings()
    old, new = _url(found, source, source_file, "from"), _url(None, target, target_file, "to")
    if old == new:
        raise BadParameter("that is the database of now", param_hint="--to")
    _there(old)
    # An intake that stands alone writes, too.
    held = lock(found.state, Role.ALL)
    try:
        with _opened(old) as before, _opened(new) as after:
            counts = _carried(before, after, _verifier(found))
            _note(after, f"{_kind(old)} → {_kind(new)}", counts["entries"], acting(actor))
    finally:
        unlock(held)
    table(["table", "rows"], [[name, str(count)] for name, count in counts.items()])
    say("everything was carried over; the journal is the same")
    say(f"now let {variable('store')} (or {variable('store_file')}) name the target, and keep the")
    say("old database only as a backup: two brokers on two copies would do everything twice")


def _carried(old: Store, new: Store, verifier: Verifier | None) -> Mapping[str, int]:
    from broker.app import move_store

    verdict = _verified(old, verifier, "the source")
    counts = move_store(old, new, _told())
    _same(verdict, _verified(new, verifier, "the target"))
    return counts


def _note(store: Store, kinds: str, count: int, actor: str) -> None:
    from broker.journal.trail import entry

    store.note([entry("", "moved", actor, name=kinds, count=count)]).result()


def _url(found: Settings | None, url: str, file: Path | None, name: str) -> str:
    if url and file:
        raise BadParameter(f"cannot be given together with --{name}-file", param_hint=f"--{name}")
    if file is not None:
        try:
            return file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read, check the path") from error
    if not url:
        if found is None:
            raise BadParameter("which database?", param_hint="--to or --to-file")
        return found.database()
    if "@" in url and ":" in urlsplit(url).netloc.rpartition("@")[0]:
        raise BadParameter(
            f"everybody on this machine sees a password there; use --{name}-file",
            param_hint=f"--{name}",
        )
    return url


def _there(url: str) -> None:
    """Opening a file that is not there would make an empty store."""
    file = url.removeprefix(_SQLITE)
    if file != url and not Path(file).exists():
        raise BrokerError(f"there is no store at {file}; check the path")


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    from broker import logs
    from broker.app import open_database

    logs.configure("error", "text")
    store = open_database(url, _report)
    try:
        yield store
    finally:
        store.close()


def _verifier(found: Settings) -> Verifier | None:
    from broker.journal.checkpoint import Signer

    if not found.journal_key.exists():
        complain("note: there is no signing key here, so signatures are not checked")
        return None
    return Signer.open(found.journal_key, found.origin).verifier()


def _verified(store: Store, verifier: Verifier | None, which: str) -> Verdict:
    from broker.journal.verify import verify

    complain(f"verifying the journal of {which}")
    verdict = verify(store.tree, verifier)
    if verdict.findings:
        for finding in verdict.findings:
            complain(f"FOUND  {finding}")
        raise BrokerError(f"the journal of {which} was changed; nothing may be built on it")
    return verdict


def _same(before: Verdict, after: Verdict) -> None:
    kept = (before.size, before.root, before.unsealed, before.checkpoints)
    if kept != (after.size, after.root, after.unsealed, after.checkpoints):
        raise BrokerError("the journal of the target is another one; do not use the target")


def _told() -> Callable[[str, int, int], None]:
    """Return what says now and then how far a large table is."""
    told: dict[str, int] = {}

    def tell(name: str, done: int, total: int) -> None:
        if done - told.get(name, 0) >= _STEP or (done == total > _STEP):
            told[name] = done
            complain(f"{name}: {done} of {total} rows")

    return tell


def _kind(url: str) -> str:
    return url.partition(":")[0].partition("+")[0]


def _report(_error: BrokerError) -> None:
    """The command that meets the error ends with it anyway."""
