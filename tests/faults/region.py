"""A region: one intake, two workers, two procedures, on servers that can be broken."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from broker.settings import Settings
from broker.standins.daemon import port
from broker.standins.postgres import Postgres
from broker.standins.rabbitmq import RabbitCluster
from broker.stores.contract import Store
from tests.cluster import Node, environment, laid, opened, until
from tests.faults.load import Load
from tests.faults.office import Office, Wire

#: Seconds after which others take over what a process had in hand: the shortest that is allowed.
LEASE = 5
#: Seconds after which a silent database is asked whether it works.
SILENCE = 3
#: `west` files every request anew and can be asked, `east` recognises repeats. A call to `west`
#: ends before a lease does, so that whoever woke up too late sends nothing more.
ROUTES = """\
parties:
  wolfsburg: {{name: Stadt, ags: 03103000}}
  braunschweig: {{name: Stadt, ags: 03101000}}
  portal: {{name: Portal, key: bap:03000001, token_file: portal.token}}
channels:
  west: {{kind: rest, address: '{west}/{{reference}}', repeats: harmful, ask: '{west}/{{key}}',
          test: true, deadline: 4s}}
  east: {{kind: rest, address: '{east}/{{reference}}', repeats: recognised, test: true,
          deadline: 2s}}
routes:
  - name: west
    match: {{standard: xbau, version: 2.6, recipient: "bab:03103000", sender: portal}}
    adapter: wolfsburg/bau
    channel: west
    order: case
    retry: {{first: 0.2s, factor: 2, longest: 2s, give_up: 1d}}
  - name: east
    match: {{standard: xbau, version: 2.6, recipient: "bab:03101000", sender: portal}}
    adapter: braunschweig/bau
    channel: east
    retry: {{first: 0.2s, factor: 2, longest: 2s, give_up: 1d}}
"""


class Region:
    """Processes of the broker on PostgreSQL and RabbitMQ."""

    def __init__(self, folder: Path, postgres: Postgres, cluster: RabbitCluster) -> None:
        """Take an empty folder and running servers."""
        self.folder, self.postgres, self.cluster = folder, postgres, cluster
        self.offices = {"west": Office(recognises=False), "east": Office(recognises=True)}
        self.well = True
        self._loads = 0
        self.wire = Wire(postgres.port)
        made = postgres.database()
        self.database = made.replace(f":{postgres.port}/", f":{self.wire.port}/")
        self.vhost = cluster.vhost()
        self._port = port()
        self.environ = self._environ()

    def __enter__(self) -> Self:
        for office in self.offices.values():
            office.__enter__()
        self._write()
        self.intake = self._node("intake", XOEV_BROKER_LISTEN=f"127.0.0.1:{self._port}")
        self.workers = [self._node("worker"), self._node("worker")]
        nodes = (self.intake, *self.workers)
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.again()
        return self

    def __exit__(self, *_: object) -> None:
        codes = [node.stop() for node in (self.intake, *self.workers)]
        for office in self.offices.values():
            office.__exit__()
        self.wire.close()
        assert codes == [0, 0, 0] or not self.well, [node.lines[-5:] for node in self.nodes]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Intake and workers."""
        return (self.intake, *self.workers)

    def load(self) -> Load:
        """Begin to send."""
        self._loads += 1
        address = f"http://127.0.0.1:{self._port}/v1/messages"
        self.sending = Load(address, f"load{self._loads}").start()
        return self.sending

    def effects(self) -> Mapping[str, int]:
        """Return how much each procedure has filed."""
        return {route: office.count for route, office in self.offices.items()}

    def goes_on(self, routes: tuple[str, ...], count: int = 20) -> None:
        """Wait until so much more was filed on each of these routes."""
        before = self.effects()
        for route in routes:
            office, goal = self.offices[route], before[route] + count
            until(lambda office=office, goal=goal: office.count >= goal, f"{route} goes on")  # type: ignore[misc]

    def again(self, node: Node) -> None:
        """Start a process anew, whatever became of it."""
        node.stop(signal.SIGKILL)
        node.start()

    def store(self) -> AbstractContextManager[Store]:
        """Open the store beside the processes."""
        return opened(self.environ)

    @property
    def settings(self) -> Settings:
        """The settings that all processes share."""
        return Settings.load(self.environ)

    def _node(self, role: str, **environ: str) -> Node:
        count = len(list(self.folder.glob("var*")))
        state = self.folder / f"var{count}"
        state.mkdir()
        own = {"XOEV_BROKER_STATE": str(state), **environ}
        return Node(self.folder, self.environ | own, role)

    def _write(self) -> None:
        places = {route: office.address for route, office in self.offices.items()}
        laid(self.folder, ROUTES.format(**places))

    def _environ(self) -> dict[str, str]:
        first, *others = self.cluster.addresses(self.vhost)
        login, _, rest = first.rpartition("@")
        place, _, path = rest.partition("/")
        hosts = [place, *(other.rpartition("@")[2].partition("/")[0] for other in others)]
        return environment(
            self.folder,
            state=str(self.folder / "state"),
            store=self.database,
            queue=f"{login}@{','.join(hosts)}/{path}",
            lease=f"{LEASE}s",
            store_silence=f"{SILENCE}s",
        )
