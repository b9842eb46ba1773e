"""A PostgreSQL that follows another one and can take its place."""

from __future__ import annotations

import os
import shutil
import subprocess

from broker.standins.daemon import identity
from broker.standins.postgres import USER, Postgres, binaries
from tests.cluster import until

#: Which member of the pair takes writes is asked for soon; the least that the driver takes.
_END = "connect_timeout=2"


def follower(primary: Postgres) -> Postgres:
    """Return a running standby of a running server, as `pg_basebackup` makes one."""
    made = Postgres()
    shutil.copy2(primary.password_file, made.password_file)
    user = "postgres" if os.geteuid() == 0 else None
    for path in (made.folder, made.password_file):
        shutil.chown(path, user or os.geteuid())
    folder = binaries()
    assert folder is not None
    place = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", USER]
    subprocess.run(
        [folder / "pg_basebackup", *place, "-D", made.folder / "data", "-R", "-c", "fast"],
        cwd="/", check=True, capture_output=True,
        env={"PGPASSWORD": made.password_file.read_text("ascii")}, **identity(user),
    )  # fmt: skip
    made.start()
    return made


def caught_up(primary: Postgres, standby: Postgres) -> None:
    """Wait until the standby has all that the primary has written."""
    (place,) = primary.ask("SELECT pg_current_wal_lsn()::text")[0]
    asked = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    until(lambda: bool(standby.ask(asked, (place,))[0][0]), "the standby follows")


def promote(standby: Postgres) -> None:
    """Let a standby take writes."""
    standby.ask("SELECT pg_promote()")
    until(lambda: standby.ask("SELECT pg_is_in_recovery()") == [(False,)], "a promotion")


def both(url: str, primary: Postgres, standby: Postgres) -> str:
    """Return the URL of a database on whichever of the two takes writes."""
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    return f"{url.replace('+psycopg', '', 1).replace(f'127.0.0.1:{primary.port}', hosts)}?{_END}"
