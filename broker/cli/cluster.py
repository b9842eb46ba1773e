"""The demo on many processes, with one of each kind killed while messages go through."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from broker.cli.demo import (
    DEADLINE,
    DemoFailed,
    checkout,
    end_of,
    ending,
    environment,
    finished,
    folded,
    fresh,
    ignored,
    is_quiet,
    launched,
    proven,
    report,
    spent,
    strays,
    told,
)
from broker.cli.terminal import say
from broker.errors import Unreachable
from broker.message import Direction, now
from broker.settings import PREFIX, Settings, variable
from broker.standins.play import By, Part, parts
from broker.standins.plugs import Plugs
from broker.standins.plugs import of as plugs_of
from broker.standins.portal import Portal, Posted
from broker.standins.proof import Seen, faults, invalid, look
from broker.standins.region import NODES, WORKERS, Region
from broker.standins.town import Town

if TYPE_CHECKING:
    from broker.stores.contract import Counts, Store

#: The demo's messages are sent so often at least, each time with other ids.
ROUNDS = 3
#: Pause between two messages, between two tries, between two looks (seconds).
PACE, AGAIN, LOOK = 0.04, 0.1, 0.3
#: The broker says "later" with it; the sender tries again.
LATER = 503
COLUMNS = ("message", "city", "by", "ended", "times", "answers", "ms at most")


@dataclass(slots=True)
class Scene:
    """One show: everything that runs, everything that was sent, and what HTTP answered."""

    root: Path
    town: Town
    region: Region
    environ: Mapping[str, str]
    began: float = field(default_factory=time.monotonic)
    every: list[Part] = field(default_factory=list)
    posted: dict[int, Posted] = field(default_factory=dict)

    def tell(self, text: str) -> None:
        """Say what happens, with the seconds since the first message and what was sent so far."""
        say(f"  {time.monotonic() - self.began:5.1f} s  {len(self.every):4} sent  {text}")

    def effects(self) -> int:
        """Return how much the procedures have filed."""
        return sum(sum(counts.values()) for counts in self.town.effects().values())


def demo(keep: Path | None = None) -> None:
    """Send applications to three cities, kill servers and a worker, and prove that nothing is lost.

    `keep` is the folder for everything it writes, by default a new one below the temporary folder.
    Raises DemoFailed with everything that is not as it must be.
    """
    root = checkout()
    with ending():
        _show(root, fresh(keep or Path(tempfile.mkdtemp(prefix="xoev-broker-cluster-"))))


def _show(root: Path, folder: Path) -> None:
    started = time.monotonic()
    with ExitStack() as stack:
        town = Town(folder, root / "adapters")
        town.start()
        stack.callback(town.stop)
        region = Region(root, folder, environment(root, folder, town))
        stack.callback(region.stop)
        say(f"PostgreSQL, {NODES} nodes of RabbitMQ, 1 intake, {WORKERS} workers and three cities,")
        say(f"all on this machine and in {folder}")
        region.start()
        say(f"started in {time.monotonic() - started:.1f} s; sending as the Bauportal\n")
        scene = Scene(root, town, region, region.environment)
        wrong = _play(scene)
        wrong += _kept(scene, folder)
    if wrong:
        log = f"the logs of the processes: {folder}/*.log"
        raise DemoFailed("\n  ".join(["not all is as it must be:", *wrong, log]))
    say(f"All {len(scene.every)} messages ended where they must, each of them in effect once.")
    say(f"All of it took {time.monotonic() - started:.1f} s.")
    _further(folder)


def _play(scene: Scene) -> list[str]:
    """Send until all plugs were pulled, wait for the end, show it; return what is wrong."""
    from broker.app import load_standards, open_store

    environ, town = scene.environ, scene.town
    settings = Settings.load({k: v for k, v in environ.items() if k.startswith(PREFIX)})
    store = open_store(settings, ignored)
    portal = Portal(scene.region.intake.port, town.token(), town.inbox, town.answers)
    try:
        _send(scene, portal)
        seen = _wait(scene, store, portal)
        wrong = list(faults(seen, store, town.effects()))
        wrong += [*invalid(seen, load_standards(settings)), *strays(town)]
        commands = [*told(seen, environ), *proven(seen, scene.root, town, environ)]
        report(COLUMNS, list(_rows(seen)), commands)
        say(f"{_sum(store.counts())}\n")
    finally:
        portal.close()
        store.close()
    return wrong


def _send(scene: Scene, portal: Portal) -> None:
    """Send round after round, at a pace that leaves time for faults."""
    plugs = Plugs(plugs_of(scene.region), scene.effects, scene.tell)
    count = 0
    while count < ROUNDS or plugs.busy:
        for part in parts(scene.root / "adapters", now(), seed=26 + count):
            _post(scene, part, portal, first=not count)
            time.sleep(PACE)
        count += 1
        if count == 1:
            scene.tell("the first round of messages is on its way")
            plugs.start()
    plugs.end()
    scene.tell(f"all sent, {count} rounds; waiting for the last to end")


def _post(scene: Scene, part: Part, portal: Portal, *, first: bool) -> None:
    number = len(scene.every)
    if part.by is By.COMMAND and first:
        _submit(scene, part)
    elif part.by is By.FOLDER:
        portal.drop(f"{part.uuid}.xml", part.body)
    else:
        # A command takes a second: once is enough.
        part = replace(part, by=By.HTTP)
        scene.posted[number] = _insist(portal, part.body)
    scene.every.append(part)


def _submit(scene: Scene, part: Part) -> None:
    file = scene.town.folder / f"{part.uuid}.xml"
    file.write_bytes(part.body)
    process = launched(("submit", str(file), "--party", "bauportal"), scene.environ)
    text = finished(process)
    if process.returncode:
        raise DemoFailed(f"xoev-broker submit failed:\n{text}")


def _insist(portal: Portal, body: bytes) -> Posted:
    """Send until there is an answer that is not "later", as every online service should."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            answer = portal.post(body)
        except Unreachable:
            portal.close()
            answer = Posted(LATER)
        if answer.status != LATER:
            return answer
        if time.monotonic() > end:
            raise DemoFailed(f"the intake took nothing for {DEADLINE:g} s")
        time.sleep(AGAIN)


def _wait(scene: Scene, store: Store, portal: Portal) -> list[Seen]:
    """Return what was seen once everything ended. Raises DemoFailed at the deadline."""
    end = time.monotonic() + DEADLINE
    while True:
        scene.region.alive()
        seen = look(scene.every, scene.posted, store, portal.answers(), scene.town.effects())
        if all(one.ended for one in seen) and is_quiet(store):
            scene.tell(f"all ended, {sum(len(one.answers) for one in seen)} answers came back\n")
            return seen
        if time.monotonic() > end:
            wrong = [text for one in seen if not one.ended for text in one.told()]
            raise DemoFailed(f"after {DEADLINE:g} s not all have ended:\n  " + "\n  ".join(wrong))
        time.sleep(LOOK)


def _rows(seen: Sequence[Seen]) -> Iterator[tuple[str, ...]]:
    """Yield a line for each message of the play, with all its repetitions."""
    groups: dict[tuple[str, str], dict[str, list[Seen]]] = {}
    for one in seen:
        ways = groups.setdefault((one.part.title, one.part.city.title()), {})
        ways.setdefault(one.part.by.value, []).append(one)
    ordered = [((*key, way), group) for key, ways in groups.items() for way, group in ways.items()]
    for key, group in ordered:
        ends = ", ".join(sorted({end_of(one) for one in group}))
        answers = {" ".join(sorted(answer.kind for answer in one.answers)) for one in group}
        longest = max(map(spent, group))
        slow = f"{longest:.0f}" if longest else ""
        yield (*key, ends, str(len(group)), ", ".join(sorted(answers)), slow)


def _sum(counts: Counts) -> str:
    by = {way: sum(counts.states.get(way, {}).values()) for way in Direction}
    requests, answers = by[Direction.REQUEST], by[Direction.ANSWER]
    return f"{counts.accepted} accepted = {requests} applications + {answers} answers to them"


def _kept(scene: Scene, folder: Path) -> Iterator[str]:
    """End the processes, carry the site into a file that stays, and verify its journal."""
    codes = scene.region.drain()
    if any(codes):
        yield f"processes ended with {codes}, must be 0"
    file = f"sqlite:///{folder}/state/broker.sqlite"
    move = ("store", "move", "--from-file", str(scene.region.url_file), "--to", file)
    for words, environ in ((move, scene.environ), (("verify",), _left(scene.environ))):
        process = launched(words, environ)
        text = finished(process)
        say(f"$ xoev-broker {' '.join(words[:2])}")
        say("\n".join(map(folded, text.strip().splitlines())) + "\n")
        if process.returncode:
            yield f"xoev-broker {' '.join(words[:2])} failed"


def _left(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without the servers, which are gone in the end."""
    gone = [variable(name) for name in ("store_file", "queue", "queue_file")]
    return {name: text for name, text in environ.items() if name not in gone}


def _further(folder: Path) -> None:
    say("\nNothing runs any more. Its store, carried over into a file, is still there:\n")
    say(f"  export {variable('state')}={folder}/state")
    say("  xoev-broker messages --state rejected")
    say(f"  ls {folder}")
