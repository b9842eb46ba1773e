"""One node of a RabbitMQ of our own: a folder, two ports of loopback, a process."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from broker.errors import ConfigError, Unreachable
from broker.standins.daemon import Daemon, Steered
from broker.standins.daemon import port as free

USER = "xoev"
REMEDY = "install the Debian package rabbitmq-server (as root: make servers-packages)"
_DEBIAN = Path("/usr/lib/rabbitmq/bin")
SECONDS = 120
#: How often a node is called that lets nobody in.
_CALLS = 5
_VALUE = re.compile(r"\{ok,\s*(.*)\}\s*", re.DOTALL)
_LOOPBACK = "{127,0,0,1}"
ROOMY = "512MB"
#: Small, quick to notice a lost node, and with the partition handling that operators are told.
_SETTINGS = {
    "cluster_partition_handling": "pause_minority",
    "net_ticktime": "8",
    "vm_memory_high_watermark.absolute": ROOMY,
    "disk_free_limit.absolute": "50MB",
    "log.console.level": "warning",
}
_RUNNING = """
length(try rabbit_nodes:list_running() catch error:undef -> rabbit_nodes:all_running() end).
"""


def binaries() -> Path | None:
    """Return the folder of the RabbitMQ scripts on this machine; None if something is missing."""
    if not all(map(shutil.which, ("erl", "epmd", "erl_call"))):
        return None
    if (_DEBIAN / "rabbitmq-server").exists():
        return _DEBIAN
    anywhere = shutil.which("rabbitmq-server")
    return Path(anywhere).resolve().parent if anywhere else None


@dataclass(frozen=True)
class Site:
    """What the nodes of one cluster share: folder, names, secrets and the port mapper's port."""

    folder: Path
    first: str
    mapper: int = field(default_factory=free)
    cookie: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


class Mapper:
    """The port mapper (epmd) of one site, so that the machine's own never knows our nodes."""

    def __init__(self, site: Site, doomed: str) -> None:
        """Take the site, and the folder that goes with it."""
        self._site = site
        self._daemon = Daemon("epmd", site.folder / "epmd.log", doomed=doomed)

    def start(self) -> None:
        """Start it unless it runs; returns once it listens."""
        if self._daemon.pid:
            return
        number = self._site.mapper
        self._daemon.start(["epmd", "-port", str(number), "-address", "127.0.0.1"])
        self._daemon.ready(lambda: _listens(number), SECONDS)

    def close(self) -> None:
        """End it and remove the folder."""
        self._daemon.close()


class Node(Steered):
    """One node of a site."""

    def __init__(self, site: Site, name: str, port: int, settings: Mapping[str, str]) -> None:
        """Take the site, the name, the port for clients and settings of `rabbitmq.conf`."""
        self.port = port or free()
        self.name = f"{name}@localhost"
        self.folder = site.folder / name
        self._site = site
        self._settings = {**_SETTINGS, **settings}
        self._peer = free()
        self._daemon = Daemon(f"RabbitMQ node {name}", self.folder / "log")

    @property
    def url(self) -> str:
        """The address of its first virtual host, with the password."""
        return self.address("/")

    def address(self, vhost: str) -> str:
        """Return the address of a virtual host, with the password."""
        path = "%2F" if vhost == "/" else vhost
        return f"amqp://{USER}:{self._site.password}@127.0.0.1:{self.port}/{path}"

    def launch(self) -> None:
        """Start it and return at once; `wait` waits. Its port mapper must run."""
        scripts = binaries()
        if scripts is None:
            raise ConfigError(f"RabbitMQ is not installed: {REMEDY}")
        self._prepare()
        self._daemon.start([str(scripts / "rabbitmq-server")], self._environ())

    def wait(self) -> None:
        """Wait until it takes clients; Unreachable with the end of its log if it never does."""
        self._daemon.ready(self.answers, SECONDS)

    def founded(self) -> bool:
        """Say whether it has been started before: its cluster is there."""
        return (self.folder / "data" / self.name / "cluster_nodes.config").exists()

    def stop(self) -> None:
        """End it in order; keep its files."""
        self._daemon.end(signal.SIGTERM)

    def close(self) -> None:
        """End it for good."""
        self._daemon.close()

    def answers(self) -> bool:
        """Say whether it lets a client in now."""
        import pika
        from pika.exceptions import AMQPError

        parameters = pika.URLParameters(f"{self.url}?socket_timeout=5&stack_timeout=5")
        if not _listens(self.port):
            return False
        with suppress(AMQPError, OSError), closing(pika.BlockingConnection(parameters)):
            return True
        return False

    def ask(self, expression: str) -> str:
        """Run an Erlang expression (with its full stop) on the node; return its value as text.

        Raises Unreachable if the node does not run or the expression fails.
        """
        for _ in range(_CALLS):
            done = self._call(expression)
            # A node that is busy sometimes lets nobody in; nothing was asked then.
            if b"failed to connect" not in done.stderr:
                break
        found = _VALUE.fullmatch(done.stdout.decode("utf-8", "replace"))
        if found is None:
            raise Unreachable(f"{self.name} does not do what it was asked: {_said(done)}")
        return found[1]

    def _call(self, expression: str) -> subprocess.CompletedProcess[bytes]:
        command = ["erl_call", "-address", f"127.0.0.1:{self._peer}", "-timeout", "30", "-e"]
        return subprocess.run(  # noqa: S603 - our own command
            command,
            env=self._environ(),
            input=f"{expression}\n".encode(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )

    def running(self) -> int:
        """Return how many nodes run in its cluster, as this one sees it; 0 if it does not."""
        try:
            return int(self.ask(_RUNNING))
        except Unreachable:
            return 0

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(self._site.cookie, "ascii")
        (self.folder / "plugins").write_text("[].\n", "ascii")
        (self.folder / "env").write_text("", "ascii")
        conf = self.folder / "rabbitmq.conf"
        conf.touch(mode=0o600)
        conf.write_text("".join(f"{line}\n" for line in self._conf()), "utf-8")

    def _conf(self) -> Iterator[str]:
        yield f"listeners.tcp.1 = 127.0.0.1:{self.port}"
        yield f"default_user = {USER}"
        yield f"default_pass = {self._site.password}"
        yield "cluster_formation.peer_discovery_backend = classic_config"
        # On a machine with much to do, the first takes a minute to found the cluster.
        yield "cluster_formation.discovery_retry_limit = 240"
        # The first asks nobody, the others ask the first alone: no waiting for who is not there.
        for number, name in enumerate(dict.fromkeys((self._site.first, self.name)), 1):
            yield f"cluster_formation.classic_config.nodes.{number} = {name}"
        yield from (f"{key} = {value}" for key, value in self._settings.items())

    def _environ(self) -> dict[str, str]:
        private = {
            "HOME": self.folder,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": self._site.mapper,
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": self._peer,
            "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": self.folder / "env",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "plugins",
            "RABBITMQ_MNESIA_BASE": self.folder / "data",
            "RABBITMQ_LOG_BASE": self.folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": self.folder / "pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-kernel inet_dist_use_interface {_LOOPBACK}",
            # The script becomes the server instead of staying between us.
            "RUNNING_UNDER_SYSTEMD": "true",
            "ERL_CRASH_DUMP_SECONDS": 0,
            "LANG": "C.UTF-8",
            "PATH": os.environ.get("PATH", os.defpath),
        }
        return {name: str(value) for name, value in private.items()}


def _listens(number: int) -> bool:
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", number), 5)):
        return True
    return False


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else "no answer"
