"""A region on one machine: PostgreSQL, three nodes of RabbitMQ, one intake and three workers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

from broker.errors import BrokerError, ConfigError
from broker.settings import variable
from broker.standins import node, postgres
from broker.standins.child import Child
from broker.standins.postgres import Postgres
from broker.standins.rabbitmq import RabbitCluster

NODES = WORKERS = 3


class Region:
    """Servers and processes of one broker. The servers' files are gone after `stop`."""

    def __init__(self, root: Path, folder: Path, environ: Mapping[str, str]) -> None:
        """Take the folder to run in, the folder for all it writes, and the variables of the broker.

        Raises ConfigError where a server is not installed.
        """
        _present()
        self._root, self._folder, self._environ = root, folder, environ
        self._running = ExitStack()
        self.postgres = Postgres()
        self._running.callback(self.postgres.close)
        self.rabbitmq = RabbitCluster(NODES)
        self._running.callback(self.rabbitmq.close)

    def start(self) -> None:
        """Start the servers, then the processes; returns once all are ready."""
        self._serve()
        self.intake = self._child("intake")
        self.workers = [self._child("worker", str(number + 1)) for number in range(WORKERS)]
        starting = [Thread(target=child.start) for child in self.workers]
        for thread in starting:
            thread.start()
        self.intake.start()
        for thread in starting:
            thread.join()
        self.alive()

    def alive(self) -> None:
        """Raise BrokerError where a process has ended by itself or did not start."""
        for child in (self.intake, *self.workers):
            child.alive()

    def drain(self) -> list[int]:
        """End the processes in order, leave the servers; return the exit codes."""
        return [child.stop() for child in (*self.workers, self.intake)]

    def stop(self) -> None:
        """End everything."""
        self._running.close()

    @property
    def environment(self) -> Mapping[str, str]:
        """All variables for a command beside the processes."""
        return {**self._environ, **self._own(self._folder / "state")}

    @property
    def url_file(self) -> Path:
        """The file that holds the database URL."""
        return self._folder / "postgres.url"

    def _serve(self) -> None:
        failed: list[BrokerError] = []

        def serve() -> None:
            try:
                self.postgres.start()
                _write(self.url_file, self.postgres.database("xoev"))
            except BrokerError as error:
                failed.append(error)

        thread = Thread(target=serve)
        thread.start()
        try:
            self.rabbitmq.start()
        finally:
            thread.join()
        if failed:
            raise failed[0]
        login = self.rabbitmq.urls[0].partition("://")[2].partition("@")[0]
        _write(self._folder / "rabbitmq.password", login.partition(":")[2])

    def _child(self, role: str, number: str = "") -> Child:
        name = f"{role}{number}"
        state = self._folder / "state" / name
        state.mkdir(parents=True, exist_ok=True)
        environ = {**self._environ, **self._own(state)}
        child = Child(self._root, environ, self._folder / f"{name}.log", role)
        self._running.callback(child.stop)
        return child

    def _own(self, state: Path) -> dict[str, str]:
        """Return what all share (servers, keys) and the state folder of one."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.rabbitmq.nodes)
        shared = self._folder / "state"
        own = {
            "state": state,
            "site_key": shared / "site.key",
            "journal_key": shared / "journal.key",
            "store_file": self.url_file,
            "queue": f"amqp://{node.USER}@{hosts}/%2F",
            "queue_file": self._folder / "rabbitmq.password",
            "lease": "5s",
        }
        return {variable(name): str(value) for name, value in own.items()}


def _present() -> None:
    found = {
        f"PostgreSQL is not installed: {postgres.REMEDY}": postgres.binaries(),
        f"RabbitMQ is not installed: {node.REMEDY}": node.binaries(),
    }
    missing = [text for text, folder in found.items() if folder is None]
    if missing:
        raise ConfigError("; ".join(missing))


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
