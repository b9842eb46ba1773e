"""Keys, secrets and folders: there, readable by the service, and by nobody else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from broker.config.model import Table
from broker.doctor.remark import Remark, error, ok, warning
from broker.errors import BrokerError
from broker.journal.checkpoint import Signer
from broker.journal.ring import KeyCommand, KeyFile
from broker.settings import Settings

_OWN = (
    "store_file", "queue_file", "listen_key", "staff_file",
    "alert_mail_password_file", "alert_webhook_key_file",
)  # fmt: skip
_OTHERS = 0o077
_WRITE = 0o022


def keys(settings: Settings, stored: bool) -> Iterator[Remark]:
    """Look at the keys of the site; `stored` says that there is a store that needs them."""
    if settings.site_key_command:
        yield from _asked(settings.site_key_command)
    else:
        yield from _key(settings.site_key, stored, lambda file: KeyFile(file).read())
    yield from _key(settings.journal_key, stored, lambda file: Signer.open(file, settings.origin))


def _asked(command: str) -> Iterator[Remark]:
    try:
        KeyCommand(command).read()
        yield ok("keys.good", "site_key_command")
    except BrokerError as problem:
        yield error("keys.wrong", "site_key_command", text=str(problem))


def _key(file: Path, stored: bool, read: object) -> Iterator[Remark]:
    assert callable(read)
    where = str(file)
    if not _exists(file):
        yield error("keys.missing", where) if stored else ok("keys.first", where)
        return
    problem = _private(file, "keys")
    if problem is not None:
        yield problem
        return
    try:
        read(file)
        yield ok("keys.good", where)
    except BrokerError as wrong:
        yield error("keys.wrong", where, text=str(wrong))


def secrets(settings: Settings, table: Table | None) -> Iterator[Remark]:
    """Look at every file of the settings and of routes.yaml that holds a secret."""
    found = {path: name for name in _OWN if (path := getattr(settings, name)) is not None}
    found |= dict(_named(table)) if table else {}
    problems = [one for path, user in found.items() for one in _secret(path, user)]
    yield from problems
    if not problems:
        yield ok("secrets.good", count=len(found))


def _named(table: Table) -> Iterator[tuple[Path, str]]:
    """Yield the files with who needs them; hashes of tokens are told from other secrets by name."""
    for party in table.parties.values():
        if party.token_file is not None:
            yield party.token_file, f"party {party.name}"
    for channel in table.channels.values():
        for name, value in channel.values.items():
            if name.endswith("_file") and isinstance(value, Path):
                yield value, f"channel {channel.name}"


def _secret(path: Path, user: str) -> Iterator[Remark]:
    where = str(path)
    if not _exists(path):
        yield error("secrets.missing", where, user=user)
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    certificate = path.suffix in (".pem", ".crt") and not path.name.endswith("key.pem")
    if mode & _OTHERS and not certificate:
        yield error("secrets.open", where, mode=f"{mode:04o}")
    if not os.access(path, os.R_OK):
        yield error("secrets.unreadable", where, user=user)
    elif user.startswith("party ") and not _hashes(path):
        yield warning("secrets.empty", where, user=user)


def _hashes(path: Path) -> bool:
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return any(line.partition("#")[0].strip() for line in lines)


def folders(settings: Settings) -> Iterator[Remark]:
    """Look at who may change what the broker obeys, and who may look into what it keeps."""
    obeyed = (settings.routes, *settings.adapters, settings.schemas)
    problems = [one for path in obeyed for one in _writable(path)]
    yield from problems
    if not problems:
        yield ok("files.good")
    if settings.state.is_dir():
        mode = stat.S_IMODE(settings.state.stat().st_mode)
        if mode & _OTHERS:
            yield warning("files.state", str(settings.state), mode=f"{mode:04o}")
        if not os.access(settings.state, os.W_OK | os.X_OK):
            yield error("files.closed", str(settings.state))


def _writable(top: Path) -> Iterator[Remark]:
    """Yield the first path that others may change: one finding for one cause."""
    for path in (top, *(sorted(top.rglob("*")) if top.is_dir() else ())):
        if path.is_symlink() or not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _WRITE:
            yield error("files.writable", str(path), mode=f"{mode:04o}")
            return


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _private(file: Path, area: str) -> Remark | None:
    found = file.stat()
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS:
        return error(f"{area}.open", str(file), mode=f"{mode:04o}")
    if found.st_uid != os.geteuid() and not os.access(file, os.R_OK):
        return error(f"{area}.foreign", str(file))
    return None
