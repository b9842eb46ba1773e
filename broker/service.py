"""The daemon: start, drain on SIGTERM, reload on SIGHUP; one at a time on a store."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from broker.app import KINDS, App, Kinds, disabled
from broker.bell import Bell
from broker.errors import BrokerError, ConfigError, StoreError
from broker.intake import Intake
from broker.journal.checkpoint import Signer
from broker.journal.places import FilePlace, Place, SyslogPlace
from broker.journal.sealer import Rhythm, Sealer
from broker.journal.trail import Fact, entry
from broker.logs import get
from broker.poller import Poller
from broker.retention import Daily
from broker.settings import Settings
from broker.stores.contract import Store
from broker.upkeep import expire, recover, release
from broker.web.app import application
from broker.web.server import HttpServer
from broker.worker import Pace, Worker

#: Held messages and other slow matters are looked at so often (seconds).
UPKEEP = 60.0
_MMAP_THRESHOLD = -3


@dataclass(frozen=True, slots=True)
class Running:
    """What is known of a service that runs: its HTTP port, or 0 where HTTP is turned off."""

    port: int


class Service:
    """One running broker. `run` blocks until `stop` is called or the store fails."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], kinds: Kinds = KINDS
    ) -> None:
        """Build everything and take the lock; nothing is accepted yet.

        Raises ConfigError where the configuration has findings or another `run` has the store.
        """
        steady_memory()
        self._settings = settings
        self._stopping = self._reload = False
        self._bell = Bell()
        self._failure: BaseException | None = None
        self._log = get()
        self._lock = lock(settings.state)
        try:
            self.app = App(settings, environ, self._broken, kinds)
        except BrokerError:
            os.close(self._lock)
            raise
        try:
            self.sealer = sealer(settings, self.app.store)
        except BrokerError:
            self.app.close()
            os.close(self._lock)
            raise
        self.intake = Intake(self.app, self.sealer.check)
        pace = Pace(settings.threads, settings.batch, settings.senders, settings.poll)
        self.worker = Worker(self.app, pace, self._broken)
        self.poller = Poller(self.app, self.intake, self.worker.wake, settings.poll)
        self._daily = Daily(self.app, settings, lambda: self._stopping)
        self.http = self._server()

    def _server(self) -> HttpServer | None:
        if self._settings.address is None:
            return None
        app = application(self.app, self.intake, self.worker.wake,
                          max_message=self._settings.max_message)  # fmt: skip
        return HttpServer(app, *self._settings.address)

    def start(self) -> Running:
        """Take up what an earlier start had in hand, then accept and deliver."""
        table = self.app.site.table.table
        facts: dict[str, Fact] = {
            "table": table.digest,
            "routes": len(table.routes),
            "pid": os.getpid(),
        }
        self.app.store.note([entry("", "started", **facts)]).result()
        recovered = recover(self.app)
        if recovered:
            self._log.warning("recovered", count=recovered)
        release(self.app)
        self._tell_disabled()
        if self.http:
            self.http.start()
        self.worker.start()
        self.poller.start()
        self.sealer.start()
        port = self.http.port if self.http else 0
        self._log.info("started", listen=self._settings.listen, pid=os.getpid(),
                       table=table.digest)  # fmt: skip
        return Running(port)

    def run(self, ready: Callable[[Running], None] | None = None) -> None:
        """Start, and go on until stopped. Raises StoreError where the store failed."""
        running = self.start()
        if ready:
            ready(running)
        try:
            while not self._stopping:
                self._bell.wait(UPKEEP)
                self._look()
        finally:
            self.finish()
        if self._failure is not None:
            raise StoreError(f"stopped: {self._failure}") from self._failure

    def signals(self) -> None:
        """Drain on SIGTERM and SIGINT, reload on SIGHUP; call it on the main thread."""
        self._bell.signals()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        threading.excepthook = self._on_thread

    def stop(self) -> None:
        """Let `run` finish what is in hand and return."""
        self._stopping = True
        self._bell.ring()

    def finish(self) -> None:
        """Accept nothing more, finish what is in hand within the drain time, close the store."""
        self.poller.stop()
        if self.http:
            self.http.stop(self._settings.drain)
        if self._failure is None:
            empty = self.worker.stop(self._settings.drain)
            self._log.info("drained" if empty else "stopped", pid=os.getpid())
            self._note_end()
        os.close(self._lock)
        self._log.info("stopped", pid=os.getpid())

    def reload(self) -> bool:
        """Put a changed configuration in force; with findings, the old one stays. Return whether it
        changed.
        """
        try:
            site = self.app.reload()
        except ConfigError as error:
            for finding in error.findings:
                self._log.error("kept", finding=str(finding))
            return False
        table = site.table.table
        line = entry("", "reloaded", table=table.digest, routes=len(table.routes))
        self.app.store.note([line]).result()
        self._log.info("reloaded", table=table.digest)
        self._tell_disabled()
        release(self.app)
        self.worker.wake()
        return True

    def _tell_disabled(self) -> None:
        """Say which adapters are broken: the broker runs, what their routes take waits."""
        for name, findings in disabled(self.app.site).items():
            for finding in findings:
                self._log.error("disabled", adapter=name, finding=str(finding))

    def _look(self) -> None:
        if self._failure is not None or self._stopping:
            return
        if self._reload:
            self._reload = False
            self.reload()
        expire(self.app, self._settings.held_limit)
        self._daily.look()

    def _note_end(self) -> None:
        try:
            self.app.store.note([entry("", "stopped", pid=os.getpid())]).result()
            self.sealer.stop()
        finally:
            self.app.close()

    def _broken(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._log.error("failed", error=type(error).__name__)
        self.stop()

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True
        self._bell.ring()

    def _on_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._broken(args.exc_value)


def sealer(settings: Settings, store: Store) -> Sealer:
    """Return what seals the journal of this store as the settings say; raises ConfigError."""
    signer = Signer.open(settings.journal_key, settings.origin)
    files = (settings.checkpoint_file, *settings.checkpoint_places)
    places: list[Place] = [FilePlace(file) for file in files]
    if settings.checkpoint_syslog:
        places.append(SyslogPlace(settings.checkpoint_syslog))
    rhythm = Rhythm(settings.seal_entries, settings.seal_seconds, settings.seal_limit)
    return Sealer(store, signer, places, rhythm)


def steady_memory() -> None:
    """Give large blocks back to the system as soon as they are free (glibc only; else nothing).

    The C library raises the size from which it does so after the first large message, and would
    keep the memory of a 30 MB attachment for ever.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1 << 20)


def lock(state: Path) -> int:
    """Take the lock that lets one `run` work on a store; the lock ends with the process.

    Raises ConfigError naming the process that has it.
    """
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(state / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(file, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(file)
        raise ConfigError(
            f"another run (process {owner}) works on {state}; stop it first, or use another "
            "XOEV_BROKER_STATE. All other commands work beside it"
        ) from error
    os.ftruncate(file, 0)
    os.pwrite(file, str(os.getpid()).encode(), 0)
    return file
