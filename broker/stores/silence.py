"""Connections to PostgreSQL on which a silence ends: whoever says nothing is asked, then left.

Imported at the first connection only, like the driver.
"""

from __future__ import annotations

import select
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any, TypeVar

import psycopg

Result = TypeVar("Result")

#: A server that is asked whether it still works must answer within so much (seconds).
ANSWER = 5.0
#: A server that turns more connections away lives.
_CROWDED = "53"
#: Whether it works on what was asked of it: not where it waits for us.
_WORKS = """
    SELECT coalesce(state, '') NOT LIKE 'idle%%' AND wait_event_type IS DISTINCT FROM 'Client'
    FROM pg_stat_activity WHERE pid = %s
"""


class Watched(psycopg.Connection[Any]):
    """A connection that is given up where no byte came or went for too long, unless its server says
    that it works on it: long statements go on.

    What was asked of it then fails like on a connection that was cut.
    """

    silence = ANSWER
    _backend = 0
    _others: Mapping[str, Any] | None = None

    def watch(self, parameters: Mapping[str, Any], silence: float) -> None:
        """From now on, ask with these parameters after so many seconds of silence."""
        info = self.info
        own = {"host": info.host, "port": str(info.port), "target_session_attrs": "any"}
        if parameters.get("hostaddr"):
            own["hostaddr"] = info.hostaddr
        # A pooler tells another number than the one that the server knows.
        row = self.execute("SELECT pg_backend_pid()").fetchone()
        self._backend = row[0] if row else 0
        self._others = {**parameters, **own}
        self.silence = silence

    def wait(self, gen: Generator[Any, Any, Result], *args: Any, **options: Any) -> Result:
        """Wait as the driver does, but not in silence for ever."""
        return super().wait(self._heard(gen), *args, **options)

    def _heard(self, gen: Generator[Any, Any, Result]) -> Generator[Any, Any, Result]:
        """Pass everything on, and look at the clock whenever the driver has waited in vain."""
        heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > self.silence:
                    self._ask()
                    heard = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _ask(self) -> None:
        """Close it and raise where the server does not work on what was asked of it."""
        if self._works() or select.select([self.fileno()], [], [], 0)[0]:
            return
        self.close()
        raise psycopg.OperationalError(
            f"the database has said nothing for {self.silence:g} seconds"
        )

    def _works(self) -> bool:
        if self._others is None:
            return False
        try:
            with closing(Watched.connect(**self._others, autocommit=True)) as other:
                row = other.execute(_WORKS, [self._backend]).fetchone()
        except psycopg.Error as error:
            return (error.sqlstate or "").startswith(_CROWDED)
        return row is not None and bool(row[0])


def connect(parameters: Mapping[str, Any], silence: float, autocommit: bool = False) -> Watched:
    """Connect to the first server that fits; `silence` is in seconds. Raises psycopg.Error."""
    found = Watched.connect(**parameters, autocommit=autocommit)
    try:
        found.watch(parameters, silence)
        if not autocommit:
            found.commit()
    except BaseException:
        found.close()
        raise
    return found
