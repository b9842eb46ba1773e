"""An online service that sends all kinds of things, good and bad, each until it has an answer."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import httpx

from broker.message import now
from broker.standins.applications import Writer, address, id_of, written
from tests.needs import ROOT
from tests.soak.house import House

CITIES = ("wolfsburg", "braunschweig", "salzgitter")
#: What is sent, and how often among a hundred.
KINDS = {"good": 84, "again": 6, "contested": 3, "no xml": 3, "productive": 2, "folder": 2}
#: Pause between two messages of one sender, and before one more try (seconds).
PACE, AGAIN = 0.15, 0.1
#: After so many tries without an answer it is given up.
TRIES = 1200
#: At most so many messages of one sender.
MOST = 15_000


@dataclass
class Load:
    """What was sent, by a few senders, until `stop`; `rest` lets them wait for a while."""

    house: House
    seed: int
    senders: int = 2
    receipts: dict[str, str] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    sent: Counter[str] = field(default_factory=Counter)
    #: How many were refused, and how often something was sent that must be: an answer can be lost.
    refused: int = 0
    tries: int = 0
    wrong: list[str] = field(default_factory=list)

    def start(self) -> Self:
        self._ended, self._going = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._going.set()
        self._token = self.house.town.token()
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(self.senders)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def rest(self) -> None:
        """Send nothing until `go`."""
        self._going.clear()

    def go(self) -> None:
        """Send again."""
        self._going.set()

    def stop(self) -> None:
        """End; returns once everything that was begun has its answer."""
        self._ended.set()
        self._going.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        sender = _Sender(self, self.seed * 100 + number)
        with httpx.Client(timeout=30, trust_env=False) as sender.client:
            for _ in range(MOST):
                if self._ended.wait(PACE):
                    return
                self._going.wait()
                sender.send()

    def count(self, kind: str) -> None:
        with self._lock:
            self.sent[kind] += 1


class _Sender:
    """One thread of a load, with chances of its own."""

    client: httpx.Client

    def __init__(self, load: Load, seed: int) -> None:
        self._load = load
        self._chance = random.Random(seed)
        self._writer = Writer(ROOT / "adapters", seed)
        self._before: list[tuple[str, bytes]] = []

    def send(self) -> None:
        kind = self._chance.choices(list(KINDS), list(KINDS.values()))[0]
        if kind in ("again", "contested") and not self._before:
            kind = "good"
        self._load.count(kind)
        {
            "good": self._good,
            "again": self._again,
            "contested": self._contested,
            "no xml": self._no_xml,
            "productive": self._productive,
            "folder": self._folder,
        }[kind]()

    def _made(self) -> tuple[str, bytes]:
        root = self._writer.write(self._chance.choice(CITIES), now())
        return id_of(root), written(root)

    def _good(self) -> None:
        name, body = self._made()
        id = self._taken(body)
        self._load.receipts[name] = id
        self._before = [*self._before[-200:], (id, body)]

    def _again(self) -> None:
        id, body = self._chance.choice(self._before)
        if self._taken(body) != id:
            self._load.wrong.append(f"a repeat of {id} got another receipt")

    def _contested(self) -> None:
        _, body = self._chance.choice(self._before)
        self._refused(body.rstrip() + b"<!-- other bytes -->", (409, 422))

    def _no_xml(self) -> None:
        self._refused(b"this is no message " + os.urandom(4).hex().encode(), (400, 422))

    def _productive(self) -> None:
        root = self._writer.write("wolfsburg", now())
        address(root, "bab:03999000", "Stadt Musterstadt")
        self._load.receipts[id_of(root)] = self._taken(written(root))
        self._load.rejected.add(id_of(root))

    def _folder(self) -> None:
        name, body = self._made()
        inbox = self._load.house.town.inbox
        part = inbox / f".{name}.part"
        part.write_bytes(body)
        os.rename(part, inbox / f"{name}.xml")
        self._load.dropped.add(name)

    def _taken(self, body: bytes) -> str:
        said = self._answer(body)
        if said.status_code not in (200, 202):
            self._load.wrong.append(f"a good message got HTTP {said.status_code}")
            return "none"
        return str(said.json()["id"])

    def _refused(self, body: bytes, statuses: tuple[int, ...]) -> None:
        said = self._answer(body, bad=True)
        if said.status_code not in statuses:
            self._load.wrong.append(f"a bad message got HTTP {said.status_code}")
        with self._load._lock:
            self._load.refused += 1

    def _answer(self, body: bytes, bad: bool = False) -> httpx.Response:
        """Send until there is an answer other than "later"."""
        place = f"http://127.0.0.1:{self._load.house.port}/v1/messages"
        head = {"Authorization": f"Bearer {self._load._token}", "Content-Type": "application/xml"}
        tick = threading.Event()
        for _ in range(TRIES):
            if bad:
                with self._load._lock:
                    self._load.tries += 1
            try:
                said = self.client.post(place, content=body, headers=head)
                if said.status_code not in (429, 503):
                    return said
            except httpx.TransportError:
                pass
            tick.wait(AGAIN)
        return httpx.Response(599)
