"""A PostgreSQL of our own from the Debian package: one folder, one port of loopback, durable."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from broker.errors import ConfigError, Unreachable
from broker.standins.daemon import Daemon, Steered, identity, owned, until
from broker.standins.daemon import port as free

USER = "xoev"
REMEDY = "install the Debian package postgresql (as root: make servers-packages)"
_DEBIAN = Path("/usr/lib/postgresql")
_SECONDS = 60
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
#: Durable, because the fault tests ask what is left; quiet and small otherwise.
_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    "max_connections": "200",
    "timezone": "UTC",
    "log_min_messages": "warning",
}


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL server on this machine; None if there is none."""
    found = [path.parent for path in _DEBIAN.glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: _version(path.parent.name))
    anywhere = shutil.which("initdb")
    return Path(anywhere).resolve().parent if anywhere else None


class Postgres(Steered):
    """One server. As root it runs as another user, since PostgreSQL refuses root."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Take its folder (None: a temporary one, gone after `close`), port (0: any), settings.

        A folder must be reachable for the user `postgres` if this process is root.
        """
        self.port = port or free()
        self._user = _other() if os.geteuid() == 0 else None
        self._doomed = "" if folder else tempfile.mkdtemp(prefix="xoev-postgres-")
        self.folder = folder or Path(self._doomed)
        self._settings = {**_SETTINGS, **(settings or {})}
        self._data = self.folder / "data"
        self._daemon = Daemon("PostgreSQL", self.folder / "log", self._user, self._doomed)

    @property
    def password_file(self) -> Path:
        """The file that holds the password, mode 0600."""
        return self.folder / "password"

    @property
    def url(self) -> str:
        """The address of the database `postgres`."""
        return self.address("postgres")

    def address(self, database: str) -> str:
        """Return the address of a database in the form of SQLAlchemy, with the password."""
        password = self.password_file.read_text("ascii")
        return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it unless it runs; returns once it accepts connections.

        Raises ConfigError if it is not installed, Unreachable with the end of its log.
        """
        if self.pid:
            return
        if not (self._data / "PG_VERSION").exists():
            self._prepare()
        command = [str(_installed() / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        self._daemon.start(command)
        self._daemon.ready(self.answers, _SECONDS)

    def stop(self, mode: str = "fast") -> None:
        """End it in order: `smart`, `fast` or `immediate` (as after a crash); keep its files."""
        self._daemon.end(_SIGNALS[mode])

    def restart(self, mode: str = "fast") -> None:
        """Stop and start it on the same port."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """End it for good and remove its temporary folder."""
        self.stop()
        self._daemon.close()

    def answers(self) -> bool:
        """Say whether it accepts a connection now."""
        import psycopg

        try:
            self.ask("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def database(self, name: str = "") -> str:
        """Make a new, empty database, with a name of its own if none is given; return its URL."""
        name = _checked(name or f"xoev_{secrets.token_hex(6)}")
        self.ask(f'CREATE DATABASE "{name}"')
        return self.address(name)

    def drop(self, database: str) -> None:
        """Remove a database by name or URL, also while others are connected to it."""
        name = _checked(database.rpartition("/")[2])
        self.ask(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def terminate(self, database: str = "") -> int:
        """Cut all connections, or those to one database (name or URL); return how many."""
        name = database.rpartition("/")[2]
        rows = self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND (%s = '' OR datname = %s)",
            (name, name),
        )
        return len(rows)

    def set(self, name: str, value: str) -> None:
        """Change a setting of the server as an administrator would; it holds once this returns.

        Not for settings that need a restart.
        """
        self.ask(f"ALTER SYSTEM SET {_checked(name)} = '{_plain(value)}'")
        self.ask("SELECT pg_reload_conf()")
        if not until(lambda: self._shows(name, value), _SECONDS):
            raise ConfigError(f"PostgreSQL did not take the setting {name}; it needs a restart")

    def ask(
        self, statement: str, values: Sequence[str] = (), database: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """Run one statement as administrator outside a transaction; return its rows."""
        import psycopg

        url = self.address(database).replace("+psycopg", "", 1)
        with closing(psycopg.connect(url, autocommit=True, connect_timeout=5)) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def _shows(self, name: str, value: str) -> bool:
        return bool(self.ask("SELECT current_setting(%s)", (name,))[0][0] == value)

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._write(self.password_file, secrets.token_hex(16))
        owned(self.folder, self._user)
        words = [
            str(_installed() / "initdb"),
            *("-D", str(self._data), "-U", USER, f"--pwfile={self.password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"),
            *("--no-sync", "--no-instructions"),
        ]
        self._run(words)
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.writelines(f"{key} = '{_plain(it)}'\n" for key, it in self._settings.items())

    def _write(self, path: Path, text: str) -> None:
        path.touch(mode=0o600)
        path.write_text(text, "ascii")
        owned(path, self._user)

    def _run(self, words: Sequence[str]) -> None:
        try:
            subprocess.run(  # noqa: S603 - our own command
                words,
                cwd="/",
                check=True,
                capture_output=True,
                timeout=_SECONDS,
                **identity(self._user),
            )
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise Unreachable(f"{self.folder}: initdb did not work: {' '.join(said)}") from error


def _installed() -> Path:
    found = binaries()
    if found is None:
        raise ConfigError(f"PostgreSQL is not installed: {REMEDY}")
    return found


def _other() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError("a name in PostgreSQL: small letters, digits and _, at most 63")
    return name


def _plain(value: str) -> str:
    return value.replace("'", "''")
