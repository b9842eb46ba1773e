"""The three cities on one machine: their stand-ins, and the folders that routes.yaml names."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from broker.standins.share import Share
from broker.standins.soap import Soap
from broker.standins.staging import Staging
from broker.standins.standin import Standin


class Town:
    """Everything around a broker with the routes.yaml of this repository."""

    def __init__(self, folder: Path, adapters: Path, *, port: int = 0) -> None:
        """Take the folder for all of it, the folder of the adapters, and Wolfsburg's port."""
        self.folder = folder
        self.soap = Soap(folder / "wolfsburg", adapters / "wolfsburg/bau/bau.wsdl", port=port)
        self.share = Share(folder / "braunschweig")
        self.staging = Staging(folder / "salzgitter", adapters / "salzgitter/bau/tables.sql")
        self.inbox = folder / "bauportal/eingang"
        self.answers = folder / "bauportal/antworten"
        self.productive = folder / "musterstadt/eingang"
        self.secret = folder / "bauportal.secret"
        self._running = ExitStack()

    @property
    def cities(self) -> Mapping[str, Standin]:
        """The stand-in of each city."""
        return {"wolfsburg": self.soap, "braunschweig": self.share, "salzgitter": self.staging}

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that lead routes.yaml here; Wolfsburg's port is known once it runs."""
        return {"XOEV_DEMO": str(self.folder), "XOEV_DEMO_PORT": str(self.soap.port)}

    def start(self) -> None:
        """Make folders and the portal's token, start all stand-ins; OSError if a port is taken."""
        for folder in (self.inbox, self.answers, self.productive):
            folder.mkdir(parents=True, exist_ok=True)
        self._make_token()
        with ExitStack() as stack:
            for standin in self.cities.values():
                stack.enter_context(standin)
            self._running = stack.pop_all()

    def stop(self) -> None:
        """Stop all stand-ins."""
        self._running.close()

    def effects(self) -> Mapping[str, Mapping[str, int]]:
        """Return for each city how often each reference was filed."""
        return {name: standin.effects() for name, standin in self.cities.items()}

    def token(self) -> str:
        """Return the portal's bearer token."""
        return self.secret.read_text("ascii").strip()

    def _make_token(self) -> None:
        if self.secret.exists():
            return
        token = secrets.token_urlsafe(24)
        digest = hashlib.sha256(token.encode()).hexdigest()
        _write(self.folder / "bauportal.token", f"{digest}  bauportal\n")
        _write(self.secret, f"{token}\n")


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
