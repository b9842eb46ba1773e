"""A small site in a folder: three cities with folders instead of procedures, and an online service.

For tests of commands and of the whole: `build(tmp_path)` writes it, `environ` is what its processes
need, `run` starts the real command, `work` does in this process what a daemon would do.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from broker.app import App
from broker.errors import StoreError
from broker.intake import Intake
from broker.message import State
from broker.poller import Poller
from broker.settings import Settings
from broker.stores.contract import Filter, Store
from broker.worker import Pace, Worker
from tests.needs import ROOT

CITIES: Mapping[str, str] = {
    "wolfsburg": "03103000",
    "braunschweig": "03101000",
    "salzgitter": "03102000",
}
TOKEN = "portal-token-of-a-test"
ROUTES = """\
parties:
  wolfsburg:    {name: Stadt Wolfsburg,    ags: 03103000}
  braunschweig: {name: Stadt Braunschweig, ags: 03101000}
  salzgitter:   {name: Stadt Salzgitter,   ags: 03102000}
  bauportal:
    name: Bauportal
    key: bap:03000001
    token_file: secrets/bauportal.token
    answer: bauportal-return
channels:
  wolfsburg-bau:    {kind: directory, out: wolfsburg/out, replies: wolfsburg/in, settle: 0s,
                     test: true}
  braunschweig-bau: {kind: directory, out: braunschweig/out, replies: braunschweig/in, settle: 0s,
                     suffix: .txt, test: true}
  salzgitter-bau:   {kind: directory, out: salzgitter/out, replies: salzgitter/in, settle: 0s,
                     test: true}
  bauportal-return: {kind: directory, out: bauportal/out, test: true}
routes:
  - name: bau
    for: [wolfsburg, braunschweig, salzgitter]
    match:
      standard: xbau
      version: 2.6
      kind: baugenehmigung.antrag.0200
      recipient: "bab:{ags}"
      sender: bauportal
    adapter: "{city}/bau"
    channel: "{city}-bau"
    order: case
    retry: {first: 1s, factor: 2, longest: 1h, give_up: 3d}
"""
_UNFINISHED = Filter(states=(State.WAITING, State.WORKING), limit=1000)


@dataclass(frozen=True)
class Site:
    """A site that was built; all its files are below `folder`."""

    folder: Path

    @property
    def routes(self) -> Path:
        """Its routes.yaml."""
        return self.folder / "routes.yaml"

    @property
    def environ(self) -> dict[str, str]:
        """The settings that lead to it; HTTP listens on a free port of the loopback."""
        return {
            "XOEV_BROKER_ROUTES": str(self.routes),
            "XOEV_BROKER_ADAPTERS": str(ROOT / "adapters"),
            "XOEV_BROKER_SCHEMAS": str(ROOT / "schemas/xoev"),
            "XOEV_BROKER_STATE": str(self.folder / "var"),
            "XOEV_BROKER_LISTEN": "127.0.0.1:0",
            "XOEV_BROKER_POLL": "0.05s",
        }

    def out(self, name: str) -> list[Path]:
        """Return the files that were delivered to a city, or to `bauportal`."""
        return sorted(self.folder.joinpath(name, "out").glob("[!.]*"))

    def answer(self, city: str, data: bytes, name: str = "antwort.xml") -> None:
        """Leave an answer of a procedure, complete in one step."""
        part = self.folder / city / "in" / f"{name}.part"
        part.write_bytes(data)
        part.rename(part.with_suffix(""))

    def file(self, name: str, data: bytes) -> Path:
        """Write a file to submit."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def window(self, *texts: str) -> None:
        """Give the procedure of Wolfsburg these regular windows, instead of those it has."""
        lines = self.routes.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if "maintenance:" not in line]
        at = next(at for at, line in enumerate(kept) if "wolfsburg-bau:" in line)
        windows = ", ".join(f'"{text}"' for text in texts)
        more = [f"                     maintenance: [{windows}],\n"] if texts else []
        self.routes.write_text("".join([*kept[: at + 1], *more, *kept[at + 1 :]]), "utf-8")

    def process(self) -> dict[str, str]:
        """Return the environment of a process of this site."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | self.environ | {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}

    def command(self, *args: str) -> list[str]:
        """Return a command line of the real entry point."""
        code = "import sys; from broker.cli import main; sys.exit(main())"
        return [sys.executable, "-c", code, *args]

    def run(self, *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run one command to its end in a process of its own."""
        return subprocess.run(
            self.command(*args),
            input=stdin,
            capture_output=True,
            env=self.process(),
            cwd=self.folder,
            timeout=60,
            check=False,
        )

    def app(self) -> App:
        """Open the broker of this site in this process."""
        return App(Settings.load(self.environ), self.environ, _raise)

    def work(self, deadline: float = 30.0) -> None:
        """Take replies in and deliver until nothing is due, as a daemon would."""
        app = self.app()
        try:
            _receive(app)
            _deliver(app, deadline)
        finally:
            app.close()


def build(folder: Path, routes: str = ROUTES) -> Site:
    """Write routes.yaml, the token of the portal and the folders of all channels."""
    site = Site(folder)
    for name in CITIES:
        for side in ("out", "in"):
            (folder / name / side).mkdir(parents=True)
    (folder / "bauportal/out").mkdir(parents=True)
    secret = folder / "secrets/bauportal.token"
    secret.parent.mkdir(mode=0o700)
    secret.touch(mode=0o600)
    secret.write_text(hashlib.sha256(TOKEN.encode()).hexdigest() + "\n", "ascii")
    site.routes.write_text(routes, "utf-8")
    return site


def _receive(app: App) -> None:
    poller = Poller(app, Intake(app), lambda: None, 1.0)
    for channel in app.site.channels.values():
        if channel.receives:
            poller.look(channel)


def _deliver(app: App, deadline: float) -> None:
    failures: list[BaseException] = []
    worker = Worker(app, Pace(threads=1, poll=0.02), failures.append)
    worker.start()
    tick, end = Event(), time.monotonic() + deadline
    while time.monotonic() < end and not failures and not _settled(app.store):
        tick.wait(0.005)
    assert worker.stop(deadline)
    assert not failures, failures


def _settled(store: Store) -> bool:
    """Whether nothing is due or in hand: a lease between the two looks would be seen."""
    before = store.rows(_UNFINISHED)
    if any(row.state is State.WORKING for row in before) or store.due():
        return False
    return store.rows(_UNFINISHED) == before


def _raise(error: StoreError) -> None:
    raise error
