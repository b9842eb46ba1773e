"""A RabbitMQ of our own from the Debian package, one node or a cluster, on loopback."""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from broker.errors import ConfigError, Unreachable
from broker.standins.daemon import until
from broker.standins.node import ROOMY, SECONDS, USER, Mapper, Node, Site, binaries

_NAME = re.compile(r"[A-Za-z0-9._:-]{1,120}")
# A node that waits for its peers runs Erlang, but not what knows of alarms.
_LIMIT = """
case whereis(vm_memory_monitor) of
    undefined -> ok;
    _ -> vm_memory_monitor:set_vm_memory_high_watermark({limit})
end.
"""
_ALARM = """
case whereis(rabbit_alarm) of
    undefined -> {wanted};
    _ -> [] =/= [A || A = {{{{resource_limit, memory, _}}, _}} <- rabbit_alarm:get_alarms()]
end.
"""
_VHOST = """
rabbit_vhost:add(<<"{name}">>, <<"xoev">>),
rabbit_auth_backend_internal:set_permissions(
    <<"{user}">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"xoev">>).
"""
_LEADER = """
{{ok, Q}} = rabbit_amqqueue:lookup({queue}),
case amqqueue:get_pid(Q) of {{_, Node}} -> Node; Pid -> node(Pid) end.
"""
_DELETE = """
case rabbit_amqqueue:lookup({queue}) of
{{ok, Q}} -> element(1, rabbit_amqqueue:delete(Q, false, false, <<"xoev">>)); _ -> ok end.
"""
# One that ends by itself meanwhile cannot be closed.
_CUT = """
[catch rabbit_networking:close_connection(P, "cut") || P <- rabbit_networking:connections()], ok.
"""


class RabbitCluster:
    """Nodes that know each other; every one takes clients."""

    def __init__(
        self,
        size: int = 3,
        folder: Path | None = None,
        *,
        ports: tuple[int, ...] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Take how many, the folder (None: a temporary one, gone after `close`), ports, settings.

        Ports that are not given are any free ones.
        """
        doomed = "" if folder else tempfile.mkdtemp(prefix="xoev-rabbitmq-")
        self.folder = folder or Path(doomed)
        names = [f"rabbit{number}" for number in range(1, size + 1)]
        site = Site(self.folder, f"{names[0]}@localhost")
        pairs = zip(names, [*ports, *[0] * (size - len(ports))], strict=True)
        self.nodes = tuple(Node(site, name, port, settings or {}) for name, port in pairs)
        self._mapper = Mapper(site, doomed)

    @property
    def urls(self) -> tuple[str, ...]:
        """The address of each node."""
        return self.addresses("/")

    def addresses(self, vhost: str) -> tuple[str, ...]:
        """Return the address of a virtual host at each node."""
        return tuple(node.address(vhost) for node in self.nodes)

    def start(self) -> None:
        """Start what does not run; returns once every node takes clients and knows the others.

        Raises ConfigError if it is not installed, Unreachable with the end of a log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if binaries() is not None:
            self._mapper.start()
        first, *others = self.nodes
        new = not first.founded()
        for node in [it for it in (first, *others) if not it.pid]:
            node.launch()
            if new and node is first:
                # Whoever joins while it makes its tables may keep it from ever being done.
                first.wait()
        for node in self.nodes:
            node.wait()
        if not self.whole():
            raise Unreachable(f"{self.folder}: the nodes do not find each other; see their logs")

    def stop(self) -> None:
        """End every node in order; keep their files."""
        for node in reversed(self.nodes):
            node.stop()

    def close(self) -> None:
        """End everything for good and remove the temporary folder."""
        for node in self.nodes:
            node.close()
        self._mapper.close()

    def whole(self, seconds: float = SECONDS) -> bool:
        """Wait until every node sees all and takes clients; false when the time is over."""
        size = len(self.nodes)
        seen = until(lambda: all(node.running() == size for node in self.nodes), seconds)
        return seen and until(lambda: all(node.answers() for node in self.nodes), seconds)

    def vhost(self, name: str = "") -> str:
        """Make a new, empty virtual host, with a name of its own if none is given; return it."""
        name = _checked(name or f"xoev-{secrets.token_hex(6)}")
        self._one().ask(_VHOST.format(name=name, user=USER))
        return name

    def drop(self, vhost: str) -> None:
        """Remove a virtual host with its queues and connections."""
        self._one().ask(f'rabbit_vhost:delete(<<"{_checked(vhost)}">>, <<"xoev">>).')

    def delete_queue(self, name: str, vhost: str = "/") -> None:
        """Remove a queue with what is in it; one that is not there, or not yet, is gone already."""
        self._one().ask(_DELETE.format(queue=_queue(name, vhost)))

    def leader(self, queue: str, vhost: str = "/") -> Node:
        """Return the node that leads a queue."""
        name = self._one().ask(_LEADER.format(queue=_queue(queue, vhost)))
        return next(node for node in self.nodes if node.name == name.strip("'"))

    def alarm(self, on: bool) -> None:
        """Raise or lift the memory alarm at every running node: publishers are blocked."""
        limit = "{absolute, 1}" if on else f'{{absolute, "{ROOMY}"}}'
        wanted = "true" if on else "false"
        alive = [node for node in self.nodes if node.pid]
        for node in alive:
            node.ask(_LIMIT.format(limit=limit))
        asked = _ALARM.format(wanted=wanted)
        if not until(lambda: all(node.ask(asked) == wanted for node in alive), SECONDS):
            raise Unreachable(f"{self.folder}: the memory alarm did not become {wanted}")

    def cut(self) -> None:
        """Close every client's connection from the server's side."""
        for node in self.nodes:
            if node.pid:
                node.ask(_CUT)

    def part(self, node: Node) -> None:
        """Cut a node off from the others, not from its clients; `heal` ends it."""
        others = [other for other in self.nodes if other is not node]
        cookie = "".join(f"erlang:set_cookie('{it.name}', parted), " for it in others)
        parting = "".join(f"erlang:disconnect_node('{it.name}'), " for it in others)
        node.ask(f"{cookie}{parting}ok.")
        if not until(lambda: node.running() < 2, SECONDS):
            raise Unreachable(f"{node.name} is still among its peers")

    def heal(self) -> None:
        """End what `part`, `pause` and `alarm` did to running nodes; `whole` waits for it."""
        names = [node.name for node in self.nodes]
        for node in self.nodes:
            node.resume()
        for node in self.nodes:
            others = [name for name in names if name != node.name]
            known = "".join(f"erlang:set_cookie('{it}', erlang:get_cookie()), " for it in others)
            met = "".join(f"net_kernel:connect_node('{it}'), " for it in others)
            if node.pid:
                node.ask(f"{known}{met}ok.")
        self.alarm(False)

    def _one(self) -> Node:
        running = [node for node in self.nodes if node.pid]
        if not running:
            raise Unreachable(f"{self.folder}: no node runs")
        return running[0]


class RabbitMq(RabbitCluster):
    """One node alone."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Take its folder (None: a temporary one, gone after `close`), port (0: any), settings."""
        super().__init__(1, folder, ports=(port,), settings=settings)
        self.node = self.nodes[0]

    @property
    def port(self) -> int:
        """The port for clients."""
        return self.node.port

    @property
    def pid(self) -> int:
        """The process id of the node; 0 while it does not run."""
        return self.node.pid

    @property
    def url(self) -> str:
        """The address of its first virtual host, with the password."""
        return self.node.url

    def address(self, vhost: str) -> str:
        """Return the address of a virtual host, with the password."""
        return self.node.address(vhost)

    def answers(self) -> bool:
        """Say whether it lets a client in now."""
        return self.node.answers()

    def restart(self) -> None:
        """Stop and start it on the same port."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """Kill its processes at once; returns when all are gone."""
        self.node.kill()

    def pause(self) -> None:
        """Freeze it; connections stay open and silent."""
        self.node.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.node.resume()


def _queue(name: str, vhost: str) -> str:
    return f'rabbit_misc:r(<<"{vhost}">>, queue, <<"{_checked(name)}">>)'


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError("a name in RabbitMQ: letters, digits and . _ : -, at most 120")
    return name
