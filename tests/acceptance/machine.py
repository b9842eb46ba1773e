"""A machine with a site made by `init`, on which a page for operators is typed word for word.

Replaced are the places of the pages (`/srv`, `/mnt`), and what only a whole machine has: systemd,
other users, mounts. Everything else is typed as it stands there.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from broker.app import open_store
from broker.errors import StoreError
from broker.message import Direction, State
from broker.settings import Settings
from broker.stores.contract import Filter, Store
from tests import messages
from tests.acceptance.test_tutorial import Block, plain, script
from tests.needs import ROOT

#: Key of the invented city of the starter.
MUSTERSTADT = "bab:03999000"
#: Seconds for a page, and until everything is at its end after it.
LONGEST, QUIET = 240, 60
SYSTEMCTL = """\
#!/usr/bin/env bash
# Starts and stops a broker as systemd would, without systemd.
set -euo pipefail
cd "$SITE"
start() {
  set -a; . ./xoev-broker.env; set +a
  xoev-broker check >/dev/null
  : > "$SITE.out"
  nohup xoev-broker run >"$SITE.out" 2>>"$SITE.log" </dev/null &
  echo $! > "$SITE.pid"
  until grep -q listens "$SITE.out"; do kill -0 "$(cat "$SITE.pid")" || exit 1; sleep 0.05; done
}
stop() {
  if [ -f "$SITE.pid" ]; then
    kill "$(cat "$SITE.pid")" 2>/dev/null || true
    while kill -0 "$(cat "$SITE.pid")" 2>/dev/null; do sleep 0.05; done
    rm "$SITE.pid"
  fi
}
said() { grep -cE '"event": ?"(reloaded|kept)"' "$SITE.log" || true; }
case "$1" in
  start|enable) start ;;
  stop) stop ;;
  restart) stop; start ;;
  reload)
    before=$(said)
    kill -HUP "$(cat "$SITE.pid")"
    until [ "$(said)" -gt "$before" ]; do sleep 0.05; done ;;
  daemon-reload) ;;
  *) echo "systemctl $*: not known here" >&2; exit 1 ;;
esac
"""
SHIMS = {
    "systemctl": SYSTEMCTL,
    "sudo": '#!/usr/bin/env bash\nexec "$@"\n',
    "useradd": "#!/usr/bin/env bash\n",
    "journalctl": '#!/usr/bin/env bash\ncat "$SITE.log"\n',
}


@dataclass(frozen=True)
class Machine:
    """A machine of a page: its folder, and the site on it."""

    folder: Path
    port: int

    @property
    def site(self) -> Path:
        return self.folder / "srv/xoev-broker"

    @property
    def environ(self) -> dict[str, str]:
        """The variables of a shell on it; nothing of the settings of whoever runs the test."""
        path = os.pathsep.join(
            [str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        )
        kept = {name: text for name, text in os.environ.items() if "XOEV_BROKER_" not in name}
        return kept | {
            "PATH": path,
            "SITE": str(self.site),
            "LC_ALL": "C.UTF-8",
            "OUTPUT": str(self.folder / "printed"),
            "XOEV_BROKER_LISTEN": f"127.0.0.1:{self.port}",
            "XOEV_BROKER_POLL": "0.2s",
        }

    def shell(self, text: str) -> None:
        """Type something that is no part of the page."""
        words = ["bash", "-euc", f"cd {self.site}; set -a; . ./xoev-broker.env; set +a; {text}"]
        ran = subprocess.run(words, env=self.environ, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, (text, ran.stdout, ran.stderr)

    def send(self, count: int = 1) -> None:
        """Let the portal bring messages for the city."""
        for number in range(count):
            file = self.folder / f"antrag-{number}.xml"
            file.write_bytes(messages.request(key=MUSTERSTADT))
            self.shell(f"xoev-broker submit {file}")

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the store of the site beside its broker."""
        environ = {name: text for name, text in self.environ.items() if "XOEV_BROKER_" in name}
        named = ("STATE=state", "SITE_KEY=secrets/site.key", "JOURNAL_KEY=secrets/journal.key")
        for name, _, text in (one.partition("=") for one in named):
            environ[f"XOEV_BROKER_{name}"] = str(self.site / text)
        store = open_store(Settings.load(environ), _raise)
        try:
            yield store
        finally:
            store.close()

    def states(self) -> Mapping[State, int]:
        """Return how many requests are in each state, once nothing moves any more."""
        moving = Filter(states=(State.WAITING, State.WORKING), limit=1)
        with self.store() as store:
            until(lambda: not store.rows(moving))
            found = store.counts().states[Direction.REQUEST]
        return {state: count for state, count in found.items() if count}

    def tried(self, count: int) -> None:
        """Wait until at least so many messages wait after an attempt that failed."""
        waiting = Filter(states=(State.WAITING,))
        with self.store() as store:
            until(lambda: sum(bool(row.error) for row in store.rows(waiting)) >= count)

    def taken(self) -> int:
        """Return how many files the procedure of the city got."""
        return len(list((self.site / "exchange/musterstadt/eingang").glob("[!.]*")))


def _raise(error: StoreError) -> None:
    raise error


def bare(machine: Machine) -> None:
    """Make a machine without a site."""
    for name, text in SHIMS.items():
        shim = machine.folder / "bin" / name
        shim.parent.mkdir(exist_ok=True)
        shim.write_text(text)
        shim.chmod(0o755)
    machine.site.parent.mkdir()
    (machine.folder / "mnt").mkdir()


def running(machine: Machine) -> None:
    """Make a machine on which a broker runs."""
    bare(machine)
    words = ["xoev-broker", "init", str(machine.site)]
    subprocess.run(words, env=machine.environ, check=True, capture_output=True)
    machine.shell("systemctl start xoev-broker")


def delivered(machine: Machine) -> None:
    """Let a running broker deliver two messages."""
    running(machine)
    machine.send(2)
    assert machine.states() == {State.DELIVERED: 2}


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + QUIET
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)  # another process moves it, nothing tells this one


@dataclass(frozen=True)
class Page:
    """A page, the machine it begins on, and what must be so after it."""

    name: str
    begin: Callable[[Machine], None]
    end: Callable[[Machine], bool]
    #: Whether its reader is in the folder of the site from the start.
    there: bool = False

    def text(self, machine: Machine) -> str:
        """Return the page with the places of a machine."""
        text = (ROOT / "docs/howto" / self.name).read_text("utf-8")
        text = text.replace(" --owner xoev-broker", "")
        text = text.replace("127.0.0.1:8017", f"127.0.0.1:{machine.port}")
        return re.sub(r"(?<![\w.])/(srv|mnt)/", rf"{machine.folder}/\1/", text)


def follow(machine: Machine, found: list[Block], there: bool) -> list[str]:
    """Type what a page says; return what is printed otherwise than it shows."""
    before = f"cd {machine.site}; set -a; . ./xoev-broker.env; set +a\n" if there else ""
    (machine.folder / "page.sh").write_text(before + script(found), "utf-8")
    words = ["bash", str(machine.folder / "page.sh")]
    with subprocess.Popen(words, cwd=machine.folder, env=machine.environ) as shell:
        try:
            shell.wait(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            shell.kill()
    printed = sorted(machine.folder.glob("printed.*"), key=lambda file: int(file.suffix[1:]))
    log = Path(f"{machine.site}.log")
    said = [file.read_text("utf-8") for file in (*printed[-1:], log) if file.exists()]
    assert shell.returncode == 0, "\n".join(said)
    wrong = []
    for number, block in enumerate(found):
        if block.language == "text" and found[number - 1].language == "sh":
            told = Path(f"{machine.folder}/printed.{number - 1}").read_text("utf-8")
            if not shows(block.text, told):
                wrong.append(f"{block.line}: it printed\n{told}")
    return wrong


def shows(page: str, printed: str) -> bool:
    """Whether this was printed, whole and in order; `…` stands for anything, also in a line."""
    pattern = ".*?".join(re.escape(plain(part)) for part in page.split("…"))
    printed = "".join(plain(printed).split())
    return re.fullmatch(pattern.replace("\\ ", ""), printed, re.DOTALL) is not None


def end(machine: Machine) -> None:
    """End the broker that a page has left running."""
    file = Path(f"{machine.site}.pid")
    if file.exists():
        with suppress(ProcessLookupError):
            os.kill(int(file.read_text()), signal.SIGTERM)
