"""A backup of the store while the broker runs, and what lets a restored copy run again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, BadParameter, Exit, Option

from broker.cli.desk import Desk, opened, settings
from broker.cli.repair import Actor, Reason, acting, given
from broker.cli.terminal import moment, say, table
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.channels.channel import Channel
    from broker.settings import Settings
    from broker.stores.contract import Entry
    from broker.stores.tree import Tree

STORE, NOTE, SHEET = "broker.sqlite", "checkpoint", "backup.json"
Folder = Annotated[Path, Argument(metavar="FOLDER", help="a folder that `backup` has written")]


def backup(
    folder: Annotated[Path, Argument(metavar="FOLDER", help="a new or empty folder")],
    actor: Actor = None,
) -> None:
    """Copy the store as it is at one moment, while the broker runs.

    Writes the store, its last checkpoint, and a sheet that says what is in the copy and which
    key opens it. The keys themselves are not in it: keep those apart. The copy is marked as one:
    a broker does not start on it before `restore confirm`.
    """
    from broker.app import copy_store
    from broker.journal.trail import entry
    from broker.message import now

    with opened() as desk:
        _empty(folder)
        at = now()
        copy_store(desk.settings, folder / STORE, at)
        sheet = _sheet(desk, folder, at)
        _write(folder / SHEET, json.dumps(sheet, indent=2) + "\n")
        line = entry("", "copied", acting(actor), size=sheet["bytes"], digest=sheet["sha256"],
                     count=sheet["sealed"])  # fmt: skip
        desk.store.note([line]).result()
    say(f"{folder}: {sheet['messages']} messages, {sheet['sealed']} sealed entries, "
        f"{sheet['bytes']} bytes")  # fmt: skip
    say(f"needs the site key {sheet['site_key']}, which is not in it: keep that one elsewhere")


def check(folder: Folder) -> None:
    """Look whether a backup is whole, its journal unchanged, and the site key here opens it.

    Nothing is changed, a broker may run meanwhile. The exit code is 1 where anything is wrong.
    """
    from broker.app import open_copy

    sheet = _read(folder)
    _same(folder, sheet)
    copy = open_copy(folder / STORE)
    try:
        wrong = list(_wrong(copy.tree, copy.wrapped(), settings()))
        count = copy.counts().accepted
    finally:
        copy.close()
    for text in wrong:
        say(f"FOUND  {text}")
    if wrong:
        raise Exit(1)
    say(f"{folder}: whole, made {sheet['made']}, {count} messages; the site key here opens it")


def put(folder: Folder) -> None:
    """Put the store of a backup where this site has its own.

    The broker must be stopped, and there must be no store: move an old one away, it may hold
    more than the copy. The copy does not run before `restore confirm`.
    """
    from broker.app import store_file
    from broker.roles import lock, unlock

    sheet, found = _read(folder), settings()
    _same(folder, sheet)
    file = store_file(found)
    held = lock(found.state)
    try:
        for one in (file, *(file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm"))):
            if one.exists():
                raise BrokerError(
                    f"{one} is there and may hold more than the copy; move it away, do not "
                    "delete it"
                )
        _place(folder / STORE, file)
    finally:
        unlock(held)
    say(f"the copy of {sheet['made']} is in place; next: xoev-broker restore show")


def mark() -> None:
    """Say that the store is a copy, where another program has made or restored it.

    For PostgreSQL, and for snapshots of whole machines. The broker must be stopped; it then does
    not start before `restore confirm`.
    """
    from broker.journal.restore import COPIED
    from broker.message import now
    from broker.roles import lock, unlock

    with opened() as desk:
        held = lock(desk.settings.state)
        try:
            desk.store.ran(COPIED, now()).result()
        finally:
            unlock(held)
    say("the store counts as a copy now; next: xoev-broker restore show")


def shown() -> None:
    """Say whether the store is an older copy, and what would happen to what has not ended."""
    from broker.journal.entry import decode
    from broker.journal.restore import look

    with opened() as desk:
        found = look(desk.settings, desk.store)
        if found is None:
            say("nothing says that this store is a copy; the broker runs on it")
            return
        newest = desk.store.newest()
        say(f"the store is an older copy: {found.text}")
        if newest:
            say(f"the last that it knows of is of {moment(decode(newest).time)}")
        _foresee(desk)
    say("if the newer store is lost: xoev-broker restore confirm --reason … [--until TIME]")


def confirm(
    reason: Reason,
    until: Annotated[
        str, Option(metavar="TIME", help="when the lost broker stopped; else now")
    ] = "",
    actor: Actor = None,
) -> None:
    """Let the broker run on a restored copy: the newer store is lost for good.

    Every delivery that has not ended is asked for before it is sent, or waits for a person as
    `unclear` where nobody can be asked. A message that was made before `--until` and is not known
    waits as `unclear` too: the lost store may have delivered it. The broker must be stopped.
    """
    from broker.journal.restore import Confirmed, look
    from broker.journal.restore import confirm as accept
    from broker.message import now
    from broker.roles import lock, unlock

    end = _time(until) if until else now()
    accepted = Confirmed(acting(actor), given(reason), end)
    with opened() as desk:
        held = lock(desk.settings.state)
        try:
            found = look(desk.settings, desk.store)
            if found is None:
                raise BrokerError("nothing says that this store is a copy: nothing to confirm")
            count = accept(desk.store, found, accepted)
        finally:
            unlock(held)
    say(f"the broker may run on this copy; {count} deliveries are asked for before they are sent")
    say(f"messages made before {moment(end)} that it does not know wait for a person (unclear)")
    say("ask the senders for what they sent since the copy was made, see docs/howto/backup.md")


def _empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        filled = any(folder.iterdir())
    except OSError as error:
        raise BrokerError(f"{folder} cannot be written: {error.strerror}") from error
    if filled:
        raise BrokerError(f"{folder} is not empty; a backup gets a folder of its own")


def _sheet(desk: Desk, folder: Path, at: datetime) -> dict[str, Any]:
    """Return what is in the copy, for people and for `check`; write its checkpoint beside it."""
    from importlib.metadata import version

    from broker.app import open_copy

    copy = open_copy(folder / STORE)
    try:
        sealed, accepted = copy.tree.extent()[0], copy.counts().accepted
        notes = copy.tree.notes(last=True)
    finally:
        copy.close()
    if notes:
        _write(folder / NOTE, notes[0].text)
    return {
        "made": moment(at),
        "program": version("xoev-broker"),
        "origin": desk.settings.origin,
        "messages": accepted,
        "sealed": sealed,
        "bytes": (folder / STORE).stat().st_size,
        "sha256": _digest(folder / STORE),
        "site_key": _ring(desk.settings),
    }


def _ring(found: Settings) -> str:
    """Return the short name of the key that wraps message keys; the key is not shown."""
    from broker.journal.ring import KeyCommand, KeyFile

    command = found.site_key_command
    return (KeyCommand(command) if command else KeyFile(found.site_key)).read().name


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(file: Path, text: str) -> None:
    handle = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with open(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(handle)


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / SHEET).read_text("utf-8"))
    except (OSError, ValueError) as error:
        text = f"{folder / SHEET} cannot be read; is this a folder that `backup` has finished?"
        raise BrokerError(text) from error
    if not isinstance(found, dict) or not {"made", "sha256"} <= found.keys():
        raise BrokerError(f"{folder / SHEET} is no sheet of a backup")
    return found


def _same(folder: Path, sheet: dict[str, Any]) -> None:
    try:
        digest = _digest(folder / STORE)
    except OSError as error:
        raise BrokerError(f"{folder / STORE} cannot be read: {error.strerror}") from error
    if digest != sheet["sha256"]:
        raise BrokerError(f"{folder / STORE} is not what was backed up; take another backup")


def _wrong(tree: Tree[Entry], keys: Sequence[bytes], found: Settings) -> Iterator[str]:
    from broker.journal.checkpoint import Signer
    from broker.journal.vault import Vault
    from broker.journal.verify import verify

    verifier = None
    if found.journal_key.exists():
        verifier = Signer.open(found.journal_key, found.origin).verifier()
    yield from map(str, verify(tree, verifier).findings)
    if not found.site_key_command and not found.site_key.exists():
        yield f"the site key {found.site_key} is not here, and without it no message can be read"
        return
    vault = Vault.open(found.site_key, found.site_key_command)
    for key in keys:
        try:
            vault.key(key)
        except BrokerError:
            yield "the site key here is not the one of this copy; take the one of its time"


def _place(source: Path, file: Path) -> None:
    """Copy a file so that it is there whole or not at all, for its owner only."""
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as new:
            with source.open("rb") as old:
                shutil.copyfileobj(old, new)
            os.fsync(new.fileno())
        part.replace(file)
    except OSError as error:
        raise BrokerError(f"{file} cannot be written: {error.strerror}") from error


def _foresee(desk: Desk) -> None:
    """Say for each channel what would happen to what has not ended."""
    from broker.message import State

    open_ = [state for state in State if not state.terminal]
    counts = Counter(row.channel for row in _rows(desk, tuple(open_)))
    channels = desk.site.channels
    rows = [[name or "–", str(count), _fate(channels.get(name))] for name, count in counts.items()]
    if rows:
        table(["channel", "not ended", "after confirm"], sorted(rows))


def _rows(desk: Desk, states: tuple[Any, ...]) -> Iterator[Any]:
    from broker.stores.contract import Filter

    after = 0
    while found := desk.store.rows(Filter(states=states, oldest=True, after=after, limit=1000)):
        yield from found
        after = found[-1].seq


def _fate(channel: Channel | None) -> str:
    if channel is None:
        return "nothing: no such channel"
    if channel.asks:
        return "the procedure is asked, and gets what it does not have"
    if channel.repeats:
        return "sent again; the procedure recognises repeats"
    return "unclear: a person looks into the procedure"


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise BadParameter("needed is 2026-03-02T08:30", param_hint="--until") from error
