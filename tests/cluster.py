"""Real processes of the broker on one store, an online service, and a procedure that counts.

The procedure files whatever comes anew, so that a doubled delivery would be seen.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Self

import httpx

from broker.app import open_store
from broker.message import Direction, State
from broker.settings import Settings
from broker.stores.contract import Filter, Row, Store
from tests import messages
from tests.needs import ROOT
from tests.servers.http import Request, Server, answer

TOKEN = "token-des-portals"
WAIT = 60
ROUTES = """\
parties:
  wolfsburg: {{name: Stadt, ags: 03103000}}
  portal: {{name: Portal, key: bap:03000001, token_file: portal.token}}
channels:
  procedure: {{kind: rest, address: '{place}/{{reference}}', repeats: harmful,
               ask: '{place}/{{key}}', test: true, deadline: 60s}}
routes:
  - name: bau
    match: {{standard: xbau, version: 2.6, recipient: "bab:03103000", sender: portal}}
    adapter: wolfsburg/bau
    channel: procedure
    order: case
    retry: {{first: 0.1s, factor: 2, longest: 1s, give_up: 1d}}
"""
_RUN = "import sys; from broker.cli import main; sys.exit(main())"
_LISTENS = re.compile(r"listens on https?://[^:]+:(\d+)")


def until(done: Callable[[], bool], what: str = "") -> None:
    """Wait until something is so."""
    tick = threading.Event()
    for _ in range(WAIT * 50):
        if done():
            return
        tick.wait(0.02)
    raise AssertionError(f"it did not come: {what or done}")


class Procedure:
    """A resource that files every request anew and can be asked for keys; `gate` lets it answer."""

    def __init__(self) -> None:
        self.filed: list[tuple[str, str]] = []
        self.gate, self.begun = threading.Event(), threading.Event()
        self.gate.set()
        self._lock = threading.Lock()
        self.server = Server(self._serve)

    def doubled(self) -> list[str]:
        """Return references that took effect more than once."""
        with self._lock:
            counted = Counter(reference for reference, _ in self.filed)
        return [reference for reference, count in counted.items() if count > 1]

    def _serve(self, request: Request, connection: socket.socket) -> bool:
        name = request.path.rpartition("/")[2]
        if request.method == "GET":
            with self._lock:
                there = any(key == name for _, key in self.filed)
            return answer(200 if there else 404)(request, connection)
        self.begun.set()
        self.gate.wait(WAIT)
        with self._lock:
            self.filed.append((name, request.headers["idempotency-key"]))
        return answer(200)(request, connection)


class Node:
    """One process; it may be started again. `lines` is what it logged, `code` what it runs."""

    code = _RUN

    def __init__(self, folder: Path, environ: dict[str, str], role: str) -> None:
        self.folder, self.environ, self.role = folder, environ, role
        self.port = 0
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, wait: bool = True) -> Self:
        """Start it and wait until it is ready."""
        self._ready.clear()
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.code, "run", "--role", self.role],
            env=whole(self.environ),
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        for stream, take in ((self.process.stdout, self._said), (self.process.stderr, self._log)):
            thread = threading.Thread(target=_read, args=(stream, take), daemon=True)
            self._threads.append(thread)
            thread.start()
        if wait:
            self.again()
        return self

    def again(self) -> None:
        """Wait until it is ready, once more after a renewal."""
        assert self._ready.wait(WAIT), self.lines
        self._ready.clear()

    @property
    def pid(self) -> int:
        """The process id, also after its end."""
        return self.process.pid if self.process else 0

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it (0: wait for its end); return its exit code."""
        assert self.process is not None
        if number and self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(WAIT)
        for thread in self._threads:
            thread.join(WAIT)
        self._threads.clear()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    def events(self, name: str) -> int:
        """Return how often it logged an event."""
        return sum(f'"event":"{name}"' in line for line in self.lines)

    def _said(self, line: str) -> None:
        found = _LISTENS.search(line)
        self.port = int(found[1]) if found else 0
        self._ready.set()

    def _log(self, line: str) -> None:
        self.lines.append(line)


def whole(environ: dict[str, str]) -> dict[str, str]:
    """Return the environment of a process of ours: these variables, and what any program needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | environ | {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}


def _read(stream: Iterator[str], take: Callable[[str], None]) -> None:
    for line in stream:
        take(line)


def laid(folder: Path, routes: str) -> None:
    """Write a routing table, and the token of its portal."""
    (folder / "routes.yaml").write_text(routes, "utf-8")
    token = folder / "portal.token"
    token.touch(mode=0o600)
    token.write_text(hashlib.sha256(TOKEN.encode()).hexdigest())


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a site in a folder: the usual settings, and those named here."""
    usual = {
        "routes": str(folder / "routes.yaml"),
        "adapters": str(ROOT / "adapters"),
        "schemas": str(ROOT / "schemas/xoev"),
        "state": str(folder / "var"),
        "site_key": str(folder / "site.key"),
        "journal_key": str(folder / "journal.key"),
        "listen": "127.0.0.1:0",
        "poll": "0.1s",
        "lease": "5s",
        "xml_threads": "1",
    }
    return {f"XOEV_BROKER_{name.upper()}": text for name, text in (usual | settings).items()}


@contextmanager
def opened(environ: Mapping[str, str]) -> Iterator[Store]:
    """Open the store of a site beside its processes."""
    store = open_store(Settings.load(environ), lambda _error: None)
    try:
        yield store
    finally:
        store.close()


class Town:
    """A procedure, a configuration, and nodes on one store."""

    def __init__(self, folder: Path, store: str = "", **environ: str) -> None:
        """Take an SQLAlchemy URL; without one, an SQLite file."""
        self.folder = folder
        self.procedure = Procedure()
        self.nodes: list[Node] = []
        self._shared = bool(store)
        self.environ = environment(folder, **({"store": store} if store else {})) | environ

    def __enter__(self) -> Self:
        self.procedure.server.__enter__()
        laid(self.folder, ROUTES.format(place=self.procedure.server.address))
        return self

    def __exit__(self, *_: object) -> None:
        self.procedure.gate.set()
        for node in self.nodes:
            node.stop(signal.SIGKILL)
        self.procedure.server.__exit__()

    def node(self, role: str = "all", **environ: str) -> Node:
        """Start a process; on a shared store it has a state folder of its own."""
        own = {"XOEV_BROKER_STATE": str(self.folder / f"var{len(self.nodes)}")}
        node = Node(self.folder, self.environ | (own if self._shared else {}) | environ, role)
        self.nodes.append(node)
        return node.start()

    def run(self, *args: str) -> str:
        """Run a command beside the nodes; return what it printed."""
        return subprocess.run(
            [sys.executable, "-c", _RUN, *args],
            env=whole(self.environ), cwd=self.folder, capture_output=True, text=True,
            timeout=WAIT, check=True,
        ).stdout  # fmt: skip

    def store(self) -> AbstractContextManager[Store]:
        """Open the store beside the nodes."""
        return opened(self.environ)

    def settle(self, count: int) -> list[Row]:
        """Wait until so many requests are delivered; return them in the order of acceptance."""
        with self.store() as store:
            until(lambda: _delivered(store) >= count, f"{count} delivered")
            rows = store.rows(Filter(direction=Direction.REQUEST, oldest=True, limit=10_000))
        return sorted(rows, key=lambda row: row.seq)

    def wrong(self, rows: Sequence[Row], receipts: Sequence[str]) -> list[str]:
        """Return what is lost, doubled, or out of order."""
        found = [f"{id} is lost" for id in set(receipts) - {row.id for row in rows}]
        found += [f"{row.id} is {row.state}" for row in rows if row.state is not State.DELIVERED]
        found += [f"{reference} is doubled" for reference in self.procedure.doubled()]
        return found + _disorder(rows, [reference for reference, _ in self.procedure.filed])


def _delivered(store: Store) -> int:
    return store.counts().states.get(Direction.REQUEST, {}).get(State.DELIVERED, 0)


def _disorder(rows: Sequence[Row], filed: Sequence[str]) -> list[str]:
    place = {reference: number for number, reference in enumerate(filed)}
    cases: dict[str, list[Row]] = {}
    for row in rows:
        cases.setdefault(row.envelope.case or row.id, []).append(row)
    return [
        f"{second.id} came before {first.id}"
        for case in cases.values()
        for first, second in pairwise(case)
        if place.get(first.reference, -1) > place.get(second.reference, 0)
    ]


class Service:
    """An online service: posts one application after the other until each has a receipt."""

    def __init__(self, nodes: Sequence[Node], count: int, cases: int = 5) -> None:
        self.receipts: list[str] = []
        self.refused = self.turned = 0
        self._nodes, self._count, self._cases = nodes, count, cases
        self._thread = threading.Thread(target=self._run)
        self._client = httpx.Client(timeout=WAIT, trust_env=False)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._count = 0
        self._thread.join()
        self._client.close()

    def reached(self, count: int) -> None:
        """Wait until so many have a receipt."""
        until(lambda: len(self.receipts) >= count, f"{count} receipts")

    def _run(self) -> None:
        number = 0
        while number < self._count:
            body = messages.request(case=f"c-{number % self._cases}")
            self._send(body, number)
            number += 1

    def _send(self, body: bytes, number: int) -> None:
        tick = threading.Event()
        for attempt in range(WAIT * 50):
            node = self._nodes[(number + attempt) % len(self._nodes)]
            if (receipt := self._post(node, body)) is not None:
                self.receipts.append(receipt)
                return
            if not self._count:
                return
            tick.wait(0.02)

    def _post(self, node: Node, body: bytes) -> str | None:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/xml"}
        url = f"http://127.0.0.1:{node.port}/v1/messages"
        try:
            said = self._client.post(url, content=body, headers=headers)
        except httpx.ConnectError:
            self.refused += 1
            return None
        except httpx.TransportError:
            return None
        if said.status_code not in (200, 202):
            self.turned += 1
            return None
        return str(said.json()["id"])
