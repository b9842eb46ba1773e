"""The daemon: start, drain on SIGTERM, reload on SIGHUP, renewal on SIGUSR2."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from types import FrameType

from broker.alerts.watch import Senses, Watch
from broker.alerts.ways import ways
from broker.app import KINDS, App, Kinds, disabled, load_site, open_doorbell
from broker.bell import Bell
from broker.errors import ConfigError, Exhausted, OlderCopy, StoreAway, StoreError
from broker.intake import Intake
from broker.journal import restore
from broker.journal.notary import sealer, stamper
from broker.journal.trail import Fact, entry
from broker.logs import get
from broker.message import now
from broker.notify import Notify
from broker.offices import ALERTS, SEAL, SWEEP, UPKEEP, Chore, Offices, Rota, process, receiving
from broker.outage import Outage
from broker.poller import Poller
from broker.pressure import Bounds, Pressure
from broker.renewal import resident, steady_memory
from broker.retention import Daily
from broker.roles import Role, lay, lock, owner, unlock
from broker.scribe import silent
from broker.settings import Settings
from broker.telemetry import tracer
from broker.upkeep import recover, release, tidy
from broker.watchdog import Watchdog
from broker.web.app import application
from broker.web.server import HttpServer
from broker.web.surface import Options
from broker.web.tls import Tls
from broker.worker import Pace, Worker

#: Held messages and other slow matters are looked at so often (seconds).
SLOW = 60.0
#: What is due for so long and was not taken is rung for again, so often (seconds).
OVERDUE = 5.0
#: At most so much is rung for in one sweep.
CALLS = 1000
#: At the start, a database that is away is waited for so long (seconds).
PATIENCE = 60.0
#: Room on the disk and what waits are measured so often.
TICK = 1.0
#: Memory is looked at so often; a process lives so long at least before it renews itself for it,
#: so that too low a limit does not keep it from working (seconds).
WEIGH, LEAST = 30.0, 600.0
#: On a store of one machine, where hardly anybody can take over, offices last so long (seconds).
CALM = 300.0
#: What could not be done for now (a store away, findings at a renewal) is tried again so often.
AGAIN = 2.0
#: Traces are sent for so long at most at a stop (seconds).
FLUSH = 2.0


@dataclass(frozen=True, slots=True)
class Running:
    """What is known of a service that runs: its HTTP port, or 0 where HTTP is turned off."""

    port: int


class Service:
    """One running broker. `run` blocks until `stop` is called or the store fails.

    After `run`, `renewing` says that the process shall begin anew, with `listening` as its socket.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        kinds: Kinds = KINDS,
        role: Role = Role.ALL,
        given: socket.socket | None = None,
    ) -> None:
        """Build everything and take the locks; nothing is accepted yet. `given` listens already.

        Raises ConfigError where the configuration has findings or another `run` has the store,
        StoreError where the store cannot be opened.
        """
        steady_memory()
        self._settings, self._role = settings, role
        self._anew = partial(load_site, settings, environ, kinds)
        self._stopping = self._reload = self._renew = False
        self.renewing = False
        self.listening: socket.socket | None = None
        self._bell, self.outage = Bell(), Outage()
        self._failure: BaseException | None = None
        self._began = time.monotonic()
        self._log, self._notify = get(), Notify(environ)
        self._ways = ways(settings)
        with ExitStack() as undo:
            self._locks = _claim(settings, role)
            undo.callback(unlock, self._locks)
            self.app = App(settings, environ, self._broken, kinds, self._patient)
            undo.callback(self.app.close)
            restore.refuse(restore.look(settings, self.app.store))
            self._tls = Tls.of(settings)
            self.sealer = sealer(settings, self.app.store)
            self.stamper = stamper(settings, self.app.store)
            self.app.meter.tracer = tracer(settings.telemetry_url)
            self.doorbell = open_doorbell(settings)
            undo.pop_all()
        self._build(given)

    def _build(self, given: socket.socket | None) -> None:
        settings, app = self._settings, self.app
        shared = app.store.shared
        term = settings.lease if shared else max(settings.lease, CALM)
        self.offices = Offices(
            app.store, owner(self._role, shared), self._wanted, term, self.outage
        )
        self.sealer.may = lambda: self.offices.has(SEAL)
        if self.stamper:
            self.stamper.may = self.sealer.may
        ring = self.doorbell.ring if self.doorbell else silent
        self.pressure = Pressure(app.store, lambda: app.site.table.table, Bounds.of(settings))
        self.intake = Intake(app, self.sealer.check, ring, self._broken, self.pressure)
        watch = self._role is Role.WORKER and not shared
        pace = Pace(settings.threads, settings.batch, settings.senders, settings.poll,
                    settings.lease, watch)  # fmt: skip
        self.worker = Worker(app, pace, self._broken, self.outage, self.doorbell)
        self.poller = Poller(app, self.intake, self._wake, settings.poll, self.outage)
        self.poller.may = self._looks
        self._daily = Daily(app, settings, lambda: self._stopping)
        self._watch = Watch(app, settings, self._senses(), self._ways)
        self._rota = Rota(self.offices.has, self._chores(), self.outage)
        self.http = self._server(given)
        beat = self.worker.beat if self._role.works else None
        self._watchdog = Watchdog(self._notify, lambda: app.store.note([]), beat)

    def _senses(self) -> Senses:
        store, host, name = self.app.store, socket.gethostname(), self._role.value
        if store.shared:
            name = process(name, host, os.getpid())
        return Senses(
            name, host, lambda: self.offices.has(ALERTS), lambda: self.pressure.reading,
            self.worker.weak, self.poller.disturbed,
            lambda: store.holders() if store.shared else self._role.beside,
        )  # fmt: skip

    def _server(self, given: socket.socket | None) -> HttpServer | None:
        if self._settings.address is None or not self._role.accepts:
            if given is not None:
                given.close()
            return None
        options = Options.of(self._settings, self.app.meter)
        app = application(self.app, self.intake, self._wake, options=options)
        return HttpServer(app, *self._settings.address, given, self._tls)

    def _wake(self) -> None:
        if self._role.works:
            self.worker.wake()

    def _wanted(self) -> list[str]:
        """Return the offices that this process can fill."""
        names = [SEAL]
        if self.app.store.shared:
            names.append(process(self._role.value, socket.gethostname(), os.getpid()))
        if self._role.works:
            names += [UPKEEP, SWEEP, ALERTS]
        if self._role.accepts:
            channels = self.app.site.channels.items()
            names += [receiving(name) for name, one in channels if one.receives and not one.shared]
        return names

    def _looks(self, name: str) -> bool:
        channel = self.app.site.channels.get(name)
        return (channel is not None and channel.shared) or self.offices.has(receiving(name))

    def _chores(self) -> list[Chore]:
        found = [
            Chore(UPKEEP, SLOW, self._upkeep),
            Chore("", TICK, self.pressure.measure),
            Chore("", self._watch.period, self._watch.look),
        ]
        if self.app.store.shared:
            found.append(Chore(UPKEEP, self._settings.lease / 3, self._recover))
        if self.doorbell:
            found.append(Chore(SWEEP, OVERDUE, self._sweep))
        if self._settings.renew_memory:
            found.append(Chore("", WEIGH, self._weigh))
        return found

    def start(self) -> Running:
        """Take up what an earlier start had in hand, then accept and deliver."""
        self.outage.insist(self._begin, PATIENCE)
        self.offices.start(self._broken)
        self._tell_disabled()
        if self._settings.encryption == "off":
            self._log.warning("unencrypted")
        if self.http:
            self.http.start()
        if self._role.works:
            self.worker.start()
        if self._role.accepts:
            self.poller.start()
        self.sealer.start()
        if self.stamper:
            self.stamper.start()
        self._rota.start(self._broken)
        port = self.http.port if self.http else 0
        self._log.info("started", listen=self._settings.listen, pid=os.getpid(),
                       table=self.app.site.table.table.digest)  # fmt: skip
        return Running(port)

    def _begin(self) -> None:
        table = self.app.site.table.table
        facts: dict[str, Fact] = {
            "table": table.digest,
            "routes": len(table.routes),
            "pid": os.getpid(),
            "role": self._role.value,
            "host": socket.gethostname(),
        }
        self.pressure.measure()
        self.app.store.note([entry("", "started", **facts)]).result()
        if self._role.works:
            self._recover()
            release(self.app)

    def run(self, ready: Callable[[Running], None] | None = None) -> None:
        """Start, and go on until stopped. Raises StoreError where the store failed."""
        running = self.start()
        if ready:
            ready(running)
        self._notify.ready(f"role {self._role.value}, listens on port {running.port}")
        try:
            while not self._stopping:
                usual = AGAIN if self._reload or self._renew else SLOW
                self._bell.wait(self._watchdog.pause(usual))
                self._look()
                self._watchdog.look()
        finally:
            (self._notify.reloading if self.renewing else self._notify.stopping)()
            self.finish()
        if isinstance(self._failure, OlderCopy):
            self._watch.older()
        if self._failure is not None:
            raise StoreError(f"stopped: {self._failure}") from self._failure

    def signals(self) -> None:
        """Drain on SIGTERM and SIGINT, reload on SIGHUP, renew on SIGUSR2; call it on the main
        thread.
        """
        self._bell.signals()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        signal.signal(signal.SIGUSR2, self._on_renew)
        threading.excepthook = self._on_thread

    def stop(self) -> None:
        """Let `run` finish what is in hand and return."""
        self._stopping = True
        self._bell.ring()

    def renew(self) -> None:
        """Let `run` return so that the process can begin anew, if the configuration allows it."""
        self._renew = True
        self._bell.ring()

    def finish(self) -> None:
        """Accept nothing more, finish what is in hand within the drain time, close the store."""
        end = time.monotonic() + self._settings.drain
        self._rota.stop(AGAIN)
        self.poller.stop()
        if self.renewing:
            # Whoever connects is served while work in hand is finished, and waits only for the
            # moment in which the process begins anew.
            self._stop_worker()
            self._stop_http()
        else:
            self._stop_http()
            self._stop_worker()
        if self._failure is None:
            self._end()
        if self.app.meter.tracer:
            self.app.meter.tracer.stop(min(FLUSH, max(1.0, end - time.monotonic())))
        unlock(self._locks)
        self._log.info("renewed" if self.renewing else "stopped", pid=os.getpid())

    def _stop_http(self) -> None:
        if self.http:
            self.listening = self.http.kept() if self.renewing else None
            self.http.stop(self._settings.drain)

    def _stop_worker(self) -> None:
        if self._failure is None and self._role.works:
            empty = self.worker.stop(self._settings.drain)
            self._log.info("drained" if empty else "stopped", pid=os.getpid())

    def reload(self) -> bool:
        """Put a changed configuration in force; with findings, the old one stays. Return whether it
        changed.
        """
        try:
            if self._tls:
                self._tls.reload()
            site = self.app.reload()
        except ConfigError as error:
            self._tell(error)
            return False
        table = site.table.table
        line = entry("", "reloaded", table=table.digest, routes=len(table.routes))
        self.app.store.note([line]).result()
        self._log.info("reloaded", table=table.digest)
        self._tell_disabled()
        self.offices.soon()
        if self._role.works:
            release(self.app)
            self.worker.wake()
        return True

    def _tell(self, error: ConfigError) -> None:
        for finding in error.findings or (error,):
            self._log.error("kept", finding=str(finding))

    def _tell_disabled(self) -> None:
        """Say which adapters are broken: the broker runs, what their routes take waits."""
        for name, findings in disabled(self.app.site).items():
            for finding in findings:
                self._log.error("disabled", adapter=name, finding=str(finding))

    def _look(self) -> None:
        if self._failure is not None or self._stopping:
            return
        try:
            if self._reload:
                self._reload = False
                self._reloaded()
        except StoreAway as error:
            self.outage.begun(error)
            self._reload = True
        if self._renew and self._startable():
            self.renewing = True
            self.stop()

    def _reloaded(self) -> None:
        self._notify.reloading()
        changed = False
        try:
            changed = self.reload()
        finally:
            self._notify.ready("" if changed else "reload refused, see the log")

    def _startable(self) -> bool:
        """Whether a successor would start: a renewal must not stop what runs."""
        try:
            self._anew()
        except ConfigError as error:
            self._tell(error)
            return False
        except Exhausted:
            return True
        return True

    def _upkeep(self) -> None:
        tidy(self.app, self._settings.held_limit)
        self._daily.look()

    def _recover(self) -> None:
        count = recover(self.app)
        if count:
            self._log.warning("recovered", count=count)
            self._wake()

    def _sweep(self) -> None:
        if self.doorbell:
            closed = self.app.site.maintenance.closed(now())
            found = self.app.store.overdue(OVERDUE, CALLS, closed)
            self.doorbell.ring((channel, id) for id, channel in found)

    def _weigh(self) -> None:
        size = resident()
        if size > self._settings.renew_memory and time.monotonic() - self._began > LEAST:
            self._log.warning("heavy", size=size)
            self.renew()

    def _end(self) -> None:
        """Say and seal that it ends; where the store is away, it ends without."""
        try:
            if self.stamper:
                self.stamper.stop()
            with suppress(StoreAway):
                self.app.store.note([entry("", "stopped", pid=os.getpid())]).result()
            self.sealer.stop()
            self.offices.stop()
            if self.doorbell:
                self.doorbell.close()
        finally:
            self.app.close()

    def _patient(self, error: StoreAway) -> bool:
        """Whether to wait for a database that is away at the start."""
        self.outage.begun(error)
        self._bell.wait(AGAIN)
        return time.monotonic() - self._began < PATIENCE and not self._stopping

    def _broken(self, error: BaseException) -> None:
        if isinstance(error, Exhausted):
            if not self._renew:
                self._log.warning("exhausted")
            self.renew()
            return
        self._failure = self._failure or error
        self._log.error("failed", error=type(error).__name__)
        self.stop()

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        # Whoever stops a process that is about to begin anew wants it to end.
        self.renewing = False
        self.stop()

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True
        self._bell.ring()

    def _on_renew(self, _number: int, _frame: FrameType | None) -> None:
        self.renew()

    def _on_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._broken(args.exc_value)


def _claim(settings: Settings, role: Role) -> list[int]:
    """Take the state folder; a shared store is for any number of processes."""
    lay(settings.state)
    return lock(settings.state, role) if _local(settings) else []


def _local(settings: Settings) -> bool:
    """Whether the store is a file of this machine, which one process of each role may use."""
    return settings.database().startswith("sqlite:")
