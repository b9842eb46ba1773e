"""A warm process that gives birth to brokers which may die: `python -m tests.crash.child`.

Each line on stdin is one life as JSON: `environ`, `folder`, `kill` (the point to die at), `files`
(how many requests there will be), `empty` (folders that must be empty in the end),
`answers` (whether there will be any). Each line on
stdout is how that life ended, as a wait status. A life ends by itself when nothing is left to do.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Loaded before the first fork, so that a life begins at once; no thread may be started here.
import sqlalchemy.dialects.sqlite  # noqa: F401
import xmlschema  # noqa: F401
import zeep  # noqa: F401

import broker.channels.sockets
import broker.channels.wsdl
import broker.web.protocol  # noqa: F401
from broker import logs
from broker.message import Direction, State
from broker.service import Running, Service
from broker.settings import Settings
from broker.stores.contract import Store
from tests.crash.points import Points, install

#: Seconds after which a life ends whatever happens; the status then tells of SIGALRM.
LONGEST = 60
OPEN = (State.WAITING, State.WORKING)


def main() -> None:
    """Read orders until there are no more."""
    gc.freeze()  # a collection would copy all that the lives share with this process
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            live(order)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


def live(order: Mapping[str, Any]) -> None:
    """Be a broker until all is done; never returns."""
    signal.alarm(LONGEST)
    folder = Path(order["folder"])
    status = 1
    with open(folder / "log", "ab", buffering=0) as log:
        os.dup2(log.fileno(), 2)
        logs.configure("info", "json", log)
        try:
            install(Points(folder / "points", order["kill"]), folder)
            work(order, folder)
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the log must tell
            traceback.print_exc()
        finally:
            os._exit(status)


def work(order: Mapping[str, Any], folder: Path) -> None:
    """Run the service; a thread beside it stops it when nothing is left."""
    environ: dict[str, str] = order["environ"]
    service = Service(Settings.load(environ), environ)
    empty = [folder / name for name in order["empty"]]

    def ready(running: Running) -> None:
        (folder / "port.part").write_text(str(running.port))
        (folder / "port.part").rename(folder / "port")
        threading.Thread(target=watch, daemon=True).start()

    def watch() -> None:
        tick = threading.Event()
        while not done(service.app.store, order, empty):
            tick.wait(0.005)
        service.stop()

    service.run(ready)


def done(store: Store, order: Mapping[str, Any], empty: list[Path]) -> bool:
    """Whether all requests are there and settled, and every request that ended has its answer."""
    due = store.due()  # asked first: what is taken in between is then counted as being worked on
    counts = store.counts()
    requests = counts.states.get(Direction.REQUEST, {})
    answers = counts.states.get(Direction.ANSWER, {})
    if sum(requests.values()) < order["files"] or busy(due, requests, answers):
        return False
    ended = requests.get(State.DELIVERED, 0) + requests.get(State.REJECTED, 0)
    answered = sum(answers.values()) >= ended or not order["answers"]
    return answered and not any(map(filled, empty))


def busy(due: bool, requests: Mapping[State, int], answers: Mapping[State, int]) -> bool:
    """Whether anything goes on by itself; what waits behind an unclear one of its case does not."""
    if requests.get(State.UNCLEAR, 0) and not due:
        requests = {state: count for state, count in requests.items() if state is not State.WAITING}
    return any(part.get(state, 0) for part in (requests, answers) for state in OPEN)


def filled(folder: Path) -> bool:
    """Whether a file lies in a folder, or is claimed there."""
    places = (folder, folder / ".taken")
    return any(entry.is_file() for place in places if place.is_dir() for entry in os.scandir(place))


if __name__ == "__main__":
    main()
