"""An online service that posts to both routes at a steady pace, each until it has a receipt."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Self

import httpx

from tests import messages
from tests.cluster import TOKEN, WAIT, until

CITIES = {"west": "wolfsburg", "east": "braunschweig"}
#: Cases of one route that take turns.
CASES = 7
#: Pause between two messages of a route (seconds), and between two tries of one.
PACE, AGAIN = 0.02, 0.05


@dataclass
class Load:
    """What was sent over both routes, and the receipts; more is sent until `stop`."""

    address: str
    name: str
    receipts: dict[str, str] = field(default_factory=dict)
    cases: dict[str, list[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def start(self) -> Self:
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(route,)) for route in CITIES]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Send nothing new; returns once everything that was begun has its receipt."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def reached(self, count: int) -> None:
        """Wait until so many have a receipt."""
        until(lambda: bool(self.wrong) or len(self.receipts) >= count, f"{count} receipts")

    def send(self, route: str, case: str, more: bytes = b"") -> None:
        """Send one message until it has a receipt, with a comment that makes it larger."""
        body = messages.request(CITIES[route], case=case)
        if more:
            body = body.rstrip() + b"<!--" + more + b"-->"
        with httpx.Client(timeout=WAIT, trust_env=False) as client:
            self._keep(self._sent(client, body), route, case)

    def _run(self, route: str) -> None:
        number = 0
        with httpx.Client(timeout=WAIT, trust_env=False) as client:
            while not self._ended.wait(PACE):
                case = f"{self.name}-{route}-{number % CASES}"
                body = messages.request(CITIES[route], case=case)
                self._keep(self._sent(client, body), route, case)
                number += 1

    def _keep(self, id: str, route: str, case: str) -> None:
        with self._lock:
            self.receipts[id] = route
            self.cases.setdefault(case, []).append(id)

    def _sent(self, client: httpx.Client, body: bytes) -> str:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/xml"}
        tick, status = threading.Event(), 0
        for _ in range(int(2 * WAIT / AGAIN)):
            try:
                said = client.post(self.address, content=body, headers=headers)
            except httpx.TransportError:
                tick.wait(AGAIN)
                continue
            if (status := said.status_code) in (200, 202):
                return str(said.json()["id"])
            if status != 503:
                break
            tick.wait(AGAIN)
        self.wrong.append(f"a message got no receipt, but HTTP {status}")
        return "none"
