"""Three cities, an online service and a broker of its own, to be troubled for a long time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from broker.app import open_store
from broker.cli.demo import environment
from broker.errors import StoreError
from broker.settings import PREFIX, Settings
from broker.standins.child import Child, command
from broker.standins.daemon import port
from broker.standins.town import Town
from broker.stores.contract import Store
from tests.needs import ROOT

#: A soak does not wait for hours between two attempts, nor half a minute for one that hangs.
_RETRY = "retry: {first: 0.3s, factor: 2, longest: 3s, give_up: 3d}"
_OWN = {
    "POLL": "0.2s",
    "SEAL_SECONDS": "5s",
    "LOG_FORMAT": "json",
    "DRAIN": "5s",
    "DISK_STOP": "1 MB",
    "DISK_WARN": "2 MB",
}


class House:
    """Everything that runs; ends with the block."""

    def __init__(self, folder: Path) -> None:
        """Take an empty folder."""
        self.folder = folder
        self.town = Town(folder, ROOT / "adapters")
        self.log = folder / "broker.log"
        self.port = port()

    def __enter__(self) -> Self:
        self.town.start()
        self.environ = environment(ROOT, self.folder, self.town)
        self.environ |= {f"{PREFIX}{name}": text for name, text in _OWN.items()}
        self.environ[f"{PREFIX}LISTEN"] = f"127.0.0.1:{self.port}"
        self.routes = self.folder / "routes.yaml"
        self.environ[f"{PREFIX}ROUTES"] = str(self.routes)
        self.text = self._text()
        self.routes.write_text(self.text, "utf-8")
        self.child = Child(ROOT, self.environ, self.log)
        self.child.start(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.child.stop(60)
        self.town.stop()

    def _text(self) -> str:
        text = (ROOT / "routes.yaml").read_text("utf-8")
        text = text.replace("retry: {first: 30s, factor: 2, longest: 1h, give_up: 3d}", _RETRY)
        text = text.replace("wsdl: adapters/", f"deadline: 3s\n    wsdl: {ROOT}/adapters/")
        assert _RETRY in text
        assert "deadline: 3s" in text
        return text

    @property
    def settings(self) -> Settings:
        """The settings of the broker."""
        return Settings.load({k: v for k, v in self.environ.items() if k.startswith(PREFIX)})

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the store beside the broker."""

        def broken(error: StoreError) -> None:
            raise AssertionError(error)

        store = open_store(self.settings, broken)
        try:
            yield store
        finally:
            store.close()

    def type(self, *words: str) -> str:
        """Run a command beside the broker to its end; return what it printed."""
        ran = subprocess.run(
            command(*words),
            env=self.environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
        return ran.stdout

    def memory(self) -> int:
        """Return the bytes of memory that the broker has."""
        text = Path(f"/proc/{self.child.pid}/statm").read_text("ascii")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def files(self) -> int:
        """Return how many files and sockets the broker has open."""
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))
