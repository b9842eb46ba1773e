"""A site in a temporary folder: routes, token, schemas, and messages of about 8 KB for it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.nowhere import Nowhere
from broker.app import KINDS, App, Kinds
from broker.settings import Settings
from broker.worker import Pace

ROOT = Path(__file__).parents[1]
OFFICIAL = ROOT.parent / "shared/xoev/xbau_2.6/xsd_dev"
PARTY = "bauportal"
TOKEN = "portal-token-of-a-benchmark"
BENCH_KINDS: Kinds = {**KINDS, "nowhere": Nowhere}

_SAMPLES = ROOT / "adapters/wolfsburg/bau/samples"
_UUID = re.compile(rb"(<nachrichtenUUID>)[^<]+")
_CASE = re.compile(rb"(<referenzAntragsservice>)[0-9a-f][^<]+")
_INDENT = re.compile(rb"\n +")
_CONTENT = re.compile(rb"(;base64,)[A-Za-z0-9+/=]+")
_PLAN = re.compile(rb"<anlage>.*?</anlage>\n", re.DOTALL)
_ROUTES = """\
parties:
  wolfsburg: {{name: Stadt Wolfsburg, ags: 03103000}}
  bauportal: {{name: Bauportal, key: bap:03000001, token_file: bauportal.token, answer: return}}
channels:
  target: {{{channel}, test: true}}
  return: {{kind: directory, out: return, test: true}}
routes:
  - name: bau
    for: [wolfsburg]
    match:
      standard: xbau
      version: 2.6
      kind: baugenehmigung.antrag.0200
      recipient: "bab:{{ags}}"
      sender: bauportal
    adapter: "{{city}}/bau"
    channel: target
    order: case
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A site that was built; all that it writes is below `folder`."""

    folder: Path
    schemas: Path
    routes: Path

    @property
    def schema(self) -> str:
        """Which schema judges here: the official one where there is one, else our profile."""
        found = (self.schemas / "xbau/2.6/official").is_dir()
        return "official XBau 2.6" if found else "profile of XBau 2.6 (no official bundle here)"

    @property
    def environ(self) -> dict[str, str]:
        """The settings that lead to it; everything else is the default."""
        return {
            "XOEV_BROKER_ROUTES": str(self.routes),
            "XOEV_BROKER_ADAPTERS": str(ROOT / "adapters"),
            "XOEV_BROKER_SCHEMAS": str(self.schemas),
            "XOEV_BROKER_STATE": str(self.folder / "var"),
            "XOEV_BROKER_LISTEN": "127.0.0.1:0",
        }

    @property
    def settings(self) -> Settings:
        """The settings that lead to it, read."""
        return Settings.load(self.environ)

    @property
    def pace(self) -> Pace:
        """How the daemon would set its worker here."""
        found = self.settings
        return Pace(found.threads, found.batch, found.senders, found.poll)

    def app(self) -> App:
        """Open its broker in this process."""
        return App(self.settings, self.environ, None, BENCH_KINDS)


def build(folder: Path, channel: str = "kind: nowhere") -> Site:
    """Write a site whose one route leads to `channel`, the fields of a flow mapping."""
    folder.mkdir(parents=True)
    for name in ("return", "out"):
        (folder / name).mkdir()
    token(folder / "bauportal.token")
    routes = folder / "routes.yaml"
    routes.write_text(_ROUTES.format(channel=channel), "utf-8")
    return Site(folder, standards(folder / "schemas"), routes)


def standards(target: Path) -> Path:
    """Copy our standards, and put the official bundle beside them where there is one."""
    shutil.copytree(ROOT / "schemas/xoev", target)
    official = target / "xbau/2.6/official"
    if OFFICIAL.is_dir() and not official.exists():
        shutil.copytree(OFFICIAL, official)
    return target


def token(file: Path) -> None:
    """Write the hash of the online service's token."""
    file.touch(mode=0o600)
    file.write_text(hashlib.sha256(TOKEN.encode()).hexdigest() + "\n", "ascii")


def template() -> bytes:
    """Return the ordinary application to Wolfsburg without its indentation: about 8 KB."""
    raw = (_SAMPLES / "einfach/1-request.xoev.xml").read_bytes()
    return _INDENT.sub(b"\n", raw)


def fresh(raw: bytes) -> bytes:
    """Return the message with an id and a case of its own."""
    for pattern in (_UUID, _CASE):
        raw = pattern.sub(rb"\g<1>" + str(uuid.uuid4()).encode(), raw)
    return raw


def messages(count: int, plans: int = 0) -> Sequence[bytes]:
    """Return so many messages, none like the other, each with so many plans more than usual."""
    raw = template()
    if plans:
        raw = _PLAN.sub(lambda found: found[0] * (plans + 1), raw, count=1)
    return [fresh(raw) for _ in range(count)]


def large(size: int) -> bytes:
    """Return a message with an attachment, of about `size` bytes in all."""
    raw = (_SAMPLES / "anlagen/1-request.xoev.xml").read_bytes()
    content = b"UGxhbiBB" * (max(0, size - len(raw)) // 8)
    return _CONTENT.sub(lambda found: found[1] + content, fresh(raw), count=1)


def process(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process: what it needs of ours, and these variables."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **environ}
