"""What an error of a database means for the writer, and how to say it without a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    TimeoutError,
)

from broker.errors import OlderCopy, StoreAway, StoreError

#: `item`: one item cannot be written. `again`: the same group will pass. `away`: it will pass once
#: the database is back. `unknown`: it may have been written. `broken`: it will never pass.
Fault = Literal["item", "again", "away", "unknown", "broken"]

#: A database may be away for so long before those who wait are told (seconds).
PATIENCE = 10.0

#: serialization failure, deadlock, lock not available
_AGAIN = ("40001", "40P01", "55P03")
#: connection lost or refused, no resources, an operator stepped in, a server that became a standby
_AWAY = ("08", "53", "57P0", "57014", "25P0", "25006")
#: data corrupted, the disk failed, tables or rights are not there
_BROKEN = ("XX", "58", "42")


class Unfit(StoreError):
    """The database does not keep what it was given; nothing may be taken over."""


class Unknown(StoreAway):
    """The connection was lost in a commit, and nobody could be asked what became of it."""


class Fallen(Exception):
    """A write failed: what that means for the writer, and the error itself. It stays in here."""

    def __init__(self, fault: Fault, error: Exception) -> None:
        """Take both."""
        super().__init__(fault)
        self.fault = fault
        self.error = error


@dataclass(frozen=True, slots=True)
class Faults:
    """How one kind of database fails. `patience` is in seconds, 0 where waiting does not help."""

    judge: Callable[[Exception], Fault]
    patience: float = 0.0

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Raise Fallen for whatever is raised inside."""
        try:
            yield
        except Fallen:
            raise
        except Exception as error:  # a value may fail in any way, also in the driver
            raise Fallen(self.judge(error), error) from error


def of_file(error: Exception) -> Fault:
    """Judge an error of a file: what it holds or where it lies is broken, or one item is wrong."""
    if isinstance(error, OperationalError | InternalError | MemoryError):
        return "broken"
    return "broken" if type(error) is DatabaseError else "item"


def of_server(error: Exception) -> Fault:
    """Judge an error of a server: it comes back by itself from most of them."""
    if isinstance(error, Unknown):
        return "unknown"
    if isinstance(error, StoreAway | TimeoutError):
        return "away"
    if isinstance(error, Unfit | OlderCopy | MemoryError):
        return "broken"
    return _of_driver(error) if isinstance(error, DBAPIError) else "item"


def _of_driver(error: DBAPIError) -> Fault:
    state = sqlstate(error)
    if state.startswith(_AGAIN):
        return "again"
    if state.startswith(_BROKEN):
        return "broken"
    lost = error.connection_invalidated or isinstance(error, InterfaceError)
    if lost or state.startswith(_AWAY) or (not state and isinstance(error, OperationalError)):
        return "away"
    return "broken" if isinstance(error, InternalError) else "item"


def sqlstate(error: Exception) -> str:
    """Return the five characters with which a server says what is wrong, or an empty text."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def cause(error: Exception) -> str:
    """Say what went wrong: the driver's own words where they hold no value."""
    if isinstance(error, StoreError):
        return str(error)
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    # SQLAlchemy's text repeats the statement and its values, a server's details a key.
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is None:
        return str(error.orig)
    state = sqlstate(error)
    if state and of_server(error) == "item":
        return f"{type(error.orig).__name__} ({state})"
    said = diagnosis.message_primary or str(error.orig).strip().replace("\n", " ")
    return f"{said} ({state})" if state else said


def translated(error: Exception, judge: Callable[[Exception], Fault], what: str) -> StoreError:
    """Return the error for a caller: StoreAway where it will pass."""
    away = judge(error) in ("again", "away", "unknown")
    failure = (StoreAway if away else StoreError)(f"{what}: {cause(error)}")
    failure.__cause__ = error
    return failure


FILE = Faults(of_file)
#: For what may not fail at all.
HOPELESS = Faults(lambda _error: "broken")
SERVER = Faults(of_server, PATIENCE)
